"""A killed extraction goes on where it was: nothing lost, nothing twice, at most one partition a stream read again."""

import hashlib
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jivsbench.errors import ResumeError
from jivsbench.extract.manifest import Manifest, parse_manifest
from jivsbench.extract.resume import read_finished
from jivsbench.model.job import ExtractionResult
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
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


def read_output(folder: Path) -> list[tuple[int, str]]:
    """Key and hash of every row that lies on the disk, as often as it lies there."""
    table = pa.concat_tables(pq.read_table(file) for file in sorted(folder.glob("part-*.parquet")))
    pairs = zip(table["id"].to_pylist(), table["name"].to_pylist(), strict=True)
    return [(key, hashlib.md5(f"{key}|{name}".encode()).hexdigest()) for key, name in pairs]


def run_child(url: str, out: Path, last_step: int, *plant: str) -> tuple[int, list[str]]:
    """Extract in a process that dies at a step: how it ended, and what it told."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.service.resume_child", str(out), str(last_step), *plant],
        input=url + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, -9), done.stderr
    return done.returncode, done.stdout.splitlines()


def resume(source: DataSource, out: Path) -> ExtractionResult:
    """The same extraction once more, as the command line does it."""
    if finished := read_finished(out / "job", source, REQUEST, build_profile()):
        return finished
    extractor = build_extractor(out)
    try:
        return extractor.extract("job", source, REQUEST, partition_rows=PARTITION_ROWS)
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


@pytest.mark.nightly
@pytest.mark.no_cover
def test_a_killed_extraction_goes_on_from_every_step(url: str, source: DataSource, step_count: int, tmp_path: Path):
    """Every single one, of which there are at least fifty."""
    assert step_count >= 50
    for step in range(1, step_count + 1):
        check_point(url, source, tmp_path / str(step), step)


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
