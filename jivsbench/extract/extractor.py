"""One extraction from review to manifest: the only place that knows the order of the steps.

Guards, then a connection, then one transaction in which schema, partitions, rows and fingerprints are read, then the
commit on disk. Whatever fails, no connection stays borrowed and no file stays behind.
"""

import logging
import re
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from jivsbench.api import Connection, Connector, ConsistencyTeller, Guard, GuardRequest, SchemaVersionTeller, WatermarkTeller
from jivsbench.errors import CancelledJobError, ExtractionError, JivsbenchError, MissingObjectError, UsageError
from jivsbench.extract.connecting import connect
from jivsbench.extract.folders import create_job_folder
from jivsbench.extract.foreign import close_connection
from jivsbench.extract.guards import review
from jivsbench.extract.leases import Lease
from jivsbench.extract.manifest import ManifestIncrement, build_manifest, describe_output, format_manifest
from jivsbench.extract.outputs import Output, WholeOutput
from jivsbench.extract.phases import PhaseClock, sum_phases
from jivsbench.extract.pool_set import PoolSet
from jivsbench.extract.running import RunningJob, RunningJobs
from jivsbench.extract.sinks import ColumnReader, choose_encoding, choose_format
from jivsbench.extract.streams import Reading, read_partitions
from jivsbench.extract.transforms import plan_transforms
from jivsbench.extract.verification import check_ability
from jivsbench.model.job import ExtractionResult, OutputFile, Phase
from jivsbench.model.profile import Profile, Verification
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource, ServerFacts
from jivsbench.model.statistics import PoolStatistics
from jivsbench.model.table import Consistency, ExtractionRequest, Fingerprint, Partition, TableSchema, Watermark, add_up_counts
from jivsbench.model.transform import KeepRows

SchemaLookup = Callable[[DataSource, ExtractionRequest, Callable[[], TableSchema], Callable[[], str | None]], TableSchema]
"""Finds the schema of a request: source, request, the loader that asks the server, and what asks it for the schema's version."""

_Told = TypeVar("_Told")

JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
"""What names the folder of a job: nothing that a path could be made of."""
_log = logging.getLogger(__name__)

_EXTRA_STREAM_WAIT_S = 1.0
"""Another stream that gets no connection for so long is not started; the ones that run do its work."""


def load_schema(
    _source: DataSource, _request: ExtractionRequest, load: Callable[[], TableSchema], _tell_version: Callable[[], str | None]
) -> TableSchema:
    """A SchemaLookup without a cache: ask the server every time."""
    return load()


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One call of `extract`."""

    job: RunningJob
    source: DataSource
    request: ExtractionRequest
    clock: PhaseClock
    started_ns: int
    partition_rows: int | None
    increment: ManifestIncrement | None


class Extractor:
    """Extracts from many sources at the same time, each job in its caller's thread."""

    def __init__(
        self,
        *,
        connectors: Mapping[str, Connector],
        guards: Sequence[Guard],
        profile: Profile,
        output_dir: Path,
        schemas: SchemaLookup = load_schema,
        mask_key: Secret | None = None,
    ) -> None:
        self._guards = tuple(guards)
        self._profile = profile
        self._output_dir = output_dir
        self._schemas = schemas
        self._mask_key = mask_key
        self._pools = PoolSet(connectors, profile)
        self._jobs = RunningJobs(self._pools.end_wait)

    def review(self, source: DataSource, request: ExtractionRequest) -> None:
        """Ask the guards. Raises GuardRefusedError; borrows no connection."""
        if (request.table is None) == (request.query is None):
            raise UsageError(f"a request to source {source.name} names a table or a query: this one names both, or neither")
        if self._profile.verification is not Verification.COUNT:
            self._check_contents_can_be_verified(request)
        if self._guards:
            dialect = self._pools.connector(source).dialect
            review(self._guards, GuardRequest(request, dialect, source.tables))

    def extract(
        self,
        job_id: str,
        source: DataSource,
        request: ExtractionRequest,
        *,
        partition_rows: int | None = None,
        increment: ManifestIncrement | None = None,
    ) -> ExtractionResult:
        """Read, write, verify and commit, in the caller's thread; guards are asked first.

        Raises an ExtractionError or EnvironmentProblem; then no connection is borrowed and no file is left. With
        `partition_rows` the output is resumable: partitions of so many rows are committed one by one, stay after a failure,
        and are not read again by the next call.
        """
        started_ns = time.perf_counter_ns()
        if not JOB_ID.fullmatch(job_id):
            raise UsageError(f"a job id names a folder: at most 100 letters, digits, - and _, not {job_id!r}")
        clock = PhaseClock(Phase.GUARD)
        self.review(source, request)
        job = self._jobs.start(job_id, source.name, self._profile.job_timeout_s)
        try:
            return self._extract(_Attempt(job, source, request, clock, started_ns, partition_rows, increment))
        except Exception as problem:
            error = job.explain(problem, source.connector)
            if error is problem:
                raise
            raise error from problem
        finally:
            self._jobs.finish(job)

    def cancel(self, job_id: str) -> bool:
        """Stop a running job from any thread: its query ends on the server and its files go. False when it does not run."""
        return self._jobs.stop(job_id, CancelledJobError(f"job {job_id} was stopped: start a new one to read the rows"))

    def test_source(self, source: DataSource) -> ServerFacts:
        """Connect with a session of its own, outside the pool, and ask the server who it is."""
        connection = connect(self._pools.connector(source), source, self._pools.read_limits)
        try:
            return connection.test()
        finally:
            close_connection(connection)

    def watermark(self, source: DataSource, request: ExtractionRequest, column: str, overlap: int | None) -> Watermark:
        """Ask, with a session of its own and so before any snapshot is taken, where the next increment begins."""
        self.review(source, request)
        connection = connect(self._pools.connector(source), source, self._pools.read_limits)
        try:
            if not isinstance(connection, WatermarkTeller):
                raise UsageError(f"the connector {source.connector} cannot tell where an increment ends: extract the table whole")
            return connection.watermark(request, column, overlap)
        finally:
            close_connection(connection)

    def forget_source(self, name: str) -> None:
        """Close the source's pool at once: its URL or password changed, or it was removed."""
        self._pools.forget(name)

    def forget_outdated(self, source: DataSource) -> None:
        """Close the pool that a job opened with what its source had been, when the source was changed or removed meanwhile."""
        self._pools.forget_outdated(source)

    def pool_statistics(self) -> tuple[PoolStatistics, ...]:
        """Counters of each source's pool, by name."""
        return self._pools.statistics()

    def close(self, grace_s: float = 5.0) -> None:
        """Let running jobs end for `grace_s`, then stop them, and close every connection."""
        self._jobs.close(grace_s, _build_shutdown_error)
        self._pools.close(grace_s)

    def _extract(self, attempt: _Attempt) -> ExtractionResult:
        attempt.clock.enter(Phase.POOL_WAIT)
        job = attempt.job
        lease = self._pools.borrow(attempt.source, job.job_id, job.remaining_s)
        try:
            job.attach(lease)
            attempt.clock.enter(Phase.SCHEMA)
            attempt.clock.move(Phase.POOL_WAIT, Phase.CONNECT, round(lease.connect_s * 1e9))
            result = self._read(attempt, lease)
        except (MissingObjectError, UsageError):
            # A misspelt table or column: nothing is under way on this connection, so it need not be opened anew.
            lease.give_back()
            raise
        except BaseException:
            # A query may still run on it, or its rows lie unread in the socket.
            lease.discard()
            raise
        lease.give_back()
        return result

    def _read(self, attempt: _Attempt, lease: Lease) -> ExtractionResult:
        clock, job, request, connection = attempt.clock, attempt.job, attempt.request, lease.connection
        check_ability(connection, attempt.source.connector, self._profile.verification)
        snapshot = connection.begin()
        clock.enter(Phase.CACHE)
        schema = self._schemas(
            attempt.source,
            request,
            lambda: _ask_server(clock, lambda: connection.schema(request)),
            lambda: _ask_server(clock, lambda: _tell_schema_version(connection, request)),
        )
        clock.enter(Phase.SCHEMA)
        job.check()
        encoding = choose_encoding(request, self._profile)
        plan = plan_transforms(request.transforms, schema, self._mask_key)
        output_schema = plan.schema.to_arrow()
        encoding.check(output_schema)
        output = self._open_output(attempt, connection, schema, snapshot)
        try:
            reading = Reading(
                job=job,
                connector=attempt.source.connector,
                folder=output.folder,
                plan=plan,
                schema=output_schema,
                encoding=encoding,
                switches=self._profile.switches,
                verification=self._profile.verification,
                borrow=lambda: self._borrow_extra(attempt),
                stop_borrowing=lambda: self._pools.end_wait(job.job_id, _build_not_needed_error(job.job_id)),
                todo=deque(output.todo),
                commit=output.commit,
            )
            read_partitions(reading, connection, clock, snapshot)
            clock.enter(Phase.COMMIT)
            return self._commit(attempt, reading, output, _ask_consistency(connection, request))
        except BaseException:
            output.abandon()
            raise

    def _open_output(self, attempt: _Attempt, connection: Connection, schema: TableSchema, snapshot: str | None) -> Output:
        request, job_id = attempt.request, attempt.job.job_id
        if attempt.partition_rows is not None:
            from jivsbench.extract.resume import ResumableJob, open_resumable

            job = ResumableJob(job_id, attempt.source, request, self._profile, self._mask_key, attempt.partition_rows)
            return open_resumable(self._output_dir, job, connection, schema, snapshot)
        partitions = self._partitions(connection, request, schema)
        return WholeOutput(create_job_folder(self._output_dir, job_id), partitions, snapshot)

    def _check_contents_can_be_verified(self, request: ExtractionRequest) -> None:
        level = self._profile.verification
        if request.row_limit is not None:
            raise UsageError("with a limit the server chooses the rows anew each time: verify by count, or leave out the limit")
        if any(isinstance(transform, KeepRows) for transform in request.transforms):
            raise UsageError(
                "rows that a transform leaves out are in the server's figures: verify by count, or filter in the source (filters)"
            )
        if level is Verification.ROWS and request.transforms:
            raise UsageError("a transform changes rows, which are then not the source's: verify by columns, or leave it out")
        if not isinstance(choose_encoding(request, self._profile), ColumnReader):
            raise UsageError(
                f"verification by {level} reads the files back, and {choose_format(request, self._profile)} keeps no types: "
                "verify by count, or choose the format parquet or arrow"
            )

    def _partitions(self, connection: Connection, request: ExtractionRequest, schema: TableSchema) -> tuple[Partition, ...]:
        streams = self._profile.switches.streams
        if streams > 1:
            return connection.partitions(request, schema, streams)
        return (Partition(0, request, schema),)

    def _borrow_extra(self, attempt: _Attempt) -> Lease | None:
        job = attempt.job
        try:
            return self._pools.borrow(attempt.source, job.job_id, min(_EXTRA_STREAM_WAIT_S, job.remaining_s))
        except JivsbenchError as problem:
            # The first stream does the work alone; if the source is gone, it finds out by itself.
            _log.debug("job %s goes on with fewer streams (%s)", job.job_id, problem.slug)
            return None

    def _commit(self, attempt: _Attempt, reading: Reading, output: Output, told: Consistency) -> ExtractionResult:
        published = output.publish(told)
        partitions = published.partitions
        streams = 1 + len(reading.phases)
        manifest = build_manifest(
            attempt.job.job_id,
            attempt.source,
            attempt.request,
            partitions,
            plan=reading.plan,
            output=describe_output(choose_format(attempt.request, self._profile), reading.encoding, published.escaped_cells),
            consistency=published.consistency,
            snapshot=published.snapshot,
            streams=streams,
            switches=self._profile.switches,
            verification=self._profile.verification,
            increment=attempt.increment,
        )
        attempt.job.check()
        output.folder.write_manifest(format_manifest(manifest))
        output.finish()
        return ExtractionResult(
            folder=attempt.job.job_id,
            files=tuple(OutputFile(p.file, p.rows_written, p.size_bytes) for p in partitions),
            rows_read=sum(p.rows_read for p in partitions),
            rows_written=manifest.row_count,
            rows_in_source=add_up_counts(Fingerprint(p.rows_in_source) for p in partitions),
            streams=streams,
            snapshot=published.snapshot,
            phases=sum_phases([attempt.clock.stop(), *reading.phases]),
            duration_ns=time.perf_counter_ns() - attempt.started_ns,
            kept_partitions=output.kept_count,
            consistency=published.consistency,
            escaped_cells=published.escaped_cells,
            rows_filtered=sum(p.rows_filtered for p in partitions),
            changed_columns=reading.plan.changed_columns,
        )


def _ask_server(clock: PhaseClock, ask: Callable[[], _Told]) -> _Told:
    """In the middle of a look-up: the server's time is not the cache's."""
    clock.enter(Phase.SCHEMA)
    told = ask()
    clock.enter(Phase.CACHE)
    return told


def _tell_schema_version(connection: Connection, request: ExtractionRequest) -> str | None:
    return connection.schema_version(request) if isinstance(connection, SchemaVersionTeller) else None


def _ask_consistency(connection: Connection, request: ExtractionRequest) -> Consistency:
    return connection.consistency(request) if isinstance(connection, ConsistencyTeller) else Consistency.ONE_SNAPSHOT


def _build_not_needed_error(job_id: str) -> ExtractionError:
    return ExtractionError(f"job {job_id} needs no further connection: its partitions are all read")


def _build_shutdown_error(job_id: str) -> CancelledJobError:
    return CancelledJobError(f"job {job_id} was stopped because the service stops: start it again later")
