"""Did one open-loop plateau keep its limit? Not when p95 is above it, jobs fail, or work piles up."""

from typing import Final

from jivsbench.analysis.validity import find_generator_faults
from jivsbench.model.behaviour import Plateau
from jivsbench.model.histogram import merge_histograms
from jivsbench.model.record import ArmRecord, GeneratorFacts
from jivsbench.model.sample import OperationKind

# What arrives and does not end within the plateau waits somewhere: such a rate is carried only until a queue is full.
LEAST_ACHIEVED: Final = 0.95
MOST_ERRORS: Final = 0.01
_NS_PER_S: Final = 1e9
_NS_PER_MS: Final = 1e6


def judge_plateau(arm: ArmRecord, generator: GeneratorFacts, rate_per_s: float, p95_limit_ns: float) -> Plateau:
    """A plateau from the record of its own load. What the load generator did not offer proves nothing."""
    measured_s = sum(block.end_ns - block.measured_ns for block in arm.blocks) / _NS_PER_S
    achieved = sum(block.jobs for block in arm.blocks) / measured_s if measured_s > 0 else 0.0
    p95_ns = merge_histograms(part.response for part in arm.operations if part.kind is OperationKind.CALL).percentile_ns(95)
    faults = tuple(find_generator_faults(generator, (arm,)))
    if faults or p95_ns is None:
        return Plateau(rate_per_s, None, p95_ns, achieved, faults[0] if faults else "no call ended")
    tried = max(arm.totals.created, sum(row.jobs for row in arm.series))
    if arm.job_errors > MOST_ERRORS * tried:
        return Plateau(rate_per_s, False, p95_ns, achieved, f"{arm.job_errors} of {tried} jobs failed")
    if p95_ns > p95_limit_ns:
        return Plateau(rate_per_s, False, p95_ns, achieved, f"p95 was {p95_ns / _NS_PER_MS:.0f} ms")
    if achieved < LEAST_ACHIEVED * rate_per_s:
        return Plateau(rate_per_s, False, p95_ns, achieved, f"only {achieved:.4g} jobs per s ended: work piles up")
    return Plateau(rate_per_s, True, p95_ns, achieved, "kept")
