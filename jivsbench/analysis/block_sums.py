"""What one block adds up to: while it is played, for a run that was cut off, and for a recomputation from its intervals."""

from dataclasses import dataclass, field

from jivsbench.model.histogram import HistogramBuilder
from jivsbench.model.record import BlockRow
from jivsbench.model.sample import Interval, OperationKind, count_errors
from jivsbench.model.scenario import Block, BlockPhase


@dataclass(frozen=True, slots=True)
class BlockTimes:
    """When a block began, counted, ended and was drained, on one clock."""

    start_ns: int
    measured_ns: int
    end_ns: int
    drained_ns: int


@dataclass(slots=True)
class BlockSums:
    """Counts of one block. Those named `all` include its washout and its drain, the others only what was measured."""

    jobs: int = 0
    """That did not fail."""
    rows: int = 0
    errors: int = 0
    """Of every operation."""
    failed_jobs: int = 0
    all_rows: int = 0
    all_failed_jobs: int = 0
    response: HistogramBuilder = field(default_factory=HistogramBuilder)
    """Of jobs that ended in the measured part or in the drain."""

    def add(self, interval: Interval) -> None:
        """Count one second of one arm."""
        is_measured = interval.phase is BlockPhase.MEASURED
        for part in interval.operations:
            failed = count_errors(part.errors)
            self.errors += failed if is_measured else 0
            if part.kind is not OperationKind.JOB:
                continue
            self.all_rows += part.rows
            self.all_failed_jobs += failed
            if interval.phase is not BlockPhase.WASHOUT:
                self.response.add(part.response)
            if is_measured:
                self.jobs += part.count - failed
                self.rows += part.rows
                self.failed_jobs += failed

    def build_row(self, block: Block, times: BlockTimes, cpu_s: float | None = None) -> BlockRow:
        """The block as a value."""
        response = self.response.build()
        return BlockRow(
            index=block.index,
            pair=block.pair,
            arm=block.arm,
            start_ns=times.start_ns,
            # A block that is shorter than its washout measured nothing.
            measured_ns=min(times.measured_ns, times.end_ns),
            end_ns=times.end_ns,
            drained_ns=max(times.drained_ns, times.end_ns),
            jobs=self.jobs,
            rows=self.rows,
            errors=self.errors,
            job_mean_ns=response.mean_ns(),
            job_p50_ns=response.percentile_ns(50),
            job_p95_ns=response.percentile_ns(95),
            cpu_s=cpu_s,
            cpu_rows=self.all_rows,
            process=block.process,
        )
