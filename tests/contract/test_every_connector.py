"""Every connector that is installed passes the contract; one without a place to run it fails this file."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from jivsbench.api import Connector
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.testing.connector_contract import ConnectorContract
from jivsbench.testing.contract_table import DEFAULT_ROWS, LoadedTable, build_contract_table, new_table_name
from jivsbench.testing.fakes import FakeConnector
from jivsbench.testing.reading_contract import Counts
from tests.contract.installed import registry
from tests.contract.json_api import JsonApi
from tests.contract.sqlalchemy_tables import write_contract_table
from tests.contract.written_files import fit_workbook, write_file

COVERED = {
    "files": "TestFilesCsv",
    "mysql": "TestMysqlOfThisMachine",
    "postgres": "TestPostgres",
    "rest": "TestRest",
    "sqlalchemy-mariadb": "TestSqlAlchemyMariaDb",
    "sqlalchemy-mysql": "TestSqlAlchemyMySql",
    "sqlalchemy-postgresql": "TestSqlAlchemyPostgres",
    "sqlalchemy-sqlite": "TestSqlAlchemySqlite",
    "sqlite": "TestSqlite",
}
SOME_ROWS = 700
"""Three batches, and three pages, for what is read slowly: every test reads the whole table."""
NO_SERVER = {"sqlalchemy-mssql", "sqlalchemy-oracle"}
"""No machine of this project has these servers, so nobody has seen them pass: the plugin's README says so."""


def find_connector(name: str) -> Connector:
    """The installed connector of that name."""
    return registry().connector(name)


def test_every_installed_connector_has_its_contract() -> None:
    """A new connector must be added here, with a source to run it on."""
    installed = {connector.name for connector in registry().connectors}

    assert installed == set(COVERED) | NO_SERVER
    assert all(issubclass(globals()[name], ConnectorContract) for name in COVERED.values())


# The contract itself is covered by the connectors below.
@pytest.mark.no_cover
class TestPostgres(ConnectorContract):
    slow_query = "SELECT count(*) AS n FROM generate_series(1, 100000000000)"

    @pytest.fixture
    def connector(self) -> Connector:
        return find_connector("postgres")

    @pytest.fixture
    def source(self, embedded_postgres_url: str) -> DataSource:
        return DataSource("contract", "postgres", Secret(embedded_postgres_url))


@pytest.mark.real_server
class TestPostgresOfThisMachine(TestPostgres):
    @pytest.fixture
    def source(self, real_postgres_url: str) -> DataSource:
        return DataSource("contract", "postgres", Secret(real_postgres_url))


@pytest.mark.real_server
class TestMysqlOfThisMachine(ConnectorContract):
    slow_query = "SELECT sleep(60) + 1 AS n"

    @pytest.fixture
    def connector(self) -> Connector:
        return find_connector("mysql")

    @pytest.fixture
    def source(self, real_mysql_url: str) -> DataSource:
        return DataSource("contract", "mysql", Secret(real_mysql_url))


class TestSqlite(ConnectorContract):
    slow_query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS n FROM n"

    @pytest.fixture
    def connector(self) -> Connector:
        return find_connector("sqlite")

    @pytest.fixture
    def source(self, tmp_path: Path) -> DataSource:
        return DataSource("contract", "sqlite", Secret(f"sqlite:///{tmp_path}/contract.db"))


@pytest.mark.no_cover
class TestRest(ConnectorContract):
    counts = Counts.WITHOUT_FILTERS
    columns = "id:int64,name:string,amount:decimal(12,2),ratio:float64,is_active:bool,created_at:timestamptz"

    @pytest.fixture
    def connector(self) -> Connector:
        return find_connector("rest")

    @pytest.fixture
    def api(self) -> Iterator[JsonApi]:
        with JsonApi() as api:
            yield api

    @pytest.fixture
    def loaded(self, api: JsonApi) -> LoadedTable:
        table = LoadedTable(new_table_name(), build_contract_table(SOME_ROWS))
        api.resources[table.name.name] = table.rows.to_pylist()
        return table

    @pytest.fixture
    def source(self, api: JsonApi, loaded: LoadedTable) -> DataSource:
        options = f"paging=cursor&records=data&cursor=next&total=total&page_size=300&columns={self.columns}"
        url = f"rest+http://:{api.token}@127.0.0.1:{api.port}/v1?{options}&resources={loaded.name}"
        return DataSource("contract", "rest", Secret(url))


class OfSqlAlchemy(ConnectorContract):
    """One dialect; the table is written by SQLAlchemy itself."""

    name: ClassVar[str]
    collation: ClassVar[str | None] = None

    @pytest.fixture
    def connector(self) -> Connector:
        return find_connector(self.name)

    @pytest.fixture(scope="class")
    @classmethod
    def writer_url(cls) -> str:
        raise NotImplementedError("SQLAlchemy's own URL of the place, for somebody who may write")

    @pytest.fixture
    def source(self, writer_url: str) -> DataSource:
        return DataSource("contract", self.name, Secret(f"sqlalchemy+{writer_url}"))

    @pytest.fixture(scope="class")
    @classmethod
    def loaded(cls, writer_url: str) -> Iterator[LoadedTable]:
        with write_contract_table(writer_url, cls.collation) as table:
            yield table


@pytest.mark.no_cover
class TestSqlAlchemySqlite(OfSqlAlchemy):
    name = "sqlalchemy-sqlite"
    slow_query = TestSqlite.slow_query

    @pytest.fixture(scope="class")
    @classmethod
    def writer_url(cls, tmp_path_factory: pytest.TempPathFactory) -> str:
        return f"sqlite+pysqlite:///{tmp_path_factory.mktemp('contract')}/contract.db"


@pytest.mark.no_cover
class TestSqlAlchemyPostgres(OfSqlAlchemy):
    name = "sqlalchemy-postgresql"
    slow_query = TestPostgres.slow_query

    @pytest.fixture(scope="class")
    @classmethod
    def writer_url(cls, embedded_postgres_url: str) -> str:
        return embedded_postgres_url.replace("postgresql://", "postgresql+psycopg://")


@pytest.mark.no_cover
@pytest.mark.real_server
class TestSqlAlchemyMariaDb(OfSqlAlchemy):
    name = "sqlalchemy-mariadb"
    slow_query = "SELECT count(*) AS n FROM " + ", ".join(f"information_schema.columns {name}" for name in "abcd")
    # Other collations ignore case, and blanks at the end.
    collation = "utf8mb4_nopad_bin"

    @pytest.fixture(scope="class")
    @classmethod
    def writer_url(cls, mariadb_database_url: str) -> str:
        return mariadb_database_url.replace("mysql+", "mariadb+")


# The same server's other name.
@pytest.mark.nightly
class TestSqlAlchemyMySql(TestSqlAlchemyMariaDb):
    """MySQL's dialect, on the same server: it speaks the same protocol."""

    name = "sqlalchemy-mysql"

    @pytest.fixture(scope="class")
    @classmethod
    def writer_url(cls, mariadb_database_url: str) -> str:
        return mariadb_database_url


# Read by a plugin alone, and the contract is covered above.
@pytest.mark.no_cover
class TestFilesCsv(ConnectorContract):
    """Each format is written once: no test changes a file."""

    suffix = ".csv"
    size = DEFAULT_ROWS
    counts = Counts.WITHOUT_FILTERS

    @pytest.fixture
    def connector(self) -> Connector:
        return find_connector("files")

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return tmp_path_factory.mktemp("contract")

    @pytest.fixture
    def source(self, folder: Path) -> DataSource:
        return DataSource("contract", "files", Secret(f"files://{folder}"))

    @pytest.fixture(scope="class")
    @classmethod
    def loaded(cls, folder: Path) -> LoadedTable:
        return write_file(build_contract_table(cls.size), folder, cls.suffix)


class TestFilesParquet(TestFilesCsv):
    suffix = ".parquet"


class TestFilesJsonLines(TestFilesCsv):
    suffix = ".jsonl"


class TestFilesJsonArray(TestFilesCsv):
    suffix = ".json"
    size = SOME_ROWS
    counts = Counts.NEVER


class TestFilesXml(TestFilesCsv):
    suffix = ".xml"
    size = SOME_ROWS
    counts = Counts.NEVER

    @pytest.fixture
    def source(self, folder: Path) -> DataSource:
        return DataSource("contract", "files", Secret(f"files://{folder}?record=row"))

    @pytest.fixture
    def unreachable(self, folder: Path) -> DataSource:
        return DataSource("contract", "files", Secret(f"files://{folder}/does/not/exist?record=row"))


class TestFilesWorkbook(TestFilesCsv):
    suffix = ".xlsx"
    counts = Counts.NEVER

    @pytest.fixture(scope="class")
    @classmethod
    def loaded(cls, folder: Path) -> LoadedTable:
        return write_file(fit_workbook(build_contract_table(SOME_ROWS)), folder, cls.suffix)


class TestFake(ConnectorContract):
    """The fake that this project ships for tests keeps the same promises."""

    @pytest.fixture
    def connector(self) -> Connector:
        return FakeConnector()

    @pytest.fixture
    def source(self) -> DataSource:
        return DataSource("contract", "fake", Secret("fake://memory"))

    @pytest.fixture
    def unreachable(self) -> DataSource:
        return DataSource("contract", "fake", Secret("fake://ann:s3cr3t-of-the-contract@unreachable"))
