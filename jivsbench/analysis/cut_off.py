"""What the samples of a run that was cut off still say of its blocks and jobs. Only what had ended is known."""

from collections.abc import Iterable

from jivsbench.analysis.block_sums import BlockSums, BlockTimes
from jivsbench.model.record import BlockRow, JobTotals, Plan
from jivsbench.model.sample import ErrorClass, Interval, OperationKind, count_errors
from jivsbench.model.scenario import Block, BlockPhase

_NS_PER_S = 1_000_000_000


def rebuild_blocks(plan: Plan, intervals: Iterable[Interval]) -> tuple[BlockRow, ...]:
    """One row per block that anything was measured in, on the grid of whole seconds."""
    planned = {block.index: block for block in plan.blocks}
    sums: dict[int, _CutBlock] = {}
    for interval in intervals:
        if interval.block in planned:
            sums.setdefault(interval.block, _CutBlock(planned[interval.block], interval.second)).add(interval)
    return tuple(sums[index].build() for index in sorted(sums))


def rebuild_totals(arm: str, intervals: Iterable[Interval]) -> JobTotals:
    """Jobs of one arm that had ended. Jobs in flight are in none of these numbers, so that they prove no conservation."""
    completed = failed = timed_out = cancelled = rows = 0
    for interval in intervals:
        if interval.arm != arm:
            continue
        for part in interval.operations:
            if part.kind is not OperationKind.JOB:
                continue
            counts = {kind: count_errors(e for e in part.errors if e.error is kind) for kind in ErrorClass}
            never_created = counts[ErrorClass.REFUSED] + counts[ErrorClass.NOT_SENT]
            timed_out += counts[ErrorClass.TIMEOUT]
            cancelled += counts[ErrorClass.JOB_CANCELLED]
            failed += counts[ErrorClass.JOB_FAILED]
            others = counts[ErrorClass.TIMEOUT] + counts[ErrorClass.JOB_CANCELLED] + counts[ErrorClass.JOB_FAILED]
            completed += part.count - others - never_created
            rows += part.rows
    created = completed + failed + timed_out + cancelled
    return JobTotals(created, completed, failed, timed_out, cancelled, rows, rows)


class _CutBlock:
    def __init__(self, block: Block, second: int) -> None:
        self._block = block
        self._first = self._last = second
        self._closed: int | None = None
        self._sums = BlockSums()

    def add(self, interval: Interval) -> None:
        self._last = max(self._last, interval.second)
        if interval.phase is BlockPhase.DRAIN and self._closed is None:
            self._closed = interval.second
        self._sums.add(interval)

    def build(self) -> BlockRow:
        start_ns, drained_ns = self._first * _NS_PER_S, (self._last + 1) * _NS_PER_S
        end_ns = drained_ns if self._closed is None else self._closed * _NS_PER_S
        times = BlockTimes(start_ns, start_ns + round(self._block.washout_s * _NS_PER_S), end_ns, drained_ns)
        return self._sums.build_row(self._block, times)
