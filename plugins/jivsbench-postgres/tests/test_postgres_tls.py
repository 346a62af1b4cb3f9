"""Over TLS rows pass through libpq: the same rows, and the same ends."""

import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
import trustme
from psycopg.conninfo import conninfo_to_dict

from jivsbench.api import ReadLimits
from jivsbench.errors import CancelledJobError, ExtractionError, SourceUnreachableError
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, Partition
from jivsbench_postgres.address import build_conninfo, parse_address
from jivsbench_postgres.connection import PostgresConnection
from jivsbench_postgres.connector import PostgresConnector

AWKWARD = r"SELECT 7 AS id, E'a\tb\nc\\d\r' AS text, NULL::text AS nothing, '' AS empty, '\x0a5c'::bytea AS bytes"
SSL_REQUEST_BYTES = 8


class TlsProxy:
    """Ends TLS in front of a server that was built without it, as the server itself would."""

    def __init__(self, port: int) -> None:
        self._server = ("127.0.0.1", port)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(self._context)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.encrypted_bytes = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):
            client.recv(SSL_REQUEST_BYTES)
            client.sendall(b"S")
            line = self._context.wrap_socket(client, server_side=True)
            server = socket.create_connection(self._server)
            threading.Thread(target=self._pump, args=(line, server), daemon=True).start()
            self._pump(server, line)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError, ssl.SSLError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
                self.encrypted_bytes += len(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@pytest.fixture
def proxy(embedded_postgres_url: str) -> Iterator[TlsProxy]:
    """TLS in front of the embedded server."""
    made = TlsProxy(urlsplit(embedded_postgres_url).port or 0)
    yield made
    made.close()


@pytest.fixture
def session(embedded_postgres_url: str, proxy: TlsProxy) -> Iterator[PostgresConnection]:
    """A session that insists on TLS."""
    parts = urlsplit(embedded_postgres_url)
    url = f"postgresql://{parts.username}:{parts.password}@127.0.0.1:{proxy.port}{parts.path}?sslmode=require"
    connection = PostgresConnector().connect(DataSource("test", "postgres", Secret(url)), ReadLimits())
    yield connection
    connection.close()


def part_of(session: PostgresConnection, query: str) -> Partition:
    """A query as one partition, in a transaction."""
    session.begin()
    request = ExtractionRequest("test", query=query)
    return Partition(0, request, session.schema(request))


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql://u:p@db.example.com/d", "verify-full"),
        ("postgresql://u:p@192.0.2.7/d", "verify-full"),
        ("postgresql://u:p@127.0.0.1/d?sslrootcert=/ca.pem", "verify-full"),
        ("postgresql://u:p@db.example.com/d?sslmode=disable", "disable"),
        ("postgresql://u:p@db.example.com/d?sslmode=require", "require"),
        ("postgresql://u:p@127.0.0.1/d", None),
        ("postgresql://u:p@localhost/d", None),
        ("postgresql://u:p@/d?host=/run/postgresql", None),
    ],
)
def test_a_line_to_another_machine_is_verified_unless_the_url_says_otherwise(
    url: str, mode: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This machine and a socket stay as they were; the authorities are the URL's, else the environment's, else the system's."""
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kinds: [(0, 0, 0, "", ("192.0.2.7", 5432))])
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)
    system = ssl.get_default_verify_paths().cafile

    said = conninfo_to_dict(build_conninfo(parse_address(Secret(url)), ReadLimits()).decode())

    assert said.get("sslmode") == mode
    if mode == "verify-full":
        assert said.get("sslrootcert") == ("/ca.pem" if "sslrootcert" in url else system)
        monkeypatch.setenv("PGSSLROOTCERT", "/theirs.pem")
        own = conninfo_to_dict(build_conninfo(parse_address(Secret(url)), ReadLimits()).decode())
        assert own.get("sslrootcert") == ("/ca.pem" if "sslrootcert" in url else None)


def test_rows_are_the_same(session: PostgresConnection, proxy: TlsProxy) -> None:
    """Escapes, NULL, the empty string and bytes, through a line that is encrypted."""
    before = proxy.encrypted_bytes
    part = part_of(session, AWKWARD)

    rows = [row for batch in session.read(part) for row in batch.to_pylist()]

    assert rows == [{"id": 7, "text": "a\tb\nc\\d\r", "nothing": None, "empty": "", "bytes": b"\x0a\\"}]
    assert proxy.encrypted_bytes > before


def test_a_large_read_is_whole(session: PostgresConnection) -> None:
    """Several blocks, every row."""
    part = part_of(session, "SELECT i, repeat('x', 100) AS filler FROM generate_series(1, 50000) AS i")

    numbers = [number for batch in session.read(part) for number in batch.column(0).to_pylist()]

    assert numbers == list(range(1, 50_001))
    assert session.fingerprint(part).row_count == 50_000


def test_an_error_in_the_middle_is_told(session: PostgresConnection) -> None:
    """A division by zero at row 30,000."""
    part = part_of(session, "SELECT 1 / (30000 - i) AS v FROM generate_series(1, 60000) AS i")

    with pytest.raises(ExtractionError, match="22012"):
        list(session.read(part))


def test_a_reader_thrown_away_leaves_a_clean_session(session: PostgresConnection) -> None:
    """The rest of an endless copy is not the next statement's answer."""
    reader = session.read(part_of(session, "SELECT generate_series(1, 1000000000) AS id"))
    next(iter(reader))

    session.reset()

    assert next(iter(session.read(part_of(session, "SELECT 'next' AS v")))).to_pylist() == [{"v": "next"}]
    session.reset()


def test_a_cancel_ends_the_read(session: PostgresConnection) -> None:
    """The reader is told that it was asked for."""
    reader = iter(session.read(part_of(session, "SELECT generate_series(1, 1000000000) AS id")))
    next(reader)

    session.cancel()

    # As the host does until the query has ended: on a busy machine a cancel has not always time to arrive.
    with pytest.raises(CancelledJobError):
        deque((session.cancel() for _batch in reader), maxlen=0)
    with suppress(SourceUnreachableError):
        # A session whose rest did not come in time is closed, and says so.
        session.reset()
        assert session.is_alive()
