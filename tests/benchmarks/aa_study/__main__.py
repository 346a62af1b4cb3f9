"""How often does a comparison raise a false alarm, and how often does it find what is planted? On real runs, for hours.

`python -m tests.benchmarks.aa_study [--aa 100] [--planted 40] [--planted-5 40] [--limit N] [--folder reports/aa-study]`

Every trial compares two new pairs of processes for 30 s of load. Each is kept when it ends, so the study may be interrupted
and called again until it says that nothing is left; then docs/studies/aa.json and the words in docs/comparison.md are written.
"""

import argparse
import json
import os
import platform
import shutil
import sys
from pathlib import Path

from jivsbench import __version__
from jivsbench.app.comparison import Load
from jivsbench.app.environment import read_environment
from jivsbench.model.source import ServerFacts
from tests.benchmarks.aa_study.playing import PROFILE, Study, TrialFile, find_missing, play
from tests.benchmarks.aa_study.result import render, summarize

ROOT = Path(__file__).resolve().parents[3]
RESULT = ROOT / "docs" / "studies" / "aa.json"
PAGE = ROOT / "docs" / "comparison.md"
BEGIN, END = "<!-- study: begin -->\n", "<!-- study: end -->"
LEAST = {"aa": 100, "planted": 40, "planted_5": 40}


def main() -> int:
    """Go on with the study. Exit code 0 when it is complete and its result is written, 3 when trials are left."""
    options = _parse()
    study = Study(options.aa, options.planted, options.planted_5, Load(pairs=options.pairs), options.seed)
    file = TrialFile(options.folder / "trials.jsonl", study)
    print(f"{len(file.trials)} trials are there already, {len(find_missing(study, file.trials))} are to play", flush=True)
    bundles = options.folder / "bundles"
    try:
        play(study, file, bundles, options.limit, lambda text: print(text, flush=True))
    finally:
        if not options.keep_bundles:
            shutil.rmtree(bundles, ignore_errors=True)
    left = len(find_missing(study, file.trials))
    result = summarize(file.trials) | _describe_machine(study)
    print(json.dumps(result | {"seeds": f"{study.seed} and on"}, indent=1))
    if left:
        print(f"{left} trials are left: call again to go on; no result is stored before the end")
        return 3
    if not _is_whole(study):
        print(f"a study of fewer than {LEAST} trials is a trial of the study: no result is stored")
        return 0
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    PAGE.write_text(replace_words(PAGE.read_text(), render(result)))
    print(f"stored: {RESULT} and the words in {PAGE}")
    return 0


def replace_words(page: str, words: str) -> str:
    """The page with other words between its two marks."""
    head, rest = page.split(BEGIN)
    return f"{head}{BEGIN}{words}\n{END}{rest.partition(END)[2]}"


def _is_whole(study: Study) -> bool:
    return (
        study.load == Load()
        and study.aa >= LEAST["aa"]
        and study.planted_10 >= LEAST["planted"]
        and study.planted_5 >= LEAST["planted_5"]
    )


def _describe_machine(study: Study) -> dict[str, object]:
    found = read_environment(ServerFacts("", "", "", "", may_write=None), "", ())
    load = study.load
    return {
        "machine": f"{found.cpu_count} x {found.cpu_model}, {found.memory_bytes / 2**30:.0f} GiB, {found.platform}",
        "workload": f"{load.rows:,}-row extractions by {load.users} user, profile {PROFILE}, {load.pairs} pairs of "
        f"{load.block_s:g} s blocks",
        "jivsbench_version": __version__,
        "git_commit": found.git_commit,
        "python_version": platform.python_version(),
    }


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="aa_study", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--aa", type=int, default=LEAST["aa"], help="comparisons of equal targets")
    parser.add_argument("--planted", type=int, default=LEAST["planted"], help="comparisons with 10 %% planted")
    parser.add_argument("--planted-5", type=int, default=LEAST["planted_5"], help="comparisons with 5 %% planted")
    parser.add_argument("--pairs", type=int, default=Load().pairs, help="pairs of blocks of each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=int, default=sys.maxsize, help="play at most so many trials now")
    parser.add_argument("--folder", type=Path, default=Path("reports") / "aa-study", help="where the trials are kept")
    parser.add_argument("--keep-bundles", action="store_true", help="keep the whole bundle of each trial as well")
    return parser.parse_args()


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
