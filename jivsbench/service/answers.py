"""The bodies that the service answers with. None of them has room for a URL, a query or a value."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from jivsbench.extract.jobs.values import JobPage, JobRecord, JobStatistics, LogEntry, LogLevel, SourceRecord
from jivsbench.model.job import JobState
from jivsbench.model.source import ServerFacts, TypePolicy


class FailureBody(BaseModel):
    """Why a job did not complete."""

    slug: str
    message: str


class JobBody(BaseModel):
    """One job. `output` is the name of its folder; rows are null until it has completed."""

    id: str
    source: str
    state: JobState
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    rows_read: int | None
    rows_written: int | None
    duration_ms: float | None
    error: FailureBody | None
    output: str | None


def show_job(job: JobRecord) -> JobBody:
    """A job as clients see it."""
    return JobBody(
        id=job.id,
        source=job.source,
        state=job.state,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        rows_read=job.rows_read,
        rows_written=job.rows_written,
        duration_ms=_to_ms(job.duration_ns),
        error=FailureBody(slug=job.failure.slug, message=job.failure.message) if job.failure else None,
        output=job.output,
    )


class JobPageBody(BaseModel):
    """One page of jobs, newest first."""

    items: list[JobBody]
    page: int
    size: int
    total: int


def show_page(page: JobPage) -> JobPageBody:
    """A page as clients see it."""
    return JobPageBody(items=[show_job(job) for job in page.jobs], page=page.page, size=page.size, total=page.total)


class FileBody(BaseModel):
    """One output file, by its name in the job's folder."""

    name: str
    row_count: int
    size_bytes: int


class PhaseBody(BaseModel):
    """How long one phase took, summed over streams."""

    phase: str
    duration_ms: float


class StatisticsBody(BaseModel):
    """What a completed job did."""

    rows_read: int
    rows_filtered: int
    rows_written: int
    rows_in_source: int | None
    duration_ms: float
    rows_per_s: float
    files: list[FileBody]
    phases: list[PhaseBody]


def show_statistics(statistics: JobStatistics) -> StatisticsBody:
    """Statistics as clients see them."""
    return StatisticsBody(
        rows_read=statistics.rows_read,
        # The job was COMPLETED because no other row is missing.
        rows_filtered=statistics.rows_read - statistics.rows_written,
        rows_written=statistics.rows_written,
        rows_in_source=statistics.rows_in_source,
        duration_ms=statistics.duration_ns / 1e6,
        rows_per_s=statistics.rows_per_s,
        files=[FileBody(name=f.name, row_count=f.row_count, size_bytes=f.size_bytes) for f in statistics.files],
        phases=[PhaseBody(phase=p.phase.value, duration_ms=p.duration_ns / 1e6) for p in statistics.phases],
    )


class LogEntryBody(BaseModel):
    """One line of a job's log."""

    at: datetime
    level: LogLevel
    message: str


class LogBody(BaseModel):
    """A job's log, oldest line first."""

    entries: list[LogEntryBody]


def show_log(entries: tuple[LogEntry, ...]) -> LogBody:
    """A log as clients see it."""
    return LogBody(entries=[LogEntryBody(at=e.at, level=e.level, message=e.message) for e in entries])


class SourceBody(BaseModel):
    """A data source, without its URL. A declared one was given at the service's start."""

    name: str
    connector: str
    type_policy: TypePolicy
    tables: tuple[str, ...] | None
    is_declared: bool
    created_at: datetime
    updated_at: datetime


def show_source(record: SourceRecord) -> SourceBody:
    """A data source as clients see it."""
    return SourceBody(
        name=record.name,
        connector=record.connector,
        type_policy=record.type_policy,
        tables=record.tables,
        is_declared=record.is_declared,
        created_at=record.created_at,
        updated_at=record.updated_at,
    )


class SourceListBody(BaseModel):
    """Every data source, by name."""

    items: list[SourceBody]


class ServerFactsBody(BaseModel):
    """What a server says of itself, without user and database: those are parts of the source's URL, or stand for them."""

    product: str
    version: str
    may_write: bool | None
    max_connections: int | None


def show_server(facts: ServerFacts) -> ServerFactsBody:
    """A server's facts as clients see them."""
    return ServerFactsBody(
        product=facts.product,
        version=facts.version,
        may_write=facts.may_write,
        max_connections=facts.max_connections,
    )


class SwitchesBody(BaseModel):
    """The optimisations that are on."""

    model_config = ConfigDict(from_attributes=True)

    batching: bool
    streams: int
    pool: bool
    cache: bool
    join_fetch: bool
    metadata_pool: bool
    bulk_status: bool
    indexes: bool
    pipeline: bool
    compression: bool


class ProfileBody(BaseModel):
    """The profile of the running service, and the guards that are really in force."""

    name: str
    guards: list[str]
    switches: SwitchesBody


class StatusBody(BaseModel):
    """`ok`, or why not."""

    status: str


def _to_ms(duration_ns: int | None) -> float | None:
    return None if duration_ns is None else duration_ns / 1e6
