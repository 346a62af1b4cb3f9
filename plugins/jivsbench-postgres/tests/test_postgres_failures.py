"""Each way a server can fail is told apart, in time, and without a word of its own text or of the URL's secrets."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import psycopg
import pytest

from jivsbench.api import ReadLimits
from jivsbench.errors import (
    AccessDeniedError,
    ConfigError,
    ExtractionError,
    JivsbenchError,
    MissingObjectError,
    SourceUnreachableError,
)
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest
from jivsbench.testing.tcp_proxy import Fault, TcpProxy
from jivsbench_postgres.address import parse_address
from jivsbench_postgres.connector import PostgresConnector
from jivsbench_postgres.failures import build_connect_error, build_server_error
from tests.machine import fastest

CANARY = "s3cr3t-C4nary"
LIMITS = ReadLimits(connect_timeout_s=2.0, query_timeout_s=10.0)
MANY = ExtractionRequest("test", query="SELECT generate_series(1, 3000000) AS id, repeat('x', 100) AS pad")


def with_parts(
    url: str, *, user: str | None = None, password: str | None = None, database: str | None = None, port: int | None = None
) -> DataSource:
    """The server's URL with parts of it replaced."""
    parts = urlsplit(url)
    secret = password if password is not None else parts.password or ""
    place = f"{parts.hostname}:{port or parts.port}/{database or parts.path[1:]}"
    return DataSource("test", "postgres", Secret(f"postgresql://{user or parts.username}:{secret}@{place}"))


@pytest.fixture
def proxy(url: str) -> Iterator[TcpProxy]:
    """A proxy in front of the server, that can break."""
    parts = urlsplit(url)
    with TcpProxy(parts.hostname or "", parts.port or 0) as proxy:
        yield proxy


def test_a_wrong_password_is_access_denied(url: str, connector: PostgresConnector) -> None:
    """Naming the user and the place, not the password."""
    with pytest.raises(AccessDeniedError, match="refuses user 'jivsbench'") as caught:
        connector.connect(with_parts(url, password=CANARY), LIMITS)

    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_unknown_user_is_access_denied(url: str, connector: PostgresConnector) -> None:
    """The server does not tell it from a wrong password."""
    with pytest.raises(AccessDeniedError):
        connector.connect(with_parts(url, user="nobody", password=CANARY), LIMITS)


def test_a_missing_password_is_access_denied(url: str, connector: PostgresConnector) -> None:
    """And said to be missing."""
    with pytest.raises(AccessDeniedError, match="password, and the URL holds none"):
        connector.connect(with_parts(url, password=""), LIMITS)


def test_a_missing_database_is_a_missing_object(url: str, connector: PostgresConnector) -> None:
    """Host, port and database are named."""
    with pytest.raises(MissingObjectError, match=r"127\.0\.0\.1:\d+/no_such_database"):
        connector.connect(with_parts(url, database="no_such_database"), LIMITS)


def test_a_closed_port_and_an_unknown_host_are_unreachable(url: str, connector: PostgresConnector) -> None:
    """Each says where it looked."""
    with pytest.raises(SourceUnreachableError, match=r"127\.0\.0\.1:1/"):
        connector.connect(with_parts(url, port=1), LIMITS)
    with pytest.raises(SourceUnreachableError, match="host name is unknown"):
        connector.connect(replace(with_parts(url), url=Secret(f"postgresql://a:{CANARY}@no-such-host.invalid/x")), LIMITS)


def test_a_port_that_never_answers_is_given_up_in_time(url: str, connector: PostgresConnector) -> None:
    """Within the timeout, give or take a tenth."""

    def wait() -> float:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            started = time.monotonic()
            with pytest.raises(SourceUnreachableError, match="did not answer within 1 s"):
                connector.connect(with_parts(url, port=silent.getsockname()[1]), replace(LIMITS, connect_timeout_s=1.0))
            return time.monotonic() - started

    assert 0.9 < fastest(wait, 1.3) < 1.3


@pytest.mark.parametrize(
    "url_text",
    [
        f"postgresql://u:{CANARY}@h:port/d",
        f"postgresql://u:12#{CANARY}@h/d",
        f"postgresql://u:1/{CANARY}@h/d",
        f"postgresql://u:1?{CANARY}@h/d",
        f"postgresql://u:{CANARY}@h/d?service=x",
        f"postgresql://u:{CANARY}@h/d?passfile=/etc/passwd",
        f"postgresql://u:{CANARY}@h/d?options=-cstatement_timeout%3D0",
        f"postgresql://u:{CANARY}@h1,h2:1/d",
        f"postgresql://u:{CANARY}@/d?host=/tmp,127.0.0.2",
        f"postgresql://u:{CANARY}@%2Ftmp%2C127.0.0.2/d",
        f"postgresql://u:{CANARY}@h/d?sslmode=disable&sslcert=a%00b",
        f"postgresql://u:{CANARY}@/d?host=h%00",
        f"postgresql://u:{CANARY}@[::1/d",
        f"postgresql://u:{CANARY}%00@h/d",
        f"postgresql://u:%ff{CANARY}@h/d",
        f"mysql://u:{CANARY}@h/d",
    ],
)
def test_a_malformed_url_is_refused_without_an_echo(url_text: str) -> None:
    """No six characters of the password stand in the message."""
    with pytest.raises(ConfigError) as caught:
        parse_address(Secret(url_text))

    text = str(caught.value) + repr(caught.value.__cause__)
    assert not any(CANARY[i : i + 6] in text for i in range(len(CANARY) - 5))


def test_an_address_is_read_with_its_percent_signs() -> None:
    """A password may hold any character, percent-encoded."""
    address = parse_address(Secret("postgres://an%40n:p%2Fw%23@db:6543/my%20shop?sslmode=require"))

    assert (address.user, address.password.reveal(), address.place) == ("an@n", "p/w#", "db:6543/my shop")
    assert address.options == (("sslmode", "require"),)
    assert "p/w" not in repr(address)


def test_a_session_ended_by_the_server_is_unreachable_and_not_alive(session, admin: psycopg.Connection) -> None:
    """pg_terminate_backend in the middle of a read: an error at once, never a short result."""
    session.begin()
    partition = session.partitions(MANY, session.schema(MANY), 1)[0]
    batches = session.read(partition)
    next(batches)
    admin.execute("SELECT pg_terminate_backend(%s)", [session._wire.driver.info.backend_pid])

    with pytest.raises(SourceUnreachableError):
        list(batches)

    assert not session.is_alive()
    with pytest.raises(SourceUnreachableError):
        session.reset()


def test_a_connection_cut_in_the_middle_never_looks_complete(url: str, connector: PostgresConnector, proxy: TcpProxy) -> None:
    """The reader gets an error, not the end of the rows."""
    session = connector.connect(with_parts(url, port=proxy.port), LIMITS)
    session.begin()
    batches = session.read(session.partitions(MANY, session.schema(MANY), 1)[0])
    next(batches)
    proxy.set_fault(Fault.REFUSE)

    with pytest.raises(SourceUnreachableError):
        list(batches)

    assert not session.is_alive()
    session.close()


@pytest.mark.parametrize("moment", ["is_alive", "begin", "schema", "read", "reset"])
def test_a_server_that_falls_silent_is_given_up_in_time(
    moment: str, url: str, connector: PostgresConnector, proxy: TcpProxy
) -> None:
    """The socket stays open and nothing comes: keep-alives do not notice, the session's own limit does."""
    limits = replace(LIMITS, connect_timeout_s=1.0, query_timeout_s=0.1)
    session = connector.connect(with_parts(url, port=proxy.port), limits)
    session._long_s = 1.0
    if moment != "begin":
        session.begin()
    request = ExtractionRequest("test", query="SELECT generate_series(1, 100000) AS id, repeat('x', 100) AS pad")
    session._wire.run([], doing="nothing", patience_s=1.0)
    partition = session.partitions(request, session.schema(request), 1)[0]
    proxy.set_fault(Fault.HOLD)
    actions = {
        "is_alive": session.is_alive,
        "begin": session.begin,
        "schema": lambda: session.schema(request),
        "read": lambda: list(session.read(partition)),
        "reset": session.reset,
    }
    started = time.monotonic()
    if moment == "is_alive":
        assert not session.is_alive()
    else:
        with pytest.raises(SourceUnreachableError, match="silent for 1 s"):
            actions[moment]()

    assert time.monotonic() - started < 1.0 + 0.9 + 0.4
    assert not session._wire.is_open


def test_a_cancel_that_gets_no_answer_ends_within_a_second(url: str, connector: PostgresConnector, proxy: TcpProxy) -> None:
    """It never raises, whatever the network does."""

    def cancel() -> float:
        proxy.set_fault(Fault.NONE)
        session = connector.connect(with_parts(url, port=proxy.port), LIMITS)
        session.begin()
        batches = session.read(session.partitions(MANY, session.schema(MANY), 1)[0])
        next(batches)
        proxy.set_fault(Fault.HOLD)
        started = time.monotonic()
        canceller = threading.Thread(target=session.cancel)
        canceller.start()
        canceller.join()
        took_s = time.monotonic() - started
        session.close()
        return took_s

    assert fastest(cancel, 1.1) < 1.1


def test_a_table_dropped_after_planning_is_a_missing_object(session, reader, admin: psycopg.Connection, namespace: str) -> None:
    """Also a column that is gone; the next borrower gets a clean session."""
    admin.execute(f"CREATE TABLE {namespace}.t (a int, b int)")
    session.begin()
    partition = session.partitions(reader.request("t"), session.schema(reader.request("t")), 1)[0]
    admin.execute(f"ALTER TABLE {namespace}.t DROP b")

    with pytest.raises(MissingObjectError, match=r"no such column"):
        list(session.read(partition))
    session.reset()
    session.begin()
    admin.execute(f"DROP TABLE {namespace}.t")
    with pytest.raises(MissingObjectError, match="no such table"):
        list(session.read(partition))


def test_what_a_query_computes_wrong_is_told_without_its_values(session, reader) -> None:
    """The server's text would repeat the value; the SQLSTATE's name stays."""
    with pytest.raises(ExtractionError, match="22P02, InvalidTextRepresentation") as caught:
        reader.query(session, f"SELECT ('{CANARY}' || g)::int AS n FROM generate_series(1, 2) g")

    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("sqlstate", [*psycopg.errors._sqlcodes, None, "ZZ999"])
def test_every_sqlstate_becomes_an_error_of_this_project(sqlstate: str | None) -> None:
    """One line that names the place and what was asked."""
    error = build_server_error("db:5432/shop", "read table 't'", sqlstate, was_cancelled=False)

    assert isinstance(error, JivsbenchError)
    assert "db:5432/shop" in str(error)
    assert "read table 't'" in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("FATAL:  sorry, too many clients already", SourceUnreachableError),
        ("FATAL:  remaining connection slots are reserved for roles", SourceUnreachableError),
        ("FATAL:  the database system is starting up", SourceUnreachableError),
        ("FATAL:  the database system is not accepting connections", SourceUnreachableError),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "a", database "b", no encryption', AccessDeniedError),
        ("FATAL:  Passwort-Authentifizierung für Benutzer »a« fehlgeschlagen", AccessDeniedError),
        ("server does not support SSL, but SSL was required", SourceUnreachableError),
        ("SSL error: certificate verify failed", SourceUnreachableError),
        ("Connection refused", SourceUnreachableError),
    ],
)
def test_a_refused_log_in_is_told_by_its_known_words(text: str, kind: type[JivsbenchError]) -> None:
    """There libpq gives no SQLSTATE; what is unknown but FATAL was said by a server."""
    assert type(build_connect_error("db:1/x", "a", text, needs_password=False)) is kind
