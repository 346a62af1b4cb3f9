"""Reading and writing apart: bounded, ended by a failure on either side, and not there at all for a single batch."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pytest

from jivsbench.errors import CancelledJobError, ExtractionError, TypePolicyError
from jivsbench.extract import pipeline
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.manifest import parse_manifest
from jivsbench.extract.phases import PhaseClock
from jivsbench.extract.pipeline import Write, write_apart
from jivsbench.extract.running import RunningJob
from jivsbench.model.job import Phase
from jivsbench.model.output import OutputFormat
from jivsbench.model.profile import OPTIMIZED, Profile
from jivsbench.model.table import Partition
from jivsbench.model.transform import Cast
from tests.unit.extract_fakes import REQUEST, FakeConnection, FakeConnector, FakeServer, build_profile, build_source, wait_until

APART = replace(OPTIMIZED, switches=replace(OPTIMIZED.switches, pipeline=True, streams=1))
BATCH = pa.record_batch({"id": [1]})


def pump(batches: Iterator[pa.RecordBatch], write: Write, job: RunningJob | None = None) -> None:
    """Read and write apart, without an extractor around it."""
    write_apart(batches, write, job or RunningJob("job", "shop", 60.0), PhaseClock(Phase.FIRST_ROW), "fake")


def count_writers() -> int:
    """Threads that write for some job."""
    return sum(thread.name.startswith("write-") for thread in threading.enumerate())


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Whatever a test does, its threads have ended with it."""
    yield
    assert count_writers() == 0


def measure_lead(batches: int) -> int:
    """How many batches the source was ahead of the slow writer at most."""
    produced, written, lead = 0, 0, 0

    def read() -> Iterator[pa.RecordBatch]:
        nonlocal produced, lead
        for _ in range(batches):
            produced += 1
            lead = max(lead, produced - written)
            yield BATCH

    def write(_batch: pa.RecordBatch) -> None:
        nonlocal written
        time.sleep(0.002)
        written += 1

    pump(read(), write)
    assert written == batches
    return lead


MOST_LEAD = 4
"""One being read, two that wait, one being written."""


def test_a_slow_writer_slows_the_source():
    """Memory stays bounded: the source is never further ahead than the queue is long."""
    assert measure_lead(50) <= MOST_LEAD


def test_a_queue_without_a_bound_would_be_noticed(monkeypatch: pytest.MonkeyPatch):
    """Planted: with room for everything, the measure above says so."""
    monkeypatch.setattr(pipeline, "WAITING_BATCHES", 10**6)

    assert measure_lead(50) > MOST_LEAD


@pytest.mark.parametrize(("batches", "is_apart"), [(0, False), (1, False), (2, True), (30, True)])
def test_the_thread_starts_with_the_second_batch(batches: int, *, is_apart: bool):
    """A single batch is written in the caller's thread; all batches arrive once, in order."""
    written: list[int] = []
    threads = set()

    def write(batch: pa.RecordBatch) -> None:
        written.append(batch["id"][0].as_py())
        threads.add(threading.current_thread() is threading.main_thread())

    pump((pa.record_batch({"id": [n]}) for n in range(batches)), write)

    assert written == list(range(batches))
    assert threads == ({not is_apart} if batches else set())


def test_a_writer_that_fails_is_what_the_reader_raises():
    """Also when the failure comes with the very last batch; nothing is written after it."""
    for failing in (1, 5, 9):
        written = []

        def write(batch: pa.RecordBatch, failing: int = failing, written: list[int] = written) -> None:
            if batch["id"][0].as_py() == failing:
                raise ExtractionError("the writer failed")
            written.append(batch["id"][0].as_py())

        with pytest.raises(ExtractionError, match="the writer failed"):
            pump((pa.record_batch({"id": [n]}) for n in range(10)), write)
        assert written == list(range(failing))


def test_a_reader_that_fails_ends_the_writer():
    """What waits is dropped; the reader's own error comes out."""
    written = []

    def read() -> Iterator[pa.RecordBatch]:
        for _ in range(5):
            yield BATCH
        raise ExtractionError("the source failed")

    with pytest.raises(ExtractionError, match="the source failed"):
        pump(read(), written.append)
    assert len(written) <= 5


def test_a_stopped_job_frees_a_reader_that_waits_for_the_writer():
    """The reader stands before a full queue and the writer in a long write: the stop reaches it there."""
    job = RunningJob("job", "shop", 60.0)
    in_write, may_end = threading.Event(), threading.Event()

    def write(_batch: pa.RecordBatch) -> None:
        in_write.set()
        assert may_end.wait(30)

    def stop() -> None:
        assert in_write.wait(30)
        job.stop(CancelledJobError("stopped"))
        may_end.set()

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(CancelledJobError, match="stopped"):
        pump(iter([BATCH] * 100), write, job)
    stopper.join()


Build = Callable[..., Extractor]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Builds extractors over a fake source, and closes them."""
    built: list[Extractor] = []

    def make(server: FakeServer, session: type[FakeConnection] = FakeConnection, profile: Profile = APART) -> Extractor:
        connector = FakeConnector(server, session)
        built.append(Extractor(connectors={"fake": connector}, guards=(), profile=build_profile(profile), output_dir=tmp_path))
        return built[-1]

    yield make
    for extractor in built:
        extractor.close(0.5)


@pytest.mark.parametrize("output_format", OutputFormat)
def test_the_files_are_the_same_with_and_without_it(build: Build, tmp_path: Path, output_format: OutputFormat):
    """Byte for byte; the manifest says which it was."""
    in_turn = replace(APART, switches=replace(APART.switches, pipeline=False))
    request = replace(REQUEST, format=output_format)
    names = {}
    for job_id, profile in (("apart", APART), ("turn", in_turn)):
        result = build(FakeServer(rows=10_000, batch_rows=100), profile=profile).extract(job_id, build_source(), request)
        names[job_id] = [file.name for file in result.files]
        assert result.rows_written == 10_000
        manifest = parse_manifest((tmp_path / job_id / "manifest.json").read_bytes())
        assert manifest.switches.pipeline is (job_id == "apart")

    (name,) = names["apart"]
    assert names["turn"] == [name]
    assert (tmp_path / "apart" / name).read_bytes() == (tmp_path / "turn" / name).read_bytes()


class WatchingConnection(FakeConnection):
    """A session that notes how many threads write when its last batch was read."""

    seen: ClassVar[list[int]] = []

    def read(self, partition: Partition) -> Iterator[pa.RecordBatch]:
        yield from super().read(partition)
        self.seen.append(count_writers())


@pytest.mark.parametrize(("is_on", "batch_rows", "least", "most"), [(True, 10, 1, 2), (True, 50, 0, 0), (False, 10, 0, 0)])
def test_each_stream_has_a_writer_of_its_own(build: Build, is_on: bool, batch_rows: int, least: int, most: int):  # noqa: FBT001
    """Two streams have at most two; partitions of one batch, and a profile without the switch, have none."""
    WatchingConnection.seen.clear()
    profile = replace(APART, switches=replace(APART.switches, streams=2, pipeline=is_on))
    server = FakeServer(rows=100, batch_rows=batch_rows, split_into=2)
    result = build(server, WatchingConnection, profile).extract("job", build_source(), REQUEST)

    assert result.rows_written == 100
    assert all(least <= writers <= most for writers in WatchingConnection.seen)
    assert len(WatchingConnection.seen) == 2


class LateTrouble(FakeConnection):
    """A session whose third batch holds a value that a cast cannot take, and whose next batches take for ever."""

    def read(self, partition: Partition) -> Iterator[pa.RecordBatch]:
        for number, batch in enumerate(super().read(partition)):
            if number == 2:
                yield pa.record_batch([pa.array([300] * batch.num_rows, pa.int64()), batch[1]], schema=batch.schema)
                if self.cancelled.wait(120):
                    raise ExtractionError("the server ended the query")
            yield batch


def test_a_failure_while_writing_ends_the_query_on_the_server(build: Build, tmp_path: Path):
    """The reader waits for the source and would wait on: the writer has its query cancelled, and no file is left."""
    server = FakeServer(rows=100, batch_rows=10)
    extractor = build(server, LateTrouble)

    with pytest.raises(TypePolicyError, match="column 'id' holds a value of type int64 that int8 cannot hold exactly"):
        extractor.extract("job", build_source(), replace(REQUEST, transforms=(Cast("id", "int8"),)))
    assert list(tmp_path.iterdir()) == []
    assert extractor.pool_statistics()[0].active == 0
    assert wait_until(lambda: server.open_now == 0)


def test_a_failure_while_reading_leaves_no_file(build: Build, tmp_path: Path):
    """As without the switch: the connector's error, no file, no lease."""
    extractor = build(FakeServer(rows=1000, read_error=lambda: ExtractionError("the server went away")))

    with pytest.raises(ExtractionError, match="the server went away"):
        extractor.extract("job", build_source(), REQUEST)
    assert list(tmp_path.iterdir()) == []
    assert extractor.pool_statistics()[0].active == 0


def test_a_job_is_cancelled_while_both_sides_work(build: Build, tmp_path: Path):
    """Its threads end, and its folder goes."""
    extractor = build(FakeServer(rows=100_000, batch_s=0.01))
    caught: list[BaseException] = []

    def extract() -> None:
        try:
            extractor.extract("job", build_source(), REQUEST)
        except CancelledJobError as error:
            caught.append(error)

    thread = threading.Thread(target=extract)
    thread.start()
    assert wait_until(lambda: count_writers() == 1)
    assert extractor.cancel("job")
    thread.join(30)

    assert len(caught) == 1
    assert list(tmp_path.iterdir()) == []
