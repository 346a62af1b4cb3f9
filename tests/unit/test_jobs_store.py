"""The job store, on SQLite and on PostgreSQL."""

import stat
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
from sqlalchemy import event, text

from jivsbench.errors import ConfigError, EnvironmentProblem, OutputError, PoolTimeoutError
from jivsbench.extract.jobs.database import open_database
from jivsbench.extract.jobs.values import JobFailure, JobOutcome, LogLevel
from jivsbench.model.job import JobState
from jivsbench.model.profile import LEGACY, OPTIMIZED, MetadataPoolLimits
from jivsbench.model.secret import Secret
from tests.unit.jobs_stores import REQUEST, add_source, build_result, build_store, open_sqlite, own_database

FAILURE = JobFailure("deadline", "it took too long")


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, tmp_path):
    """An empty, migrated store."""
    if request.param == "sqlite":
        with open_sqlite(tmp_path / "jobs") as opened:
            yield opened
        return
    with own_database(request.getfixturevalue("embedded_postgres_url")) as url:
        opened = open_database(Secret(url), tmp_path, OPTIMIZED.metadata)
        yield opened
        opened.close()


@contextmanager
def counted_queries(database):
    """The SELECT statements that are sent in the block."""
    sent = []

    def note(_connection, _cursor, statement, *_others):
        if statement.startswith("SELECT"):
            sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield sent
    event.remove(database.engine, "before_cursor_execute", note)


def complete(store, job, rows=10):
    """Run a job to its end."""
    claimed = store.claim(job.id)
    return store.finish(claimed, JobOutcome(JobState.COMPLETED, result=build_result(job.id, rows)))


def test_a_new_job_is_pending(database) -> None:
    """What creation returns is what a look-up finds, and nothing has happened yet."""
    store = build_store(database)
    job = store.create(add_source(database), REQUEST).record

    assert store.find(job.id) == job
    assert (job.state, job.source, job.rows_read, job.finished_at) == (JobState.PENDING, "shop", None, None)
    assert store.find("00000000-0000-4000-8000-000000000000") is None


def test_a_job_is_claimed_once(database) -> None:
    """Of eight workers that claim one job at the same moment, one gets it, with all it has to do."""
    store = build_store(database)
    job = store.create(add_source(database), REQUEST).record
    start, claims = threading.Barrier(8), []

    def claim():
        start.wait()
        claims.append(store.claim(job.id))

    workers = [threading.Thread(target=claim) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    won = [claimed for claimed in claims if claimed]
    assert len(claims) == 8
    assert [claimed.request for claimed in won] == [REQUEST]
    assert store.find(job.id).state is JobState.RUNNING


def test_a_completed_job_has_rows_statistics_and_a_log(database) -> None:
    """The end of a job is stored at once: state, rows, output, statistics, log."""
    store = build_store(database)
    job = store.create(add_source(database), REQUEST).record
    ended = complete(store, job)

    assert store.find(job.id) == ended
    assert (ended.state, ended.rows_read, ended.rows_written, ended.output) == (JobState.COMPLETED, 10, 10, job.id)
    statistics = store.find_statistics(job.id)
    assert (statistics.rows_in_source, statistics.files[0].name, statistics.rows_per_s) == (10, "part-0.parquet", 2000.0)
    log = store.read_log(ended)
    assert [entry.message.split(":")[0].split(" ")[0] for entry in log] == ["created", "started", "completed"]
    assert sorted(log, key=lambda entry: entry.at) == list(log)


def test_a_failed_job_says_why(database) -> None:
    """A failure keeps slug and message, counts no rows, has no statistics, and its log says ERROR."""
    store = build_store(database)
    job = store.create(add_source(database), REQUEST).record
    ended = store.finish(store.claim(job.id), JobOutcome(JobState.FAILED, failure=FAILURE))

    found = store.find(job.id)
    assert found == ended
    assert (found.failure, found.rows_written, found.output) == (FAILURE, None, None)
    assert store.find_statistics(job.id) is None
    assert store.read_log(found)[-1].level is LogLevel.ERROR


def test_no_state_is_left_twice(database) -> None:
    """A cancelled job is not claimed, a finished one is not finished again, a running one is not cancelled as pending."""
    store = build_store(database)
    source = add_source(database)
    cancelled, finished = store.create(source, REQUEST).record, store.create(source, REQUEST).record
    claimed = store.claim(finished.id)

    assert store.cancel_pending(cancelled.id, FAILURE)
    assert store.claim(cancelled.id) is None
    assert not store.cancel_pending(finished.id, FAILURE)
    assert store.finish(claimed, JobOutcome(JobState.FAILED, failure=FAILURE)) is not None
    assert store.finish(claimed, JobOutcome(JobState.COMPLETED, result=build_result(finished.id))) is None
    assert store.find(finished.id).state is JobState.FAILED


def test_an_interrupted_job_is_failed_at_the_next_start(database) -> None:
    """Only running jobs of the same service: not pending ones, not those of another."""
    source = add_source(database)
    mine, other = build_store(database, owner="mine"), build_store(database, owner="other")
    running, pending, foreign = (
        mine.create(source, REQUEST).record,
        mine.create(source, REQUEST).record,
        other.create(source, REQUEST).record,
    )
    mine.claim(running.id)
    other.claim(foreign.id)

    assert mine.fail_interrupted() == 1
    found = mine.find(running.id)
    assert (found.state, found.failure.slug) == (JobState.FAILED, "service-restarted")
    assert found.finished_at is not None
    assert mine.find(pending.id).state is JobState.PENDING
    assert mine.find(foreign.id).state is JobState.RUNNING


def test_join_fetch_saves_the_query_for_the_source(database) -> None:
    """With the switch one query finds a job and its source; without it, one more for each source that comes up."""
    first, second = add_source(database), add_source(database, "other")
    joined, lazy = build_store(database, join_fetch=True), build_store(database, join_fetch=False)
    job = joined.create(first, REQUEST).record
    for _ in range(3):
        joined.create(second, REQUEST)

    counts = []
    for store in (joined, lazy):
        with counted_queries(database) as sent:
            assert store.find(job.id).source == "shop"
        counts.append(len(sent))
        with counted_queries(database) as sent:
            assert {item.source for item in store.list_jobs(None, 1, 20).jobs} == {"shop", "other"}
        counts.append(len(sent))

    # The page's own count is one query in both.
    assert counts == [1, 2, 2, 4]


def test_pages_hold_every_job_once(database) -> None:
    """Newest first, by state or all; the pages together are the whole, and the total does not depend on the page."""
    store, source = build_store(database), add_source(database)
    jobs = [store.create(source, REQUEST).record for _ in range(7)]
    complete(store, jobs[0])

    pages = [store.list_jobs(None, page, 3) for page in (1, 2, 3, 4)]
    assert [len(page.jobs) for page in pages] == [3, 3, 1, 0]
    assert {job.id for page in pages for job in page.jobs} == {job.id for job in jobs}
    assert {page.total for page in pages} == {7}
    assert [job.created_at for job in pages[0].jobs] == sorted((job.created_at for job in pages[0].jobs), reverse=True)
    completed = store.list_jobs(JobState.COMPLETED, 1, 3)
    assert ([job.id for job in completed.jobs], completed.total) == ([jobs[0].id], 1)


def test_the_file_is_private(tmp_path: Path) -> None:
    """The SQLite file holds URLs: it and its folder are for the owner alone, also when someone had widened them."""
    with open_sqlite(tmp_path / "jobs"):
        pass
    path = tmp_path / "jobs" / "jobs.sqlite3"
    path.chmod(0o644)
    with open_sqlite(tmp_path / "jobs"):
        modes = [stat.S_IMODE(p.stat().st_mode) for p in (path.parent, *path.parent.iterdir())]

    assert modes[0] == 0o700
    assert set(modes[1:]) == {0o600}


def test_the_profile_sizes_the_pool(tmp_path: Path) -> None:
    """50/10/5 s with the switch, 20/5/30 s without; a pool that is used up says so in time."""
    assert (OPTIMIZED.metadata, LEGACY.metadata) == (MetadataPoolLimits(50, 10, 5.0), MetadataPoolLimits(20, 5, 30.0))
    database = open_database(None, tmp_path, MetadataPoolLimits(1, 0, 0.05))

    with database.reading(), pytest.raises(PoolTimeoutError, match="job store"), database.reading():
        pass
    assert database.pool_sizes() == (0, 1)
    database.close()


def test_a_file_is_opened_as_often_as_it_is_usually_read_at_once(tmp_path: Path) -> None:
    """From the start: readers that first meet after an hour open nothing that a soak would take for a leak."""
    database = open_database(None, tmp_path, OPTIMIZED.metadata)
    assert database.pool_sizes() == (0, 4)
    before = count_open(tmp_path)

    with ExitStack() as readers:
        for _ in range(4):
            readers.enter_context(database.reading()).execute(text("SELECT count(*) FROM sqlite_master"))
        assert database.pool_sizes() == (4, 0)
        assert count_open(tmp_path) == before
    database.close()


def count_open(folder: Path) -> int:
    """Files below a folder that this process has open."""
    return sum(Path(file.path).is_relative_to(folder) for file in psutil.Process().open_files())


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        ("mysql://u:S3cret@h/d", ConfigError, "'mysql'"),
        ("S3cret no url", ConfigError, "cannot be read"),
        ("postgresql://u:S3cret@127.0.0.1:1/d?connect_timeout=1", EnvironmentProblem, "postgresql://u@127.0.0.1:1/d"),
    ],
)
def test_a_store_that_cannot_be_opened_says_so_without_the_password(tmp_path: Path, url, error, words) -> None:
    """The message names what was asked and no secret."""
    with pytest.raises(error, match=words) as caught:
        open_database(Secret(url), tmp_path, OPTIMIZED.metadata)

    assert "S3cret" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    """A file is in the way: the message names the folder."""
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match="file"):
        open_database(None, tmp_path / "file" / "jobs", OPTIMIZED.metadata)
