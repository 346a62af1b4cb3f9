"""Between rows of the store and the values that leave it."""

from typing import Final

from pydantic import TypeAdapter, ValidationError

from jivsbench.errors import EnvironmentProblem
from jivsbench.extract.jobs.instants import to_datetime, to_datetime_or_none
from jivsbench.extract.jobs.models import JobRow
from jivsbench.extract.jobs.values import JobFailure, JobRecord, JobStatistics, LogEntry, LogLevel, SourceRecord
from jivsbench.model.job import JobState, OutputFile, PhaseTime
from jivsbench.model.source import TypePolicy
from jivsbench.model.table import ExtractionRequest

_REQUEST: Final = TypeAdapter(ExtractionRequest)
_TABLES: Final = TypeAdapter(tuple[str, ...])
_FILES: Final = TypeAdapter(tuple[OutputFile, ...])
_PHASES: Final = TypeAdapter(tuple[PhaseTime, ...])


def format_request(request: ExtractionRequest) -> str:
    """A request as it is stored."""
    return _REQUEST.dump_json(request).decode()


def parse_request(text: str) -> ExtractionRequest:
    """A stored request."""
    return _REQUEST.validate_json(text)


def format_tables(tables: tuple[str, ...] | None) -> str | None:
    """The tables of a source as they are stored; NULL for all."""
    return None if tables is None else _TABLES.dump_json(tables).decode()


def format_files(files: tuple[OutputFile, ...]) -> str:
    """Output files as they are stored."""
    return _FILES.dump_json(files).decode()


def format_phases(phases: tuple[PhaseTime, ...]) -> str:
    """Phase times as they are stored."""
    return _PHASES.dump_json(phases).decode()


def read_job(row: JobRow) -> JobRecord:
    """A job's public view. Asking for the source's name loads the source, unless the query has joined it."""
    failure = JobFailure(row.error_slug, row.error_message or "") if row.error_slug else None
    return JobRecord(
        id=row.id,
        source=row.source.name,
        state=JobState(row.state),
        created_at=to_datetime(row.created_us),
        started_at=to_datetime_or_none(row.started_us),
        finished_at=to_datetime_or_none(row.finished_us),
        rows_read=row.rows_read,
        rows_written=row.rows_written,
        duration_ns=row.duration_ns,
        failure=failure,
        output=row.output,
    )


def read_statistics(row: tuple[int, int, int, int, str, str]) -> JobStatistics:
    """What a completed job did; columns in the order of the value's fields."""
    rows_read, rows_written, rows_in_source, duration_ns, files, phases = row
    return JobStatistics(
        rows_read, rows_written, rows_in_source, duration_ns, _FILES.validate_json(files), _PHASES.validate_json(phases)
    )


def read_log_entry(row: tuple[int, str, str]) -> LogEntry:
    """One line of a log: instant, level, message."""
    at_us, level, message = row
    return LogEntry(to_datetime(at_us), LogLevel(level), message)


def _read_tables(source: str, text: str) -> tuple[str, ...]:
    """A list that cannot be read allows nothing, which has to be said."""
    try:
        return _TABLES.validate_json(text)
    except ValidationError:
        # No cause: its text repeats what is stored.
        raise EnvironmentProblem(
            f"the tables that data source {source!r} allows cannot be read from the job store: change the source, with its tables"
        ) from None


def read_source(row: tuple[int, str, str, str, str | None, bool, int, int, int]) -> SourceRecord:
    """A data source; columns in the order of the value's fields, and never its URL."""
    source_id, name, connector, type_policy, tables, is_declared, revision, created_us, updated_us = row
    return SourceRecord(
        id=source_id,
        name=name,
        connector=connector,
        type_policy=TypePolicy(type_policy),
        tables=None if tables is None else _read_tables(name, tables),
        is_declared=is_declared,
        revision=revision,
        created_at=to_datetime(created_us),
        updated_at=to_datetime(updated_us),
    )
