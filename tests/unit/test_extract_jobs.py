"""One extraction from review to manifest, over a fake source with real files, threads and locks."""

import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jivsbench.api import Guard, GuardRequest
from jivsbench.errors import (
    CancelledJobError,
    DeadlineError,
    ExtractionError,
    GuardRefusedError,
    JivsbenchError,
    MissingObjectError,
    NoGuardError,
    OutputError,
    PoolTimeoutError,
    UnknownNameError,
    UsageError,
    VerificationError,
)
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.guards import require_guards
from jivsbench.extract.manifest import parse_manifest
from jivsbench.extract.phases import PHASES
from jivsbench.model.profile import LEGACY, OPTIMIZED, PoolLimits
from jivsbench.model.table import ExtractionRequest, Filter, Operator, TableName
from tests.unit.extract_fakes import REQUEST, FakeConnector, FakeServer, build_profile, build_source, wait_until


class Refusing:
    """A guard that refuses everything."""

    name = "refusing"

    def review(self, request: GuardRequest) -> None:
        raise GuardRefusedError(f"{request.dialect}: nothing is allowed here")


class Broken:
    """A guard with a bug."""

    name = "broken"

    def review(self, request: GuardRequest) -> None:
        raise RecursionError(request)


@pytest.fixture
def build(tmp_path: Path):
    """Builds extractors over a fake server, and closes them."""
    built: list[Extractor] = []

    def make(server: FakeServer, guards: tuple[Guard, ...] = (), **profile: object) -> Extractor:
        extractor = Extractor(
            connectors={"fake": FakeConnector(server)},
            guards=guards,
            profile=build_profile(**profile),
            output_dir=tmp_path / "out",
        )
        built.append(extractor)
        return extractor

    yield make
    for extractor in built:
        extractor.close(0.0)


Build = Callable[..., Extractor]


def read_ids(folder: Path) -> list[int]:
    """Ids of all rows of a job, in order of file and row."""
    return [i for file in sorted(folder.glob("*.parquet")) for i in pq.read_table(file)["id"].to_pylist()]


def assert_nothing_is_left(extractor: Extractor, out: Path) -> None:
    """No borrowed connection, no waiting borrower, no file."""
    assert [(s.active, s.waiting) for s in extractor.pool_statistics()] in ([], [(0, 0)])
    assert [p for p in out.rglob("*") if p.is_file()] == []
    assert len(extractor._jobs) == 0


def test_every_row_arrives_once(build: Build, tmp_path: Path):
    """What the source has, what the result says and what the file holds are the same."""
    result = build(FakeServer(rows=1234)).extract("job", build_source(), REQUEST)

    assert read_ids(tmp_path / "out" / "job") == list(range(1234))
    assert (result.rows_in_source, result.rows_read, result.rows_written) == (1234, 1234, 1234)
    assert [f.name for f in result.files] == ["part-00000.parquet"]
    assert result.files[0].size_bytes == (tmp_path / "out" / "job" / "part-00000.parquet").stat().st_size
    assert result.folder == "job"


def test_no_rows_are_a_file_with_a_schema(build: Build, tmp_path: Path):
    """An empty table yields a readable file with its columns and no rows."""
    result = build(FakeServer(rows=0)).extract("job", build_source(), REQUEST)

    assert result.rows_written == 0
    assert pq.read_table(tmp_path / "out" / "job" / "part-00000.parquet").schema.names == ["id", "name"]


def test_without_batching_the_same_rows_arrive(build: Build, tmp_path: Path):
    """The legacy profile reads row by row, and loses nothing."""
    server = FakeServer(rows=57)
    build(server, profile=LEGACY).extract("legacy", build_source(), REQUEST)
    build(server).extract("optimized", build_source(), REQUEST)
    legacy, optimized = (pq.read_table(tmp_path / "out" / job / "part-00000.parquet") for job in ("legacy", "optimized"))

    assert legacy.equals(optimized)


def test_phases_cover_the_whole_job(build: Build):
    """Every phase is there once, and together they are about as long as the job."""
    result = build(FakeServer(rows=100, batch_s=0.001)).extract("job", build_source(), REQUEST)

    assert [p.phase for p in result.phases] == list(PHASES)
    assert 0.9 * result.duration_ns < sum(p.duration_ns for p in result.phases) <= result.duration_ns


def test_streams_read_side_by_side_what_one_stream_reads(build: Build, tmp_path: Path):
    """Four partitions, one snapshot: the same rows as a single stream, in a file each."""
    server = FakeServer(rows=1000, split_into=4, batch_s=0.005)

    result = build(server).extract("job", build_source(), REQUEST)

    assert read_ids(tmp_path / "out" / "job") == list(range(1000))
    assert len(result.files) == 4
    assert result.streams == 4
    snapshots = [c.begun for c in server.connections]
    assert snapshots[0] == [None]
    assert snapshots[1:] == [[result.snapshot]] * 3


def test_a_source_that_cannot_share_its_view_is_read_by_one_stream(build: Build, tmp_path: Path):
    """A second session would see another state, so there is none."""
    server = FakeServer(rows=100, split_into=4, can_share=False)

    result = build(server).extract("job", build_source(), REQUEST)

    assert read_ids(tmp_path / "out" / "job") == list(range(100))
    assert (result.streams, result.snapshot, len(server.connections)) == (1, None, 1)


def test_jobs_that_want_several_connections_do_not_block_one_another(build: Build, tmp_path: Path):
    """With two connections for six jobs of four streams each, all of them end."""
    server = FakeServer(rows=40, split_into=4, batch_s=0.002)
    extractor = build(server, pool=PoolLimits(max_size=2, min_idle=0))

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda n: extractor.extract(f"job{n}", build_source(), REQUEST), range(6)))

    assert [read_ids(tmp_path / "out" / f"job{n}") for n in range(6)] == [list(range(40))] * 6
    assert server.most_open <= 2


def test_small_jobs_start_no_thread(build: Build):
    """One partition is read in the caller's own thread."""
    extractor = build(FakeServer(rows=10))
    extractor.extract("first", build_source(), REQUEST)
    before = threading.active_count()
    extractor.extract("second", build_source(), REQUEST)

    assert threading.active_count() == before


def test_a_failing_stream_fails_the_job_and_ends_the_others(build: Build, tmp_path: Path):
    """Its own error is told, not the consequence that the others saw."""
    server = FakeServer(rows=400, split_into=4, batch_s=0.02, fail_at_partition=3)
    server.read_error = lambda: ExtractionError("partition 3 broke")
    extractor = build(server)

    with pytest.raises(ExtractionError, match="partition 3 broke"):
        extractor.extract("job", build_source(), REQUEST)

    assert_nothing_is_left(extractor, tmp_path / "out")


def test_a_refused_request_borrows_no_connection(build: Build, tmp_path: Path):
    """The guard is asked before anything else happens."""
    server = FakeServer()
    extractor = build(server, guards=(Refusing(),))

    with pytest.raises(GuardRefusedError, match="nothing is allowed"):
        extractor.extract("job", build_source(), REQUEST)

    assert server.attempts == 0
    assert not (tmp_path / "out").exists()


def test_a_guard_that_breaks_refuses(build: Build):
    """No answer is no."""
    with pytest.raises(GuardRefusedError, match="guard broken could not judge the request"):
        build(FakeServer(), guards=(Broken(),)).review(build_source(), REQUEST)


def test_guards_in_force_are_those_the_profile_names():
    """All, exactly the named ones, or none when somebody wrote so."""
    guards = (Refusing(), Broken())

    assert require_guards(OPTIMIZED, guards) == guards
    assert [g.name for g in require_guards(replace(OPTIMIZED, guards=("broken",)), guards)] == ["broken"]
    assert require_guards(replace(OPTIMIZED, guards=()), guards) == ()


def test_no_guard_at_all_must_be_asked_for():
    """A profile that says nothing of guards needs one; a name that nobody offers is named."""
    with pytest.raises(NoGuardError, match=r"install jivsbench-sqlguard, or write `guards = \[\]`"):
        require_guards(OPTIMIZED, ())
    with pytest.raises(UnknownNameError, match="no guard is called 'sqlguard'"):
        require_guards(replace(OPTIMIZED, guards=("sqlguard",)), (Broken(),))


@pytest.mark.parametrize("bad", ["../evil", "", "a/b", ".", "..", "a" * 101, "-a", "a\n"])
def test_a_job_id_cannot_leave_the_output_folder(build: Build, bad: str):
    """It names a folder, so it is letters and digits."""
    with pytest.raises(UsageError, match="a job id names a folder"):
        build(FakeServer()).extract(bad, build_source(), REQUEST)


def test_a_request_names_a_table_or_a_query(build: Build):
    """Both or neither is no request."""
    for request in (ExtractionRequest("shop"), replace(REQUEST, query="select 1")):
        with pytest.raises(UsageError, match="names a table or a query"):
            build(FakeServer()).extract("job", build_source(), request)


def test_a_job_that_is_cancelled_ends_within_a_second(build: Build, tmp_path: Path):
    """Its query ends on the server, its connection is closed, no file stays."""
    server = FakeServer(rows=100, batch_s=5.0)
    extractor = build(server)
    with ThreadPoolExecutor() as threads:
        running = threads.submit(extractor.extract, "job", build_source(), REQUEST)
        assert wait_until(lambda: bool(server.connections and server.connections[0].begun))

        started_s = time.monotonic()
        assert extractor.cancel("job")
        with pytest.raises(CancelledJobError, match="job job was stopped"):
            running.result(2.0)

    assert time.monotonic() - started_s < 1.0
    assert server.open_now == 0
    assert_nothing_is_left(extractor, tmp_path / "out")
    assert not extractor.cancel("job")


def test_a_job_that_waits_for_a_connection_can_be_cancelled(build: Build):
    """It need not get one first."""
    server = FakeServer(rows=100, batch_s=0.2)
    extractor = build(server, pool=PoolLimits(max_size=1, min_idle=0))
    with ThreadPoolExecutor() as threads:
        first = threads.submit(extractor.extract, "first", build_source(), REQUEST)
        assert wait_until(lambda: bool(server.connections and server.connections[0].begun))
        second = threads.submit(extractor.extract, "second", build_source(), REQUEST)
        assert wait_until(lambda: extractor.pool_statistics()[0].waiting == 1)

        extractor.cancel("second")
        with pytest.raises(CancelledJobError) as caught:
            second.result(1.0)
        extractor.cancel("first")
        with pytest.raises(CancelledJobError):
            first.result(1.0)

    assert has_an_end(caught.value), "whoever walks the causes of the error would walk for ever"


def has_an_end(error: BaseException) -> bool:
    """True when no error is, by way of its causes, a cause of itself."""
    seen: list[BaseException] = []
    below: BaseException | None = error
    while below is not None and below not in seen:
        seen.append(below)
        below = below.__cause__ or below.__context__
    return below is None


def test_a_job_past_its_deadline_is_ended(build: Build, tmp_path: Path):
    """The watchdog ends its query; the error says what to change."""
    extractor = build(FakeServer(rows=100, batch_s=5.0), job_timeout_s=0.3)

    started_s = time.monotonic()
    with pytest.raises(DeadlineError, match=r"was given 0\.3 s .* raise job_timeout_s"):
        extractor.extract("job", build_source(), REQUEST)

    assert time.monotonic() - started_s < 1.0
    assert_nothing_is_left(extractor, tmp_path / "out")


def test_a_short_deadline_is_kept_beside_longer_ones(build: Build):
    """The watchdog asleep for a long job wakes for one that starts later and ends earlier."""
    extractor = build(FakeServer(rows=100, batch_s=5.0), job_timeout_s=60.0)
    with ThreadPoolExecutor() as threads:
        long = threads.submit(extractor.extract, "long", build_source(), REQUEST)
        assert wait_until(lambda: len(extractor._jobs) == 1)
        extractor._profile = replace(extractor._profile, job_timeout_s=0.2)

        with pytest.raises(DeadlineError):
            threads.submit(extractor.extract, "short", build_source(), REQUEST).result(1.0)
        extractor.cancel("long")
        with pytest.raises(CancelledJobError):
            long.result(1.0)


def test_a_job_that_gets_no_connection_leaves_nothing(build: Build, tmp_path: Path):
    """The pool's error reaches the caller as it is."""
    server = FakeServer(hang=threading.Event())
    extractor = build(server, pool=PoolLimits(min_idle=0, borrow_timeout_s=0.2))

    with pytest.raises(PoolTimeoutError):
        extractor.extract("job", build_source(), REQUEST)
    server.hang.set()

    assert_nothing_is_left(extractor, tmp_path / "out")


def test_rows_lost_on_the_way_are_found(build: Build, tmp_path: Path):
    """A connector that yields fewer rows than it counts: the job fails, names the partition and leaves no file."""
    extractor = build(FakeServer(rows=100, lost_batches=1))

    with pytest.raises(
        VerificationError, match="partition 0 of orders: the source has 100 rows, 90 were read and 90 lie on disk"
    ):
        extractor.extract("job", build_source(), REQUEST)

    assert_nothing_is_left(extractor, tmp_path / "out")


def test_rows_that_the_source_does_not_count_are_found_too(build: Build):
    """More rows than the source has are as wrong as fewer."""
    with pytest.raises(VerificationError, match="the source has 99 rows, 100 were read"):
        build(FakeServer(rows=100, miscount=-1)).extract("job", build_source(), REQUEST)


def test_a_plugin_s_own_exception_is_named_but_not_quoted(build: Build, tmp_path: Path, caplog):
    """Its text may hold a row's value: the error tells its class, the log also where it was raised."""
    server = FakeServer(rows=100)
    server.read_error = lambda: KeyError("secret row value")
    extractor = build(server)

    with pytest.raises(ExtractionError, match="job job failed in connector fake: it raised KeyError") as caught:
        extractor.extract("job", build_source(), REQUEST)

    assert "secret" not in str(caught.value) + caplog.text
    assert "raise self.server.read_error()" in caplog.text
    assert isinstance(caught.value.__cause__, KeyError)
    assert_nothing_is_left(extractor, tmp_path / "out")
    assert server.open_now == 0


def test_a_missing_table_keeps_the_connection(build: Build):
    """A misspelt name costs no reconnect, and the error stays what it is."""
    server = FakeServer()
    extractor = build(server)

    with pytest.raises(MissingObjectError, match="table nothing"):
        extractor.extract("job", build_source(), replace(REQUEST, table=TableName("nothing")))

    assert extractor.pool_statistics()[0].idle == 1


def test_a_source_changed_under_a_running_job_ends_it(build: Build, tmp_path: Path):
    """Within a second, with an error that says why."""
    server = FakeServer(rows=100, batch_s=0.5)
    extractor = build(server)
    with ThreadPoolExecutor() as threads:
        running = threads.submit(extractor.extract, "job", build_source(), REQUEST)
        assert wait_until(lambda: bool(server.connections and server.connections[0].begun))

        extractor.forget_source("shop")
        with pytest.raises(ExtractionError, match="changed or removed meanwhile"):
            running.result(1.0)

    assert server.open_now == 0
    assert_nothing_is_left(extractor, tmp_path / "out")


def test_a_job_runs_once_at_a_time(build: Build):
    """The same id twice would be the same folder twice."""
    server = FakeServer(rows=10, batch_s=1.0)
    extractor = build(server)
    with ThreadPoolExecutor() as threads:
        running = threads.submit(extractor.extract, "job", build_source(), REQUEST)
        assert wait_until(lambda: len(extractor._jobs) == 1)

        with pytest.raises(ExtractionError, match="job job runs already"):
            extractor.extract("job", build_source(), REQUEST)
        extractor.cancel("job")
        assert isinstance(running.exception(2.0), JivsbenchError)


def test_closing_stops_running_jobs_and_closes_connections(build: Build, tmp_path: Path):
    """After the grace time nothing runs, nothing is open, nothing is left."""
    server = FakeServer(rows=100, batch_s=5.0)
    extractor = build(server)
    with ThreadPoolExecutor() as threads:
        running = threads.submit(extractor.extract, "job", build_source(), REQUEST)
        assert wait_until(lambda: bool(server.connections and server.connections[0].begun))

        extractor.close(0.1)
        with pytest.raises(CancelledJobError, match="the service stops"):
            running.result(1.0)

    assert wait_until(lambda: server.open_now == 0)
    assert_nothing_is_left(extractor, tmp_path / "out")
    with pytest.raises(ExtractionError, match="while the service stops"):
        extractor.extract("late", build_source(), REQUEST)


def test_files_are_for_the_owner_alone(build: Build, tmp_path: Path):
    """Folder 0700, files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        build(FakeServer()).extract("job", build_source(), REQUEST)
    finally:
        os.umask(before)
    folder = tmp_path / "out" / "job"

    assert folder.stat().st_mode & 0o777 == 0o700
    assert {p.name: p.stat().st_mode & 0o777 for p in folder.iterdir()} == {"part-00000.parquet": 0o600, "manifest.json": 0o600}


def test_the_manifest_says_what_was_read_and_holds_no_value(build: Build, tmp_path: Path):
    """Columns, partitions, counts, snapshot and settings; neither the URL nor what a filter compares with."""
    secret = Filter("name", Operator.EQUAL, ("Somebody Private",))
    result = build(FakeServer(rows=20)).extract("job", build_source(password="hunter2"), replace(REQUEST, filters=(secret,)))
    content = (tmp_path / "out" / "job" / "manifest.json").read_bytes()
    manifest = parse_manifest(content)

    assert [(c.name, c.arrow_type) for c in manifest.columns] == [("id", "int64"), ("name", "string")]
    assert [(p.file, p.rows_in_source, p.rows_written) for p in manifest.partitions] == [("part-00000.parquet", 20, 20)]
    assert manifest.snapshot == result.snapshot
    assert manifest.request.filters == ("name =",)
    assert b"hunter2" not in content
    assert b"Private" not in content
    assert json.loads(content)["format_version"] == 1


def test_a_complete_output_is_never_overwritten(build: Build, tmp_path: Path):
    """The second attempt of a job that has ended fails, and the first one's files stay."""
    extractor = build(FakeServer(rows=5))
    extractor.extract("job", build_source(), REQUEST)

    with pytest.raises(OutputError, match=r"complete output .* already"):
        extractor.extract("job", build_source(), REQUEST)

    assert read_ids(tmp_path / "out" / "job") == list(range(5))


def test_what_an_attempt_that_died_left_is_replaced(build: Build, tmp_path: Path):
    """A folder without a manifest is not complete: its files go, others' stay."""
    folder = tmp_path / "out" / "job"
    folder.mkdir(parents=True)
    (folder / "part-00003.parquet").write_bytes(b"PAR1")
    (folder / "part-00000.parquet.tmp-dead").write_bytes(b"PAR1")
    (folder / "notes.txt").write_text("not ours")

    build(FakeServer(rows=5)).extract("job", build_source(), REQUEST)

    assert sorted(p.name for p in folder.iterdir()) == ["manifest.json", "notes.txt", "part-00000.parquet"]


def test_testing_a_source_uses_a_session_of_its_own(build: Build):
    """It is closed afterwards, and no pool is built."""
    server = FakeServer()
    extractor = build(server)

    assert extractor.test_source(build_source()).product == "fake"
    assert server.open_now == 0
    assert extractor.pool_statistics() == ()
