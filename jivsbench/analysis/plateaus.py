"""Did one open-loop plateau keep its limit? Not when p95 is above it, jobs fail, or work piles up.

What the load generator sent late was sent all the same, and is late in its response time but not in its service time. So lag
hides no broken limit and lets no work pile up. Only where the response times break the limit and the service times keep it, the
limit may have been broken by the lag, and the plateau proves nothing.
"""

from dataclasses import dataclass
from typing import Final

from jivsbench.analysis.failed_jobs import tried_jobs
from jivsbench.analysis.validity import find_faults_but_lag, find_lag_fault
from jivsbench.model.behaviour import Plateau
from jivsbench.model.formatting import format_beside
from jivsbench.model.gate import Unit
from jivsbench.model.histogram import merge_histograms
from jivsbench.model.metrics import Direction
from jivsbench.model.record import ArmRecord, GeneratorFacts
from jivsbench.model.sample import OperationKind

# What arrives and does not end within the plateau waits somewhere: such a rate is carried only until a queue is full.
LEAST_ACHIEVED: Final = 0.95
MOST_ERRORS: Final = 0.01
_NS_PER_S: Final = 1e9
_NS_PER_MS: Final = 1e6


def judge_plateau(arm: ArmRecord, generator: GeneratorFacts, rate_per_s: float, p95_limit_ns: float) -> Plateau:
    """A plateau from the record of its own load. What the load generator did not offer proves nothing."""
    flow = _measure_flow(arm)
    achieved = flow.achieved / flow.seconds if flow.seconds else 0.0
    calls = [part for part in arm.operations if part.kind is OperationKind.CALL]
    p95_ns = merge_histograms(part.response for part in calls).percentile_ns(95)
    served_ns = merge_histograms(part.service for part in calls).percentile_ns(95)
    faults = tuple(find_faults_but_lag(generator))
    if faults or p95_ns is None or served_ns is None:
        return Plateau(rate_per_s, None, p95_ns, achieved, faults[0] if faults else "no call ended")
    broken = _find_break(arm, flow, p95_ns, p95_limit_ns)
    reason = broken or "kept"
    if late := find_lag_fault(generator, (arm,)):
        has_decided = bool(broken) != bool(_find_break(arm, flow, served_ns, p95_limit_ns))
        if has_decided or generator.lag_p99_ns is None:
            return Plateau(rate_per_s, None, p95_ns, achieved, late)
        reason = f"{reason}, with the load generator's lag as without it"
    return Plateau(rate_per_s, not broken, p95_ns, achieved, reason)


@dataclass(frozen=True, slots=True)
class _Flow:
    """Iterations that were due, and that ended without a failure, in the whole seconds that were measured."""

    seconds: int
    planned: int
    achieved: int


def _measure_flow(arm: ArmRecord) -> _Flow:
    spans = [(block.measured_ns / _NS_PER_S, block.end_ns / _NS_PER_S) for block in arm.blocks]
    rows = [row for row in arm.series if any(since_s <= row.second <= until_s - 1 for since_s, until_s in spans)]
    return _Flow(len(rows), sum(row.planned or 0 for row in rows), sum(row.achieved or 0 for row in rows))


def _find_break(arm: ArmRecord, flow: _Flow, p95_ns: float, p95_limit_ns: float) -> str:
    """What breaks the limit; empty when it is kept."""
    tried = tried_jobs(arm)
    if arm.job_errors > MOST_ERRORS * tried:
        return f"{arm.job_errors} of {tried} jobs failed"
    if p95_ns > p95_limit_ns:
        limit_ms = p95_limit_ns / _NS_PER_MS
        return f"p95 was {format_beside(p95_ns / _NS_PER_MS, limit_ms, Unit.MILLISECONDS, Direction.LOWER)}"
    # Of few arrivals one is more than a twentieth, and one is always under way when the time is up.
    if flow.achieved + 1 < LEAST_ACHIEVED * flow.planned:
        return f"only {flow.achieved} of {flow.planned} that arrived ended without a failure: work piles up"
    return ""
