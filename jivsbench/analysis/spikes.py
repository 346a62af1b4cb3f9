"""Each peak of load on its own: how bad it was, how long it lasted, and what waited, failed and missed meanwhile."""

from collections.abc import Callable, Sequence

from jivsbench.analysis.condensing import highest
from jivsbench.analysis.recovery import Disturbance, find_return, measure_overshoot_s2
from jivsbench.analysis.schedule import Step
from jivsbench.model.behaviour import Band, Recovery
from jivsbench.model.histogram import merge_histograms
from jivsbench.model.monitor_rows import MonitorRow
from jivsbench.model.record import ArmRecord, StepRow
from jivsbench.model.sample import ErrorClass, ErrorCount, count_errors

_NS_PER_S = 1e9


def measure_peak(arm: ArmRecord, band: Band, normal: Step, disturbance: Disturbance, hold_s: int) -> Recovery:
    """One peak and what followed it."""
    back = find_return(arm.series, band, disturbance, hold_s)
    until_s = disturbance.end_s + (back.observed_s if back.recovery_s is None else back.recovery_s)
    seconds = [row for row in arm.series if disturbance.start_s <= row.second + 0.5 < disturbance.after.end_s]
    worst = max((row.job_p95_ns for row in seconds if row.job_p95_ns is not None), default=None)
    peak = [row for row in arm.steps if row.index in {step.index for step in disturbance.peak}]
    after = [row for row in arm.steps if row.index == disturbance.after.index]
    errors = [error for row in (*peak, *after) for error in row.errors]
    jobs = sum(row.jobs for row in peak)
    misses = _count_within(arm.monitor, disturbance, lambda row: row.cache_misses)
    loads = _count_within(arm.monitor, disturbance, lambda row: row.cache_loads)
    repeated = _count_within(arm.monitor, disturbance, lambda row: row.cache_loads_repeated)
    waiting = [count for row in arm.monitor if _lies_in(row, disturbance) and (count := highest(row, "pool_waiting")) is not None]
    queued = [count for row in arm.monitor if _lies_in(row, disturbance) and (count := highest(row, "jobs_waiting")) is not None]
    return Recovery(
        index=disturbance.index,
        peak_load=disturbance.peak_load,
        start_s=disturbance.start_s,
        end_s=disturbance.end_s,
        observed_s=back.observed_s,
        hold_s=hold_s,
        recovery_s=back.recovery_s,
        worst_p95_ns=worst,
        degradation_ratio=None if worst is None else worst / band.median_ns,
        overshoot_s2=measure_overshoot_s2(arm.series, band, disturbance.start_s, until_s),
        drain_s=measure_drain_s(arm.monitor, normal, disturbance),
        queued_peak=max(map(int, queued), default=None),
        waiting_peak=max(map(int, waiting), default=None),
        misses_per_job=misses / jobs if jobs and misses is not None else None,
        jobs=jobs,
        refused=_count(errors, ErrorClass.REFUSED),
        timed_out=_count(errors, ErrorClass.TIMEOUT),
        other_errors=count_errors(errors) - _count(errors, ErrorClass.REFUSED) - _count(errors, ErrorClass.TIMEOUT),
        peak_p95_ns=_p95_ns(peak),
        after_p95_ns=_p95_ns(after),
        cache_loads=loads,
        loads_per_entry=loads / (loads - repeated) if loads and repeated is not None and repeated < loads else None,
    )


def measure_drain_s(monitor: Sequence[MonitorRow], normal: Step, disturbance: Disturbance) -> float | None:
    """How long after a peak more jobs waited than ever before it; None when that was not seen to end, and when nothing waits."""
    waiting = [(row.second, backlog) for row in monitor if (backlog := count_backlog(row)) is not None]
    before = [backlog for second, backlog in waiting if normal.start_s <= second < normal.end_s]
    if not before:
        return None
    for second, backlog in waiting:
        if disturbance.end_s <= second < disturbance.after.end_s and backlog <= max(before):
            return round(second - disturbance.end_s, 3)
    return None


def count_backlog(row: MonitorRow) -> int | None:
    """Jobs that wait for a worker, and callers that wait for a connection; None when neither was read."""
    known = [count for count in (row.jobs_waiting, row.pool_waiting) if count is not None]
    return sum(known) if known else None


def _lies_in(row: MonitorRow, disturbance: Disturbance) -> bool:
    return disturbance.start_s <= row.second < disturbance.after.end_s


def _count_within(
    monitor: Sequence[MonitorRow], disturbance: Disturbance, pick: Callable[[MonitorRow], int | None]
) -> int | None:
    """What a counter rose by, from the last look before the peak to the first one after it: its first moment is the worst.

    None when a look on either side is missing, or the counter fell.
    """
    read = [(row.second, count) for row in monitor if (count := pick(row)) is not None]
    before = [count for second, count in read if second <= disturbance.start_s]
    after = [count for second, count in read if second >= disturbance.end_s]
    return after[0] - before[-1] if before and after and after[0] >= before[-1] else None


def _count(errors: Sequence[ErrorCount], kind: ErrorClass) -> int:
    return count_errors(error for error in errors if error.error is kind)


def _p95_ns(steps: Sequence[StepRow]) -> float | None:
    return merge_histograms(step.calls for step in steps).percentile_ns(95)
