"""The session that exported the snapshot dies, before, while or after the others join it: all of one moment, or nothing."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jivsbench.errors import ExtractionError, JivsbenchError
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.manifest import parse_manifest
from jivsbench.model.profile import OPTIMIZED
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, Fingerprint, Partition, TableName
from jivsbench_postgres.connection import PostgresConnection
from jivsbench_postgres.connector import PostgresConnector

ROWS = 60_000
REQUEST = ExtractionRequest("shop", TableName("snapshot_rows"))


@pytest.fixture(scope="module")
def url(embedded_postgres_url: str) -> Iterator[str]:
    """A table of several partitions, whose amounts a writer moves about: their sum stays 0."""
    stop = threading.Event()

    def move() -> None:
        with psycopg.connect(embedded_postgres_url, autocommit=True) as writer:
            while not stop.wait(0.002):
                low, high = random.sample(range(1, ROWS + 1), 2)
                with writer.transaction():
                    writer.execute("UPDATE snapshot_rows SET amount = amount - 1 WHERE id = %s", (low,))
                    writer.execute("UPDATE snapshot_rows SET amount = amount + 1 WHERE id = %s", (high,))

    with psycopg.connect(embedded_postgres_url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS snapshot_rows")
        connection.execute(f"CREATE TABLE snapshot_rows AS SELECT g AS id, 0 AS amount FROM generate_series(1, {ROWS}) g")
        connection.execute("ALTER TABLE snapshot_rows ADD PRIMARY KEY (id)")
        connection.execute("ANALYZE snapshot_rows")
        writer = threading.Thread(target=move)
        writer.start()
        yield embedded_postgres_url
        stop.set()
        writer.join()
        connection.execute("DROP TABLE snapshot_rows")


def end_session(url: str, pid: int) -> None:
    """End a session on the server, and wait until it is gone: its snapshot goes with it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        while connection.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone():
            time.sleep(0.005)


class Exporters(PostgresConnector):
    """Opens real sessions, knows which one exported, and lets a test act at chosen moments."""

    def __init__(self, url: str, *, lost: str = "", begins_anew: bool = False) -> None:
        self.url = url
        self.lost = lost
        self.begins_anew = begins_anew
        self.exporter: PostgresConnection | None = None
        self.joined = threading.Event()

    def connect(self, source, limits):
        connection = super().connect(source, limits)
        connection.begin = lambda snapshot=None: self._begin(connection, snapshot)  # type: ignore[method-assign]
        connection.fingerprint = lambda part: self._fingerprint(connection, part)  # type: ignore[method-assign]
        return connection

    def end_exporter(self) -> None:
        """End the session that exported."""
        assert self.exporter is not None
        end_session(self.url, self.exporter._wire.driver.info.backend_pid)

    def _begin(self, connection: PostgresConnection, snapshot: str | None) -> str | None:
        if snapshot is None:
            self.exporter = connection
            return PostgresConnection.begin(connection)
        if self.lost == "before":
            self.end_exporter()
        # Planted: a worker that could not join in time begins a view of its own.
        joined = PostgresConnection.begin(connection, None if self.begins_anew else snapshot)
        self.joined.set()
        return joined

    def _fingerprint(self, connection: PostgresConnection, part: Partition) -> Fingerprint:
        if connection is self.exporter:
            self.joined.wait(5)
            if self.lost == "during":
                self.end_exporter()
        found = PostgresConnection.fingerprint(connection, part)
        if self.lost == "after" and connection is self.exporter:
            self.end_exporter()
        return found


Build = Callable[[Exporters], Extractor]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Builds extractors of two streams, and closes them."""
    built: list[Extractor] = []

    def make(connector: Exporters) -> Extractor:
        switches = replace(OPTIMIZED.switches, streams=2)
        profile = replace(OPTIMIZED, switches=switches, pool=replace(OPTIMIZED.pool, min_idle=0))
        built.append(Extractor(connectors={"postgres": connector}, guards=(), profile=profile, output_dir=tmp_path))
        return built[-1]

    yield make
    for extractor in built:
        extractor.close(0.5)


def check_whole(folder: Path) -> None:
    """Every row once, of one moment, under one snapshot."""
    rows = pa.concat_tables(pq.read_table(file) for file in sorted(folder.glob("part-*.parquet")))
    assert sorted(rows["id"].to_pylist()) == list(range(1, ROWS + 1))
    assert sum(rows["amount"].to_pylist()) == 0
    manifest = parse_manifest((folder / "manifest.json").read_bytes())
    assert manifest.consistency == "one-snapshot"
    assert {partition.snapshot for partition in manifest.partitions} == {manifest.snapshot}


@pytest.mark.parametrize("partition_rows", [None, 20_000])
@pytest.mark.parametrize("moment", ["before", "during"])
def test_without_its_exporter_the_whole_job_ends(url: str, build: Build, tmp_path: Path, moment: str, partition_rows: int | None):
    """No manifest; of a job that can be resumed, what is committed stays."""
    with pytest.raises(JivsbenchError):
        build(Exporters(url, lost=moment)).extract(
            "job", DataSource("shop", "postgres", Secret(url)), REQUEST, partition_rows=partition_rows
        )

    assert not (tmp_path / "job" / "manifest.json").exists()
    assert partition_rows or not (tmp_path / "job").exists()


def test_an_exporter_that_dies_after_its_work_leaves_no_mixture(url: str, build: Build, tmp_path: Path):
    """Whoever joined keeps the snapshot; if the exporter is needed once more, everything ends."""
    try:
        build(Exporters(url, lost="after")).extract("job", DataSource("shop", "postgres", Secret(url)), REQUEST)
    except JivsbenchError:
        assert not (tmp_path / "job").exists()
    else:
        check_whole(tmp_path / "job")


@pytest.mark.parametrize("partition_rows", [None, 20_000])
def test_a_late_worker_with_a_view_of_its_own_is_found(url: str, build: Build, tmp_path: Path, partition_rows: int | None):
    """Planted: it begins anew instead of joining. Its partition is refused, though its count is right."""
    with pytest.raises(ExtractionError, match="under another snapshot"):
        build(Exporters(url, begins_anew=True)).extract(
            "job", DataSource("shop", "postgres", Secret(url)), REQUEST, partition_rows=partition_rows
        )

    assert not (tmp_path / "job" / "manifest.json").exists()


@pytest.mark.nightly
@pytest.mark.no_cover
def test_an_exporter_that_dies_at_any_time_leaves_no_mixture(url: str, build: Build, tmp_path: Path):
    """Fifty moments from a seed, while others write."""
    moments = random.Random(20)
    outcomes = set()
    for number in range(50):
        connector = Exporters(url)
        extractor = build(connector)
        killer = threading.Timer(moments.uniform(0.0, 0.3), lambda c=connector: c.exporter and c.end_exporter())
        killer.start()
        try:
            extractor.extract(f"job{number}", DataSource("shop", "postgres", Secret(url)), REQUEST)
        except JivsbenchError:
            outcomes.add("ended")
            assert not (tmp_path / f"job{number}").exists()
        else:
            outcomes.add("whole")
            check_whole(tmp_path / f"job{number}")
        finally:
            killer.join()
            extractor.close(0.5)

    assert outcomes == {"ended", "whole"}
