"""Where jobs spent their time, and where the p99 went: each phase of an operation, of all jobs and of the slowest."""

from dataclasses import dataclass

from jivsbench.analysis.slow_jobs import PhaseShare, SlowJobs, compare_slow_jobs
from jivsbench.model.formatting import NOT_MEASURED, format_count, format_number
from jivsbench.model.gate import Unit
from jivsbench.model.histogram import MIN_SAMPLES_P99
from jivsbench.model.metrics import Direction
from jivsbench.model.phase_times import PhaseHistogram
from jivsbench.model.record import ArmRecord, RunRecord

_MS_PER_S = 1e3
_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class PhaseLine:
    """One phase: upper bounds of percentiles over the jobs, and what all jobs and the slowest ones spent in it."""

    phase: str
    p50: str
    p95: str
    p99: str
    all_mean: str
    all_share: str
    slow_mean: str
    slow_share: str
    is_cause: bool


@dataclass(frozen=True, slots=True)
class ArmPhases:
    """One arm's phases, with what its slowest jobs say in one sentence."""

    arm: str
    lines: tuple[PhaseLine, ...]
    says: str
    slow_label: str
    missing: str


@dataclass(frozen=True, slots=True)
class Phases:
    """The phases of every arm."""

    arms: tuple[ArmPhases, ...]


def build_phases(record: RunRecord) -> Phases:
    """One table an arm."""
    return Phases(tuple(_build_arm(arm) for arm in record.arms))


def _build_arm(arm: ArmRecord) -> ArmPhases:
    slow = compare_slow_jobs(arm.phases) if arm.phases is not None else None
    if arm.phases is None or slow is None:
        why = "the target tells no phases, or was not asked" if arm.phases is None else "no job completed while it was watched"
        return ArmPhases(arm.profile.name, (), "", "", f"{NOT_MEASURED}: {why}")
    histograms = {histogram.phase: histogram for histogram in arm.phases.phases}
    cause = slow.largest_gain
    lines = tuple(_build_line(share, histograms[share.phase], is_cause=share is cause) for share in slow.shares)
    slowest = "slowest job" if slow.slow_jobs == 1 else f"slowest {format_count(slow.slow_jobs)} jobs"
    return ArmPhases(arm.profile.name, lines, _describe(slow, cause), slowest, "")


def _name_phase(phase: str) -> str:
    return phase.replace("_", " ")


def _describe(slow: SlowJobs, cause: PhaseShare | None) -> str:
    count, each = ("", "") if slow.slow_jobs == 1 else (f" {format_count(slow.slow_jobs)}", " each")
    subject = f"The slowest{count} of {format_count(slow.jobs)} jobs took more than {_ms(slow.longer_than_s)} ms{each}."
    if slow.slow_jobs == slow.jobs:
        return "All jobs lie in one bucket of durations: none is slower than the others."
    if cause is None:
        return f"{subject} They do not differ from the others."
    more_s = sum(max(one.slow_mean_s - one.all_mean_s, 0.0) for one in slow.shares)
    part = (cause.slow_mean_s - cause.all_mean_s) / more_s * _PERCENT
    return f"{subject} Of what they took longer than a usual job, {part:.0f} % was {_name_phase(cause.phase)}."


def _build_line(share: PhaseShare, histogram: PhaseHistogram, *, is_cause: bool) -> PhaseLine:
    return PhaseLine(
        phase=_name_phase(share.phase),
        p50=_bound(histogram, 50),
        p95=_bound(histogram, 95),
        p99=_bound(histogram, 99) if histogram.count >= MIN_SAMPLES_P99 else f"n < {MIN_SAMPLES_P99}",
        all_mean=_ms(share.all_mean_s),
        all_share=f"{share.all_share * _PERCENT:.1f} %",
        slow_mean=_ms(share.slow_mean_s),
        slow_share=f"{share.slow_share * _PERCENT:.1f} %",
        is_cause=is_cause,
    )


def _bound(histogram: PhaseHistogram, percentile: float) -> str:
    bound_s = histogram.percentile_bound_s(percentile)
    return "> 100,000" if bound_s is None else f"≤ {bound_s * _MS_PER_S:,g}"


def _ms(duration_s: float) -> str:
    return format_number(duration_s * _MS_PER_S, Unit.MILLISECONDS, Direction.LOWER)
