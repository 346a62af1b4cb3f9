"""How often does a comparison raise a false alarm, and how often does it find what is planted? On real runs, for hours.

`python -m tests.benchmarks.aa_study [--aa 100] [--planted 40] [--planted-5 40] [--limit N] [--file docs/studies/aa-trials.jsonl]`

Every trial compares two targets for 30 s of load each, with new processes: processes of the same code differ, and a study
that kept its targets would count that difference once and call it a hundred trials. Each trial is kept when it ends, in a
file that may be committed. So the study may be interrupted and called again, on another day or another machine, until it
says that nothing is left; then docs/studies/aa.json and the words in docs/comparison.md are written.
"""

import argparse
import json
import os
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from jivsbench.app.comparison import Load
from jivsbench.errors import InterruptedRunError
from tests.benchmarks.aa_study.playing import PROFILE, Study, TrialFile, find_missing, play
from tests.benchmarks.aa_study.result import render, summarize

ROOT = Path(__file__).resolve().parents[3]
RESULT = ROOT / "docs" / "studies" / "aa.json"
TRIALS = ROOT / "docs" / "studies" / "aa-trials.jsonl"
PAGE = ROOT / "docs" / "comparison.md"
BEGIN, END = "<!-- study: begin -->\n", "<!-- study: end -->"
LEAST = {"aa": 100, "planted": 40, "planted_5": 40}


def main() -> int:
    """Go on with the study. Exit code 0 when it is complete and its result is written, 3 when trials are left, 130 by Ctrl-C."""
    options = _parse()
    study = Study(
        options.aa, options.planted, options.planted_5, Load(pairs=options.pairs, processes=options.processes), options.seed
    )
    file = TrialFile(options.file, study)
    left = len(find_missing(study, file.trials))
    print(f"{len(file.trials)} trials are there already, {left} are to play, nearly two minutes each", flush=True)
    status = 0
    try:
        _play(study, file, options)
    except (KeyboardInterrupt, InterruptedRunError):
        print("interrupted: the trial that was under way is lost, the others are kept")
        status = 130
    left = len(find_missing(study, file.trials))
    result = summarize(file.trials) | {"workload": _describe_load(study)}
    print(json.dumps(result | {"seeds": f"{study.seed} and on"}, indent=1))
    if left:
        print(f"{left} trials are left: call again to go on; no result is stored before the end")
        return status or 3
    if not _is_whole(study):
        print(f"a study of fewer than {LEAST} trials is a trial of the study: no result is stored")
        return status
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    PAGE.write_text(replace_words(PAGE.read_text(), render(result)))
    print(f"stored: {RESULT} and the words in {PAGE}")
    return status


def _play(study: Study, file: TrialFile, options: argparse.Namespace) -> None:
    kept = options.keep_bundles
    with nullcontext(kept) if kept else tempfile.TemporaryDirectory(prefix="aa-study-") as folder:
        play(study, file, Path(folder), options.limit, lambda text: print(text, flush=True), renders=bool(kept))


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


def _describe_load(study: Study) -> str:
    load = study.load
    return (
        f"{load.rows:,}-row extractions by {load.users} user, profile {PROFILE}, "
        f"{load.pairs} pairs of {load.block_s:g} s blocks against {load.processes} processes of each"
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="aa_study", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--aa", type=int, default=LEAST["aa"], help="comparisons of equal targets")
    parser.add_argument("--planted", type=int, default=LEAST["planted"], help="comparisons with 10 %% planted")
    parser.add_argument("--planted-5", type=int, default=LEAST["planted_5"], help="comparisons with 5 %% planted")
    parser.add_argument("--pairs", type=int, default=Load().pairs, help="pairs of blocks of each")
    parser.add_argument("--processes", type=int, default=Load().processes, help="processes of each target, one after the other")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=int, default=sys.maxsize, help="play at most so many trials now")
    parser.add_argument("--file", type=Path, default=TRIALS, help="where the trials are kept")
    parser.add_argument("--keep-bundles", type=Path, help="folder for the whole bundle of each trial; without it none is kept")
    return parser.parse_args()


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
