"""Extraction from a real PostgreSQL: the same rows through every profile, cancel, snapshots, changed data."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jivsbench.api import ReadLimits
from jivsbench.dataset import SCHEMA, Dataset
from jivsbench.errors import (
    CancelledJobError,
    DeadlineError,
    ExtractionError,
    JivsbenchError,
    MissingObjectError,
    UsageError,
    VerificationError,
)
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.manifest import parse_manifest
from jivsbench.model.profile import LEGACY, OPTIMIZED, PoolLimits, Profile, Verification
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, Filter, Operator, Partition, TableName
from jivsbench_postgres.connection import PostgresConnection
from jivsbench_postgres.connector import PostgresConnector
from tests.unit.extract_fakes import wait_until

ROWS = 60_000
TABLE = TableName("extractor_rows")
WHOLE = ExtractionRequest("shop", TABLE)
SLOW = ExtractionRequest("shop", query="SELECT g, pg_sleep(0.01)::text AS slept FROM generate_series(1, 10000) AS g")


@pytest.fixture(scope="module")
def loaded() -> pa.Table:
    """The rows that the table is loaded with."""
    return pa.Table.from_batches(Dataset(ROWS).batches())


@pytest.fixture(scope="module")
def source(embedded_postgres_url: str, loaded: pa.Table) -> Iterator[DataSource]:
    """A table of 60,000 rows, enough for several partitions."""
    found = DataSource("shop", "postgres", Secret(embedded_postgres_url))
    connector = PostgresConnector()
    connector.drop_table(found, TABLE)
    connector.load_table(found, TABLE, SCHEMA, iter(loaded.to_batches()), ("status",))
    yield found
    connector.drop_table(found, TABLE)


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Callable[[Profile], Extractor]]:
    """Builds extractors over the real connector, and closes them."""
    built: list[Extractor] = []

    def make(profile: Profile) -> Extractor:
        quiet = replace(profile, pool=replace(profile.pool, min_idle=0))
        built.append(Extractor(connectors={"postgres": PostgresConnector()}, guards=(), profile=quiet, output_dir=tmp_path))
        return built[-1]

    yield make
    for extractor in built:
        extractor.close(0.5)


Build = Callable[[Profile], Extractor]


def read_output(folder: Path) -> pa.Table:
    """All rows of a job in order of id."""
    return pa.concat_tables([pq.read_table(f) for f in sorted(folder.glob("*.parquet"))]).combine_chunks().sort_by("id")


def count_backends(source: DataSource) -> int:
    """Sessions of clients that the server has now, besides our own."""
    with psycopg.connect(source.url.reveal()) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND query ~ %s",
            ("extractor_rows|pg_sleep",),
        ).fetchone()
    assert row is not None
    return int(row[0])


def wait_for_query(source: DataSource) -> None:
    """Until the slow query runs on the server."""
    for _ in range(500):
        if count_backends(source):
            return
        time.sleep(0.01)
    raise AssertionError("the query never ran")


@pytest.mark.parametrize("rows", [1, 1000, ROWS])
def test_every_profile_writes_the_rows_that_the_seed_gives(
    build: Build, source: DataSource, loaded: pa.Table, tmp_path: Path, rows: int
):
    """Row by row or in batches, one stream or four: value for value what was loaded."""
    some = replace(WHOLE, filters=(Filter("id", Operator.LESS_OR_EQUAL, (rows,)),)) if rows < ROWS else WHOLE
    for profile in (LEGACY, OPTIMIZED):
        result = build(profile).extract(profile.name, source, some)
        assert result.rows_written == rows
    legacy, optimized = (read_output(tmp_path / p.name) for p in (LEGACY, OPTIMIZED))

    assert optimized.equals(legacy)
    for name in SCHEMA.names:
        assert optimized[name].combine_chunks().equals(loaded[name].slice(0, rows).combine_chunks()), name


def test_a_large_table_is_read_by_several_streams_under_one_snapshot(build: Build, source: DataSource, tmp_path: Path):
    """Each partition is a file; together they are the table."""
    result = build(OPTIMIZED).extract("job", source, WHOLE)

    assert len(result.files) > 1
    assert result.streams > 1
    assert result.snapshot is not None
    assert read_output(tmp_path / "job")["id"].to_pylist() == list(range(1, ROWS + 1))


def test_columns_are_verified_by_every_profile(build: Build, source: DataSource, tmp_path: Path):
    """Figures of the server and of what lies on disk agree, row by row or in batches; the manifest says so."""
    for profile in (LEGACY, OPTIMIZED):
        result = build(replace(profile, verification=Verification.COLUMNS)).extract(profile.name, source, WHOLE)

        assert result.rows_written == ROWS
        assert parse_manifest((tmp_path / profile.name / "manifest.json").read_bytes()).verification == "columns"


class _Swapping(PostgresConnector):
    """Planted: one row is lost and another comes twice, so that every count is right."""

    def connect(self, source: DataSource, limits: ReadLimits) -> PostgresConnection:
        connection = super().connect(source, limits)
        read = connection.read

        def swap(partition: Partition) -> Iterator[pa.RecordBatch]:
            for batch in read(partition):
                # A batch of one row has no other to lose.
                first = batch.slice(0, 1)
                yield pa.concat_batches([first, first, batch.slice(2)]) if batch.num_rows > 1 else batch

        connection.read = swap  # type: ignore[method-assign]
        return connection


def test_a_row_that_stands_for_another_is_found_by_columns_alone(source: DataSource, tmp_path: Path):
    """Counting passes it; the figures name partition and column, and no value."""
    for level in (Verification.COUNT, Verification.COLUMNS):
        extractor = Extractor(
            connectors={"postgres": _Swapping()},
            guards=(),
            profile=replace(OPTIMIZED, verification=level, pool=replace(OPTIMIZED.pool, min_idle=0)),
            output_dir=tmp_path,
        )
        try:
            if level is Verification.COUNT:
                assert extractor.extract("counted", source, WHOLE).rows_written == ROWS
                continue
            with pytest.raises(VerificationError, match=r"partition [01] of extractor_rows: column 'id' .* total") as failure:
                extractor.extract("compared", source, WHOLE)
            assert not re.search(r"\d{4,}", str(failure.value))
            assert not (tmp_path / "compared").exists()
        finally:
            extractor.close(0.5)


def test_a_limit_is_not_verified_by_columns(build: Build, source: DataSource):
    """The server may choose other rows each time."""
    with pytest.raises(UsageError, match="verify by count"):
        build(replace(OPTIMIZED, verification=Verification.COLUMNS)).extract("job", source, replace(WHOLE, row_limit=10))


def test_streams_see_one_state_while_the_table_changes(build: Build, source: DataSource, tmp_path: Path):
    """A writer moves amounts between rows in one transaction each: the sum never differs."""
    stop = threading.Event()

    def move() -> None:
        with psycopg.connect(source.url.reveal(), autocommit=True) as connection:
            number = 0
            while not stop.is_set():
                number += 1
                low, high = number % 100 + 1, ROWS - number % 100
                with connection.transaction():
                    connection.execute("UPDATE extractor_rows SET amount = amount - 1 WHERE id = %s", (low,))
                    connection.execute("UPDATE extractor_rows SET amount = amount + 1 WHERE id = %s", (high,))

    writer = threading.Thread(target=move)
    writer.start()
    extractor = build(OPTIMIZED)
    sums = []
    try:
        for number in range(3):
            extractor.extract(f"job{number}", source, WHOLE)
            table = read_output(tmp_path / f"job{number}")
            sums.append((table.num_rows, sum(table["amount"].to_pylist())))
    finally:
        stop.set()
        writer.join()

    assert sums == [(ROWS, sums[0][1])] * 3


def test_a_cancelled_job_ends_its_query_on_the_server(build: Build, source: DataSource, tmp_path: Path):
    """Within a second, and no file stays."""
    extractor = build(OPTIMIZED)
    with ThreadPoolExecutor() as threads:
        running = threads.submit(extractor.extract, "job", source, SLOW)
        wait_for_query(source)

        started_s = time.monotonic()
        assert extractor.cancel("job")
        with pytest.raises(CancelledJobError):
            running.result(3.0)
        took_s = time.monotonic() - started_s

    assert took_s < 1.0
    assert wait_until(lambda: count_backends(source) == 0)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


@pytest.mark.parametrize("profile", [OPTIMIZED, LEGACY], ids=["optimized", "legacy"])
def test_a_job_past_its_deadline_ends_its_query_on_the_server(build: Build, source: DataSource, profile: Profile):
    """In every profile: the deadline is not an optimisation."""
    extractor = build(replace(profile, job_timeout_s=0.5))

    started_s = time.monotonic()
    with pytest.raises(DeadlineError):
        extractor.extract("job", source, SLOW)

    assert time.monotonic() - started_s < 2.0
    assert wait_until(lambda: count_backends(source) == 0)
    assert extractor.pool_statistics()[0].active == 0


def test_a_connection_that_the_server_ended_is_not_lent_again(build: Build, source: DataSource):
    """One job may fail with it; the next one succeeds."""
    extractor = build(OPTIMIZED)
    extractor.extract("before", source, replace(WHOLE, columns=("id",)))
    with psycopg.connect(source.url.reveal(), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND datname = current_database()"
        )
    time.sleep(0.6)

    assert extractor.extract("after", source, replace(WHOLE, columns=("id",))).rows_written == ROWS


def test_rows_never_go_through_a_second_connection_in_small_jobs(build: Build, source: DataSource):
    """A thousand rows: one connection, borrowed once."""
    extractor = build(OPTIMIZED)
    small = replace(WHOLE, filters=(Filter("id", Operator.LESS_OR_EQUAL, (1000,)),))
    for number in range(5):
        extractor.extract(f"job{number}", source, small)
    statistics = extractor.pool_statistics()[0]

    assert (statistics.opened_total, statistics.borrowed_total, statistics.active) == (1, 5, 0)


def test_a_missing_table_is_told_as_the_connector_tells_it(build: Build, source: DataSource, tmp_path: Path):
    """The error keeps its type, and nothing stays behind."""
    with pytest.raises(MissingObjectError):
        build(OPTIMIZED).extract("job", source, replace(WHOLE, table=TableName("no_such_table")))

    assert list(tmp_path.iterdir()) == []


def test_a_wrong_password_names_no_password(build: Build, source: DataSource):
    """What the caller sees holds neither the URL nor a part of it."""
    wrong = replace(source, url=Secret("postgresql://nobody:s3cret-word@127.0.0.1:1/none"))

    with pytest.raises(JivsbenchError) as caught:
        build(replace(OPTIMIZED, pool=PoolLimits(borrow_timeout_s=2.0))).extract("job", wrong, WHOLE)

    assert "s3cret" not in str(caught.value)


def test_many_jobs_share_few_connections(build: Build, source: DataSource):
    """Forty jobs in twelve threads over a pool of four: all verified, nothing leaks."""
    extractor = build(replace(OPTIMIZED, pool=PoolLimits(max_size=4, min_idle=0)))
    small = replace(WHOLE, filters=(Filter("id", Operator.LESS_OR_EQUAL, (200,)),))

    with ThreadPoolExecutor(12) as threads:
        results = list(threads.map(lambda n: extractor.extract(f"job{n}", source, small), range(40)))
    statistics = extractor.pool_statistics()[0]

    assert [r.rows_written for r in results] == [200] * 40
    assert statistics.opened_total <= 4
    assert (statistics.active, statistics.waiting, statistics.leaks_total) == (0, 0, 0)


def test_a_query_that_writes_fails(build: Build, source: DataSource):
    """Even without a guard, the session itself is read-only."""
    request = ExtractionRequest("shop", query="SELECT nextval('pg_catalog.pg_class_oid_seq')")

    with pytest.raises((ExtractionError, MissingObjectError)):
        build(OPTIMIZED).extract("job", source, request)
