"""The catalogue of metrics: every figure a run can have, its unit, and which way is better.

A figure that is not listed here does not exist: the summary fills this catalogue and nothing else, a gate that names
anything else is refused before any load is sent, and docs/gates.md lists exactly this.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from jivsbench.model.gate import Unit
from jivsbench.model.scenario import Question

JOB_OPERATION: Final = "job"
CPU_PER_ROWS: Final = "target.cpu_per_million_rows"
_OPERATION_RESPONSE: Final = re.compile(r"([a-z][a-z0-9_-]*)\.response")
_LATENCY: Final = ("p50", "p90", "p95", "p99", "mean", "max")
# What one unit is in the first unit of its dimension. Units of different dimensions never convert.
_DIMENSIONS: Final = ({Unit.MILLISECONDS: 1.0, Unit.SECONDS: 1000.0},)


class Direction(StrEnum):
    """Which way a figure improves."""

    LOWER = "lower"
    HIGHER = "higher"


@dataclass(frozen=True, slots=True)
class Metric:
    """One kind of figure. A relative gate may judge `paired` and `plain` statistics, no others."""

    name: str
    unit: Unit
    statistics: tuple[str, ...]
    better: Direction
    meaning: str
    paired: tuple[str, ...] = ()
    """Statistics that every block of a comparison has, so that their change has an interval."""
    plain: tuple[str, ...] = ()
    """Statistics that an arm has only once: their change is a plain ratio, without an interval."""
    is_windowed: bool = False
    """True when it is known second by second, so that a gate may judge it over a window."""
    needs_jobs: bool = False
    """True when only a workload that times whole jobs produces it."""
    question: Question | None = None
    """The question that a scenario must ask for it."""
    input_option: str | None = None
    """The option that names the file it is read from; None for what a run measures itself."""


OPERATION_METRIC: Final = Metric(
    "<operation>.response",
    Unit.MILLISECONDS,
    _LATENCY,
    Direction.LOWER,
    "one operation of the workload, from its intended start to its end",
    is_windowed=True,
)
"""Stands for one metric per operation of the scenario's workload."""

GROWING: Final = {
    "memory": "memory of the target's process tree: PSS, or RSS where the system has no PSS",
    "handles": "open file handles of the target's process tree",
    "threads": "threads of the target's process tree",
    "connections": "connections of the target's source pools, borrowed and idle",
    "backends": "sessions of the target at the source's server",
    "latency": "p95 of the jobs that ended in each second",
}
"""Gauges that should not grow, with what each one is."""

_ANSWERS: Final = (
    Metric(
        "knee.users",
        Unit.COUNT,
        ("step", "fit"),
        Direction.HIGHER,
        "users up to which throughput grows: by the steps of the schedule, within the p95 limit; and by a fitted curve",
        needs_jobs=True,
        question=Question.KNEE,
    ),
    Metric(
        "knee.http",
        Unit.MILLISECONDS,
        ("p95",),
        Direction.LOWER,
        "all HTTP calls but long polls, up to and with the last step whose throughput grew: the worst of those steps",
        question=Question.KNEE,
    ),
    Metric(
        "recovery.time",
        Unit.SECONDS,
        ("max",),
        Direction.LOWER,
        "from the end of a peak until p95 stays within the band of before the first peak: the longest of all peaks",
        needs_jobs=True,
        question=Question.RECOVERY,
    ),
    Metric(
        "peak.http",
        Unit.MILLISECONDS,
        ("p95",),
        Direction.LOWER,
        "all HTTP calls but long polls that ended within a peak: the worst of all peaks",
        question=Question.RECOVERY,
    ),
    Metric(
        "after_peak.http",
        Unit.MILLISECONDS,
        ("p95",),
        Direction.LOWER,
        "all HTTP calls but long polls that ended in the plateau after a peak, recovery included: the worst of all peaks",
        question=Question.RECOVERY,
    ),
    Metric(
        "capacity.jobs",
        Unit.JOBS_PER_SECOND,
        ("rate",),
        Direction.HIGHER,
        "the highest arrival rate (iterations: of `mixed` not each is a job) that kept the p95 limit, by bisection on plateaus "
        "of an open loop",
        needs_jobs=True,
        question=Question.CAPACITY,
    ),
    *(
        Metric(f"growth.{gauge}", Unit.PERCENT, ("trend",), Direction.LOWER, f"growth of {meaning}", question=Question.GROWTH)
        for gauge, meaning in GROWING.items()
    ),
)

CATALOGUE: Final[tuple[Metric, ...]] = (
    replace(OPERATION_METRIC, name="http.response", meaning="all HTTP calls, from the intended start to the end; no long polls"),
    replace(OPERATION_METRIC, name="http.service", meaning="all HTTP calls, from the actual start to the end; no long polls"),
    replace(
        OPERATION_METRIC, name="http.lag", meaning="how late the load generator sent its calls: its own fault, not the target's"
    ),
    replace(
        OPERATION_METRIC,
        name="job.response",
        meaning="whole extraction jobs, from the intended start until the result is known",
        paired=("mean", "p50", "p95"),
        needs_jobs=True,
    ),
    OPERATION_METRIC,
    Metric(
        "http.errors",
        Unit.PERCENT,
        ("ratio",),
        Direction.LOWER,
        "failed HTTP requests, long polls included, of all that were sent",
        plain=("ratio",),
        is_windowed=True,
    ),
    Metric(
        "job.errors",
        Unit.PERCENT,
        ("ratio",),
        Direction.LOWER,
        "jobs that failed, timed out, were cancelled, refused or returned wrong rows, of all that were tried",
        plain=("ratio",),
        needs_jobs=True,
        is_windowed=True,
    ),
    Metric(
        "throughput.records",
        Unit.RECORDS_PER_MINUTE,
        ("rate",),
        Direction.HIGHER,
        "rows of completed jobs per minute of measured time",
        paired=("rate",),
        needs_jobs=True,
        is_windowed=True,
    ),
    Metric(
        "throughput.jobs",
        Unit.JOBS_PER_SECOND,
        ("rate",),
        Direction.HIGHER,
        "completed jobs per second of measured time",
        paired=("rate",),
        needs_jobs=True,
        is_windowed=True,
    ),
    Metric(
        "cache.hits",
        Unit.PERCENT,
        ("ratio",),
        Direction.HIGHER,
        "look-ups during the load that the metadata cache answered",
        plain=("ratio",),
    ),
    Metric(
        "target.memory",
        Unit.MEBIBYTES,
        ("max", "mean"),
        Direction.LOWER,
        "memory of the target's process tree: PSS, or RSS where the system has no PSS",
        plain=("max", "mean"),
    ),
    Metric(
        "target.cpu",
        Unit.CORES,
        ("mean",),
        Direction.LOWER,
        "CPU seconds of the target's process tree per second",
        plain=("mean",),
    ),
    Metric(
        CPU_PER_ROWS,
        Unit.SECONDS,
        ("mean",),
        Direction.LOWER,
        "CPU seconds of the target's process per million rows that it extracted",
        paired=("mean",),
        needs_jobs=True,
    ),
    Metric(
        "rows.lost",
        Unit.COUNT,
        ("count",),
        Direction.LOWER,
        "rows read but not written (or the reverse), plus jobs that returned wrong rows",
        needs_jobs=True,
    ),
    *_ANSWERS,
    Metric("findings.critical", Unit.COUNT, ("count",), Direction.LOWER, "open findings of severity CRITICAL"),
    Metric("findings.high", Unit.COUNT, ("count",), Direction.LOWER, "open findings of severity HIGH"),
    Metric(
        "tests.failed",
        Unit.COUNT,
        ("count",),
        Direction.LOWER,
        "tests that failed or ended in an error, read from JUnit files",
        input_option="--junit",
    ),
    Metric(
        "tests.passed",
        Unit.COUNT,
        ("count",),
        Direction.HIGHER,
        "tests that passed, read from JUnit files; skipped ones did not",
        input_option="--junit",
    ),
    Metric(
        "coverage.lines",
        Unit.PERCENT,
        ("ratio",),
        Direction.HIGHER,
        "lines that tests ran, read from a coverage file",
        input_option="--coverage",
    ),
    Metric(
        "coverage.branches",
        Unit.PERCENT,
        ("ratio",),
        Direction.HIGHER,
        "branches that tests took, read from a coverage file",
        input_option="--coverage",
    ),
)


def find_metric(name: str) -> Metric | None:
    """The metric of that name; for any other `<operation>.response` that operation's metric; else None."""
    for metric in CATALOGUE:
        if metric.name == name:
            return metric
    if _OPERATION_RESPONSE.fullmatch(name):
        return replace(OPERATION_METRIC, name=name)
    return None


def list_metrics(operations: Collection[str]) -> tuple[Metric, ...]:
    """The metrics that a workload with these operations produces, in the catalogue's order."""
    fixed = {metric.name for metric in CATALOGUE}
    own = (f"{operation}.response" for operation in operations)
    of_operations = tuple(replace(OPERATION_METRIC, name=name) for name in sorted(own) if name not in fixed)
    produced: list[Metric] = []
    for metric in CATALOGUE:
        if metric is OPERATION_METRIC:
            produced.extend(of_operations)
        elif JOB_OPERATION in operations or not metric.needs_jobs:
            produced.append(metric)
    return tuple(produced)


def convert_unit(value: float, unit: Unit, wanted: Unit) -> float | None:
    """The value in another unit of the same dimension; None when there is no way from one to the other.

    >>> convert_unit(0.5, Unit.SECONDS, Unit.MILLISECONDS)
    500.0
    """
    if unit is wanted:
        return value
    for factors in _DIMENSIONS:
        if unit in factors and wanted in factors:
            return value * factors[unit] / factors[wanted]
    return None
