"""What goes wrong, told in one line of this project's own, without a password, a value or a word of the server's."""

import socket
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from jivsbench.errors import (
    AccessDeniedError,
    ConfigError,
    DeadlineError,
    ExtractionError,
    JivsbenchError,
    MissingObjectError,
    SourceUnreachableError,
)
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import Filter, Operator
from jivsbench.testing.tcp_proxy import Fault, TcpProxy
from jivsbench_mysql.address import Tls, TlsMode, build_tls_context, parse_address
from jivsbench_mysql.connector import MysqlConnector
from tests.mysql_database import LIMITS, Execute, Opener, part_of, query, read, table

PASSWORD = "pä$$ w0rd:/@#?%"  # what a URL and the protocol could trip over
QUOTED = "p%C3%A4%24%24%20w0rd%3A%2F%40%23%3F%25"


@pytest.fixture
def reader(execute: Execute, url: str) -> Iterator[str]:
    """URL of a user who may read this database and has a password."""
    name = f"jivs_{uuid.uuid4().hex[:10]}"
    execute(f"CREATE USER {name} IDENTIFIED BY %s", PASSWORD)
    execute(f"GRANT SELECT ON `{urlsplit(url).path[1:]}`.* TO {name}")
    yield url.replace("root@", f"{name}:{QUOTED}@")
    execute(f"DROP USER {name}")


@pytest.mark.real_server
def test_a_reader_with_a_password_reads_and_cannot_write(reader: str, execute: Execute, open_session: Opener) -> None:
    """Any characters of a password; `test` says that the user may not write."""
    execute("CREATE TABLE t (id INT PRIMARY KEY)")
    session = open_session(url=reader)

    assert not session.test().may_write
    assert read(session, table("t")).num_rows == 0
    assert [str(name) for name in session.tables()] == ["t"]


@pytest.mark.real_server
def test_what_a_log_in_can_meet_is_told_apart(reader: str, open_session: Opener, url: str) -> None:
    """A wrong password, an unknown database, a server that has no TLS or another one than was asked for."""
    cases = [
        (reader.replace(QUOTED, "wrong-secret"), AccessDeniedError, "check the user, the password"),
        (url + "_none", MissingObjectError, "no such database"),
        (reader + "_none", (AccessDeniedError, MissingObjectError), "refuses|no such database"),
        ("mysql://root@no-such-host.invalid/x", SourceUnreachableError, "no MySQL server answers"),
    ]
    for wanted, kind, text in cases:
        with pytest.raises(kind, match=text) as caught:
            open_session(url=wanted)
        assert "secret" not in str(caught.value)
        assert "w0rd" not in str(caught.value)


@pytest.mark.real_server
def test_tls_that_is_required_is_never_left_out(execute: Execute, open_session: Opener, url: str) -> None:
    """A server without it is refused; without a word about TLS the line is what the server has."""
    if execute("SELECT @@have_ssl")[0][0] == "YES":
        assert read(open_session(url=url + "?ssl-mode=REQUIRED"), query("SELECT 1 AS a")).num_rows == 1
        return
    for mode in ("REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"):
        with pytest.raises(SourceUnreachableError, match="TLS"):
            open_session(url=f"{url}?ssl-mode={mode}")

    assert open_session(url=url + "?ssl-mode=DISABLED").is_alive()
    assert open_session(url=url + "?ssl-mode=preferred").is_alive()


@pytest.mark.real_server
def test_a_server_that_falls_silent_is_given_up(open_session: Opener, url: str) -> None:
    """While it is asked for a session, and in the middle of one."""
    parts = urlsplit(url)
    limits = replace(LIMITS, connect_timeout_s=0.5)
    with TcpProxy("127.0.0.1", parts.port or 3306) as proxy:
        through = f"mysql://{parts.username}@127.0.0.1:{proxy.port}{parts.path}"
        session = open_session(url=through, limits=limits)
        assert session.is_alive()
        proxy.set_fault(Fault.HOLD)
        started = time.monotonic()
        assert not session.is_alive()
        with pytest.raises(SourceUnreachableError):
            open_session(url=through, limits=limits)
        assert time.monotonic() - started < 3
        proxy.set_fault(Fault.REFUSE)
        with pytest.raises(SourceUnreachableError):
            session.tables()
        session.close()


@pytest.mark.real_server
def test_a_line_that_breaks_while_rows_come_is_said_so(open_session: Opener, url: str) -> None:
    """Never taken for the end of the rows."""
    parts = urlsplit(url)
    with TcpProxy("127.0.0.1", parts.port or 3306) as proxy:
        session = open_session(url=f"mysql://{parts.username}@127.0.0.1:{proxy.port}{parts.path}")
        rows = session.read(
            part_of(session, query("SELECT repeat('x', 100000) AS t FROM information_schema.COLUMNS AS a LIMIT 500"))
        )
        next(rows)
        proxy.set_fault(Fault.REFUSE)
        with pytest.raises(SourceUnreachableError, match="broke the connection"):
            list(rows)


@pytest.mark.real_server
def test_a_killed_session_is_said_so(execute: Execute, open_session: Opener) -> None:
    """It is not alive, and a later statement says why."""
    session = open_session()
    execute(f"KILL {session._wire.driver.thread_id()}")

    assert not session.is_alive()
    with pytest.raises(SourceUnreachableError):
        session.begin()


@pytest.mark.real_server
def test_a_locked_table_does_not_hold_a_reader_for_long(execute: Execute, open_session: Opener) -> None:
    """It gives up its place in the queue after two seconds."""
    execute("CREATE TABLE t (id INT PRIMARY KEY)")
    session = open_session()
    partition = part_of(session, table("t"))
    execute("LOCK TABLES t WRITE")
    try:
        with pytest.raises(DeadlineError, match="holds a lock"):
            list(session.read(partition))
    finally:
        execute("UNLOCK TABLES")


FITS = [
    ("INT", (1, "1", "1.0", 1.0), 1),
    ("DECIMAL(10,2)", ("1.50", 1.5), "1.50"),
    ("DOUBLE", (0.5, "0.5", "5e-1"), "0.5"),
    ("FLOAT", (0.1, "0.1", "1e-1"), "0.1"),
    ("FLOAT", ("1e-40", 1e-40), "1e-40"),
    ("BIT(1)", (True, "true", 1, "1"), 1),
    ("DATE", ("2020-02-29",), "2020-02-29"),
    ("TIME", ("05:00:00", "5:00"), "05:00:00"),
    ("DATETIME(6)", ("2020-02-29T01:02:03.000004", "2020-02-29 01:02:03.000004"), "2020-02-29 01:02:03.000004"),
    ("TIMESTAMP(6) NULL", ("2020-02-29T01:02:03+01:00", "2020-02-29 00:02:03"), "2020-02-29 00:02:03"),
    ("VARCHAR(20)", ("it's \\ é",), "it's \\ é"),
    ("ENUM('a','b')", ("b",), "b"),
    ("VARBINARY(9)", ("a\0b",), "a\0b"),
]


@pytest.mark.real_server
@pytest.mark.parametrize(("declared", "values", "stored"), FITS, ids=[row[0] for row in FITS])
def test_a_filter_finds_a_value_of_its_type(
    *, execute: Execute, open_session: Opener, declared: str, values: tuple, stored: object
) -> None:
    """However it may be written."""
    execute(f"CREATE TABLE t (id INT PRIMARY KEY, v {declared})")
    execute("INSERT INTO t VALUES (1, %s), (2, NULL)", stored)
    session = open_session()

    for value in values:
        for operator in (Operator.EQUAL, Operator.IN, Operator.LESS_OR_EQUAL):
            assert read(session, table("t", Filter("v", operator, (value,))))["id"].to_pylist() == [1], value
        assert read(session, table("t", Filter("v", Operator.NOT_EQUAL, (value,)))).num_rows == 0
    assert read(session, table("t", Filter("v", Operator.IN, ()))).num_rows == 0


@pytest.mark.real_server
@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("INT", "1 OR 1=1"),
        ("INT", "1x"),
        ("INT", ""),
        ("DOUBLE", float("nan")),
        ("DATE", "2020-02-30"),
        ("DATE", "1"),
        ("DATETIME", "2020-01-01T00:00:00+01:00"),
        ("DATETIME", "2020-01-01 00:00:00.0000001"),
        ("TIMESTAMP NULL", "yesterday"),
        ("TIME", "1:2:3 OR 1"),
        ("VARCHAR(9)", "\ud800"),
    ],
)
def test_a_filter_of_another_type_is_refused(execute: Execute, open_session: Opener, declared: str, value: str) -> None:
    """Not compared by its first digits, as the server would; the message repeats no value."""
    execute(f"CREATE TABLE t (id INT PRIMARY KEY, v {declared})")
    execute("INSERT INTO t (id) VALUES (1)")

    with pytest.raises(ExtractionError, match="filter on column 'v'") as caught:
        read(open_session(), table("t", Filter("v", Operator.EQUAL, (value,))))

    assert "OR 1" not in str(caught.value)


def serve_log_in(listener: socket.socket, plugin: str, answers: list[bytes], received: list[bytes]) -> None:
    """What a server without TLS says, or whoever pretends to be one."""
    # Version 10, a name, a session, half of the salt, what it can do (no TLS), the other half, how it wants the password.
    hello = b"\x0a8.0.99\0" + bytes(4) + b"saltsalt\0" + b"\x08\x82" + b"\x2d\x02\0" + b"\x08\0" + b"\x15" + bytes(10)
    hello += b"saltsaltsalt\0" + plugin.encode() + b"\0"
    with listener.accept()[0] as client:
        client.settimeout(5)
        for number, payload in enumerate([hello, *answers]):
            client.sendall(len(payload).to_bytes(3, "little") + bytes([2 * number]) + payload)
            received.append(client.recv(4096))


@pytest.mark.parametrize(
    ("plugin", "answers"),
    [
        ("mysql_native_password", [b"\xfemysql_clear_password\0"]),
        ("mysql_native_password", [b"\xfedialog\0\x04Password: "]),
        ("caching_sha2_password", [b"\x01\x04", b"\x01-----BEGIN PUBLIC KEY-----\n"]),
        ("sha256_password", [b"\x01-----BEGIN PUBLIC KEY-----\n"]),
    ],
)
def test_no_password_goes_out_on_a_line_without_tls(plugin: str, answers: list[bytes]) -> None:
    """Neither as it is nor encrypted with a key that came over the same line."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve_log_in, args=(listener, plugin, answers, received))
        thread.start()
        url = f"mysql://ann:s3cret@127.0.0.1:{listener.getsockname()[1]}/d"
        with pytest.raises(AccessDeniedError, match="safe over TLS alone"):
            MysqlConnector().connect(DataSource("t", "mysql", Secret(url)), LIMITS)
        thread.join()

    assert received[-1] == b"", "the line ended after the last question"
    assert all(b"s3cret" not in packet for packet in received)


@pytest.mark.parametrize(
    "text",
    [
        "mysql://u:p#x@h/d",
        "mysql://u:secret@h:port/d",
        "mysql://u:secret/x@h/d",
        "postgresql://u:secret@h/d",
        "mysql://u:secret@h/d?local_infile=1",
        "mysql://u:secret@h/d?ssl-mode=SOMETIMES",
        "mysql://u:secret@a,b/d",
        "mysql://u:%00secret@h/d",
        "mysql://u:secret@/d?socket=/run/my%00.sock",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_parts(text: str) -> None:
    """An option could let the server ask for files, for one."""
    with pytest.raises(ConfigError) as caught:
        parse_address(Secret(text))

    assert "secret" not in str(caught.value)


def test_a_url_says_where_and_how() -> None:
    """User and password are percent-encoded; a certificate authority means that it is looked at."""
    address = parse_address(Secret(f"mariadb://a%40b:{QUOTED}@db:3307/shop?ssl-ca=/ca.pem"))

    assert (address.host, address.port, address.database, address.user) == ("db", 3307, "shop", "a@b")
    assert address.password.reveal() == PASSWORD
    assert address.tls.mode is TlsMode.VERIFY_IDENTITY
    assert "w0rd" not in repr(address)


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("mysql://u@db.example.com/d", TlsMode.VERIFY_IDENTITY),
        ("mysql://u@192.0.2.7/d?ssl-ca=/ca.pem", TlsMode.VERIFY_IDENTITY),
        ("mysql://u@db.example.com/d?ssl-mode=DISABLED", TlsMode.DISABLED),
        ("mysql://u@127.0.0.1/d", TlsMode.PREFERRED),
        ("mysql://u@127.0.0.1/d?ssl-ca=/ca.pem", TlsMode.VERIFY_CA),
        ("mysql://u@db/d?socket=/run/mysqld/mysqld.sock", TlsMode.PREFERRED),
    ],
)
def test_a_line_to_another_machine_is_verified_unless_the_url_says_otherwise(url: str, mode: TlsMode) -> None:
    """This machine and a socket stay as they were."""
    assert parse_address(Secret(url)).tls.mode is mode


@pytest.mark.real_server
def test_a_file_for_tls_that_is_not_there_is_named(open_session: Opener, url: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigError, match=r"no/such\.pem"):
        open_session(url=url + "?ssl-ca=/no/such.pem")


def test_a_file_for_tls_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    """And a key without its certificate, which would be left out without a word."""
    (tmp_path / "plain.pem").write_text("no certificate")
    path = str(tmp_path / "plain.pem")
    for tls, option in ((Tls(ca=path), "ssl-ca"), (Tls(cert=path), "ssl-cert"), (Tls(key=path), "ssl-cert")):
        with pytest.raises(ConfigError, match=f"(check|add) {option}"):
            build_tls_context(tls)


@pytest.mark.real_server
def test_no_error_of_the_server_is_repeated(execute: Execute, open_session: Opener) -> None:
    """Its number is: the text can hold values."""
    execute("CREATE TABLE t (id INT PRIMARY KEY)")
    with pytest.raises(JivsbenchError, match=r"error \d+") as caught:
        read(open_session(), query("SELECT 'Hypatia' FROMM t"))

    assert "Hypatia" not in str(caught.value)
