"""Plays the trials, one after the other, and keeps each as a line of a file: what was played is not played again."""

import json
import math
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from jivsbench.analysis.comparison import judge_comparison
from jivsbench.app.comparison import ArmChoice, Arms, Ground, Judging, Load, build_rule, choose_arms, play_comparison
from jivsbench.app.environment import fingerprint_machine
from jivsbench.app.scenarios import prepare
from jivsbench.app.servers import Workbench, open_servers
from jivsbench.config import Settings
from jivsbench.dataset import TABLE
from jivsbench.model.record import ArmRecord, RunRecord
from jivsbench.model.sample import OperationKind
from jivsbench.plugins import load_registry
from tests.benchmarks.aa_study.result import Trial
from tests.listening import ignore
from tests.planted_share import VARIABLE

PROFILE = "optimized"
PLUGIN = "tests.planted_share"
LOOKS = 4
HOPELESS = 10
DATA_ROWS = 20_000


@dataclass(frozen=True)
class Study:
    """How many trials of which kind, under which load. With more trials the same file goes on, with another load it does not."""

    aa: int
    planted_10: int
    planted_5: int
    load: Load
    seed: int

    @property
    def identity(self) -> dict:
        """What all trials of one file share. Machines are none of it: each trial names its own."""
        return {"profile": PROFILE, "seed": self.seed, **asdict(self.load)}

    def list_kinds(self) -> list[float]:
        """The planted ratio of each trial, in one rotation: every stretch of the study holds all kinds in their proportion.

        What the machine does hits all kinds alike, and a study that is not over yet says something of each.
        """
        source = random.Random(f"kinds:{self.seed}")
        counts = {0.0: self.aa, 0.1: self.planted_10, 0.05: self.planted_5}
        places = [((number + source.random()) / count, kind) for kind, count in counts.items() for number in range(count)]
        return [kind for _, kind in sorted(places)]


class TrialFile:
    """The lines of a study: its identity, then a trial each. It may be committed, and gone on with on another day or machine."""

    def __init__(self, path: Path, study: Study) -> None:
        self._path = path
        self.trials: list[Trial] = []
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        if not lines:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(study.identity) + "\n")
            return
        if json.loads(lines[0]) != study.identity:
            raise SystemExit(f"{path} holds trials of another load or seed: name another file with --file")
        if not lines[-1].endswith("\n"):
            # A line that was being written when the power went is no trial, and the next one must not be joined to it.
            path.write_text("".join(lines[:-1]))
            lines.pop()
        self.trials = [_read_trial(line) for line in lines[1:]]

    def add(self, trial: Trial) -> None:
        """Keep it, on the disk as well."""
        self.trials.append(trial)
        with self._path.open("a") as lines:
            lines.write(json.dumps(asdict(trial)) + "\n")
            lines.flush()
            os.fsync(lines.fileno())


def _read_trial(line: str) -> Trial:
    found = json.loads(line)
    return Trial(**{**found, "invalid": tuple(found["invalid"])})


def find_missing(study: Study, trials: Sequence[Trial]) -> list[float]:
    """The kinds that still have to be played, in their order. Invalid trials are played again, with another seed."""
    done = [trial.planted_ratio for trial in trials if not trial.invalid]
    missing = []
    for kind in study.list_kinds():
        if kind in done:
            done.remove(kind)
        else:
            missing.append(kind)
    return missing


def play(study: Study, file: TrialFile, folder: Path, limit: int, tell: Callable[[str], None], *, renders: bool = False) -> None:
    """Play what is missing, at most `limit` trials; reports are rendered only if somebody keeps them."""
    settings = Settings(reports_dir=folder)
    registry = load_registry()
    if not renders:
        registry = replace(registry, reporters=())
    with open_servers(settings, registry, ignore) as servers:
        bench = Workbench(settings, registry, servers, ignore)
        environment, table_rows = prepare(bench, str(TABLE), DATA_ROWS)
        ground = Ground(bench, environment, table_rows)
        played, started_s = 0, time.monotonic()
        while (
            played < limit
            and not is_hopeless(file.trials[len(file.trials) - played :])
            and (missing := find_missing(study, file.trials))
        ):
            file.add(trial := _play_trial(study, ground, missing[0], study.seed + len(file.trials)))
            played += 1
            left = len(find_missing(study, file.trials))
            tell(f"{left:4d} to go, {format_left((time.monotonic() - started_s) / played * left)}: {_describe(trial)}")


def is_hopeless(trials: Sequence[Trial]) -> bool:
    """After so many trials in a row that say nothing, the machine is too busy: it would go on like that for days."""
    return len(trials) >= HOPELESS and all(trial.invalid for trial in trials[-HOPELESS:])


def format_left(left_s: float) -> str:
    """How long the rest will take, if it goes on as before."""
    minutes = math.ceil(left_s / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _play_trial(study: Study, ground: Ground, planted_ratio: float, seed: int) -> Trial:
    os.environ[VARIABLE] = str(planted_ratio)
    started_at, load_average = datetime.now(UTC).isoformat(timespec="seconds"), os.getloadavg()[0]
    arms = _choose_arms(ground, has_delay=bool(planted_ratio))
    rule = build_rule(Judging(looks=1), study.load)
    record = play_comparison(ground, arms, study.load, rule, seed).record
    environment = record.environment
    trial = Trial(
        planted_ratio=planted_ratio,
        seed=seed,
        started_at=started_at,
        load_average_1m=load_average,
        machine=f"{environment.machine_label}, {environment.memory_bytes / 2**30:.0f} GiB, Python {environment.python_version}",
        machine_id=fingerprint_machine(),
        version=f"{environment.jivsbench_version} ({environment.git_commit})",
        invalid=record.invalid,
    )
    return trial if record.invalid else _fill(trial, record, study)


def _choose_arms(ground: Ground, *, has_delay: bool) -> Arms:
    candidate = ArmChoice(PROFILE, plugins=(PLUGIN,) if has_delay else ())
    return choose_arms(ground.bench.settings, ground.bench.registry, (ArmChoice(PROFILE), candidate))


def _fill(trial: Trial, record: RunRecord, study: Study) -> Trial:
    blocks = [arm.blocks for arm in record.arms]
    assert record.plan.rule is not None
    (fixed,) = judge_comparison(record.plan.rule, *blocks)
    (sequential,) = judge_comparison(build_rule(Judging(looks=LOOKS), study.load), *blocks)
    baseline, candidate = (_pool(arm) for arm in record.arms)
    return replace(
        trial,
        outcome=fixed.outcome.value,
        sequential_outcome=sequential.outcome.value,
        sequential_pairs=sequential.pairs,
        pairs=fixed.pairs,
        ratio=fixed.ratio,
        ratio_low=fixed.ratio_low,
        ratio_high=fixed.ratio_high,
        baseline_jobs=baseline[0],
        baseline_mean_ms=baseline[1],
        candidate_jobs=candidate[0],
        candidate_mean_ms=candidate[1],
    )


def _pool(arm: ArmRecord) -> tuple[int, float]:
    """All jobs of one side together: how many, and their mean in ms."""
    job = next(part for part in arm.operations if part.kind is OperationKind.JOB)
    return job.count, job.response.sum_ns / job.count / 1e6


def _describe(trial: Trial) -> str:
    kind = f"{trial.planted_ratio:.0%} planted" if trial.planted_ratio else "equal"
    if trial.invalid:
        return f"{kind}, seed {trial.seed}: says nothing ({trial.invalid[0]})"
    bounds = f"{trial.ratio_low:.3f} to {trial.ratio_high:.3f}" if trial.ratio_low else "no interval"
    pooled = trial.candidate_mean_ms / trial.baseline_mean_ms
    return f"{kind}, seed {trial.seed}: {trial.outcome}, {bounds}, pooled {pooled:.3f}, jobs of {trial.baseline_mean_ms:.1f} ms"
