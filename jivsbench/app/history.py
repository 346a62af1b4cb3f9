"""`history`: stores finished runs and says where their figures changed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jivsbench.analysis.change_points import LEAST_RUNS, find_change_points
from jivsbench.analysis.run_claims import describe_workload
from jivsbench.app.conclusion import find_run, judge_again
from jivsbench.errors import JivsbenchError
from jivsbench.history import HistoryStore
from jivsbench.history.store import SeriesKey
from jivsbench.model.history import ChangePoint, HistoryRun, HistoryValue
from jivsbench.model.metrics import Direction, find_metric
from jivsbench.model.record import RunRecord

WATCHED: Final = (
    ("throughput.records", "rate"),
    ("job.response", "p50"),
    ("job.response", "p95"),
    ("http.response", "p95"),
    ("target.memory", "max"),
    ("target.cpu", "mean"),
)
_KEY_LENGTH: Final = 16


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of the runs that were to be stored."""

    added: tuple[str, ...]
    known: tuple[str, ...]
    unreadable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trend:
    """One figure over the runs of one series, with the places where its level changed."""

    key: SeriesKey
    values: tuple[HistoryValue, ...]
    changes: tuple[ChangePoint, ...]

    @property
    def is_long_enough(self) -> bool:
        """False when there are too few runs to show any change."""
        return len(self.values) >= LEAST_RUNS

    def is_worse(self, change: ChangePoint) -> bool:
        """True when the metric's better direction is the other one."""
        metric = find_metric(self.key.metric)
        return (change.after > change.before) == (metric is None or metric.better is Direction.LOWER)

    @property
    def has_worsened(self) -> bool:
        """True when the last change of level was for the worse."""
        return bool(self.changes) and self.is_worse(self.changes[-1])


def store_runs(store: HistoryStore, reports_dir: Path, names: Sequence[str]) -> Stored:
    """Store these runs, or every run of the reports folder. One that cannot be read is named, and stops no other."""
    folders = [find_run(reports_dir, name) for name in names]
    if not folders:
        folders = sorted(path.parent for path in (reports_dir / "runs").glob("*/run.json"))
    added: list[str] = []
    known: list[str] = []
    unreadable: list[str] = []
    for folder in folders:
        try:
            outcome = judge_again(folder)
        except JivsbenchError as exc:
            if names:
                raise
            unreadable.append(str(exc))
            continue
        is_new = store.add(_shorten(outcome.record, outcome.verdict.outcome.value), outcome.summary.figures)
        (added if is_new else known).append(outcome.record.run_id)
    return Stored(tuple(added), tuple(known), tuple(unreadable))


def read_trends(store: HistoryStore, metrics: Sequence[tuple[str, str]] = WATCHED) -> tuple[Trend, ...]:
    """Each watched figure of each series, with its changes of level."""
    series = store.read_series(metrics)
    return tuple(Trend(key, values, find_change_points([v.value for v in values])) for key, values in series.items())


def name_series(record: RunRecord) -> str:
    """A key for what must agree: workload, arms with all their settings, kind of run, machine."""
    environment, plan = record.environment, record.plan
    parts = (
        describe_workload(record).settings,
        plan.kind,
        plan.time_scale,
        plan.profiles,
        plan.scenario.stages,
        environment.cpu_model,
        environment.cpu_count,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:_KEY_LENGTH]


def _shorten(record: RunRecord, outcome: str) -> HistoryRun:
    return HistoryRun(
        run_id=record.run_id,
        started_at=record.started_at,
        git_commit=record.environment.git_commit,
        scenario=record.plan.scenario.name,
        series=name_series(record),
        outcome=outcome,
        version=record.environment.jivsbench_version,
    )
