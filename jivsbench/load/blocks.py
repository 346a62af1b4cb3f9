"""Blocks as they are played: their actual boundaries, the phase of whatever ends in them, and their sums."""

from dataclasses import dataclass, field

from jivsbench.analysis.block_sums import BlockSums, BlockTimes
from jivsbench.model.record import BlockRow
from jivsbench.model.sample import Interval
from jivsbench.model.scenario import Block, BlockPhase


@dataclass(slots=True)
class OpenBlock:
    """One block while it is played and drained. Times are of the monotonic clock."""

    plan: Block
    start_ns: int
    end_ns: int | None = None
    """When the block was closed; None while iterations may still start."""
    cpu_s: float | None = None
    last_ns: int = 0
    measured_ns: int = field(init=False)
    _sums: BlockSums = field(default_factory=BlockSums)

    def __post_init__(self) -> None:
        self.measured_ns = self.start_ns + round(self.plan.washout_s * 1e9)

    @property
    def is_closed(self) -> bool:
        """True once no new iteration may start."""
        return self.end_ns is not None

    def close(self, now_ns: int) -> None:
        """End the block: what is in flight now ends in its drain."""
        self.end_ns = now_ns

    def phase_at(self, ended_ns: int) -> BlockPhase:
        """The phase of something that ended at that moment."""
        if self.end_ns is not None and ended_ns >= self.end_ns:
            return BlockPhase.DRAIN
        return BlockPhase.MEASURED if ended_ns >= self.measured_ns else BlockPhase.WASHOUT

    def active_ns(self, since_ns: int, until_ns: int) -> int:
        """How long, within a stretch of time, iterations could start in this block."""
        end_ns = until_ns if self.end_ns is None else min(until_ns, self.end_ns)
        return max(end_ns - max(since_ns, self.start_ns), 0)

    def count_error(self, ended_ns: int) -> None:
        """An operation failed."""
        if self.phase_at(ended_ns) is BlockPhase.MEASURED:
            self._sums.errors += 1

    def count_job(self, ended_ns: int, response_ns: int, rows: int, *, is_error: bool) -> None:
        """A job ended; a failed one has its duration too, but neither it nor its rows count as done."""
        phase, sums = self.phase_at(ended_ns), self._sums
        if not is_error:
            sums.all_rows += rows
        if phase is not BlockPhase.WASHOUT:
            sums.response.record(response_ns)
        if phase is BlockPhase.MEASURED and not is_error:
            sums.jobs += 1
            sums.rows += rows

    def absorb(self, interval: Interval) -> None:
        """Count what another load machine has counted in one second of this block."""
        self._sums.add(interval)

    def build_row(self, origin_ns: int) -> BlockRow:
        """The block as a value, once it is closed and drained."""
        assert self.end_ns is not None, "only a closed block has a row"
        moments = (self.start_ns, self.measured_ns, self.end_ns, self.last_ns)
        times = BlockTimes(*(moment_ns - origin_ns for moment_ns in moments))
        return self._sums.build_row(self.plan, times, self.cpu_s)
