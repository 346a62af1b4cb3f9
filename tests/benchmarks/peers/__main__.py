"""Every contender in turn, in an order drawn anew each round, and one table at the end. `make bench` runs it.

`python -m tests.benchmarks.peers [--scale 0.2] [--rounds 3] [--only NAME,NAME] [--json FILE]`
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from jivsbench.embedded import start_postgres
from tests.benchmarks.peers.contenders import CONTENDERS
from tests.benchmarks.peers.lineitem import Facts, describe_types, load_lineitem, read_facts
from tests.benchmarks.peers.watch import Cost, run_watched

_SLOW = frozenset({"dlt", "pandas"})
"""Run once: many times slower than the rest, so that their noise decides nothing."""
_TIMEOUT_S = 900.0


@dataclass
class Score:
    """What a contender did in all rounds."""

    name: str
    costs: list[Cost] = field(default_factory=list)
    size_bytes: int = 0
    types: str = "-"
    values: str = "-"
    failure: str = ""

    @property
    def wall_s(self) -> float:
        """The median of all rounds."""
        return statistics.median(cost.wall_s for cost in self.costs)


def main() -> int:
    """Run and print. Exit code 1 when jivsbench itself failed or lost a value."""
    options = _parse()
    scores = {name: Score(name) for name in CONTENDERS if not options.only or name in options.only.split(",")}
    order = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="jivsbench-peers-", dir=options.folder) as folder, start_postgres() as server:
        print(f"TPC-H lineitem, scale factor {options.scale:g}: generating and loading", flush=True)
        facts = load_lineitem(server.owner_url.reveal(), options.scale, Path(folder))
        print(f"{facts.rows:,} rows; load average {os.getloadavg()[0]:.1f}; seed {options.seed}", flush=True)
        for number in range(options.rounds):
            names = [name for name in scores if not (number and name in _SLOW)]
            order.shuffle(names)
            for name in names:
                _run(scores[name], server.reader_url.reveal(), Path(folder), facts)
    _print(list(scores.values()), facts)
    if options.json:
        options.json.write_text(json.dumps({name: asdict(score) for name, score in scores.items()}, indent=1) + "\n")
    own = scores.get("jivsbench")
    return int(own is not None and own.values != "kept")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="peers", description=__doc__)
    parser.add_argument("--scale", type=float, default=float(os.environ.get("SCALE", "0.2")), help="TPC-H scale factor")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where to write; default: the system's temporary folder")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    return parser.parse_args()


def _run(score: Score, url: str, folder: Path, facts: Facts) -> None:
    target = folder / score.name
    target.mkdir()
    argv = [sys.executable, "-m", "tests.benchmarks.peers.contenders", score.name, str(target)]
    try:
        cost = run_watched(argv, _build_environment(url), folder / f"{score.name}.log", _TIMEOUT_S)
    except (subprocess.SubprocessError, OSError) as problem:
        lines = (folder / f"{score.name}.log").read_text(errors="replace").strip().splitlines()
        score.failure = lines[-1][:100] if lines else type(problem).__name__
        print(f"  {score.name:12} failed: {score.failure}", flush=True)
    else:
        score.costs.append(cost)
        if score.name != "limit":
            score.size_bytes = sum(path.stat().st_size for path in target.rglob("*.parquet"))
            score.types = describe_types(target)
            score.values = "kept" if read_facts(target) == facts else "CHANGED"
        print(f"  {score.name:12} {cost.wall_s:7.2f} s", flush=True)
    finally:
        shutil.rmtree(target)


def _build_environment(url: str) -> dict[str, str]:
    # As on a user's machine: a setting of this one that forbids byte code would make every start compile everything.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PEERS_URL": url}


def _print(scores: list[Score], facts: Facts) -> None:
    done = sorted((score for score in scores if score.costs), key=lambda score: score.wall_s)
    fastest = min((s.wall_s for s in done if s.name not in {"limit", "jivsbench"}), default=0.0)
    print(f"\n{'':12} {'wall s':>7} {'(all rounds)':>22} {'CPU s':>7} {'peak MB':>8} {'out MB':>7}  values   types")
    for score in done:
        rounds = " ".join(f"{cost.wall_s:.2f}" for cost in score.costs)
        cpu_s = statistics.median(cost.cpu_s for cost in score.costs)
        peak = max(cost.peak_pss_bytes for cost in score.costs) / 1e6
        size = score.size_bytes / 1e6
        figures = f"{score.name:12} {score.wall_s:7.2f} {rounds:>22} {cpu_s:7.2f} {peak:8.0f} {size:7.1f}"
        print(f"{figures}  {score.values:8} {score.types}")
    for score in scores:
        if not score.costs:
            print(f"{score.name:12} not measured: {score.failure or 'not run'}")
    own = next((score for score in done if score.name == "jivsbench"), None)
    if own and fastest:
        pace = f"{facts.rows / own.wall_s:,.0f} verified rows/s"
        print(f"\njivsbench against the fastest peer: x{fastest / own.wall_s:.2f} ({pace})")


if __name__ == "__main__":
    sys.exit(main())
