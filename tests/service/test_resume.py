"""A killed extraction goes on where it was: nothing lost, nothing twice, at most one partition a stream read again."""

import errno
import hashlib
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.json as pjson
import pyarrow.parquet as pq
import pytest

from jivsbench.errors import CancelledJobError, ExtractionError, OutputError, ResumeError
from jivsbench.extract.folders import enter_job_folder
from jivsbench.extract.manifest import Manifest, parse_manifest
from jivsbench.extract.resume import ResumableOutput, read_finished
from jivsbench.extract.sinks import FileSink, WrittenFile
from jivsbench.extract.state_log import open_state_log
from jivsbench.extract.streams import VerifiedPartition
from jivsbench.extract.verification import PartitionCounts
from jivsbench.model.job import ExtractionResult
from jivsbench.model.output import OutputFormat
from jivsbench.model.profile import Verification
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, Partition, TableName
from jivsbench_postgres.connection import PostgresConnection
from tests.service.resume_child import PARTITION_ROWS, REQUEST, STREAMS, build_extractor, build_profile

ROWS = 10_000
PARTS = ROWS // PARTITION_ROWS
Rows = dict[int, str]


@pytest.fixture(scope="module")
def url(embedded_postgres_url: str) -> Iterator[str]:
    """A table whose rows lie in no order of their key."""
    with psycopg.connect(embedded_postgres_url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS resume_rows")
        connection.execute("CREATE TABLE resume_rows (id bigint PRIMARY KEY, name text)")
        connection.execute(
            "INSERT INTO resume_rows SELECT g * 7, repeat(md5(g::text), 3) "
            f"FROM generate_series(1, {ROWS}) g ORDER BY md5(g::text)"
        )
        yield embedded_postgres_url
        connection.execute("DROP TABLE resume_rows")


@pytest.fixture
def source(url: str) -> DataSource:
    """The table's server."""
    return DataSource("shop", "postgres", Secret(url))


def read_oracle(url: str) -> Rows:
    """Key and hash of every row, by another way than the extraction's."""
    with psycopg.connect(url) as connection:
        return dict(connection.execute("SELECT id, md5(id || '|' || name) FROM resume_rows").fetchall())


def read_file(file: Path) -> pa.Table:
    """The rows of one output file, by pyarrow's reader of its format."""
    if file.suffix == ".parquet":
        return pq.read_table(file)
    if file.suffix == ".arrow":
        return pa.ipc.open_file(file).read_all()
    with pa.CompressedInputStream(pa.OSFile(str(file)), "zstd") as text:
        return pcsv.read_csv(text) if ".csv" in file.suffixes else pjson.read_json(text)


def read_output(folder: Path) -> list[tuple[int, str]]:
    """Key and hash of every row that lies on the disk, as often as it lies there."""
    table = pa.concat_tables(read_file(file) for file in sorted(folder.glob("part-*")))
    pairs = zip(table["id"].to_pylist(), table["name"].to_pylist(), strict=True)
    return [(key, hashlib.md5(f"{key}|{name}".encode()).hexdigest()) for key, name in pairs]


def run_child(
    url: str, out: Path, last_step: int, *plant: str, output_format: OutputFormat = OutputFormat.PARQUET
) -> tuple[int, list[str]]:
    """Extract in a process that dies at a step: how it ended, and what it told."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.service.resume_child", str(out), str(last_step), output_format, *plant],
        input=url + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, -9), done.stderr
    return done.returncode, done.stdout.splitlines()


def resume(source: DataSource, out: Path, request: ExtractionRequest = REQUEST) -> ExtractionResult:
    """The same extraction once more, as the command line does it."""
    if finished := read_finished(out / "job", source, request, build_profile()):
        return finished
    extractor = build_extractor(out)
    try:
        return extractor.extract("job", source, request, partition_rows=PARTITION_ROWS)
    finally:
        extractor.close(0.5)


def read_manifest(out: Path) -> Manifest:
    """The manifest of the job."""
    return parse_manifest((out / "job" / "manifest.json").read_bytes())


def check_point(url: str, source: DataSource, out: Path, step: int, *plant: str) -> None:
    """Kill at a step, resume, and hold the result against the oracle."""
    status, told = run_child(url, out, step, *plant)
    assert status == -9
    begun = {line.split()[1] for line in told if line.startswith("begun part")}
    result = resume(source, out)

    assert sorted(read_output(out / "job")) == sorted(read_oracle(url).items())
    assert len(begun) - result.kept_partitions <= STREAMS
    assert result.rows_written == ROWS
    left = {path.name for path in (out / "job").iterdir()}
    assert left == {"manifest.json", *(f"part-{index:05d}.parquet" for index in range(PARTS))}
    is_mixed = 0 < result.kept_partitions < PARTS
    assert read_manifest(out).consistency == ("per-partition" if is_mixed else "one-snapshot")


@pytest.fixture(scope="module")
def step_count(url: str, tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many steps an extraction has that nobody kills."""
    status, told = run_child(url, tmp_path_factory.mktemp("steps"), 0)
    assert status == 0
    return int(told[-1].split()[1])


def choose_steps(step_count: int, points: int) -> list[int]:
    """Points that are spread over all steps, from a seed."""
    spread = random.Random(20).sample(range(1, step_count + 1), min(points, step_count))
    return sorted(spread)


def test_a_killed_extraction_goes_on_where_it_was(url: str, source: DataSource, step_count: int, tmp_path: Path):
    """Ten of the steps between write, sync, rename and state log."""
    for step in choose_steps(step_count, 10):
        check_point(url, source, tmp_path / str(step), step)


@pytest.mark.parametrize("output_format", sorted(set(OutputFormat) - {OutputFormat.PARQUET}))
def test_every_format_goes_on_where_it_was(
    url: str, source: DataSource, step_count: int, tmp_path: Path, output_format: OutputFormat
):
    """Killed at three quarters of the way, when some partitions are committed and others are not."""
    status, _told = run_child(url, tmp_path, step_count * 3 // 4, output_format=output_format)
    result = resume(source, tmp_path, replace(REQUEST, format=output_format))

    assert status == -9
    assert sorted(read_output(tmp_path / "job")) == sorted(read_oracle(url).items())
    assert 0 < result.kept_partitions < PARTS
    assert result.rows_written == ROWS
    assert read_manifest(tmp_path).output.format == output_format


@pytest.mark.nightly
@pytest.mark.no_cover
def test_a_killed_extraction_goes_on_from_every_step(url: str, source: DataSource, step_count: int, tmp_path: Path):
    """Every single one, of which there are at least fifty."""
    assert step_count >= 50
    for step in range(1, step_count + 1):
        check_point(url, source, tmp_path / str(step), step)


@pytest.mark.nightly
@pytest.mark.no_cover
def test_a_log_that_is_ahead_of_the_files_is_found(url: str, source: DataSource, step_count: int, tmp_path: Path):
    """Planted: state before data. Killed in between, the extraction cannot be resumed."""
    caught = 0
    for step in range(1, step_count + 1):
        try:
            check_point(url, source, tmp_path / str(step), step, "state-first")
        except (ResumeError, AssertionError):
            caught += 1
            break

    assert caught


def start_broken(source: DataSource, out: Path) -> None:
    """An extraction of which one or two of four parts are committed when the source breaks."""
    extractor = build_extractor(out)
    read = PostgresConnection.read

    def read_some(self: PostgresConnection, partition: Partition) -> Iterator[pa.RecordBatch]:
        if partition.index > 1:
            raise ExtractionError("planted")
        return read(self, partition)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PostgresConnection, "read", read_some)
        try:
            with pytest.raises(ExtractionError, match="planted"):
                extractor.extract("job", source, REQUEST, partition_rows=PARTITION_ROWS)
        finally:
            extractor.close(0.5)


def test_a_failure_keeps_what_is_committed_and_nothing_else(source: DataSource, tmp_path: Path):
    """Whole files and the log, neither a half-written file nor a manifest; the next attempt reads the rest."""
    start_broken(source, tmp_path)
    left = sorted(path.name for path in (tmp_path / "job").iterdir())
    result = resume(source, tmp_path)

    assert left[-1] == "state.log"
    assert set(left[:-1]) <= {"part-00000.parquet", "part-00001.parquet"}
    assert result.kept_partitions == len(left) - 1
    assert len(read_output(tmp_path / "job")) == ROWS


def test_a_table_that_changed_meanwhile_is_read_without_gaps(source: DataSource, url: str, tmp_path: Path):
    """Rewritten, rows changed, removed and added: every row that was there all the time comes once, and the manifest says how."""
    start_broken(source, tmp_path)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE resume_copy AS TABLE resume_rows")
        connection.execute("COMMIT")
        try:
            connection.execute("UPDATE resume_rows SET name = name || '!' WHERE id % 3 = 0")
            connection.execute("DELETE FROM resume_rows WHERE id % 5 = 0")
            connection.execute("INSERT INTO resume_rows SELECT g * 7 + 1, 'new' FROM generate_series(1, 100) g")
            connection.execute("VACUUM FULL resume_rows")
            result = resume(source, tmp_path)
        finally:
            connection.execute("TRUNCATE resume_rows")
            connection.execute("INSERT INTO resume_rows TABLE resume_copy")
            connection.execute("DROP TABLE resume_copy")
    keys = [key for key, _ in read_output(tmp_path / "job")]

    assert result.kept_partitions > 0
    assert len(keys) == len(set(keys))
    assert {g * 7 for g in range(1, ROWS + 1) if g % 5} <= set(keys)
    manifest = read_manifest(tmp_path)
    assert (manifest.consistency, manifest.snapshot) == ("per-partition", None)
    assert all(partition.snapshot for partition in manifest.partitions)


def test_what_is_asked_for_must_be_the_same(source: DataSource, tmp_path: Path):
    """Another request, source or level is refused, and harms nothing."""
    start_broken(source, tmp_path)
    extractor = build_extractor(tmp_path)
    strict = build_extractor(tmp_path, replace(build_profile(), verification=Verification.COLUMNS))
    try:
        for asked, words in (
            (lambda: extractor.extract("job", source, replace(REQUEST, columns=("id",)), partition_rows=9), "another request"),
            (lambda: extractor.extract("job", replace(source, name="x"), REQUEST, partition_rows=9), "another source"),
            (lambda: strict.extract("job", source, REQUEST, partition_rows=9), "other settings"),
        ):
            with pytest.raises(ResumeError, match=words):
                asked()
    finally:
        extractor.close(0.5)
        strict.close(0.5)

    assert resume(source, tmp_path).kept_partitions > 0
    with pytest.raises(ResumeError, match="of another request"):
        read_finished(tmp_path / "job", source, replace(REQUEST, columns=("id",)), build_profile())


def test_files_that_are_not_as_noted_are_not_taken(source: DataSource, tmp_path: Path):
    """A committed file that lost its end, or is gone."""
    start_broken(source, tmp_path)
    file = min((tmp_path / "job").glob("part-*.parquet"))
    file.write_bytes(file.read_bytes()[:-1])

    with pytest.raises(ResumeError, match=f"{file.name} is not as the state log notes it"):
        resume(source, tmp_path)
    file.unlink()
    with pytest.raises(ResumeError, match="is not as the state log notes it"):
        resume(source, tmp_path)


def test_a_folder_of_something_else_is_left_alone(source: DataSource, tmp_path: Path):
    """No state log: whatever lies there is not ours to go on with."""
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "part-00000.parquet").write_bytes(b"other")

    with pytest.raises(ResumeError, match="no state log"):
        resume(source, tmp_path)
    assert [path.name for path in (tmp_path / "job").iterdir()] == ["part-00000.parquet"]


def test_a_second_finisher_loses(source: DataSource, tmp_path: Path):
    """A partition is committed once; who comes later deletes its own file. A second process does not even begin."""
    folder = enter_job_folder(tmp_path, "job")
    output = ResumableOutput(folder, open_state_log(folder.path), (), [], snapshot="s")
    with pytest.raises(ResumeError, match="another process"):
        resume(source, tmp_path)
    for text in (b"first", b"second"):
        os.write(folder.create_file("part-00000.parquet"), text)
        output.commit(VerifiedPartition(PartitionCounts(0, 1, 1, 1), WrittenFile("part-00000.parquet", 1, len(text)), "s"))
    left = {path.name: path.read_bytes() for path in (tmp_path / "job").iterdir() if path.name != "state.log"}
    output.abandon()

    assert left == {"part-00000.parquet": b"first"}


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_disk_that_fails_is_never_success(source: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str):
    """Whichever of the calls fails: an error, no manifest, and what the next attempt completes is right."""
    real = getattr(os, call)
    for failing in range(1, 40):
        out = tmp_path / str(failing)
        calls = count(1)

        def fail(*args: object, failing: int = failing, calls: Iterator[int] = calls, **options: object) -> object:
            if next(calls) == failing:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(*args, **options)

        extractor = build_extractor(out)
        with monkeypatch.context() as patch:
            patch.setattr(os, call, fail)
            try:
                extractor.extract("job", source, REQUEST, partition_rows=PARTITION_ROWS)
            except OutputError as problem:
                assert "Input/output error" in str(problem)  # noqa: PT017 - the last round raises nothing
            else:
                assert failing > PARTS
                break
            finally:
                extractor.close(0.5)
        assert not (out / "job" / "manifest.json").exists()
        assert resume(source, out).rows_written == ROWS
        assert len(set(read_output(out / "job"))) == ROWS


def count_copies(url: str) -> int:
    """Copies of the table that the server runs at this moment."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY%resume_wide%'"
        ).fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.parametrize("partition_rows", [None, PARTITION_ROWS])
def test_a_cancelled_job_with_a_slow_disk_ends_its_queries(
    source: DataSource, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partition_rows: int | None
):
    """Within a second, while nobody takes the rows that the server has for them; what can be resumed keeps whole files only."""
    with psycopg.connect(url, autocommit=True) as connection:
        # More than what fits on the way: else the server is done before the disk is.
        connection.execute("CREATE TABLE resume_wide AS SELECT id, repeat(name, 100) AS name FROM resume_rows")
        connection.execute("ALTER TABLE resume_wide ADD PRIMARY KEY (id)")
    wide = replace(REQUEST, table=TableName("resume_wide"))
    is_writing = threading.Event()
    write = FileSink.write

    def write_slowly(self: FileSink, batch: pa.RecordBatch) -> None:
        is_writing.set()
        time.sleep(0.3)
        write(self, batch)

    monkeypatch.setattr(FileSink, "write", write_slowly)
    extractor = build_extractor(tmp_path)
    try:
        with ThreadPoolExecutor() as threads:
            running = threads.submit(extractor.extract, "job", source, wide, partition_rows=partition_rows)
            assert is_writing.wait(10)
            assert count_copies(url)
            started_s = time.monotonic()
            assert extractor.cancel("job")
            while count_copies(url):
                time.sleep(0.01)
            took_s = time.monotonic() - started_s
            with pytest.raises(CancelledJobError):
                running.result(5)
    finally:
        extractor.close(0.5)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP TABLE resume_wide")

    assert took_s < 1.0
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert left == (["state.log"] if partition_rows else [])


def test_a_job_that_is_not_resumable_pays_nothing_for_it(source: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Five syncs, as few as a folder, a file and a manifest need; no log."""
    synced: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(descriptor) or fsync(descriptor))
    extractor = build_extractor(tmp_path)
    try:
        extractor.extract("job", source, REQUEST)
    finally:
        extractor.close(0.5)

    assert len(synced) == 5
    assert sorted(path.name for path in (tmp_path / "job").iterdir()) == ["manifest.json", "part-00000.parquet"]
