"""What the job store hands out: frozen values without a session, a row's content or a secret behind them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from jivsbench.model.job import ExtractionResult, JobState, OutputFile, PhaseTime
from jivsbench.model.source import TypePolicy
from jivsbench.model.table import ExtractionRequest


@dataclass(frozen=True, slots=True)
class JobFailure:
    """Why a job did not complete: the slug of the error and one safe line."""

    slug: str
    message: str


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job as anyone may see it: no query, no filter value. Rows are None until the job has completed."""

    id: str
    source: str
    state: JobState
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    rows_read: int | None = None
    rows_written: int | None = None
    duration_ns: int | None = None
    failure: JobFailure | None = None
    output: str | None = None


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of jobs, newest first; `total` counts all that match."""

    jobs: tuple[JobRecord, ...]
    page: int
    size: int
    total: int


@dataclass(frozen=True, slots=True)
class CreatedJob:
    """A job that has just been stored as PENDING, with what its claim will need."""

    record: JobRecord
    source_id: int
    request: ExtractionRequest


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that one worker has just moved from PENDING to RUNNING, with what it has to do."""

    id: str
    source_id: int
    request: ExtractionRequest
    created_at: datetime
    started_at: datetime


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """How a running job ended. COMPLETED carries its result, every other state its failure."""

    state: JobState
    result: ExtractionResult | None = None
    failure: JobFailure | None = None


@dataclass(frozen=True, slots=True)
class JobStatistics:
    """What a completed job did."""

    rows_read: int
    rows_written: int
    rows_in_source: int | None
    duration_ns: int
    files: tuple[OutputFile, ...]
    phases: tuple[PhaseTime, ...]

    @property
    def rows_per_s(self) -> float:
        """Rows written per second of the extraction; 0 for an extraction without a duration."""
        return self.rows_written * 1e9 / self.duration_ns if self.duration_ns else 0.0


def build_statistics(result: ExtractionResult) -> JobStatistics:
    """The part of a result that is kept."""
    return JobStatistics(
        result.rows_read, result.rows_written, result.rows_in_source, result.duration_ns, result.files, result.phases
    )


class LogLevel(StrEnum):
    """How much an entry of a job's log matters."""

    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of a job's log."""

    at: datetime
    level: LogLevel
    message: str


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A data source without its URL. `revision` grows with every change, so that an older copy can be told."""

    id: int
    name: str
    connector: str
    type_policy: TypePolicy
    tables: tuple[str, ...] | None
    is_declared: bool
    """True for a source given at start: its URL is in the process's memory alone."""
    revision: int
    created_at: datetime
    updated_at: datetime
