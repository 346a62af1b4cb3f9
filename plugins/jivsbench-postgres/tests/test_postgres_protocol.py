"""What really goes to the server, seen by a proxy: never a statement by the simple protocol, which takes several at once."""

import contextlib
import secrets
import socket
import struct
from collections import defaultdict
from urllib.parse import urlsplit

import psycopg
import pytest

from jivsbench.api import ReadLimits
from jivsbench.errors import JivsbenchError
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, Filter, Operator, TableName
from jivsbench.testing.tcp_proxy import TcpProxy
from jivsbench_postgres.connector import PostgresConnector

HOSTILE = ("'; DROP TABLE prey; --", "1; SELECT 1", "\\'; COMMIT; --", "$$; SELECT 1; $$")
STACKED = ("SELECT 1; SELECT 2", "SELECT 1; DROP TABLE pg_temp.x", "SELECT 1) TO STDOUT; SELECT 2; COPY (SELECT 1")


class RecordingProxy(TcpProxy):
    """Keeps what clients say, a stream a connection."""

    def __init__(self, host: str, port: int) -> None:
        self.said: dict[int, bytearray] = defaultdict(bytearray)
        super().__init__(host, port)

    def _send(self, receiver: socket.socket, chunk: bytes) -> None:
        if receiver.getpeername() == self._target:
            self.said[receiver.getsockname()[1]] += chunk
        super()._send(receiver, chunk)

    def messages(self) -> list[tuple[str, bytes]]:
        """Type and body of every message after the start of each session; requests to cancel have none."""
        return [message for stream in self.said.values() for message in split_messages(bytes(stream))]


def split_messages(stream: bytes) -> list[tuple[str, bytes]]:
    """By the lengths that each message begins with."""
    at = struct.unpack_from(">I", stream)[0]
    found = []
    while at < len(stream):
        (size,) = struct.unpack_from(">I", stream, at + 1)
        found.append((chr(stream[at]), stream[at + 5 : at + 1 + size]))
        at += 1 + size
    return found


@pytest.fixture
def proxy(embedded_postgres_url: str):
    """In front of the server."""
    parts = urlsplit(embedded_postgres_url)
    with RecordingProxy("127.0.0.1", parts.port) as proxy:
        yield proxy


@pytest.fixture
def session(proxy: RecordingProxy, embedded_postgres_url: str):
    """A session through it, in plain text."""
    parts = urlsplit(embedded_postgres_url)
    url = f"postgresql://{parts.username}:{parts.password}@127.0.0.1:{proxy.port}{parts.path}?sslmode=disable"
    connection = PostgresConnector().connect(DataSource("main", "postgres", Secret(url)), ReadLimits())
    with contextlib.closing(connection):
        yield connection


@pytest.fixture
def prey(embedded_postgres_url: str):
    """A table with one row."""
    name = f"prey_{secrets.token_hex(4)}"
    with psycopg.connect(embedded_postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE TABLE {name} AS SELECT 1 AS id, 'nothing'::text AS note")
        yield TableName(name, "public")
        admin.execute(f"DROP TABLE {name}")


def read(connection, request: ExtractionRequest) -> int:
    """All that a job does with a session; how many rows came."""
    connection.begin()
    try:
        schema = connection.schema(request)
        (partition,) = connection.partitions(request, schema, 1)
        rows = sum(batch.num_rows for batch in connection.read(partition))
        connection.fingerprint(partition)
        connection.fingerprint_columns(partition)
        connection.fingerprint_rows(partition)
    finally:
        connection.reset()
    return rows


def test_every_statement_goes_by_the_extended_protocol(proxy: RecordingProxy, session, prey: TableName) -> None:
    """Facts, tables, privileges, filters with hostile values, queries, figures and resets: no message of type Q."""
    session.test()
    session.tables()
    session.excess_privileges()
    for value in HOSTILE:
        for operator, values in ((Operator.EQUAL, (value,)), (Operator.LIKE, (value,)), (Operator.IN, (value, "x"))):
            assert read(session, ExtractionRequest("main", prey, filters=(Filter("note", operator, values),))) == 0
    assert read(session, ExtractionRequest("main", query="SELECT 1 AS one")) == 1

    kinds = [kind for kind, _ in proxy.messages()]
    assert "Q" not in kinds
    assert kinds.count("P") > 50


@pytest.mark.parametrize("query", STACKED)
def test_a_stacked_query_that_no_guard_saw_is_refused_by_the_server(proxy: RecordingProxy, session, query) -> None:
    """The protocol takes one statement, and the message of the error repeats nothing of it."""
    with pytest.raises(JivsbenchError):
        read(session, ExtractionRequest("main", query=query))

    assert "Q" not in [kind for kind, _ in proxy.messages()]
    assert read(session, ExtractionRequest("main", query="SELECT 1 AS one")) == 1


def test_the_proxy_would_see_the_simple_protocol(proxy: RecordingProxy, session) -> None:
    """The test above can fail: a statement that is sent the careless way is seen, and takes two at once."""
    session._wire.driver.pgconn.exec_(b"SELECT 1; SELECT 2")

    assert ("Q", b"SELECT 1; SELECT 2\0") in proxy.messages()
