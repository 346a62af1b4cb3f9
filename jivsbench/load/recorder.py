"""Counts samples into one-second intervals and writes each second once it is over. Knows no clock, no gevent, no file.

Memory stays bounded however long the load is: open seconds only, and at most `_MOST_CODES` error codes a class.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from jivsbench.load.blocks import OpenBlock
from jivsbench.load.intervals import format_interval, prepare_format
from jivsbench.load.progress import ArmSecond, RecentSeconds
from jivsbench.load.totals import JobCounts
from jivsbench.model.histogram import Histogram, HistogramBuilder, merge_histograms
from jivsbench.model.record import JobTotals
from jivsbench.model.sample import ErrorClass, ErrorCount, Interval, OperationInterval, OperationKind
from jivsbench.model.scenario import BlockPhase

NS_PER_S: Final = 1_000_000_000
_MOST_CODES: Final = 50
_OTHER_CODE: Final = "other"


class Failure(NamedTuple):
    """Why an operation failed: class and code, never a message."""

    error: ErrorClass
    code: str


class Sample(NamedTuple):
    """One operation that ended, by the three clocks (monotonic, ns).

    A tuple, not a frozen dataclass: one is made for every request, and a dataclass takes four times as long to make.
    """

    operation: str
    kind: OperationKind
    intended_ns: int
    started_ns: int
    ended_ns: int
    rows: int = 0
    failure: Failure | None = None


class _Slot(NamedTuple):
    """What an interval is made of: one second of one phase of one block."""

    second: int
    arm: str
    block: int
    phase: BlockPhase


class Recorder:
    """Takes every sample; gives intervals to `write`, line by line, and sums to whoever asks."""

    def __init__(self, write: Callable[[bytes], object], origin_ns: int = 0) -> None:
        prepare_format()
        self._origin_ns = origin_ns
        self._write = write
        self._open: dict[_Slot, _OpenInterval] = {}
        self._half: tuple[_Slot, _OpenInterval] | None = None
        self._codes: dict[ErrorClass, set[str]] = {}
        self._jobs: dict[str, JobCounts] = {}
        self._recent: dict[str, RecentSeconds] = {}
        self._lag = HistogramBuilder()
        self._blocks: list[OpenBlock] = []
        self.operations = 0

    def begin(self, origin_ns: int) -> None:
        """Second 0 begins now."""
        self._origin_ns = origin_ns

    def open_block(self, block: OpenBlock) -> None:
        """From now on samples may belong to this block."""
        self._blocks.append(block)

    def record(self, block: OpenBlock, sample: Sample) -> None:
        """Count one operation where it ended."""
        _operation, kind, intended_ns, started_ns, ended_ns, rows, failure = sample
        slot = self._slot(block, ended_ns)
        interval = self._open.get(slot)
        if interval is None:
            interval = self._open[slot] = _OpenInterval()
        if failure is not None:
            failure = self._bound_code(failure)
        interval.add(sample, failure)
        self.operations += 1
        is_error = failure is not None
        block.count_end(ended_ns, is_error=is_error)
        if kind is OperationKind.JOB:
            block.count_job(ended_ns, ended_ns - intended_ns, rows, is_error=is_error)
        else:
            self._lag.record(started_ns - intended_ns)

    def note_users(self, block: OpenBlock, now_ns: int, users: int) -> None:
        """Say how many users are active, so that a second in which nothing ended has its line too."""
        interval = self._open.setdefault(self._slot(block, now_ns), _OpenInterval())
        interval.users = max(interval.users, users)

    def jobs(self, arm: str) -> JobCounts:
        """The running job counts of one arm."""
        return self._jobs.setdefault(arm, JobCounts())

    def recent(self, arm: str) -> RecentSeconds:
        """The last seconds of one arm."""
        return self._recent.setdefault(arm, RecentSeconds())

    def totals(self, arm: str) -> JobTotals:
        """Every job of one arm so far."""
        return self.jobs(arm).build()

    def lag_p99_ns(self) -> float | None:
        """How late calls were sent, over the whole load; None before the first one."""
        return self._lag.build().percentile_ns(99)

    def flush(self, now_ns: int, pause: Callable[[], object] | None = None) -> None:
        """Write every second that is over at `now_ns`, which takes some milliseconds; `pause` is called in between.

        Whoever pauses may never come back: then `close` writes what was being written.
        """
        self._flush_before((now_ns - self._origin_ns) // NS_PER_S, pause or _do_not_pause)

    def close(self) -> None:
        """Write everything that is left."""
        if self._half is not None:
            slot, interval = self._half
            self._half = None
            self._write(format_interval(interval.build(slot, _do_not_pause)))
        if self._open:
            self._flush_before(max(slot.second for slot in self._open) + 1, _do_not_pause)

    def _slot(self, block: OpenBlock, at_ns: int) -> _Slot:
        return _Slot((at_ns - self._origin_ns) // NS_PER_S, block.plan.arm, block.plan.index, block.phase_at(at_ns))

    def _bound_code(self, failure: Failure) -> Failure:
        """A target could answer with a new code each time; the record must not grow with it."""
        known = self._codes.setdefault(failure.error, set())
        if failure.code not in known:
            if len(known) >= _MOST_CODES:
                return failure._replace(code=_OTHER_CODE)
            known.add(failure.code)
        return failure

    def _flush_before(self, second: int, pause: Callable[[], object]) -> None:
        seconds: dict[tuple[int, str], list[OperationInterval]] = {}
        for slot in sorted(slot for slot in self._open if slot.second < second):
            self._half = (slot, self._open.pop(slot))
            interval = self._half[1].build(slot, pause)
            self._half = None
            self._write(format_interval(interval))
            seconds.setdefault((slot.second, slot.arm), []).extend(interval.operations)
            pause()
        for (number, arm), operations in seconds.items():
            self._remember(number, arm, operations)
            pause()
        since_ns = self._origin_ns + second * NS_PER_S
        self._blocks = [block for block in self._blocks if block.end_ns is None or block.end_ns >= since_ns]

    def _remember(self, second: int, arm: str, operations: Sequence[OperationInterval]) -> None:
        since_ns = self._origin_ns + second * NS_PER_S
        jobs = [part for part in operations if part.kind is OperationKind.JOB]
        active = (block.active_ns(since_ns, since_ns + NS_PER_S) for block in self._blocks if block.plan.arm == arm)
        self.recent(arm).add(
            ArmSecond(
                second=second,
                active_ns=sum(active),
                jobs=sum(part.count - count_errors(part) for part in jobs),
                rows=sum(part.rows for part in jobs),
                errors=sum(count_errors(part) for part in operations),
                response=merge_histograms(part.response for part in jobs),
            )
        )


class _OpenInterval:
    """The operations of one interval while it is filled."""

    __slots__ = ("_operations", "users")

    def __init__(self) -> None:
        self._operations: dict[tuple[str, OperationKind], _OpenOperation] = {}
        self.users = 0

    def add(self, sample: Sample, failure: Failure | None) -> None:
        key = (sample.operation, sample.kind)
        operation = self._operations.get(key)
        if operation is None:
            operation = self._operations[key] = _OpenOperation()
        operation.add(sample, failure)

    def build(self, slot: _Slot, pause: Callable[[], object]) -> Interval:
        built = []
        for key in sorted(self._operations):
            built.append(self._operations[key].build(*key))
            pause()
        return Interval(slot.second, slot.arm, slot.block, slot.phase, self.users, tuple(built))


class _OpenOperation:
    """One operation of one interval while it is filled."""

    __slots__ = ("_count", "_errors", "_lag", "_response", "_rows", "_service")

    def __init__(self) -> None:
        self._count = 0
        self._rows = 0
        self._errors: dict[Failure, int] = {}
        self._response = HistogramBuilder()
        self._service = HistogramBuilder()
        self._lag = HistogramBuilder()

    def add(self, sample: Sample, failure: Failure | None) -> None:
        self._count += 1
        self._rows += sample.rows
        if failure is not None:
            self._errors[failure] = self._errors.get(failure, 0) + 1
        self._response.record(sample.ended_ns - sample.intended_ns)
        self._service.record(sample.ended_ns - sample.started_ns)
        self._lag.record(sample.started_ns - sample.intended_ns)

    def build(self, operation: str, kind: OperationKind) -> OperationInterval:
        errors = tuple(ErrorCount(*failure, count) for failure, count in sorted(self._errors.items()))
        clocks: tuple[Histogram, ...] = (self._response.build(), self._service.build(), self._lag.build())
        return OperationInterval(operation, kind, self._count, self._rows, errors, *clocks)


def _do_not_pause() -> None:
    """For whoever wants everything at once."""


def count_errors(part: OperationInterval) -> int:
    """How many of the operations failed."""
    return sum(error.count for error in part.errors)
