"""From the lines of intervals.jsonl to one arm's record, read once and never held whole.

Memory is bounded by the number of operations, buckets and seconds of the record itself, not by the number of samples.
"""

from collections.abc import Iterable, Sequence

from jivsbench.analysis.schedule import Step
from jivsbench.analysis.steps import StepSums
from jivsbench.analysis.sums import ErrorSum
from jivsbench.errors import InvalidRunError
from jivsbench.model.histogram import HistogramBuilder, merge_histograms
from jivsbench.model.monitor_rows import MonitorRow
from jivsbench.model.profile import Profile
from jivsbench.model.record import ArmRecord, BlockRow, JobTotals, SeriesRow
from jivsbench.model.sample import LATE_S, Interval, OperationInterval, OperationKind, count_errors
from jivsbench.model.scenario import BlockPhase

# How many seconds back an interval may still arrive; older ones have become rows already.


def build_arm(  # noqa: PLR0917 - six different types, in the order of the data's flow
    profile: Profile,
    guards: tuple[str, ...],
    intervals: Iterable[Interval],
    blocks: Sequence[BlockRow],
    totals: JobTotals,
    monitor: Sequence[MonitorRow],
    steps: Sequence[Step] = (),
) -> ArmRecord:
    """Aggregate what belongs to the arm of `profile`; intervals and blocks of other arms are passed over.

    Operations count the phases `measured` and `drain`; errors and the series count all phases. Intervals come in the
    order of their seconds, give or take a minute. Raises InvalidRunError when they do not.
    """
    operations: dict[tuple[str, OperationKind], _OperationSum] = {}
    errors = ErrorSum()
    series = _Series()
    step_sums = StepSums(steps)
    requests, failed_requests, failed_jobs = 0, 0, 0
    for interval in intervals:
        if interval.arm != profile.name:
            continue
        series.add(interval)
        step_sums.add(interval)
        for part in interval.operations:
            failures = count_errors(part.errors)
            errors.add(part.errors)
            if part.kind is OperationKind.JOB:
                failed_jobs += failures
            else:
                # A long poll has no latency of its own, but it is a request and it can fail.
                requests += part.count
                failed_requests += failures
            if interval.phase is not BlockPhase.WASHOUT:
                operations.setdefault((part.operation, part.kind), _OperationSum()).add(part)
    return ArmRecord(
        profile=profile,
        guards=guards,
        operations=tuple(total.build(*key) for key, total in sorted(operations.items())),
        all_errors=errors.build(),
        call_count=requests,
        call_errors=failed_requests,
        job_errors=failed_jobs,
        totals=totals,
        series=series.build(),
        monitor=tuple(monitor),
        blocks=tuple(block for block in blocks if block.arm == profile.name),
        steps=step_sums.build(),
    )


class _OperationSum:
    """One operation over many intervals."""

    __slots__ = ("_count", "_errors", "_lag", "_response", "_rows", "_service")

    def __init__(self) -> None:
        self._count = 0
        self._rows = 0
        self._errors = ErrorSum()
        self._response = HistogramBuilder()
        self._service = HistogramBuilder()
        self._lag = HistogramBuilder()

    def add(self, part: OperationInterval) -> None:
        self._count += part.count
        self._rows += part.rows
        self._errors.add(part.errors)
        self._response.add(part.response)
        self._service.add(part.service)
        self._lag.add(part.lag)

    def build(self, operation: str, kind: OperationKind) -> OperationInterval:
        clocks = (self._response.build(), self._service.build(), self._lag.build())
        return OperationInterval(operation, kind, self._count, self._rows, self._errors.build(), *clocks)


class _Series:
    """Rows per second. A second becomes a row, and its histograms go, once it is a minute old."""

    __slots__ = ("_open", "_rows")

    def __init__(self) -> None:
        self._open: dict[int, list[Interval]] = {}
        self._rows: list[SeriesRow] = []

    def add(self, interval: Interval) -> None:
        if self._rows and interval.second <= self._rows[-1].second:
            newest = max(self._open)
            raise InvalidRunError(
                f"intervals of arm {interval.arm!r} are out of order: second {interval.second} came after second {newest}: "
                "the file was changed or two runs were joined in it; measure again"
            )
        if interval.second not in self._open:
            self._close(interval.second - LATE_S)
        self._open.setdefault(interval.second, []).append(interval)

    def build(self) -> tuple[SeriesRow, ...]:
        self._close(None)
        return tuple(self._rows)

    def _close(self, before: int | None) -> None:
        due = sorted(second for second in self._open if before is None or second < before)
        self._rows.extend(_build_row(second, self._open.pop(second)) for second in due)


def _build_row(second: int, intervals: Sequence[Interval]) -> SeriesRow:
    parts = [part for interval in intervals for part in interval.operations]
    jobs = [part for part in parts if part.kind is OperationKind.JOB]
    response = merge_histograms(part.response for part in jobs)
    return SeriesRow(
        second=second,
        users=max(interval.users for interval in intervals),
        jobs=sum(part.count for part in jobs),
        rows=sum(part.rows for part in jobs),
        calls=sum(part.count for part in parts if part.kind is OperationKind.CALL),
        errors=sum(count_errors(part.errors) for part in parts),
        job_p50_ns=response.percentile_ns(50),
        job_p95_ns=response.percentile_ns(95),
        job_p99_ns=response.percentile_ns(99),
        planned=_add_known(interval.planned for interval in intervals),
        offered=_add_known(interval.offered for interval in intervals),
        achieved=_add_known(interval.achieved for interval in intervals),
    )


def _add_known(counts: Iterable[int | None]) -> int | None:
    """The sum of what was counted; None when nothing was."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
