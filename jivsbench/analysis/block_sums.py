"""What the intervals of one block add up to: for the master of load machines, for a run that was cut off, for a recomputation."""

from dataclasses import dataclass, field

from jivsbench.model.histogram import HistogramBuilder
from jivsbench.model.sample import Interval, OperationKind, count_errors
from jivsbench.model.scenario import BlockPhase


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
