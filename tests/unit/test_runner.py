"""The job runner over a real extractor, a real store and a source in memory."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from jivsbench.api import Guard
from jivsbench.errors import (
    ExtractionError,
    GuardRefusedError,
    JobStateError,
    QueueFullError,
    ShuttingDownError,
    UnknownJobError,
    UnknownNameError,
)
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.jobs.database import StoreDatabase
from jivsbench.extract.jobs.directory import SourceDirectory
from jivsbench.extract.jobs.store import JobStore
from jivsbench.extract.jobs.values import JobFailure
from jivsbench.extract.metadata_cache import MetadataCache
from jivsbench.extract.runner import JobRunner
from jivsbench.model.job import JobState
from jivsbench.model.profile import LEGACY, OPTIMIZED, Profile
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, TableName
from jivsbench.testing.fakes import FakeConnector, RefusingGuard
from tests.unit.jobs_caches import DictCache
from tests.unit.jobs_stores import build_result, build_sources, open_sqlite

REQUEST = ExtractionRequest("shop", TableName("orders"))
SOURCE = DataSource("shop", "fake", Secret("fake://ann:S3cret-pw@db/shop"))


class Tally:
    """Counts what the runner reports."""

    def __init__(self) -> None:
        self.states: Counter[JobState] = Counter()
        self.rows = 0
        self.refusals: list[tuple[str, str, str]] = []

    def entered(self, state) -> None:
        self.states[state] += 1

    def extracted(self, result) -> None:
        self.rows += result.rows_written

    def refused(self, job_id, source, failure) -> None:
        self.refusals.append((job_id, source, failure.slug))


class Bench:
    """A runner and everything it stands on."""

    def __init__(
        self,
        database: StoreDatabase,
        folder: Path,
        *,
        profile: Profile = OPTIMIZED,
        connector: FakeConnector | None = None,
        extractor: object = None,
        guards: tuple[Guard, ...] = (),
    ) -> None:
        self.connector = connector or FakeConnector({"orders": pa.table({"id": pa.array(range(1000), pa.int64())})})
        self.cache_client = DictCache()
        cache = MetadataCache(self.cache_client if profile.switches.cache else None, profile.cache_times)
        self.store = JobStore(database, owner="me", join_fetch=profile.switches.join_fetch)
        self.sources = SourceDirectory(build_sources(database), cache)
        self.sources.declare([SOURCE])
        self.extractor = extractor or Extractor(
            connectors={"fake": self.connector}, guards=guards, profile=profile, output_dir=folder / "out", schemas=cache.schema
        )
        self.tally = Tally()
        self.runner = JobRunner(
            store=self.store,
            cache=cache,
            extractor=self.extractor,
            sources=self.sources,
            profile=profile,
            output_dir=folder / "out",
            observer=self.tally,
        )

    def start_job(self, request=REQUEST) -> str:
        """Create and start a job; its id."""
        job = self.runner.create(request)
        self.runner.submit(job.id)
        return job.id

    def wait(self, job_id, timeout_s=10.0):
        """The job once it has ended."""
        ended = threading.Event()
        self.runner.waiters.add(job_id, ended.set)
        if self.runner.holds(job_id):
            assert ended.wait(timeout_s)
        return self.runner.find(job_id)


@contextmanager
def running(folder: Path, **options) -> Iterator[Bench]:
    """A started runner."""
    with open_sqlite(folder / "jobs") as database:
        bench = Bench(database, folder, **options)
        bench.runner.start()
        yield bench
        bench.runner.close(0.2)
        bench.extractor.close(0.2)


class ScriptedExtractor:
    """Does what a test says for each job, in the worker's thread."""

    def __init__(self, script) -> None:
        self.script = script

    def review(self, source, request) -> None:
        """Nothing is refused."""

    def extract(self, job_id, source, request):  # noqa: ARG002 - the extractor's
        return self.script(job_id)

    def cancel(self, job_id) -> bool:  # noqa: ARG002 - the extractor's
        return True

    def close(self, grace_s) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("profile", [OPTIMIZED, LEGACY], ids=lambda profile: profile.name)
def test_a_job_runs_to_its_end(tmp_path: Path, profile) -> None:
    """Every row of the source is read and written, the output is there, and each state was reported once."""
    with running(tmp_path, profile=profile) as bench:
        job_id = bench.start_job()
        job = bench.wait(job_id)

        assert (job.state, job.rows_read, job.rows_written, job.output) == (JobState.COMPLETED, 1000, 1000, job_id)
        assert (tmp_path / "out" / job_id / "manifest.json").exists()
        assert bench.runner.find_statistics(job_id).rows_in_source == 1000
        assert bench.store.find(job_id) == job
        assert bench.tally.states == {JobState.PENDING: 1, JobState.RUNNING: 1, JobState.COMPLETED: 1}
        assert bench.tally.rows == 1000


def test_many_jobs_lose_no_row(tmp_path: Path) -> None:
    """60 jobs from 6 threads over 4 workers: each ends once, and the rows add up."""
    with running(tmp_path, profile=replace(OPTIMIZED, job_workers=4)) as bench:
        ids: list[str] = []
        clients = [threading.Thread(target=lambda: ids.extend(bench.start_job() for _ in range(10))) for _ in range(6)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        jobs = [bench.wait(job_id) for job_id in ids]

        assert len(set(ids)) == 60
        assert {(job.state, job.rows_written) for job in jobs} == {(JobState.COMPLETED, 1000)}
        assert bench.tally.rows == 60_000


def test_a_guard_refuses_before_a_job_exists(tmp_path: Path) -> None:
    """Nothing is stored and no connection is opened."""
    with running(tmp_path, guards=(RefusingGuard(),)) as bench:
        with pytest.raises(GuardRefusedError):
            bench.runner.create(REQUEST)

        assert bench.store.list_jobs(None, 1, 10).total == 0
        assert bench.connector.opened == 0


@pytest.mark.parametrize(
    ("error", "slug", "words"),
    [
        (ExtractionError("the server ended it, said S3cret-pw"), "extraction", "the server ended it, said ***"),
        (KeyError("row value 4711"), "internal", "the extraction met an unexpected KeyError"),
    ],
)
def test_an_error_fails_its_job_and_no_other(tmp_path: Path, caplog, error, slug, words) -> None:
    """The job is FAILED with slug and a safe line; the one worker goes on; the log repeats neither value nor password."""

    def script(job_id):
        if job_id == failing:
            raise error
        return build_result(job_id)

    with running(tmp_path, profile=replace(OPTIMIZED, job_workers=1), extractor=ScriptedExtractor(script)) as bench:
        failing = bench.runner.create(REQUEST).id
        bench.runner.submit(failing)
        good = bench.start_job()
        failed, completed = bench.wait(failing), bench.wait(good)

    assert (failed.state, failed.failure.slug, failed.rows_written) == (JobState.FAILED, slug, None)
    assert failed.failure.message.startswith(words)
    assert completed.state is JobState.COMPLETED
    assert "S3cret" not in caplog.text


@pytest.mark.parametrize("changes", [{"written": 9}, {"in_source": 11}, {"written": 9, "in_source": 9}])
def test_rows_that_differ_never_complete(tmp_path: Path, changes) -> None:
    """An extractor that miscounts, or a plugin in its place, does not get a COMPLETED job."""
    script = ScriptedExtractor(lambda job_id: build_result(job_id, 10, **changes))
    with running(tmp_path, extractor=script) as bench:
        job = bench.wait(bench.start_job())

        assert (job.state, job.failure.slug) == (JobState.FAILED, "verification")
        assert bench.runner.find_statistics(job.id) is None
        assert bench.tally.rows == 0


def test_a_full_queue_refuses_and_the_job_stays_pending(tmp_path: Path) -> None:
    """One runs, two wait, the fourth is refused; when there is room again it can be started."""
    gate = threading.Event()

    def script(job_id):
        gate.wait(10)
        return build_result(job_id)

    profile = replace(OPTIMIZED, job_workers=1, queue_limit=2)
    with running(tmp_path, profile=profile, extractor=ScriptedExtractor(script)) as bench:
        first = bench.start_job()
        while bench.runner.waiting:
            time.sleep(0.01)
        waiting = [bench.start_job(), bench.start_job()]
        refused = bench.runner.create(REQUEST).id
        with pytest.raises(QueueFullError):
            bench.runner.submit(refused)
        assert bench.runner.find(refused).state is JobState.PENDING

        gate.set()
        for job_id in (first, *waiting):
            bench.wait(job_id)
        bench.runner.submit(refused)
        assert bench.wait(refused).state is JobState.COMPLETED


def test_a_job_is_started_once(tmp_path: Path) -> None:
    """Neither while it is held nor after its end; an id that nobody has is told apart."""
    with running(tmp_path) as bench:
        job_id = bench.start_job()
        bench.wait(job_id)

        with pytest.raises(JobStateError, match="COMPLETED"):
            bench.runner.submit(job_id)
        with pytest.raises(UnknownJobError):
            bench.runner.submit("00000000-0000-4000-8000-000000000000")
        assert bench.tally.states[JobState.RUNNING] == 1


def test_a_running_job_is_stopped(tmp_path: Path) -> None:
    """It ends CANCELLED within a second, leaves no file, and its connection can be used again."""
    slow = FakeConnector({"orders": pa.table({"id": pa.array(range(100_000), pa.int64())})}, batch_pause_s=1.0)
    with running(tmp_path, connector=slow, profile=replace(OPTIMIZED, job_workers=1)) as bench:
        job_id = bench.start_job()
        while not (tmp_path / "out" / job_id).exists():
            time.sleep(0.01)
        started_s = time.monotonic()
        bench.runner.stop(job_id)
        job = bench.wait(job_id)

        assert (job.state, job.failure.slug) == (JobState.CANCELLED, "cancelled")
        assert time.monotonic() - started_s < 1.0
        assert not (tmp_path / "out" / job_id).exists()
        slow.batch_pause_s = 0.0
        assert bench.wait(bench.start_job()).state is JobState.COMPLETED


def join_workers() -> None:
    """Until those that a closed runner has left are gone."""
    for thread in threading.enumerate():
        if thread.name.startswith("job-worker"):
            thread.join(10)


class StubbornConnector(FakeConnector):
    """Its reads end when the gate opens, and not when they are cancelled."""

    def __init__(self) -> None:
        super().__init__({"orders": pa.table({"id": pa.array(range(1000), pa.int64())})})
        self.gate = threading.Event()
        self.reading = threading.Semaphore(0)

    def connect(self, source, limits):
        connector, connection = self, super().connect(source, limits)

        class Stubborn(type(connection)):
            def read(self, partition):
                connector.reading.release()
                connector.gate.wait(20)
                yield from super().read(partition)

        connection.__class__ = Stubborn
        return connection


def test_jobs_that_are_slow_to_end_hold_nobody_up(tmp_path: Path) -> None:
    """A second stop is answered at once, and the end of the service waits for all of them together."""
    stubborn = StubbornConnector()
    with running(tmp_path, connector=stubborn, profile=replace(OPTIMIZED, job_workers=4)) as bench:
        jobs = [bench.start_job() for _ in range(4)]
        for _ in jobs:
            assert stubborn.reading.acquire(timeout=10)
        for job_id in jobs:
            bench.runner.stop(job_id)
        started_s = time.monotonic()
        assert bench.runner.stop(jobs[0]).state is JobState.RUNNING
        stopped_s = time.monotonic()
        bench.runner.close(0.0)
        closed_s = time.monotonic()
        stubborn.gate.set()
        join_workers()

        assert stopped_s - started_s < 0.5
        assert closed_s - stopped_s < 2.5


def test_jobs_that_did_not_reach_the_extractor_share_one_wait(tmp_path: Path) -> None:
    """Each may be asked again for a second; four of them take a second too."""
    gate, begun = threading.Event(), threading.Semaphore(0)

    def script(job_id):
        begun.release()
        gate.wait(20)
        return build_result(job_id)

    extractor = ScriptedExtractor(script)
    extractor.cancel = lambda _job_id: False
    with running(tmp_path, extractor=extractor, profile=replace(OPTIMIZED, job_workers=4)) as bench:
        for _ in range(4):
            bench.start_job()
            assert begun.acquire(timeout=10)
        started_s = time.monotonic()
        bench.runner.close(0.0)
        took_s = time.monotonic() - started_s
        gate.set()
        join_workers()

        assert took_s < 3.0


def test_a_stop_at_any_moment_is_never_lost(tmp_path: Path) -> None:
    """Stopped right after its start, before, in or after the claim: it ends, long before it would by itself, as CANCELLED."""
    slow = FakeConnector({"orders": pa.table({"id": pa.array(range(50_000), pa.int64())})}, batch_pause_s=0.4)
    with running(tmp_path, connector=slow) as bench:
        for pause_ms in (0, 0, 0.5, 1, 2, 4, 8, 16):
            job_id = bench.start_job()
            time.sleep(pause_ms / 1000)
            started_s = time.monotonic()
            bench.runner.stop(job_id)
            assert bench.wait(job_id).state is JobState.CANCELLED
            assert time.monotonic() - started_s < 1.5


def test_a_job_that_was_never_started_can_be_stopped_and_an_ended_one_cannot(tmp_path: Path) -> None:
    """PENDING becomes CANCELLED; a second stop is refused with the state in it."""
    with running(tmp_path) as bench:
        job_id = bench.runner.create(REQUEST).id
        assert bench.runner.stop(job_id).state is JobState.CANCELLED

        with pytest.raises(JobStateError, match="CANCELLED"):
            bench.runner.stop(job_id)
        with pytest.raises(JobStateError, match="CANCELLED"):
            bench.runner.submit(job_id)
        with pytest.raises(UnknownJobError):
            bench.runner.stop("00000000-0000-4000-8000-000000000000")


def test_closing_drains_then_cancels(tmp_path: Path) -> None:
    """What ends in time completes; what runs on is cancelled at its source, what waits is CANCELLED; nobody is left waiting."""
    slow = FakeConnector({"orders": pa.table({"id": pa.array(range(100_000), pa.int64())})}, batch_pause_s=0.2)
    with running(tmp_path, connector=slow, profile=replace(OPTIMIZED, job_workers=1)) as bench:
        runs, waits = bench.start_job(), bench.start_job()
        woken = threading.Event()
        bench.runner.waiters.add(waits, woken.set)
        started_s = time.monotonic()
        assert bench.runner.close(0.3)

        assert 0.25 < time.monotonic() - started_s < 2.0
        assert [bench.store.find(job_id).state for job_id in (runs, waits)] == [JobState.CANCELLED, JobState.CANCELLED]
        assert woken.is_set()
        with pytest.raises(ShuttingDownError):
            bench.start_job()
        assert not [t for t in threading.enumerate() if t.name.startswith("job-worker")]


def test_a_crash_leaves_a_failed_job(tmp_path: Path) -> None:
    """What was RUNNING when the process died is FAILED with a reason when the service starts again; PENDING can be started."""
    with open_sqlite(tmp_path / "jobs") as database:
        before = Bench(database, tmp_path)
        crashed, pending = before.runner.create(REQUEST).id, before.runner.create(REQUEST).id
        before.store.claim(crashed)
        after = Bench(database, tmp_path)
        after.runner.start()

        job = after.runner.find(crashed)
        assert (job.state, job.failure.slug) == (JobState.FAILED, "service-restarted")
        after.runner.submit(pending)
        assert after.wait(pending).state is JobState.COMPLETED
        after.runner.close(0.2)


def test_a_removed_source_fails_its_jobs(tmp_path: Path) -> None:
    """A job of a source that is gone, or whose name another source has now, does not read from the wrong place."""
    with running(tmp_path) as bench:
        gone, taken = bench.runner.create(REQUEST).id, bench.runner.create(REQUEST).id
        bench.sources.remove("shop")
        bench.runner.submit(gone)
        assert bench.wait(gone).failure.slug == "unknown-name"

        bench.sources.add(SOURCE)
        bench.runner.submit(taken)
        assert bench.wait(taken).failure.slug == "unknown-name"
        assert bench.connector.opened == 0
        with pytest.raises(UnknownNameError):
            bench.runner.create(replace(REQUEST, source="nowhere"))


def test_a_pool_that_a_job_opened_after_its_source_was_removed_is_closed(tmp_path: Path) -> None:
    """The job had read the source, then it was removed and its pool closed, then the job borrowed: nothing stays open."""
    with running(tmp_path) as bench:
        assert bench.wait(bench.start_job()).state is JobState.COMPLETED
        assert [pool.source for pool in bench.extractor.pool_statistics()] == [SOURCE.name]
        extract = bench.extractor.extract

        def extract_late(*arguments):
            bench.sources.remove(SOURCE.name)
            bench.extractor.forget_source(SOURCE.name)
            return extract(*arguments)

        bench.extractor.extract = extract_late
        bench.wait(bench.start_job())

        assert bench.extractor.pool_statistics() == ()


def test_the_pool_of_a_changed_source_outlives_a_job_of_the_old_one(tmp_path: Path) -> None:
    """What is closed is what the old job opened, never what others use by now."""
    with running(tmp_path) as bench:
        changed = replace(SOURCE, url=Secret("fake://elsewhere"))
        extract = bench.extractor.extract

        def change_meanwhile(*arguments):
            result = extract(*arguments)
            bench.sources.replace(changed)
            bench.extractor.forget_source(SOURCE.name)
            bench.extractor.extract = extract
            assert bench.wait(bench.start_job()).state is JobState.COMPLETED
            return result

        bench.extractor.extract = change_meanwhile
        bench.wait(bench.start_job())

        assert [pool.source for pool in bench.extractor.pool_statistics()] == [SOURCE.name]


def test_a_table_that_changed_is_read_as_it_is_now(tmp_path: Path) -> None:
    """No job goes by columns that are no longer there, or misses new ones: the schema of an older version is not found."""
    with running(tmp_path) as bench:
        assert bench.wait(bench.start_job()).state is JobState.COMPLETED
        bench.connector.tables["orders"] = pa.table({"other": pa.array(["a", "b"])})

        assert bench.wait(bench.start_job()).rows_written == 2


def test_a_failed_job_forgets_what_was_known_of_its_tables(tmp_path: Path) -> None:
    """That may be why it failed."""
    with running(tmp_path) as bench:
        assert bench.wait(bench.start_job()).state is JobState.COMPLETED
        assert any(name.startswith("schema:") for name in bench.cache_client.entries)

        assert bench.wait(bench.start_job(replace(REQUEST, columns=("nothing",)))).state is JobState.FAILED
        assert not any(name.startswith("schema:") for name in bench.cache_client.entries)


def test_a_hot_job_is_answered_without_the_store(tmp_path: Path) -> None:
    """Source and schema are hits, the job and its statistics are known to the process."""
    with running(tmp_path) as bench:
        bench.wait(bench.start_job())
        before = bench.cache_client.misses
        job_id = bench.start_job()
        bench.wait(job_id)

        assert bench.runner.find_statistics(job_id) == bench.store.find_statistics(job_id)
        assert bench.cache_client.misses == before


def test_without_the_cache_every_look_goes_to_the_store(tmp_path: Path) -> None:
    """What another hand changed in the store is seen at once: nothing is kept in the process either."""
    with running(tmp_path, profile=replace(OPTIMIZED, switches=replace(OPTIMIZED.switches, cache=False))) as bench:
        job_id = bench.runner.create(REQUEST).id
        bench.store.cancel_pending(job_id, JobFailure("cancelled", "by hand"))

        assert bench.runner.find(job_id).state is JobState.CANCELLED


def test_a_job_of_another_service_is_left_to_it(tmp_path: Path) -> None:
    """It can be looked at, and neither started nor stopped."""
    with open_sqlite(tmp_path / "jobs") as database:
        bench = Bench(database, tmp_path)
        bench.runner.start()
        foreign = JobStore(database, owner="other", join_fetch=True).create(bench.sources.find("shop"), REQUEST).record

        assert bench.runner.find(foreign.id) == foreign
        with pytest.raises(JobStateError, match="another service"):
            bench.runner.submit(foreign.id)
        with pytest.raises(JobStateError, match="where it was started"):
            bench.runner.stop(foreign.id)
        assert bench.store.find(foreign.id).state is JobState.PENDING
        bench.runner.close(0.2)


@pytest.mark.parametrize("is_bulk", [True, False])
def test_a_store_that_fails_once_does_not_lose_the_worker(tmp_path: Path, monkeypatch, *, is_bulk: bool) -> None:
    """When the end of a job cannot be stored, it is stored as FAILED; the next job runs."""
    switches = replace(OPTIMIZED.switches, bulk_status=is_bulk)
    with running(tmp_path, profile=replace(OPTIMIZED, switches=switches, job_workers=1)) as bench:
        fails = [True, True]

        def failing(method):
            def call(*args):
                # A mark that the job runs may be stored first, on a slow machine: that one is let through.
                if fails and args[-1] and fails.pop():
                    raise OSError("disk full at /secret/path")
                return method(*args)

            return call

        if is_bulk:
            # Together with others first, then alone.
            monkeypatch.setattr(bench.store, "store_changes", failing(bench.store.store_changes))
        else:
            fails.pop()
        monkeypatch.setattr(bench.store, "finish", failing(bench.store.finish))
        job = bench.wait(bench.start_job())
        next_job = bench.wait(bench.start_job())

    assert (job.state, job.failure.slug) == (JobState.FAILED, "internal")
    assert "secret" not in job.failure.message
    assert next_job.state is JobState.COMPLETED


@pytest.mark.parametrize("is_bulk", [True, False])
def test_a_store_that_does_not_answer_does_not_hold_the_end(tmp_path: Path, monkeypatch, *, is_bulk: bool) -> None:
    """Whoever ends the service waits for it a moment and no longer; the job is found unfinished at the next start."""
    answers, asked = threading.Event(), threading.Event()

    def hang(*_arguments):
        asked.set()
        answers.wait(20)

    profile = replace(OPTIMIZED, switches=replace(OPTIMIZED.switches, bulk_status=is_bulk))
    with open_sqlite(tmp_path / "jobs") as database:
        bench = Bench(database, tmp_path, profile=profile, extractor=ScriptedExtractor(build_result))
        bench.runner.start()
        monkeypatch.setattr(bench.store, "store_changes" if is_bulk else "finish", hang)
        bench.start_job()
        assert asked.wait(5.0)

        started_s = time.monotonic()
        assert not bench.runner.close(0.1)
        took_s = time.monotonic() - started_s
        answers.set()
        bench.runner.close(1.0)

    assert took_s < 3.0


def test_a_caller_is_told_no_folder_of_the_service(tmp_path: Path, caplog) -> None:
    """Where outputs lie is the service's business; its log names the folder."""
    with running(tmp_path) as bench:
        job = bench.runner.create(REQUEST)
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / job.id).touch()
        bench.runner.submit(job.id)
        failure = bench.wait(job.id).failure

    assert failure.slug == "output"
    assert str(tmp_path) not in failure.message
    assert "is a link or a file, where the folder of a job should be" in failure.message
    assert str(tmp_path / "out") in " ".join(str(vars(record)) for record in caplog.records)
