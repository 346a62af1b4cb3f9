"""Jobs in the store: created, claimed, finished, looked up.

A job's state changes by compare-and-set alone (PENDING -> RUNNING -> a final state), and only by the service that created
it, so that two workers, or a worker and a user who stops the job, never both win. Writes and single look-ups are
plain statements. Where a job is shown with its source, rows are loaded as mapped objects, because the switch
`join_fetch` is about just that: one joined query, or one query more for each source that comes up.
"""

import random
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import BigInteger, Connection, bindparam, func, insert, select, update
from sqlalchemy.orm import Session, joinedload

from jivsbench.errors import JobStateError, RestartedError
from jivsbench.extract.jobs.database import StoreDatabase
from jivsbench.extract.jobs.instants import read_clock_us, to_datetime, to_us
from jivsbench.extract.jobs.models import JOB_LOGS, JOB_STATISTICS, JOBS, JobRow
from jivsbench.extract.jobs.rows import (
    format_files,
    format_phases,
    format_request,
    parse_request,
    read_job,
    read_log_entry,
    read_statistics,
)
from jivsbench.extract.jobs.values import (
    ClaimedJob,
    CreatedJob,
    JobFailure,
    JobOutcome,
    JobPage,
    JobRecord,
    JobStatistics,
    LogEntry,
    LogLevel,
    SourceRecord,
)
from jivsbench.model.job import ExtractionResult, JobState
from jivsbench.model.table import ExtractionRequest

_INSERT_JOB: Final = insert(JOBS)
_INSERT_LOG: Final = insert(JOB_LOGS)
_INSERT_STATISTICS: Final = insert(JOB_STATISTICS)
_CLAIM: Final = (
    update(JOBS)
    .where(JOBS.c.id == bindparam("job_id"), JOBS.c.state == JobState.PENDING.value, JOBS.c.owner == bindparam("of"))
    .values(state=JobState.RUNNING.value, started_us=bindparam("now_us"))
    .returning(JOBS.c.source_id, JOBS.c.request, JOBS.c.created_us)
)
_MARK_RUNNING: Final = (
    update(JOBS)
    .where(JOBS.c.id == bindparam("job_id"), JOBS.c.state == JobState.PENDING.value, JOBS.c.owner == bindparam("of"))
    .values(state=JobState.RUNNING.value, started_us=bindparam("begun_us"))
)
_FINISH: Final = (
    update(JOBS)
    .where(
        JOBS.c.id == bindparam("job_id"),
        JOBS.c.state.in_((bindparam("from_state"), bindparam("or_from_state"))),
        JOBS.c.owner == bindparam("of"),
    )
    .values(
        state=bindparam("to_state"),
        # None where only the store knows when it began.
        started_us=func.coalesce(bindparam("begun_us", type_=BigInteger), JOBS.c.started_us),
        finished_us=bindparam("now_us"),
        rows_read=bindparam("read"),
        rows_written=bindparam("written"),
        duration_ns=bindparam("took_ns"),
        error_slug=bindparam("slug"),
        error_message=bindparam("message"),
        output=bindparam("folder"),
    )
)
_FIND_STATISTICS: Final = select(
    JOB_STATISTICS.c.rows_read,
    JOB_STATISTICS.c.rows_written,
    JOB_STATISTICS.c.rows_in_source,
    JOB_STATISTICS.c.duration_ns,
    JOB_STATISTICS.c.files,
    JOB_STATISTICS.c.phases,
).where(JOB_STATISTICS.c.job_id == bindparam("wanted"))
_FIND_LOG: Final = (
    select(JOB_LOGS.c.at_us, JOB_LOGS.c.level, JOB_LOGS.c.message)
    .where(JOB_LOGS.c.job_id == bindparam("wanted"))
    .order_by(JOB_LOGS.c.at_us, JOB_LOGS.c.id)
)
_FIND_OWNER: Final = select(JOBS.c.owner).where(JOBS.c.id == bindparam("wanted"))
_FIND_RUNNING: Final = select(JOBS.c.id).where(JOBS.c.state == JobState.RUNNING.value, JOBS.c.owner == bindparam("of"))


class JobStore:
    """All jobs of one database. `owner` marks those of this service: it starts, stops and ends no others."""

    def __init__(self, database: StoreDatabase, *, owner: str, join_fetch: bool) -> None:
        self._database = database
        self._owner = owner
        self._options = (joinedload(JobRow.source, innerjoin=True),) if join_fetch else ()

    def create(self, source: SourceRecord, request: ExtractionRequest) -> CreatedJob:
        """A new job, PENDING."""
        job_id, now_us = _build_id(), read_clock_us()
        row = {
            "id": job_id,
            "owner": self._owner,
            "source_id": source.id,
            "request": format_request(request),
            "state": JobState.PENDING.value,
            "created_us": now_us,
        }
        with self._database.writing() as connection:
            connection.execute(_INSERT_JOB, row)
        return CreatedJob(JobRecord(job_id, source.name, JobState.PENDING, to_datetime(now_us)), source.id, request)

    def owns(self, job_id: str) -> bool:
        """True for a job that this service created."""
        with self._database.reading() as connection:
            return connection.execute(_FIND_OWNER, {"wanted": job_id}).scalar() == self._owner

    def find(self, job_id: str) -> JobRecord | None:
        """One job as it is stored now."""
        with self._database.reading() as connection, Session(connection) as session:
            row = session.get(JobRow, job_id, options=self._options)
            return read_job(row) if row else None

    def list_jobs(self, state: JobState | None, page: int, size: int) -> JobPage:
        """One page, newest first; pages count from 1."""
        wanted = select(JobRow).options(*self._options)
        counted = select(func.count()).select_from(JOBS)
        if state is not None:
            wanted, counted = wanted.where(JobRow.state == state.value), counted.where(JOBS.c.state == state.value)
        ordered = wanted.order_by(JobRow.created_us.desc(), JobRow.id).limit(size).offset((page - 1) * size)
        with self._database.reading() as connection, Session(connection) as session:
            jobs = tuple(read_job(row) for row in session.scalars(ordered))
            return JobPage(jobs, page, size, session.scalar(counted) or 0)

    def claim(self, job_id: str) -> ClaimedJob | None:
        """PENDING -> RUNNING; None when the job is not PENDING, so that exactly one caller gets it."""
        now_us = read_clock_us()
        with self._database.writing() as connection:
            found = connection.execute(_CLAIM, {"job_id": job_id, "now_us": now_us, "of": self._owner}).all()
        if not found:
            return None
        source_id, request, created_us = found[0]
        return ClaimedJob(job_id, source_id, parse_request(request), to_datetime(created_us), to_datetime(now_us))

    def finish(self, job: ClaimedJob, outcome: JobOutcome) -> JobRecord | None:
        """RUNNING -> the outcome's state, with statistics and log in the same transaction; None when it had ended already."""
        record = _build_record(job, outcome, read_clock_us())
        with self._database.writing() as connection:
            if not self._finish(connection, [record], (JobState.RUNNING, JobState.PENDING)):
                return None
            _insert_endings(connection, [(record, outcome.result)])
        return record

    def store_changes(
        self, running: Sequence[ClaimedJob], ended: Sequence[tuple[ClaimedJob, JobOutcome]]
    ) -> tuple[JobRecord, ...]:
        """Jobs that run now, and jobs that have ended, in one transaction. Returns the records of the ended ones, in order.

        Raises JobStateError, and stores nothing, when one of the ended ones had ended already.
        """
        now_us = read_clock_us()
        records = [_build_record(job, outcome, now_us) for job, outcome in ended]
        marks = [{"job_id": job.id, "begun_us": to_us(job.started_at), "of": self._owner} for job in running]
        with self._database.writing() as connection:
            if marks:
                connection.execute(_MARK_RUNNING, marks)
            if records:
                if not self._finish(connection, records, (JobState.RUNNING, JobState.PENDING)):
                    raise JobStateError("a job had ended already when its end was to be stored")
                _insert_endings(connection, [(record, end[1].result) for record, end in zip(records, ended, strict=True)])
        return tuple(records)

    def cancel_pending(self, job_id: str, failure: JobFailure) -> bool:
        """PENDING -> CANCELLED; False when the job is not PENDING."""
        return self._end(job_id, JobState.PENDING, JobState.CANCELLED, failure)

    def fail_interrupted(self) -> int:
        """Jobs of this service that are RUNNING before any worker runs were cut off by its end: FAILED. Returns how many."""
        error = RestartedError("the service ended while this job ran: start a new job, no output of this one was kept")
        failure = JobFailure(error.slug, str(error))
        with self._database.reading() as connection:
            found = connection.execute(_FIND_RUNNING, {"of": self._owner}).scalars().all()
        return sum(self._end(job_id, JobState.RUNNING, JobState.FAILED, failure) for job_id in found)

    def find_statistics(self, job_id: str) -> JobStatistics | None:
        """What a job did; None unless it has completed."""
        with self._database.reading() as connection:
            row = connection.execute(_FIND_STATISTICS, {"wanted": job_id}).first()
        return read_statistics(row) if row else None

    def read_log(self, job: JobRecord) -> tuple[LogEntry, ...]:
        """The log of a job, oldest first. Creation and start are told from the job itself, so that no hot path writes them."""
        with self._database.reading() as connection:
            stored = [read_log_entry(row) for row in connection.execute(_FIND_LOG, {"wanted": job.id})]
        told = [LogEntry(job.created_at, LogLevel.INFO, f"created for source {job.source}")]
        if job.started_at:
            told.append(LogEntry(job.started_at, LogLevel.INFO, "started"))
        return (*told, *stored)

    def _end(self, job_id: str, from_state: JobState, to_state: JobState, failure: JobFailure) -> bool:
        ended = JobRecord(job_id, "", to_state, to_datetime(0), finished_at=to_datetime(read_clock_us()), failure=failure)
        with self._database.writing() as connection:
            if not self._finish(connection, [ended], (from_state, from_state)):
                return False
            _insert_endings(connection, [(ended, None)])
        return True

    def _finish(self, connection: Connection, records: Sequence[JobRecord], from_states: tuple[JobState, JobState]) -> bool:
        """False when a record's job was in no such state; then the caller's transaction must not be committed."""
        values = [self._describe_end(record, from_states) for record in records]
        return connection.execute(_FINISH, values if len(values) > 1 else values[0]).rowcount == len(values)

    def _describe_end(self, record: JobRecord, from_states: tuple[JobState, JobState]) -> dict[str, str | int | None]:
        failure = record.failure
        return {
            "job_id": record.id,
            "of": self._owner,
            "from_state": from_states[0].value,
            "or_from_state": from_states[1].value,
            "to_state": record.state.value,
            "begun_us": to_us(record.started_at) if record.started_at else None,
            "now_us": to_us(record.finished_at) if record.finished_at else None,
            "read": record.rows_read,
            "written": record.rows_written,
            "took_ns": record.duration_ns,
            "slug": failure.slug if failure else None,
            "message": failure.message if failure else None,
            "folder": record.output,
        }


def _build_record(job: ClaimedJob, outcome: JobOutcome, now_us: int) -> JobRecord:
    result, finished_at = outcome.result, to_datetime(now_us)
    took_ns = result.duration_ns if result else (finished_at - job.started_at) // timedelta(microseconds=1) * 1000
    return JobRecord(
        id=job.id,
        source=job.request.source,
        state=outcome.state,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=finished_at,
        rows_read=result.rows_read if result else None,
        rows_written=result.rows_written if result else None,
        duration_ns=took_ns,
        failure=outcome.failure,
        output=result.folder.rpartition("/")[2] if result else None,
    )


def _insert_endings(connection: Connection, ended: Sequence[tuple[JobRecord, ExtractionResult | None]]) -> None:
    statistics = [_build_statistics_row(record.id, result) for record, result in ended if result]
    if statistics:
        connection.execute(_INSERT_STATISTICS, statistics)
    connection.execute(_INSERT_LOG, [_build_log_row(record) for record, _result in ended])


def _build_log_row(record: JobRecord) -> dict[str, str | int]:
    if record.state is JobState.COMPLETED:
        level, message = LogLevel.INFO, f"completed: {record.rows_read} rows read, {record.rows_written} written, verified"
    else:
        level = LogLevel.ERROR if record.state is JobState.FAILED else LogLevel.WARNING
        reason = record.failure.message if record.failure else "no reason was given"
        message = f"{record.state.value.lower()}: {reason}"
    at_us = to_us(record.finished_at) if record.finished_at else read_clock_us()
    return {"job_id": record.id, "at_us": at_us, "level": level.value, "message": message}


def _build_statistics_row(job_id: str, result: ExtractionResult) -> dict[str, str | int | None]:
    return {
        "job_id": job_id,
        "rows_read": result.rows_read,
        "rows_written": result.rows_written,
        "rows_in_source": result.rows_in_source,
        "duration_ns": result.duration_ns,
        "files": format_files(result.files),
        "phases": format_phases(result.phases),
    }


def _build_id() -> str:
    # It has to be new, not secret; asking the kernel would hand the interpreter to another thread, and wait for it.
    return str(uuid.UUID(int=random.getrandbits(128), version=4))
