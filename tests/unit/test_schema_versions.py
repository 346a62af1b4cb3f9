"""Jobs through a cache of schemas, over sources whose tables change between them: each reads what is there now."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jivsbench.errors import ExtractionError
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.metadata_cache import MetadataCache
from jivsbench.model.profile import OPTIMIZED
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource, TypePolicy
from jivsbench.model.table import ExtractionRequest, TableName
from jivsbench.testing.fakes import FakeConnector
from jivsbench_files.connector import FilesConnector
from jivsbench_sqlite.connector import SqliteConnector
from tests.unit import extract_fakes
from tests.unit.jobs_caches import DictCache
from tests.unit.test_metadata_cache import SCHEMA, TABLE


class Jobs:
    """Extracts with one cache, one job after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.client = DictCache()
        self.cache = MetadataCache(self.client, OPTIMIZED.cache_times)
        self.server = extract_fakes.FakeServer()
        connectors = {
            "sqlite": SqliteConnector(),
            "files": FilesConnector(),
            "fake": FakeConnector({"orders": pa.table({"id": [1]})}),
            "plain": extract_fakes.FakeConnector(self.server),
        }
        self.extractor = Extractor(
            connectors=connectors, guards=(), profile=OPTIMIZED, output_dir=folder / "out", schemas=self.cache.schema
        )
        self.count = 0

    def read(self, source: DataSource, request: ExtractionRequest) -> dict[str, list[object]]:
        """The rows that a job wrote, by column."""
        self.count += 1
        result = self.extractor.extract(f"j{self.count}", source, request)
        files = [self.folder / "out" / result.folder / file.name for file in result.files]
        return pa.concat_tables(pq.read_table(file) for file in files).to_pydict()

    @property
    def kept(self) -> int:
        """Schemas in the cache."""
        return sum(name.startswith("schema:") for name in self.client.entries)


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    """Jobs of their own."""
    jobs = Jobs(tmp_path)
    yield jobs
    jobs.extractor.close(1.0)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Changes a SQLite file beside its readers."""
    with closing(sqlite3.connect(tmp_path / "shop.db")) as writer:

        def run(script: str) -> None:
            writer.executescript(script)

        run("CREATE TABLE t (id INTEGER PRIMARY KEY, a DECIMAL(5,2)); INSERT INTO t VALUES (1, '1.50');")
        run("CREATE VIEW v AS SELECT * FROM t;")
        yield run


@pytest.fixture
def shop(tmp_path: Path) -> DataSource:
    """That file, where what does not fit becomes NULL: a type that is out of date would be seen by nobody."""
    return DataSource("shop", "sqlite", Secret(f"sqlite:///{tmp_path}/shop.db"), TypePolicy.NULL)


def request(table: str, *columns: str) -> ExtractionRequest:
    """A request for a table."""
    return ExtractionRequest("shop", TableName(table), columns=columns)


def test_an_unchanged_table_is_described_once(jobs: Jobs, database, shop: DataSource) -> None:
    """Rows may come and go: that is what the cache is for."""
    jobs.read(shop, request("t"))
    database("INSERT INTO t VALUES (2, '2.50')")

    assert jobs.read(shop, request("t"))["id"] == [1, 2]
    assert (jobs.cache.look_ups().loads, jobs.cache.look_ups().hits) == (1, 1)


@pytest.mark.parametrize(
    "asked", [request("t"), request("v"), ExtractionRequest("shop", query="SELECT * FROM t")], ids=["table", "view", "query"]
)
def test_a_column_that_came_meanwhile_is_read(jobs: Jobs, database, shop: DataSource, asked: ExtractionRequest) -> None:
    """All columns means those of now, in a view and a query too."""
    jobs.read(shop, asked)
    database("ALTER TABLE t ADD email TEXT DEFAULT 'e@x'; DROP VIEW v; CREATE VIEW v AS SELECT * FROM t")

    assert jobs.read(shop, asked)["email"] == ["e@x"]


@pytest.mark.parametrize("asked", [request("t"), request("t", "a")], ids=["all columns", "named columns"])
def test_a_column_of_another_type_is_read_as_that(jobs: Jobs, database, shop: DataSource, asked: ExtractionRequest) -> None:
    """By its old type the text would not fit, and would be NULL under this policy."""
    jobs.read(shop, asked)
    database("DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'abc')")

    assert jobs.read(shop, asked)["a"] == ["abc"]


def test_files_of_other_values_are_read_by_the_types_of_now(jobs: Jobs, tmp_path: Path) -> None:
    """Their types are those of their values, so no schema of an earlier job is asked for."""
    source = DataSource("shop", "files", Secret(f"files://{tmp_path}"), TypePolicy.NULL)
    for asked in (request("o.csv"), request("o.csv", "v")):
        (tmp_path / "o.csv").write_text("id,v\n1,10\n2,20\n")
        assert jobs.read(source, asked)["v"] == [10, 20]
        (tmp_path / "o.csv").write_text("id,v\n1,10.5\n2,abc\n3,30\n")

        assert jobs.read(source, asked)["v"] == ["10.5", "abc", "30"]
    assert jobs.kept == 0


def test_a_connector_that_tells_no_version_is_asked_every_time(jobs: Jobs) -> None:
    """Whoever wrote it: what nobody can say to hold still is not kept."""
    source = DataSource("shop", "plain", Secret("fake://ann@db/shop"))
    for _ in range(2):
        jobs.read(source, extract_fakes.REQUEST)

    assert jobs.kept == 0


def test_a_schema_of_another_version_than_told_is_not_kept() -> None:
    """A table that changes between the two questions fails that job, and no other is given what was loaded."""
    client = DictCache()
    cache = MetadataCache(client, OPTIMIZED.cache_times)
    versions = iter(["1", "2"])
    with pytest.raises(ExtractionError, match="changed while its columns were read"):
        cache.schema(extract_fakes.build_source(), TABLE, lambda: SCHEMA, lambda: next(versions))

    assert client.entries == {}
