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
    """For a connection that others have, or that is being looked at."""
    CONNECT = "connect"
    CACHE = "cache"
    """Looking the schema up in the metadata cache, or waiting for another job that loads it."""
    SCHEMA = "schema"
    """Beginning a transaction, reading the schema at the server, splitting the request."""
    EXECUTE = "execute"
    """Until the server's first answer, where the connector tells; else it is part of `first_row`."""
    FIRST_ROW = "first_row"
    FETCH = "fetch"
    """Waiting for all further rows."""
    DECODE = "decode"
    """Making Arrow batches of what came, where the connector tells; else it is part of `first_row` and `fetch`."""
    ENCODE = "encode"
    """Transforming and encoding. With `pipeline` the time that reading stood still for both, and for writing."""
    WRITE = "write"
    """System calls that write and sync."""
    VERIFY = "verify"
    COMMIT = "commit"
    READ = "read"
    """Of jobs that earlier versions stored: `execute` to `decode` together."""


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """How long one phase of an extraction took, summed over its streams."""

    phase: Phase
    duration_ns: int


@dataclass(frozen=True, slots=True)
class ReadTimes:
    """What a connector says of the time that its reads took: until the server first answered, and for decoding."""

    execute_ns: int = 0
    first_decode_ns: int = 0
    """Of the first batch of each read."""
    decode_ns: int = 0
    """Of all further ones."""


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
