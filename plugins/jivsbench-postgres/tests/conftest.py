"""Sessions with two servers: an embedded PostgreSQL, and one that this project did not start."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

import psycopg
import pyarrow as pa
import pytest

from jivsbench.api import ReadLimits
from jivsbench.model.fingerprint import ColumnFingerprint, fingerprint_column
from jivsbench.model.row_fingerprint import RowFingerprint, fingerprint_rows, join_row_fingerprints
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource, TypePolicy
from jivsbench.model.table import ExtractionRequest, Filter, Partition, TableName
from jivsbench_postgres.connection import PostgresConnection
from jivsbench_postgres.connector import PostgresConnector

LIMITS = ReadLimits(connect_timeout_s=5.0, query_timeout_s=20.0, batch_rows=1000)


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.real_server)])
def any_url(request: pytest.FixtureRequest) -> str:
    """URL of each of the two servers."""
    return str(request.getfixturevalue(f"{request.param}_postgres_url"))


@pytest.fixture
def url(embedded_postgres_url: str) -> str:
    """URL of the embedded server."""
    return embedded_postgres_url


@pytest.fixture
def admin(url: str) -> Iterator[psycopg.Connection]:
    """A session of the owner, beside the connector."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def namespace(admin: psycopg.Connection) -> Iterator[str]:
    """A schema of this test's own."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin.execute(f"CREATE SCHEMA {name}")
    yield name
    admin.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture
def source(url: str) -> DataSource:
    """The server as a data source."""
    return DataSource("test", "postgres", Secret(url))


Opener = Callable[..., PostgresConnection]


@pytest.fixture
def open_session(source: DataSource, namespace: str) -> Iterator[Opener]:  # noqa: ARG001 - sessions end before the schema is dropped
    """Opens sessions that are closed after the test: `open_session(policy, limits)`."""
    opened: list[PostgresConnection] = []

    def open_one(policy: TypePolicy = TypePolicy.ERROR, limits: ReadLimits = LIMITS) -> PostgresConnection:
        opened.append(PostgresConnector().connect(replace(source, type_policy=policy), limits))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def session(open_session: Opener) -> PostgresConnection:
    """One session, without a transaction."""
    return open_session()


def whole(connection: PostgresConnection, request: ExtractionRequest) -> Partition:
    """A request as one partition."""
    return connection.partitions(request, connection.schema(request), 1)[0]


def check_figures(expected: tuple[ColumnFingerprint, ...], rows: pa.Table) -> None:
    """What the server says of its columns is what was read, wherever it gives figures."""
    for of_server, name in zip(expected, rows.column_names, strict=True):
        read = fingerprint_column(name, rows.column(name))
        assert of_server.name == name
        for figure in ("null_count", "total", "least", "greatest"):
            assert getattr(of_server, figure) in (None, getattr(read, figure)), (name, figure)


def check_rows(expected: RowFingerprint, rows: pa.Table) -> None:
    """The server's fingerprint of every row is that of what was read."""
    assert expected == join_row_fingerprints(fingerprint_rows(batch) for batch in rows.to_batches())


class Reader:
    """Reads tables and queries of one namespace in one go."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def request(self, table: str, *filters: Filter, columns: tuple[str, ...] = ()) -> ExtractionRequest:
        """A request for a table."""
        return ExtractionRequest("test", TableName(table, self.namespace), columns=columns, filters=filters)

    def read(self, connection: PostgresConnection, request: ExtractionRequest) -> pa.Table:
        """All rows, in a transaction of their own; the server's count must agree."""
        connection.begin()
        try:
            partition = whole(connection, request)
            rows = pa.Table.from_batches(connection.read(partition), partition.schema.to_arrow())
            assert connection.fingerprint(partition).row_count == rows.num_rows
            check_figures(connection.fingerprint_columns(partition), rows)
            check_rows(connection.fingerprint_rows(partition), rows)
        finally:
            connection.reset()
        return rows

    def query(self, connection: PostgresConnection, text: str) -> pa.Table:
        """All rows of a query."""
        return self.read(connection, ExtractionRequest("test", query=text))


@pytest.fixture
def reader(namespace: str) -> Reader:
    """Reads from this test's schema."""
    return Reader(namespace)


@pytest.fixture
def connector() -> PostgresConnector:
    """The connector itself."""
    return PostgresConnector()
