"""`history`: stores finished runs and says where their figures changed."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from jivsbench import __version__
from jivsbench.analysis.change_points import LEAST_RUNS, find_change_points
from jivsbench.analysis.run_claims import describe_workload
from jivsbench.app.conclusion import find_run, judge_as_written
from jivsbench.errors import JivsbenchError
from jivsbench.history import HistoryStore
from jivsbench.model.history import HistoryRun, HistoryState, Trend
from jivsbench.model.record import RunRecord
from jivsbench.report.bundle import write_reports
from jivsbench.report.index import INDEX_FILENAME, render_index

WATCHED: Final = (
    ("throughput.records", "rate"),
    ("job.response", "p50"),
    ("job.response", "p95"),
    ("http.response", "p95"),
    ("target.memory", "max"),
    ("target.cpu", "mean"),
)
_KEY_LENGTH: Final = 16
USUAL: Final = frozenset(
    (
        ("table", "bench_rows"),
        ("key of the table", "id"),
        ("spread of the think time", "constant, 0 s"),
        ("mix", "none"),
        ("feed", "none"),
        ("further sources", "none"),
        ("gaps between arrivals", "even"),
        ("limit of iterations in flight", "1000"),
        ("limit of iterations that wait", "1000"),
    )
)
"""What older versions did not tell apart, as most runs have it: left out of a key, so that the series of these go on."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of the runs that were to be stored."""

    added: tuple[str, ...]
    known: tuple[str, ...]
    unreadable: tuple[str, ...]


def store_runs(store: HistoryStore, reports_dir: Path, names: Sequence[str], *, told_since_s: float = math.inf) -> Stored:
    """Store these runs, or every run of the reports folder. One that cannot be read is named, and stops no other.

    Of a run that is stored already its verdict is brought up to date: when it is named, or when its file is younger than
    `told_since_s` (seconds since 1970), for `gate --write` may have judged it again.
    """
    folders = [find_run(reports_dir, name) for name in names]
    added: list[str] = []
    known: list[str] = []
    unreadable: list[str] = []
    if not folders:
        # A folder is named by its run: what is stored need not be read again, and a record can be large.
        stored = {run.run_id for run in store.list_runs()}
        files = sorted((reports_dir / "runs").glob("*/run.json"))
        settled = {file for file in files if file.parent.name in stored and file.stat().st_mtime < told_since_s}
        known = [file.parent.name for file in files if file in settled]
        folders = [file.parent for file in files if file not in settled]
    for folder in folders:
        try:
            outcome = judge_as_written(folder)
        except JivsbenchError as exc:
            if names:
                raise
            unreadable.append(str(exc))
            continue
        run = _shorten(outcome.record, outcome.verdict.outcome.value)
        # Figures of a load that a gate ended early are of a part of the plan, and stand in no line with whole ones.
        is_new = store.add(run, () if outcome.record.aborted else outcome.summary.figures)
        if not is_new:
            store.update_outcome(run)
        (added if is_new else known).append(run.run_id)
    return Stored(tuple(added), tuple(known), tuple(unreadable))


def read_trends(store: HistoryStore, metrics: Sequence[tuple[str, str]] = WATCHED) -> tuple[Trend, ...]:
    """Each watched figure of each series, with its changes of level."""
    series = store.read_series(metrics)
    return tuple(
        Trend(key, values, find_change_points([v.value for v in values]), len(values) >= LEAST_RUNS)
        for key, values in series.items()
    )


def judge_trends(runs: Sequence[HistoryRun], trends: Sequence[Trend]) -> HistoryState:
    """The state of each scenario by the series that its newest run stands in: what ended before says nothing of today.

    `runs` are the oldest first. The newest run of a scenario that has no figures (it was INVALID) leaves its state unknown.
    """
    newest = {run.scenario: run.run_id for run in runs}
    current = [trend for trend in trends if trend.values[-1].run_id == newest.get(trend.key.scenario)]
    if any(trend.has_worsened for trend in current):
        return HistoryState.WORSE
    watched = {trend.key.scenario for trend in trends if trend.is_long_enough}
    told = {trend.key.scenario for trend in current if trend.is_long_enough}
    return HistoryState.STEADY if watched and watched <= told else HistoryState.UNKNOWN


def write_index(store: HistoryStore, reports_dir: Path) -> tuple[Path, Stored]:
    """index.html in the reports folder, over every run that the history holds; runs of the folder are stored first."""
    page = reports_dir / INDEX_FILENAME
    stored = store_runs(store, reports_dir, (), told_since_s=page.stat().st_mtime if page.is_file() else 0.0)
    runs = store.list_runs()
    here = {path.parent.name for path in (reports_dir / "runs").glob("*/report.html")}
    links = {run.run_id: f"runs/{quote(run.run_id)}/report.html" for run in runs if run.run_id in here}
    report = render_index(runs, read_trends(store), links, f"jivsbench {__version__}")
    write_reports(reports_dir, [report])
    return reports_dir / report.filename, stored


def name_series(record: RunRecord) -> str:
    """A key for what must agree: workload, arms with all their settings, kind of run, machine."""
    environment, plan = record.environment, record.plan
    parts = (
        tuple(setting for setting in describe_workload(record).settings if setting not in USUAL),
        plan.kind,
        plan.time_scale,
        _list_unusual(plan.profiles),
        _list_unusual(plan.scenario.stages),
        environment.cpu_model,
        environment.cpu_count,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:_KEY_LENGTH]


def _list_unusual(value: object) -> object:
    """Values without the fields that are at their default, so that a field which a later version adds begins no new series."""
    if isinstance(value, tuple):
        return tuple(_list_unusual(part) for part in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    named = ((field, getattr(value, field.name)) for field in fields(value))
    return tuple((field.name, _list_unusual(found)) for field, found in named if found != _default_of(field))


def _default_of(field: Field[Any]) -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()


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
