"""Every job of one arm from its beginning to its end: none may be lost on the way."""

from dataclasses import dataclass
from enum import Enum

from jivsbench.model.record import JobTotals


class JobEnd(Enum):
    """How a job ended, as its user saw it. REFUSED: it was never created."""

    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    CANCELLED = "cancelled"
    REFUSED = "refused"


@dataclass(slots=True)
class JobCounts:
    """Counts of one arm, over all its blocks and phases. Begun and ended are counted apart, so that a lost job shows."""

    begun: int = 0
    completed: int = 0
    failed: int = 0
    timed_out: int = 0
    cancelled: int = 0
    refused: int = 0
    rows_read: int = 0
    rows_written: int = 0

    def end(self, end: JobEnd, rows_read: int = 0, rows_written: int = 0) -> None:
        """One job ended."""
        match end:
            case JobEnd.COMPLETED:
                self.completed += 1
                self.rows_read += rows_read
                self.rows_written += rows_written
            case JobEnd.FAILED:
                self.failed += 1
            case JobEnd.TIMED_OUT:
                self.timed_out += 1
            case JobEnd.CANCELLED:
                self.cancelled += 1
            case JobEnd.REFUSED:
                self.refused += 1

    def build(self) -> JobTotals:
        """The totals. A job that was refused was never created."""
        return JobTotals(
            created=self.begun - self.refused,
            completed=self.completed,
            failed=self.failed,
            timed_out=self.timed_out,
            cancelled=self.cancelled,
            rows_read=self.rows_read,
            rows_written=self.rows_written,
        )
