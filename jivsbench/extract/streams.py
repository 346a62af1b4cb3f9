"""Reading partitions: one after the other in the caller's thread, or side by side under one shared snapshot.

The caller's own connection always reads. More streams join when a connection comes free in time; a job never waits for
a second connection while it holds the first without going on, so jobs cannot block one another.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import pyarrow as pa

from jivsbench.api import ColumnFingerprinter, Connection, ReadTimer, RowFingerprinter
from jivsbench.errors import CancelledJobError, JivsbenchError
from jivsbench.extract.folders import JobFolder
from jivsbench.extract.leases import Lease
from jivsbench.extract.phases import PhaseClock
from jivsbench.extract.pipeline import write_apart, write_in_turn
from jivsbench.extract.rows import read_rows_as_batch
from jivsbench.extract.running import RunningJob
from jivsbench.extract.sinks import ColumnReader, Encoding, FileSink, WrittenFile
from jivsbench.extract.transforms import TransformPlan
from jivsbench.extract.verification import (
    Comparison,
    PartitionCounts,
    read_fingerprints,
    read_row_fingerprint,
    verify_columns,
    verify_counts,
    verify_rows,
)
from jivsbench.model.job import Phase
from jivsbench.model.profile import Switches, Verification
from jivsbench.model.table import Partition

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class VerifiedPartition:
    """A partition whose file is closed, synced and verified, and waits for its final name."""

    counts: PartitionCounts
    file: WrittenFile
    snapshot: str | None


@dataclass(slots=True)
class _RowCounter:
    """Rows of one partition: counted where they arrive, so that one that is lost on the way to the file is missed."""

    read: int = 0
    filtered: int = 0

    def count(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches as they come."""
        for batch in batches:
            self.read += batch.num_rows
            yield batch


@dataclass(slots=True)
class Reading:
    """What the streams of one job share."""

    job: RunningJob
    connector: str
    folder: JobFolder
    plan: TransformPlan
    schema: pa.Schema
    """Of the output: what the plan makes of the source's columns."""
    encoding: Encoding
    switches: Switches
    verification: Verification
    borrow: Callable[[], Lease | None]
    """One more connection for another stream, or None when none comes free."""
    stop_borrowing: Callable[[], None]
    """Lets streams that still wait for a connection go: there is nothing left to read."""
    todo: deque[Partition]
    commit: Callable[[VerifiedPartition], None]
    """Takes each partition, in the thread of its stream."""
    phases: list[dict[Phase, int]] = field(default_factory=list)
    """Of the streams beside the first."""


def read_partitions(reading: Reading, connection: Connection, clock: PhaseClock, snapshot: str | None) -> None:
    """Read, write and verify every partition and give it to `reading.commit`. Raises what the first failure raised."""
    extra = min(reading.switches.streams, len(reading.todo)) - 1 if snapshot is not None else 0
    threads = [
        threading.Thread(target=_read_beside, args=(reading, snapshot), name=f"stream-{reading.job.job_id}-{number}")
        for number in range(1, extra + 1)
    ]
    for thread in threads:
        thread.start()
    try:
        _read_all(reading, connection, clock, snapshot)
    except BaseException as problem:
        # The other streams must end too; when one of them failed first, this only saw its consequence.
        if threads:
            reading.job.stop(_explain(reading.job, problem, reading.connector))
        raise
    finally:
        if threads:
            reading.stop_borrowing()
        for thread in threads:
            thread.join()
    reading.job.check()


def _explain(job: RunningJob, problem: BaseException, connector: str) -> JivsbenchError:
    if isinstance(problem, Exception):
        return job.explain(problem, connector)
    return CancelledJobError(f"job {job.job_id} was interrupted: start it again to read the rows")


def _read_beside(reading: Reading, snapshot: str | None) -> None:
    lease = reading.borrow()
    if lease is None:
        return
    clock = PhaseClock(Phase.SCHEMA)
    is_clean = False
    try:
        reading.job.attach(lease)
        _read_all(reading, lease.connection, clock, lease.connection.begin(snapshot))
        is_clean = True
    except Exception as problem:  # noqa: BLE001 - it ends the job, whose own thread raises it
        reading.job.fail(problem, reading.connector)
    finally:
        reading.phases.append(clock.stop())
        if is_clean:
            lease.give_back()
        else:
            lease.discard()


def _read_all(reading: Reading, connection: Connection, clock: PhaseClock, snapshot: str | None) -> None:
    while True:
        reading.job.check()
        try:
            partition = reading.todo.popleft()
        except IndexError:
            return
        counts, file = _read_one(reading, connection, partition, clock)
        clock.enter(Phase.COMMIT)
        reading.commit(VerifiedPartition(counts, file, snapshot))


def _read_one(
    reading: Reading, connection: Connection, partition: Partition, clock: PhaseClock
) -> tuple[PartitionCounts, WrittenFile]:
    clock.enter(Phase.FIRST_ROW)
    counter = _RowCounter()
    source_schema = partition.schema.to_arrow()
    with _sink(reading, partition) as sink:

        def write(batch: pa.RecordBatch) -> None:
            kept = reading.plan.apply(batch, source_schema, reading.schema)
            counter.filtered += batch.num_rows - kept.num_rows
            sink.write(kept)

        with _batches(reading, connection, partition) as batches:
            arriving = counter.count(batches)
            if reading.switches.pipeline:
                write_apart(arriving, write, reading.job, clock, reading.connector)
            else:
                write_in_turn(arriving, write, reading.job, clock)
        clock.enter(Phase.ENCODE)
        file = sink.close()
        clock.enter(Phase.VERIFY)
        _book_parts(clock, connection, sink)
        reading.job.check()
        found = connection.fingerprint(partition)
        counts = PartitionCounts(partition.index, found.row_count, counter.read, file.row_count, counter.filtered)
        comparison = Comparison(reading.job.job_id, partition)
        verify_counts(comparison, counts)
        if reading.verification is Verification.COLUMNS:
            _verify_columns(reading, connection, comparison, file)
        elif reading.verification is Verification.ROWS:
            _verify_rows(reading, connection, comparison, file)
    return counts, file


def _book_parts(clock: PhaseClock, connection: Connection, sink: FileSink) -> None:
    """What only the connector and the sink can tell apart within a phase."""
    clock.move(Phase.ENCODE, Phase.WRITE, sink.written_ns)
    if isinstance(connection, ReadTimer):
        times = connection.take_read_times()
        clock.move(Phase.FIRST_ROW, Phase.EXECUTE, times.execute_ns)
        # The first batch was decoded before the first row was there, all others after it.
        clock.move(Phase.FIRST_ROW, Phase.DECODE, times.first_decode_ns)
        clock.move(Phase.FETCH, Phase.DECODE, times.decode_ns)


def _verify_columns(reading: Reading, connection: Connection, comparison: Comparison, file: WrittenFile) -> None:
    assert isinstance(connection, ColumnFingerprinter), "looked at before anything was read"
    expected = connection.fingerprint_columns(comparison.partition)
    reading.job.check()
    found = _read_back(reading, comparison, file, read_fingerprints)
    verify_columns(comparison, *reading.plan.match_fingerprints(expected, found))


def _verify_rows(reading: Reading, connection: Connection, comparison: Comparison, file: WrittenFile) -> None:
    assert isinstance(connection, RowFingerprinter), "looked at before anything was read"
    expected = connection.fingerprint_rows(comparison.partition)
    reading.job.check()
    verify_rows(comparison, expected, _read_back(reading, comparison, file, read_row_fingerprint))


def _read_back(
    reading: Reading, comparison: Comparison, file: WrittenFile, read: Callable[[ColumnReader, str], _Found]
) -> _Found:
    assert isinstance(reading.encoding, ColumnReader), "the request was refused in review"
    try:
        return read(reading.encoding, reading.folder.temporary(file.name))
    except (OSError, pa.ArrowException) as problem:
        raise comparison.build_error(
            f"what lies on disk cannot be read back ({type(problem).__name__}: check the disk)"
        ) from problem


@contextmanager
def _sink(reading: Reading, partition: Partition) -> Iterator[FileSink]:
    sink = FileSink(reading.folder, partition.index, reading.schema, reading.encoding)
    try:
        yield sink
    finally:
        sink.abort()


@contextmanager
def _batches(reading: Reading, connection: Connection, partition: Partition) -> Iterator[Iterator[pa.RecordBatch]]:
    if not reading.switches.batching:
        yield iter((read_rows_as_batch(connection, partition),))
        return
    batches = connection.read(partition)
    try:
        yield batches
    finally:
        # A generator holds its query open until it is closed: do that before the next query, not some time later.
        if isinstance(batches, Generator):
            batches.close()
