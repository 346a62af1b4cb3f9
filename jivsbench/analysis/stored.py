"""Two runs that were measured one after the other: what differs between them, and how little that proves.

No interval is given. The blocks of one run know nothing of what the machine did between the runs, so an interval from them
would be far too narrow, and would call equal targets different most of the time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

from jivsbench.analysis.readings import choose_memory_kind
from jivsbench.analysis.run_claims import describe_sources
from jivsbench.model.comparison import ComparisonOutcome, Criterion
from jivsbench.model.gate import Unit
from jivsbench.model.metrics import Direction, convert_unit, find_metric
from jivsbench.model.record import Environment, Plan, RunRecord
from jivsbench.model.scenario import Arrival, Scenario, WorkloadSpec
from jivsbench.model.summary import Figure, Summary

FALSE_ALARMS: Final = "of equal targets measured so on a shared machine, rules of thumb called 24 to 82 % different"
"""How often two runs, one after the other, seem to differ for nothing."""
DRIFT_CAVEAT: Final = (
    "the runs were measured one after the other, so whatever the machine did in between looks like an effect "
    f"({FALSE_ALARMS}): compare both live, in alternating blocks, to know"
)
DEFAULT_FIGURES: Final = (
    Criterion("job.response", "mean"),
    Criterion("job.response", "p95"),
    Criterion("throughput.records", "rate"),
    Criterion("job.errors", "ratio"),
    Criterion("target.memory", "max"),
    Criterion("target.cpu_per_million_rows", "mean"),
)


class Allowance(StrEnum):
    """What may differ between two stored runs because the user says so."""

    WORKLOAD = "workload"
    UNITS = "units"
    MACHINE = "machine"
    DRIFT = "drift"
    """The machine may have changed its speed between the runs: judge by the plain ratio all the same."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that two runs do not share, and what allows it."""

    allowance: Allowance
    text: str


@dataclass(frozen=True, slots=True)
class StoredResult:
    """One figure of both runs, in `unit`. `ratio` is B / A."""

    metric: str
    statistic: str
    unit: Unit
    a: float | None
    b: float | None
    ratio: float | None
    outcome: ComparisonOutcome
    reason: str


Measured = tuple[RunRecord, Summary]


def find_differences(one: Measured, other: Measured, figures: Sequence[Criterion] = DEFAULT_FIGURES) -> tuple[Difference, ...]:
    """Everything that forbids to compare the two runs, unless it is allowed."""
    a, b = one[0], other[0]
    workload = (
        *_pair_fields("workload's", a.plan.scenario.workload, b.plan.scenario.workload),
        ("stages", _describe_stages(a.plan), _describe_stages(b.plan)),
        *_pair_limits(a.plan.scenario, b.plan.scenario),
        ("time scale", a.plan.time_scale, b.plan.time_scale),
        ("rows of the table", a.plan.table_rows, b.plan.table_rows),
        ("source", a.plan.source_label, b.plan.source_label),
        # Not its version: what another release of the server does is often the very question.
        ("product of the source", _name_product(a.environment), _name_product(b.environment)),
        ("further sources", describe_sources(a.plan), describe_sources(b.plan)),
    )
    found = [_tell(Allowance.WORKLOAD, *item) for item in workload if item[1] != item[2]]
    found += [
        _tell(Allowance.MACHINE, name, mine, theirs)
        for (name, mine), (_, theirs) in zip(_describe(a.environment), _describe(b.environment), strict=True)
        if mine != theirs
    ]
    kinds = [choose_memory_kind(record.arms) for record in (a, b)]
    if kinds[0] is not kinds[1]:
        found.append(_tell(Allowance.UNITS, "kind of memory", *kinds))
    for figure in figures:
        units = [known.unit for known in (_find(run, figure) for run in (one, other)) if known is not None]
        if len(set(units)) > 1:
            found.append(_tell(Allowance.UNITS, f"unit of {figure}", *units))
    return tuple(found)


def compare_stored(
    a: Measured, b: Measured, figures: Sequence[Criterion], margin_ratio: float, *, drift_allowed: bool
) -> tuple[StoredResult, ...]:
    """Both runs figure by figure. INCONCLUSIVE throughout, unless the user has ruled out drift."""
    return tuple(
        _compare(figure, _find(a, figure), _find(b, figure), margin_ratio, drift_allowed=drift_allowed) for figure in figures
    )


def _compare(figure: Criterion, a: Figure | None, b: Figure | None, margin_ratio: float, *, drift_allowed: bool) -> StoredResult:
    unit = a.unit if a else b.unit if b else Unit.COUNT
    values = (a.value if a else None, None if b is None or b.value is None else convert_unit(b.value, b.unit, unit))
    missing = next((known.method for known in (a, b) if known is not None and known.value is None), "a run has no such figure")
    before, after = values
    ratio = after / before if before and after is not None else 1.0 if before == after == 0 else None
    if before is None or after is None:
        outcome, reason = ComparisonOutcome.INCONCLUSIVE, missing
    elif not drift_allowed:
        outcome, reason = ComparisonOutcome.INCONCLUSIVE, DRIFT_CAVEAT
    else:
        outcome = _judge(figure, before, after, margin_ratio)
        reason = f"by its plain ratio against a margin of {margin_ratio:.4g}, without an interval: the user has ruled out drift"
    return StoredResult(figure.metric, figure.statistic, unit, before, after, ratio, outcome, reason)


def _judge(figure: Criterion, before: float, after: float, margin_ratio: float) -> ComparisonOutcome:
    metric = find_metric(figure.metric)
    assert metric is not None, figure
    low, high = sorted((before, after))
    if high <= low * (1 + margin_ratio):
        return ComparisonOutcome.EQUIVALENT
    is_worse = (after > before) == (metric.better is Direction.LOWER)
    return ComparisonOutcome.WORSE if is_worse else ComparisonOutcome.BETTER


def _find(run: Measured, figure: Criterion) -> Figure | None:
    record, summary = run
    return summary.figure(record.plan.candidate, figure.metric, figure.statistic)


def _pair_fields(owner: str, a: WorkloadSpec, b: WorkloadSpec) -> tuple[tuple[str, object, object], ...]:
    return tuple((f"{owner} {field.name}", getattr(a, field.name), getattr(b, field.name)) for field in fields(a))


def _pair_limits(a: Scenario, b: Scenario) -> tuple[tuple[str, object, object], ...]:
    """What decides which arrivals of an open loop are sent at all."""
    if Arrival.RATE not in (a.arrival, b.arrival):
        return ()
    names = ("in_flight_limit", "queue_limit")
    return tuple((name.replace("_", " "), getattr(a, name), getattr(b, name)) for name in names)


def _describe_stages(plan: Plan) -> str:
    """How each block goes, as far as the load is concerned."""
    scenario = plan.scenario
    is_open = scenario.arrival is Arrival.RATE
    loads = (f"{stage.rate_per_s:g} iterations/s" if is_open else f"{stage.users} users" for stage in scenario.stages)
    stages = ", ".join(
        f"{stage.duration_s:g} s {'at' if stage.is_step else 'to'} {load}"
        for stage, load in zip(scenario.stages, loads, strict=True)
        if stage.duration_s
    )
    return f"{stages}, {scenario.gaps} gaps" if is_open else stages


def _name_product(environment: Environment) -> str:
    """The first word of what stands before the version."""
    return environment.source_server.partition(" ")[0]


def _describe(environment: Environment) -> tuple[tuple[str, object], ...]:
    return (
        ("platform", environment.platform),
        ("CPU", f"{environment.cpu_count} x {environment.cpu_model}"),
        ("memory in bytes", environment.memory_bytes),
        ("source server", environment.source_server),
        ("cache server", environment.cache_server),
        ("Python", environment.python_version),
    )


def _tell(allowance: Allowance, name: str, a: object, b: object) -> Difference:
    return Difference(allowance, f"{name}: {a} against {b}")
