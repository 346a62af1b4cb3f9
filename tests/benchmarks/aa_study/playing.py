"""Plays the trials, one after the other, and keeps each as a line of a file: what was played is not played again."""

import json
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from jivsbench.analysis.comparison import judge_comparison
from jivsbench.app.comparison import ArmChoice, Arms, Ground, Judging, Load, build_rule, choose_arms, play_comparison
from jivsbench.app.environment import fingerprint_machine
from jivsbench.app.progress import ignore
from jivsbench.app.scenarios import prepare
from jivsbench.app.servers import Workbench, open_servers
from jivsbench.config import Settings
from jivsbench.dataset import TABLE
from jivsbench.model.record import ArmRecord, RunRecord
from jivsbench.model.sample import OperationKind
from jivsbench.plugins import load_registry
from tests.benchmarks.aa_study.result import Trial
from tests.planted_delay import VARIABLE

PROFILE = "optimized"
PLUGIN = "tests.planted_delay"
LOOKS = 4
RECENT = 3
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
        """What all trials of one file share."""
        load = {name: getattr(self.load, name) for name in ("users", "rows", "block_s", "washout_s", "warm_up_s", "pairs")}
        return {"machine": fingerprint_machine(), "profile": PROFILE, "seed": self.seed, **load}

    def list_kinds(self) -> list[float]:
        """The planted ratio of each trial, mixed, so that what the machine does hits all kinds alike.

        The first is an equal one: its jobs tell how long the first planted delay must be.
        """
        kinds = [0.0] * (self.aa - 1) + [0.1] * self.planted_10 + [0.05] * self.planted_5
        random.Random(f"kinds:{self.seed}").shuffle(kinds)
        return [0.0, *kinds]


class TrialFile:
    """The lines of a study: its identity, then a trial each."""

    def __init__(self, path: Path, study: Study) -> None:
        self._path = path
        self.trials: list[Trial] = []
        lines = path.read_text().splitlines() if path.exists() else []
        if not lines:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(study.identity) + "\n")
            return
        if json.loads(lines[0]) != study.identity:
            raise SystemExit(f"{path} holds trials of another load, seed or machine: name another folder with --folder")
        # A line that was being written when the power went is no trial.
        whole = [line for line in lines[1:] if line.endswith("}")]
        self.trials = [Trial(**{**found, "invalid": tuple(found["invalid"])}) for found in map(json.loads, whole)]

    def add(self, trial: Trial) -> None:
        """Keep it, on the disk as well."""
        self.trials.append(trial)
        with self._path.open("a") as lines:
            lines.write(json.dumps(asdict(trial)) + "\n")
            lines.flush()
            os.fsync(lines.fileno())


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


def play(study: Study, file: TrialFile, folder: Path, limit: int, tell: Callable[[str], None]) -> None:
    """Play what is missing, at most `limit` trials."""
    settings = Settings(reports_dir=folder)
    registry = load_registry()
    with open_servers(settings, registry, ignore) as servers:
        bench = Workbench(settings, registry, servers, ignore)
        environment, table_rows = prepare(bench, str(TABLE), DATA_ROWS)
        ground = Ground(bench, environment, table_rows)
        played = 0
        while played < limit and (missing := find_missing(study, file.trials)):
            trial = _play_trial(study, ground, missing[0], file.trials)
            file.add(trial)
            played += 1
            tell(f"{len(missing) - (not trial.invalid):4d} to go: {_describe(trial)}")


def _play_trial(study: Study, ground: Ground, planted_ratio: float, before: Sequence[Trial]) -> Trial:
    seed = study.seed + len(before)
    delay_us = _choose_delay_us(planted_ratio, before)
    os.environ[VARIABLE] = str(delay_us)
    started_at, load_average = datetime.now(UTC).isoformat(timespec="seconds"), os.getloadavg()[0]
    arms = _choose_arms(ground, has_delay=bool(planted_ratio))
    rule = build_rule(Judging(looks=1), study.load.pairs)
    outcome = play_comparison(ground, arms, study.load, rule, seed)
    trial = Trial(planted_ratio, seed, "", "", 0, 0, None, None, None, delay_us, 0, 0.0, 0, 0.0, started_at, load_average)
    if outcome.record.invalid:
        return replace(trial, invalid=outcome.record.invalid)
    return _fill(trial, outcome.record, study)


def _choose_arms(ground: Ground, *, has_delay: bool) -> Arms:
    candidate = ArmChoice(PROFILE, plugins=(PLUGIN,) if has_delay else ())
    return choose_arms(ground.bench.settings, ground.bench.registry, (ArmChoice(PROFILE), candidate))


def _choose_delay_us(planted_ratio: float, before: Sequence[Trial]) -> int:
    """That share of how long jobs took in the last valid trials: the machine's speed changes from hour to hour."""
    recent = [trial.baseline_mean_ms for trial in before if not trial.invalid][-RECENT:]
    return round(planted_ratio * median(recent) * 1000) if planted_ratio else 0


def _fill(trial: Trial, record: RunRecord, study: Study) -> Trial:
    blocks = [arm.blocks for arm in record.arms]
    assert record.plan.rule is not None
    (fixed,) = judge_comparison(record.plan.rule, *blocks)
    (sequential,) = judge_comparison(build_rule(Judging(looks=LOOKS), study.load.pairs), *blocks)
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
