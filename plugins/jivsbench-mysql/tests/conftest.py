"""Sessions with a MySQL or MariaDB server that this project did not start."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from jivsbench.api import ReadLimits
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource, TypePolicy
from jivsbench_mysql.connection import MysqlConnection
from jivsbench_mysql.connector import MysqlConnector
from tests.mysql_database import LIMITS, Execute, Opener, connect_admin, new_database


@pytest.fixture
def url(real_mysql_url: str) -> Iterator[str]:
    """URL of a database of this test's own."""
    with new_database(real_mysql_url.rpartition("/")[0]) as own:
        yield own


@pytest.fixture
def execute(url: str) -> Iterator[Execute]:
    """Run a statement beside the connector, with the server's own defaults but for its modes."""
    with contextlib.closing(connect_admin(url)) as admin, admin.cursor() as cursor:
        cursor.execute("SET sql_mode = '', time_zone = '+00:00'")

        def run(statement: str, *values: object) -> list[tuple]:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

        yield run


@pytest.fixture
def source(url: str) -> DataSource:
    """The database as a data source."""
    return DataSource("test", "mysql", Secret(url))


@pytest.fixture
def open_session(source: DataSource) -> Iterator[Opener]:
    """Opens sessions with the database, which are closed at the end."""
    with contextlib.ExitStack() as sessions:

        def connect(
            policy: TypePolicy = TypePolicy.ERROR, *, limits: ReadLimits = LIMITS, url: str | None = None
        ) -> MysqlConnection:
            wanted = replace(source, type_policy=policy, url=Secret(url) if url else source.url)
            return sessions.enter_context(contextlib.closing(MysqlConnector().connect(wanted, limits)))

        yield connect
