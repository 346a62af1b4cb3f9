"""TLS against a MariaDB of the test's own, with a certificate that some authorities vouch for and others do not."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest
import trustme

from jivsbench.errors import AccessDeniedError, SourceUnreachableError
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench_mysql.connector import MysqlConnector
from tests.machine import leave_out
from tests.mysql_database import LIMITS, connect_admin, query, read

pytestmark = pytest.mark.real_server

USER = "tls_reader"


def find_program(name: str) -> str:
    """A program of the server's package, also where a user's path does not lead."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    return found or leave_out(f"there is no {name} on this machine")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates: the server's, for `localhost`, its authority's, and a stranger's."""
    folder = tmp_path_factory.mktemp("tls")
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    stranger.cert_pem.write_to_path(folder / "stranger.pem")
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    return folder


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    """A MariaDB with that certificate, and a user who must use TLS."""
    server, install = find_program("mariadbd"), find_program("mariadb-install-db")
    data = folder / "data"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    same = ["--no-defaults", f"--datadir={data}", "--user=root"]
    subprocess.run(
        [install, *same, "--auth-root-authentication-method=normal", "--skip-test-db"], check=True, capture_output=True
    )
    ssl = [f"--ssl-ca={folder}/ca.pem", f"--ssl-cert={folder}/cert.pem", f"--ssl-key={folder}/key.pem"]
    settings = [f"--port={port}", f"--socket={folder}/sock", "--bind-address=127.0.0.1", f"--pid-file={folder}/pid"]
    process = subprocess.Popen([server, *same, *ssl, *settings], stderr=subprocess.DEVNULL)
    try:
        _make_users(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _make_users(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            admin = connect_admin(f"mysql://root@127.0.0.1:{port}")
            break
        except pymysql.err.OperationalError:
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.1)
    with contextlib.closing(admin), admin.cursor() as cursor:
        cursor.execute(f"CREATE USER {USER} IDENTIFIED BY 'secret' REQUIRE SSL")


def ask_cipher(port: int, options: str, host: str = "localhost") -> str:
    """The cipher of a session's line; empty when it has none."""
    source = DataSource("tls", "mysql", Secret(f"mysql://{USER}:secret@{host}:{port}/?{options}"))
    with contextlib.closing(MysqlConnector().connect(source, LIMITS)) as session:
        rows = read(
            session,
            query("SELECT VARIABLE_VALUE AS cipher FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'"),
        )
        big = read(session, query("SELECT repeat('x', 3000000) AS t UNION ALL SELECT 'y'"))
    assert [len(text) for text in big["t"].to_pylist()] == [3_000_000, 1]
    return str(rows["cipher"].to_pylist()[0])


@pytest.mark.parametrize(
    "options", ["ssl-mode=PREFERRED", "ssl-mode=REQUIRED", "ssl-ca={}/ca.pem", "ssl-mode=VERIFY_IDENTITY&ssl-ca={}/ca.pem"]
)
def test_a_line_is_encrypted(port: int, folder: Path, options: str) -> None:
    """And read in blocks all the same."""
    assert ask_cipher(port, options.format(folder))


def test_an_authority_that_nobody_knows_is_refused(port: int, folder: Path) -> None:
    """A stranger's, or none of this machine's; and the right one's certificate for another host."""
    for options, host in (
        (f"ssl-mode=VERIFY_CA&ssl-ca={folder}/stranger.pem", "localhost"),
        ("ssl-mode=VERIFY_CA", "localhost"),
        (f"ssl-mode=VERIFY_IDENTITY&ssl-ca={folder}/ca.pem", "127.0.0.1"),
    ):
        with pytest.raises(SourceUnreachableError, match="do not agree on TLS"):
            ask_cipher(port, options, host)
    assert ask_cipher(port, f"ssl-mode=VERIFY_CA&ssl-ca={folder}/ca.pem", "127.0.0.1")


def test_a_user_who_must_use_tls_is_refused_without(port: int) -> None:
    """By the server; the message shows no password."""
    with pytest.raises(AccessDeniedError) as caught:
        ask_cipher(port, "ssl-mode=DISABLED")

    assert "secret" not in str(caught.value)
