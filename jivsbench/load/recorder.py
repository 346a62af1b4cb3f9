"""Counts samples into one-second intervals and writes each second once it is over. Knows no clock, no gevent, no file.

Memory stays bounded however long the load is: open seconds only, and at most `_MOST_CODES` error codes a class.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, Protocol

from jivsbench.load.blocks import OpenBlock
from jivsbench.load.intervals import format_interval, prepare_format
from jivsbench.load.progress import ArmSecond, RecentSeconds
from jivsbench.load.totals import JobCounts
from jivsbench.model.histogram import Histogram, HistogramBuilder, merge_histograms
from jivsbench.model.record import JobTotals
from jivsbench.model.sample import LATE_S, ErrorClass, ErrorCount, Interval, OperationInterval, OperationKind, count_errors
from jivsbench.model.scenario import BlockPhase

NS_PER_S: Final = 1_000_000_000
_MOST_CODES: Final = 50
_LATEST_ARRIVAL_S: Final = LATE_S - 10
"""Some of the time for late lines is left for what else makes a line late."""
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
    ready_ns: int = 0
    """When it could be sent at the earliest, if that was after `intended_ns`: in an open loop all places may be taken."""


class Dropped(NamedTuple):
    """An iteration that was due and never began."""

    due_ns: int
    dropped_ns: int
    """When it was known that it would not be sent."""
    ended_ns: int
    """When it counts as ended, for its response time alone; that may lie ahead."""
    code: str


class OpenJob(Protocol):
    """A job that has begun and is not counted yet."""

    @property
    def seen_ns(self) -> int | None:
        """When its end was seen, if it was: it will count as ended then, once its user has checked the result."""


class _Slot(NamedTuple):
    """What an interval is made of: one second of one phase of one block."""

    second: int
    arm: str
    block: int
    phase: BlockPhase


class Recorder:
    """Takes every sample; gives intervals to `write`, line by line, and sums to whoever asks."""

    def __init__(self, write: Callable[[bytes], object], origin_ns: int = 0, *, counts_arrivals: bool = False) -> None:
        prepare_format()
        self._origin_ns = origin_ns
        self._write = write
        self._counts_arrivals = counts_arrivals
        self._open: dict[_Slot, _OpenInterval] = {}
        self._latest = _NOWHERE
        self._half: tuple[_Slot, _OpenInterval] | None = None
        self._codes: dict[ErrorClass, set[str]] = {}
        self._jobs: dict[str, JobCounts] = {}
        self._recent: dict[str, RecentSeconds] = {}
        self._lag = HistogramBuilder()
        self._blocks: list[OpenBlock] = []
        self._written_s = 0
        self.open_jobs: set[OpenJob] = set()
        self.operations = 0

    def begin(self, origin_ns: int) -> None:
        """Second 0 begins now."""
        self._origin_ns = origin_ns

    def open_block(self, block: OpenBlock) -> None:
        """From now on samples may belong to this block."""
        self._blocks.append(block)

    def record(self, block: OpenBlock, sample: Sample) -> None:
        """Count one operation where it ended."""
        operation, kind, intended_ns, started_ns, ended_ns, rows, failure, ready_ns = sample
        interval = self._interval_at(block, ended_ns)
        part = interval.operations.get((operation, kind))
        if part is None:
            part = interval.operations[operation, kind] = _OpenOperation()
        self.operations += 1
        part.count += 1
        part.rows += rows
        part.response.record(ended_ns - intended_ns)
        part.service.record(ended_ns - started_ns)
        part.lag.record(started_ns - (intended_ns if intended_ns > ready_ns else ready_ns))  # noqa: FURB136 - a call costs more
        if ended_ns > block.last_ns:  # noqa: PLR1730
            block.last_ns = ended_ns
        if failure is not None:
            part.count_error(self._bound_code(failure))
            block.count_error(ended_ns)
        if kind is OperationKind.JOB:
            block.count_job(ended_ns, ended_ns - intended_ns, rows, is_error=failure is not None)

    def note_users(self, block: OpenBlock, now_ns: int, users: int) -> None:
        """Say how many users are active, so that a second in which nothing ended has its line too."""
        self._interval_at(block, now_ns).note_users(0, users)

    def note_arrival(self, block: OpenBlock, due_ns: int, now_ns: int) -> None:
        """An iteration that was planned for `due_ns` is released now.

        One that is late by more than whoever reads the lines waits for a second is counted as planned later.
        """
        oldest_ns = self._origin_ns + (self._written_s - _LATEST_ARRIVAL_S) * NS_PER_S
        self._interval_at(block, due_ns if due_ns > oldest_ns else oldest_ns).planned += 1  # noqa: FURB136 - a call costs more
        self._interval_at(block, now_ns).offered += 1

    def note_achieved(self, block: OpenBlock, ended_ns: int) -> None:
        """An iteration has ended, and nothing in it failed."""
        self._interval_at(block, ended_ns).achieved += 1

    def record_not_sent(self, block: OpenBlock, operations: Iterable[tuple[str, OperationKind]], dropped: Dropped) -> None:
        """Count an iteration that never began: failed, in the second in which it was dropped, and slow.

        It counts at once, so that a flood of it needs no memory, and whoever looks at that second sees it. Nobody sent
        it, so it has neither a service time nor a lag.
        """
        due_ns, dropped_ns, ended_ns, code = dropped
        failure, response_ns = self._bound_code(Failure(ErrorClass.NOT_SENT, code)), ended_ns - due_ns
        parts = self._interval_at(block, dropped_ns).operations
        for operation, kind in operations:
            part = parts.setdefault((operation, kind), _OpenOperation())
            self.operations += 1
            part.count += 1
            part.response.record(response_ns)
            part.count_error(failure)
            block.count_error(dropped_ns)
            if kind is OperationKind.JOB:
                block.count_job(dropped_ns, response_ns, 0, is_error=True)
        block.last_ns = max(block.last_ns, dropped_ns)

    def absorb(self, machine: int, block: OpenBlock, interval: Interval) -> None:
        """Count what another load machine has counted in one second: everything is added up, histograms are merged."""
        slot = _Slot(interval.second, interval.arm, interval.block, interval.phase)
        self._open.setdefault(slot, _OpenInterval()).absorb(machine, interval)
        self.operations += sum(part.count for part in interval.operations)
        block.absorb(interval)

    def jobs(self, arm: str) -> JobCounts:
        """The running job counts of one arm."""
        return self._jobs.setdefault(arm, JobCounts())

    def recent(self, arm: str) -> RecentSeconds:
        """The last seconds of one arm."""
        return self._recent.setdefault(arm, RecentSeconds())

    def totals(self, arm: str) -> JobTotals:
        """Every job of one arm so far."""
        return self.jobs(arm).build()

    def settled_s(self) -> int:
        """How many seconds, from the load's start on, are written and get nothing more."""
        seen = [job.seen_ns for job in self.open_jobs if job.seen_ns is not None]
        return min([self._written_s, *((seen_ns - self._origin_ns) // NS_PER_S for seen_ns in seen)])

    def lag_p99_ns(self) -> float | None:
        """How late calls were sent, over the whole load; None before the first one."""
        lag = HistogramBuilder()
        for known in (self._lag.build(), *(interval.build_lag() for interval in self._open.values())):
            lag.add(known)
        return lag.build().percentile_ns(99)

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
            self._write_interval(interval.build(slot, self._counts_arrivals, _do_not_pause))
        if self._open:
            self._flush_before(max(slot.second for slot in self._open) + 1, _do_not_pause)

    def _interval_at(self, block: OpenBlock, at_ns: int) -> "_OpenInterval":
        """The interval of a moment. Nearly always it is the one of the sample before."""
        latest = self._latest
        if latest.block is block and latest.since_ns <= at_ns < latest.until_ns and latest.end_ns == block.end_ns:
            return latest.interval
        second, phase = (at_ns - self._origin_ns) // NS_PER_S, block.phase_at(at_ns)
        slot = _Slot(second, block.plan.arm, block.plan.index, phase)
        interval = self._open.get(slot)
        if interval is None:
            interval = self._open[slot] = _OpenInterval()
        since_ns = self._origin_ns + second * NS_PER_S
        bounds = [bound for bound in (block.measured_ns, block.end_ns) if bound is not None]
        self._latest = _Latest(
            block,
            block.end_ns,
            max([since_ns, *(bound for bound in bounds if bound <= at_ns)]),
            min([since_ns + NS_PER_S, *(bound for bound in bounds if bound > at_ns)]),
            interval,
        )
        return interval

    def _write_interval(self, interval: Interval) -> None:
        for part in interval.operations:
            if part.kind is not OperationKind.JOB:
                self._lag.add(part.lag)
        self._write(format_interval(interval))

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
            self._latest = _NOWHERE
            interval = self._half[1].build(slot, self._counts_arrivals, pause)
            self._half = None
            self._write_interval(interval)
            seconds.setdefault((slot.second, slot.arm), []).extend(interval.operations)
            pause()
        for (number, arm), operations in seconds.items():
            self._remember(number, arm, operations)
            pause()
        self._written_s = max(self._written_s, second)
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
                jobs=sum(part.count - count_errors(part.errors) for part in jobs),
                rows=sum(part.rows for part in jobs),
                errors=sum(count_errors(part.errors) for part in operations),
                response=merge_histograms(part.response for part in jobs),
            )
        )


class _OpenInterval:
    """The operations of one interval while it is filled."""

    __slots__ = ("_users", "achieved", "offered", "operations", "planned")

    def __init__(self) -> None:
        self.operations: dict[tuple[str, OperationKind], _OpenOperation] = {}
        self._users: dict[int, int] = {}
        self.planned = 0
        self.offered = 0
        self.achieved = 0

    def note_users(self, machine: int, users: int) -> None:
        self._users[machine] = max(self._users.get(machine, 0), users)

    def absorb(self, machine: int, interval: Interval) -> None:
        self.note_users(machine, interval.users)
        self.planned += interval.planned or 0
        self.offered += interval.offered or 0
        self.achieved += interval.achieved or 0
        for part in interval.operations:
            self.operations.setdefault((part.operation, part.kind), _OpenOperation()).absorb(part)

    def build_lag(self) -> Histogram:
        """How late calls were sent."""
        return merge_histograms(
            part.lag.build() for (_name, kind), part in self.operations.items() if kind is not OperationKind.JOB
        )

    def build(self, slot: _Slot, counts_arrivals: bool, pause: Callable[[], object]) -> Interval:  # noqa: FBT001 - inner call
        built = []
        for key in sorted(self.operations):
            built.append(self.operations[key].build(*key))
            pause()
        planned, offered = (self.planned, self.offered) if counts_arrivals else (None, None)
        second, arm, block, phase = slot
        return Interval(second, arm, block, phase, sum(self._users.values()), tuple(built), planned, offered, self.achieved)


class _OpenOperation:
    """One operation of one interval while it is filled."""

    __slots__ = ("_errors", "count", "lag", "response", "rows", "service")

    def __init__(self) -> None:
        self.count = 0
        self.rows = 0
        self._errors: dict[Failure, int] = {}
        self.response = HistogramBuilder()
        self.service = HistogramBuilder()
        self.lag = HistogramBuilder()

    def count_error(self, failure: Failure, count: int = 1) -> None:
        self._errors[failure] = self._errors.get(failure, 0) + count

    def absorb(self, part: OperationInterval) -> None:
        self.count += part.count
        self.rows += part.rows
        for error in part.errors:
            self.count_error(Failure(error.error, error.code), error.count)
        self.response.add(part.response)
        self.service.add(part.service)
        self.lag.add(part.lag)

    def build(self, operation: str, kind: OperationKind) -> OperationInterval:
        errors = tuple(ErrorCount(*failure, count) for failure, count in sorted(self._errors.items()))
        clocks = (self.response.build(), self.service.build(), self.lag.build())
        return OperationInterval(operation, kind, self.count, self.rows, errors, *clocks)


class _Latest(NamedTuple):
    """The interval of the latest sample, and the stretch of time in which it is that of the next one too."""

    block: OpenBlock | None
    end_ns: int | None
    since_ns: int
    until_ns: int
    interval: _OpenInterval


_NOWHERE: Final = _Latest(None, None, 0, 0, _OpenInterval())


def _do_not_pause() -> None:
    """For whoever wants everything at once."""
