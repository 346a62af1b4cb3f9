"""How states of jobs reach the store: one at a time or in bulk, never lost, never told before they are stored."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jivsbench.extract.jobs.database import open_database
from jivsbench.extract.jobs.instants import to_datetime
from jivsbench.extract.jobs.known_jobs import KnownJobs
from jivsbench.extract.jobs.status import BulkStatus, DirectStatus
from jivsbench.extract.jobs.store import JobStore
from jivsbench.extract.jobs.values import JobFailure, JobOutcome, JobRecord, build_statistics
from jivsbench.model.job import JobState
from jivsbench.model.profile import OPTIMIZED
from jivsbench.model.secret import Secret
from tests.unit.extract_fakes import wait_until
from tests.unit.jobs_stores import REQUEST, add_source, build_result, build_store, open_sqlite, own_database

FAILURE = JobFailure("cancelled", "stopped")


class CountingStore(JobStore):
    """Counts transactions of ends, and can hold them back."""

    def __init__(self, database, **options) -> None:
        super().__init__(database, **options)
        self.asked: list[int] = []
        self.batches: list[int] = []
        self.may_store = threading.Event()
        self.may_store.set()

    def store_changes(self, running, ended):
        self.asked.append(len(ended))
        self.may_store.wait(10)
        stored = super().store_changes(running, ended)
        self.batches.append(len(ended))
        return stored


class Desk:
    """A store, a way to change states in it, and the records that were told."""

    def __init__(self, database, kind) -> None:
        self.source = add_source(database)
        self.store = CountingStore(database, owner="me", join_fetch=True)
        self.status = kind(self.store)
        self.status.start()
        self.told: list[JobRecord | None] = []

    def create(self) -> str:
        """A new job; its id."""
        created = self.store.create(self.source, REQUEST)
        self.status.created(created)
        return created.record.id

    def finish(self, claimed, told=None) -> None:
        """End a claimed job as COMPLETED."""
        self.status.finish(claimed, JobOutcome(JobState.COMPLETED, build_result(claimed.id)), told or self.told.append)


@pytest.fixture(params=[DirectStatus, BulkStatus])
def desk(request, tmp_path: Path) -> Iterator[Desk]:
    """Both ways."""
    with open_sqlite(tmp_path) as database:
        built = Desk(database, request.param)
        yield built
        built.status.close(5.0)


@pytest.fixture
def bulk(tmp_path: Path) -> Iterator[Desk]:
    """In bulk."""
    with open_sqlite(tmp_path) as database:
        built = Desk(database, BulkStatus)
        yield built
        built.store.may_store.set()
        built.status.close(5.0)


def test_a_job_goes_from_pending_to_its_end(desk: Desk) -> None:
    """The same record either way, with its beginning and its end, and it is told."""
    claimed = desk.status.claim(desk.create())
    desk.finish(claimed)
    desk.status.close(5.0)

    (record,) = desk.told
    assert record == desk.store.find(claimed.id)
    assert (record.state, record.started_at) == (JobState.COMPLETED, claimed.started_at)
    assert record.created_at <= record.started_at <= record.finished_at
    assert desk.store.find_statistics(claimed.id).rows_read == 10


def test_a_job_is_claimed_once_by_many(desk: Desk) -> None:
    """Of eight workers one gets it."""
    job_id, start, claims = desk.create(), threading.Barrier(8), []

    def claim() -> None:
        start.wait()
        claims.append(desk.status.claim(job_id))

    workers = [threading.Thread(target=claim) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sum(claimed is not None for claimed in claims) == 1


def test_a_claimed_job_is_not_cancelled_as_pending(desk: Desk) -> None:
    """Also while the store still says PENDING; and a cancelled one is not claimed."""
    claimed, waiting = desk.status.claim(desk.create()), desk.create()

    assert not desk.status.cancel_pending(claimed.id, FAILURE)
    assert desk.status.cancel_pending(waiting, FAILURE)
    assert desk.status.claim(waiting) is None
    desk.finish(claimed)
    desk.status.close(5.0)
    assert desk.store.find(claimed.id).state is JobState.COMPLETED
    assert desk.store.find(waiting).state is JobState.CANCELLED


def test_the_claim_and_the_cancel_never_both_win(desk: Desk) -> None:
    """Fifty races: the job either runs or is cancelled."""
    for _ in range(50):
        job_id, won = desk.create(), []
        stopper = threading.Thread(target=lambda job_id=job_id, won=won: won.append(desk.status.cancel_pending(job_id, FAILURE)))
        stopper.start()
        claimed = desk.status.claim(job_id)
        stopper.join()

        assert won == [claimed is None]
        if claimed:
            desk.finish(claimed)


def test_a_job_of_an_earlier_process_is_claimed_in_the_store(bulk: Desk) -> None:
    """It is PENDING there, and nothing is known of it here."""
    earlier = bulk.store.create(bulk.source, REQUEST).record.id
    claimed = bulk.status.claim(earlier)

    assert claimed.request == REQUEST
    assert bulk.store.find(earlier).state is JobState.RUNNING


def test_running_is_stored_soon(bulk: Desk) -> None:
    """A job that takes its time is RUNNING for everyone."""
    claimed = bulk.status.claim(bulk.create())

    assert wait_until(lambda: bulk.store.find(claimed.id).state is JobState.RUNNING)
    assert bulk.store.find(claimed.id).started_at == claimed.started_at


def test_ends_that_come_together_are_stored_together(bulk: Desk) -> None:
    """What ends while a transaction runs goes into the next one: twenty jobs in two."""
    ids = [bulk.create() for _ in range(20)]
    jobs = [bulk.status.claim(job_id) for job_id in ids]
    assert wait_until(lambda: bulk.store.batches == [0]), "the twenty were not told to be running"
    bulk.store.may_store.clear()
    bulk.finish(jobs[0])
    assert wait_until(lambda: bulk.store.asked == [0, 1]), "nobody took the first end alone"
    for job in jobs[1:]:
        bulk.finish(job)
    bulk.store.may_store.set()
    bulk.status.close(5.0)

    assert bulk.store.batches == [0, 1, 19]
    assert {bulk.store.find(job.id).state for job in jobs} == {JobState.COMPLETED}
    assert len(bulk.told) == 20


def test_nobody_is_told_before_the_store_knows(desk: Desk) -> None:
    """Whoever hears of an end finds it in the store at that moment."""
    found = []
    for _ in range(10):
        claimed = desk.status.claim(desk.create())
        desk.finish(claimed, lambda record, job_id=claimed.id: found.append((record, desk.store.find(job_id))))
    desk.status.close(5.0)

    assert len(found) == 10
    assert all(told == stored for told, stored in found)


def test_closing_loses_no_end(bulk: Desk) -> None:
    """What was handed over before the service ended is stored, however late the thread comes to it."""
    bulk.store.may_store.clear()
    jobs = [bulk.status.claim(bulk.create()) for _ in range(30)]
    for job in jobs:
        bulk.finish(job)
    threading.Timer(0.1, bulk.store.may_store.set).start()
    bulk.status.close(5.0)

    assert {bulk.store.find(job.id).state for job in jobs} == {JobState.COMPLETED}
    assert len(bulk.told) == 30


def test_an_end_that_somebody_stored_already_spoils_no_other(bulk: Desk) -> None:
    """It is told that it was not stored; the ends beside it are."""
    good, gone = bulk.status.claim(bulk.create()), bulk.status.claim(bulk.create())
    assert wait_until(lambda: bulk.store.find(gone.id).state is JobState.RUNNING)
    bulk.store.finish(gone, JobOutcome(JobState.FAILED, failure=FAILURE))
    bulk.store.may_store.clear()
    bulk.finish(good)
    bulk.finish(gone)
    bulk.store.may_store.set()
    bulk.status.close(5.0)

    assert bulk.store.find(good.id).state is JobState.COMPLETED
    assert bulk.store.find(gone.id).state is JobState.FAILED
    assert sorted(record is None for record in bulk.told) == [False, True]


def test_a_listener_that_fails_takes_no_other_job_with_it(bulk: Desk) -> None:
    """Every end passes through one thread: it goes on, and the end that was told badly is stored all the same."""

    def fail(_record: JobRecord | None) -> None:
        raise RuntimeError("planted")

    first, second = bulk.status.claim(bulk.create()), bulk.status.claim(bulk.create())
    bulk.finish(first, fail)
    assert wait_until(lambda: bulk.store.find(first.id).state is JobState.COMPLETED)
    bulk.finish(second)

    assert wait_until(lambda: len(bulk.told) == 1)
    assert bulk.store.find(second.id).state is JobState.COMPLETED


def test_on_a_server_too(embedded_postgres_url: str, tmp_path: Path) -> None:
    """PostgreSQL counts changed rows of many statements the same way."""
    with own_database(embedded_postgres_url) as url:
        database = open_database(Secret(url), tmp_path, OPTIMIZED.metadata)
        desk = Desk(database, BulkStatus)
        jobs = [desk.status.claim(desk.create()) for _ in range(5)]
        for job in jobs:
            desk.finish(job)
        desk.status.close(5.0)

        assert {build_store(database).find(job.id).state for job in jobs} == {JobState.COMPLETED}
        assert desk.store.batches, "nothing was stored in bulk"
        database.close()


def test_the_oldest_known_jobs_fall_out() -> None:
    """Memory is bounded; a job that is looked for after that is found in the store."""
    known = KnownJobs(limit=2)
    records = [JobRecord(str(n), "shop", JobState.PENDING, to_datetime(0)) for n in range(3)]
    for record in records:
        known.remember(record)
    known.remember(records[1])

    assert [known.find(record.id) for record in records] == [None, records[1], records[2]]
    known.forget("1")
    assert known.find("1") is None


def test_statistics_go_with_their_job() -> None:
    """They are known as long as the job is, and no longer."""
    known, statistics = KnownJobs(limit=1), build_statistics(build_result("0"))
    known.remember(JobRecord("0", "shop", JobState.COMPLETED, to_datetime(0)), statistics)
    assert known.find_statistics("0") == statistics

    known.remember(JobRecord("1", "shop", JobState.PENDING, to_datetime(0)))
    assert known.find_statistics("0") is None
    assert known.find_statistics("1") is None
