"""Extraction jobs: their states, and what one extraction did."""

from dataclasses import dataclass
from enum import StrEnum

from jivsbench.model.output import EscapedCells
from jivsbench.model.table import Consistency


class JobState(StrEnum):
    """PENDING -> RUNNING -> COMPLETED | FAILED | CANCELLED; a pending job can be cancelled too."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        """True when the job will not change any more."""
        return self in (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)


class Phase(StrEnum):
    """Parts of one extraction, in order; each has a duration, so that a slow job says where the time went."""

    GUARD = "guard"
    POOL_WAIT = "pool_wait"
    SCHEMA = "schema"
    READ = "read"
    WRITE = "write"
    VERIFY = "verify"
    COMMIT = "commit"


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """How long one phase of an extraction took, summed over its streams."""

    phase: Phase
    duration_ns: int


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A finished output file. `name` is relative to the job's folder."""

    name: str
    row_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ExtractionResult:
    """What one verified extraction did.

    Built only when its rows agree: in the source, if it can count, read, and written or left out by a transform.
    """

    folder: str
    files: tuple[OutputFile, ...]
    rows_read: int
    rows_written: int
    rows_in_source: int | None
    """None when the source cannot count its rows."""
    streams: int
    snapshot: str | None
    phases: tuple[PhaseTime, ...]
    duration_ns: int
    consistency: Consistency = Consistency.ONE_SNAPSHOT
    kept_partitions: int = 0
    """Partitions that an earlier attempt had committed: they were not read again, but count in the rows above."""
    escaped_cells: tuple[EscapedCells, ...] = ()
    """By column, what CSV holds otherwise than the source does."""
    rows_filtered: int = 0
    """Read and left out by a transform."""
    changed_columns: tuple[str, ...] = ()
    """Columns that transforms changed: verification by columns passes over them."""
