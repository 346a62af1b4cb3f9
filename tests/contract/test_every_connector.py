"""Every connector that is installed passes the contract; one without a place to run it fails this file."""

from pathlib import Path

import pytest

from jivsbench.api import Connector
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.testing.connector_contract import ConnectorContract
from jivsbench.testing.fakes import FakeConnector
from tests.contract.installed import registry

COVERED = {"postgres": "TestPostgres", "sqlite": "TestSqlite"}


def find_connector(name: str) -> Connector:
    """The installed connector of that name."""
    return registry().connector(name)


def test_every_installed_connector_has_its_contract() -> None:
    """A new connector must be added here, with a source to run it on."""
    installed = {connector.name for connector in registry().connectors}

    assert installed == set(COVERED)
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


class TestSqlite(ConnectorContract):
    slow_query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS n FROM n"

    @pytest.fixture
    def connector(self) -> Connector:
        return find_connector("sqlite")

    @pytest.fixture
    def source(self, tmp_path: Path) -> DataSource:
        return DataSource("contract", "sqlite", Secret(f"sqlite:///{tmp_path}/contract.db"))


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
