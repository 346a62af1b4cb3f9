"""A run's own file as claims, so that it is audited by the same rules as everybody's."""

from collections.abc import Sequence
from typing import Final

from jivsbench.analysis.condensing import highest
from jivsbench.analysis.readings import measure_cache
from jivsbench.model.claims import Claims, Criterion, Part, Quantity, Stated, Workload
from jivsbench.model.gate import GateOutcome
from jivsbench.model.record import ArmRecord, Plan, RunRecord
from jivsbench.model.sample import OperationInterval
from jivsbench.model.scenario import Arrival, MixEntry, Scenario
from jivsbench.model.summary import Figure, Summary, Verdict

NAME: Final = "jivsbench run"
_NOTHING: Final = "none"
_NS_PER_MS: Final = 1e6
_NS_PER_S: Final = 1e9
_LATENCIES: Final = {
    "mean": Quantity.MEAN_MS,
    "p50": Quantity.P50_MS,
    "p90": Quantity.P90_MS,
    "p95": Quantity.P95_MS,
    "p99": Quantity.P99_MS,
    "max": Quantity.MAX_MS,
}
# A percentile is that of a bucket, at most 0.1 % off.
_BUCKET_RATIO: Final = 0.002


def list_claims(record: RunRecord, summary: Summary, verdict: Verdict) -> tuple[Claims, ...]:
    """What the file of a run states."""
    parts = [part for arm in record.arms for part in _list_parts(record, arm, summary)]
    return (
        Claims(
            NAME,
            None,
            tuple(parts),
            criteria=tuple(_list_criteria(verdict)),
            workloads=(describe_workload(record),),
            percentile_error_ratio=_BUCKET_RATIO,
        ),
    )


def describe_workload(record: RunRecord) -> Workload:
    """What was offered: whatever must agree before two runs may be compared."""
    plan, spec = record.plan, record.plan.scenario.workload
    return Workload(
        record.run_id,
        (
            ("workload", spec.name),
            ("rows of one extraction", str(spec.rows)),
            ("rows of the table", str(plan.table_rows)),
            ("what makes an iteration begin", plan.scenario.arrival.value),
            (
                "most users, or iterations a second",
                f"{max((stage.users or stage.rate_per_s for stage in plan.scenario.stages), default=0):g}",
            ),
            ("think time", f"{spec.think_time_s:g} s"),
            ("source", plan.source_label.partition(",")[0]),
            ("table", spec.table),
            ("key of the table", spec.key),
            ("spread of the think time", f"{spec.think_time}, {spec.think_time_spread_s:g} s"),
            ("mix", _describe_mix(spec.mix)),
            # Its name is no part of what is asked for; the same rows may lie in another file.
            ("feed", f"{spec.feed.rows} rows, SHA-256 {spec.feed.sha256}" if spec.feed else _NOTHING),
            ("further sources", describe_sources(plan)),
            *_list_open_loop(plan.scenario),
        ),
    )


def describe_sources(plan: Plan) -> str:
    """The sources beside the main one."""
    return "; ".join(f"{source.kind} {source.name}: {source.label}" for source in plan.sources) or _NOTHING


def _describe_mix(mix: Sequence[MixEntry]) -> str:
    """Each kind of iteration with its share: only the weights' ratios count."""
    total = sum(entry.weight for entry in mix) or 1.0
    return (
        ", ".join(f"{entry.weight / total:.6g} {entry.action} of {entry.rows} rows from {entry.source}" for entry in mix)
        or _NOTHING
    )


def _list_open_loop(scenario: Scenario) -> tuple[tuple[str, str], ...]:
    """How arrivals are spaced, and what becomes of those that find no room; a closed loop has none."""
    if scenario.arrival is not Arrival.RATE:
        return ()
    return (
        ("gaps between arrivals", scenario.gaps.value),
        ("limit of iterations in flight", str(scenario.in_flight_limit)),
        ("limit of iterations that wait", str(scenario.queue_limit)),
    )


def _list_parts(record: RunRecord, arm: ArmRecord, summary: Summary) -> list[Part]:
    name = arm.profile.name
    totals, use = arm.totals, measure_cache(arm.monitor)
    measured_s = sum(block.end_ns - block.measured_ns for block in arm.blocks) / _NS_PER_S
    whole = _build(
        f"{name}, throughput",
        (Quantity.DURATION_S, Stated("measured time", measured_s) if measured_s > 0 else None),
        (Quantity.RECORDS, Stated("rows of blocks", sum(block.rows for block in arm.blocks))),
        (Quantity.RECORDS_PER_S, _rate(summary.figure(name, "throughput.records", "rate"))),
        (Quantity.TRIED, Stated("jobs of blocks", sum(block.jobs for block in arm.blocks))),
        (Quantity.TRIED_PER_S, _state(summary.figure(name, "throughput.jobs", "rate"))),
    )
    calls = _build(
        f"{name}, requests",
        (Quantity.FAILED, Stated("failed requests", arm.call_errors)),
        (Quantity.TRIED, Stated("sent requests", arm.call_count)),
        (Quantity.ERROR_RATIO, _ratio(summary.figure(name, "http.errors", "ratio"))),
    )
    jobs = _build(
        f"{name}, jobs",
        (Quantity.SUCCEEDED, Stated("completed", totals.completed)),
        (Quantity.FAILED, Stated("failed + timed out + cancelled", totals.failed + totals.timed_out + totals.cancelled)),
        (Quantity.TRIED, Stated("created", totals.created)),
    )
    cache = _build(
        f"{name}, cache",
        (Quantity.HITS, Stated("hits", use.hits) if use else None),
        (Quantity.LOOKUPS, Stated("look-ups", use.lookups) if use else None),
        (Quantity.HIT_RATIO, _ratio(summary.figure(name, "cache.hits", "ratio"))),
    )
    pool = arm.profile.pool
    active = max((most for look in arm.monitor if (most := highest(look, "pool_active")) is not None), default=None)
    connections = _build(
        f"{name}, connections",
        (Quantity.ACTIVE_CONNECTIONS, None if active is None or not arm.profile.switches.pool else Stated("active", active)),
        (Quantity.POOL_SIZE, Stated("max_size of the pool", pool.max_size)),
    )
    return [whole, calls, jobs, cache, connections, *(_read_operation(record, arm, part, summary) for part in arm.operations)]


def _read_operation(record: RunRecord, arm: ArmRecord, part: OperationInterval, summary: Summary) -> Part:
    """One operation: its percentiles rise, and its users cannot have been busier than the time allows."""
    name = arm.profile.name
    played_s = sum(block.drained_ns - block.start_ns for block in arm.blocks) / _NS_PER_S
    figures = [
        (quantity, _state(summary.figure(name, f"{part.operation}.response", statistic)))
        for statistic, quantity in _LATENCIES.items()
    ]
    return _build(
        f"{name}, {part.operation}",
        (Quantity.TRIED, Stated("count", part.count)),
        (Quantity.MIN_MS, Stated("least", part.response.min_ns / _NS_PER_MS) if part.count else None),
        *figures,
        (Quantity.BUSY_S, Stated("sum of service times", part.service.sum_ns / _NS_PER_S)),
        (Quantity.DURATION_S, Stated("time of blocks", played_s) if played_s > 0 else None),
        (Quantity.USERS, _find_users(record)),
    )


def _find_users(record: RunRecord) -> Stated | None:
    """How many operations can be in flight: one a user, or in an open loop as many as the generator allows."""
    scenario, facts = record.plan.scenario, record.generator
    if scenario.arrival is Arrival.RATE:
        return Stated("limit of iterations in flight", scenario.in_flight_limit)
    return Stated("users reached", facts.users_reached_max) if facts else None


def _list_criteria(verdict: Verdict) -> list[Criterion]:
    """Gates that ended with a number and without an interval: those anybody can check by looking."""
    criteria = []
    for result in verdict.gates:
        gate = result.gate
        if result.value is None or result.low != result.high or result.outcome in (GateOutcome.NO_DATA, GateOutcome.INCONCLUSIVE):
            continue
        criteria.append(
            Criterion(
                result.text,
                Stated("found", result.value),
                gate.comparator,
                Stated("limit", gate.limit),
                result.outcome.is_green,
            )
        )
    return criteria


def _build(name: str, *figures: tuple[Quantity, Stated | None]) -> Part:
    return Part(name, tuple((quantity, stated) for quantity, stated in figures if stated is not None))


def _state(figure: Figure | None, scale: float = 1.0) -> Stated | None:
    if figure is None or figure.value is None:
        return None
    provenance = f"{figure.provenance}: {figure.method}" if figure.method else ""
    return Stated(f"{figure.metric} {figure.statistic}", figure.value * scale, provenance=provenance)


def _rate(figure: Figure | None) -> Stated | None:
    return _state(figure, 1 / 60)


def _ratio(figure: Figure | None) -> Stated | None:
    stated = _state(figure, 0.01)
    if stated is None:
        return None
    return Stated(stated.name, stated.value, is_percent=True, provenance=stated.provenance)
