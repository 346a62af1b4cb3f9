"""Where connectors may connect to: what a URL can be made to say, and that nobody connects."""

import contextlib
import ipaddress
import socket
from pathlib import Path

import pytest

from jivsbench.api import ReadLimits, open_socket
from jivsbench.errors import DestinationError, SourceUnreachableError
from jivsbench.extract.destinations import ConfinedConnector, Destinations
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench_mysql.connector import MysqlConnector
from jivsbench_postgres.connector import PostgresConnector
from jivsbench_rest.connector import RestConnector

ALLOWED = ("db.example.com:5432", "127.0.0.0/8", "[::1]:6543", "/data/files", "reports.example.com")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "postgresql://u:S3cret@evil.test:5432/d",
            "postgresql://u:S3cret@db.example.com:5433/d",
            "postgresql://db.example.com/d",
        ),
        *("postgresql://a@db.example.com:5432,evil.test:5432/d", "postgresql://u:S3cret@db.example.com@evil.test:5432/d"),
        *("postgresql://db.example.com:5432/d?host=evil.test", "postgresql://db.example.com:5432/d?HOST=evil.test"),
        *("postgresql://db.example.com:5432/d?hostaddr=10.0.0.1", "postgresql:///d?host=/var/run/postgresql", "mysql://x.test/d"),
        *("mysql://db.example.com:5432/d?unix_socket=/run/mysqld.sock", "mssql+pyodbc://?odbc_connect=SERVER%3Devil"),
        *(
            "http://169.254.169.254/latest",
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://0.0.0.0/",
            "http://[::]/",
            "http://[fe80::1]/",
        ),
        *("http://[::ffff:169.254.169.254]/", "http://100.100.100.200/", "http://db.example.com.evil.test:5432/"),
        *(
            "sqlite:////etc/passwd",
            "sqlite:////data/files/../../etc/passwd",
            "sqlite:////data/files_evil/x",
            "files:///",
            "pg://[broken",
        ),
        # From the working folder, which is not allowed.
        *("sqlite:///data/files/a.db", "sqlite:///../../data/files/../a.db", "sqlalchemy+sqlite:///data/files/a.db"),
        *("sqlite:////etc/passwd?host=127.0.0.1", "sqlite://127.0.0.1//etc/passwd", "files:///etc?host=/data/files"),
        # One reader's path is another's password.
        *(f"{s}://127.0.0.1:3306{mark}y@evil.test:1/d" for s in ("mysql", "sqlalchemy+mysql+pymysql") for mark in "/?#"),
        *(
            "postgresql:///d?host=/data/files/s,evil.test",
            "postgresql:///d?host=/data/files,/etc",
            "pg://127.0.0.1/d?host=/data/files,x",
        ),
        *(
            "sqlite:////data/files/a%00b",
            "postgresql:///d?host=a%00b",
            "files:///data/files/a%00",
            "sqlite:////data/files/a\ud800",
        ),
        *("postgresql://127.0.0.1/d?sslcert=a%00", "postgresql://127.0.0.\t1/d", "odbc_x://127.0.0.1/d", "127.0.0.1"),
        "pg://?dsn=host%253D/data/files/a%2500b",
    ],
)
def test_urls_that_lead_elsewhere_are_refused(url) -> None:
    """Whatever part of the URL does it; the message repeats nothing."""
    with pytest.raises(DestinationError) as caught:
        Destinations(ALLOWED).check(Secret(url))
    assert "S3cret" not in str(caught.value)
    assert "evil" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        *("postgresql://u:p@db.example.com:5432/d", "postgresql://u@DB.Example.com.:5432/d", "postgresql://127.0.0.1:999/d"),
        *(
            "postgresql://[::1]:6543/d",
            "files:///data/files/2024",
            "sqlite:////data/files/a.db",
            "rest+https://reports.example.com/v1",
        ),
        *("redis://127.1/0", "memory:", "sqlalchemy+sqlite:////data/files/a.db", "files:///data/files/a@b"),
        *("postgresql:///d?host=/data/files", "mysql://127.0.0.1/d?socket=/data/files/my.sock"),
    ],
)
def test_allowed_urls_pass(url) -> None:
    """By name, by network, with their port, and in a folder."""
    Destinations(ALLOWED).check(Secret(url))


@pytest.mark.parametrize(
    "url",
    [
        *("http://169.254.169.254/", "http://0xa9fea9fe/", "http://[fe80::1%25eth0]/", "http://0/", "pg://224.0.0.1/d"),
        *("pg:///d?host=169.254.169.254,localhost", "pg:///d?host=169.254.169.254:5432", "pg://x,169.254.169.254/d"),
        *("pg://x,2852039166/d", "pg:///d?host=x,0", "postgresql:///d?host=/tmp,169.254.169.254"),
        *(
            "mssql+pyodbc://?odbc_connect=SERVER%3Dtcp%3A169.254.169.254%2C1433%3BUID%3Dann",
            "mssql+pyodbc://?odbc_connect=SERVER%253D169.254.169.254%253BUID%253Dann",
            "mssql+pyodbc://ann@db.test/d?Address=169.254.169.254",
            "mssql+pyodbc://ann@169.254.169.254\\SQLEXPRESS/d",
            "pg://?dsn=user%3Dann+host%3D169.254.169.254+dbname%3Dd",
        ),
    ],
)
def test_neighbours_are_refused_without_a_list_too(url) -> None:
    """And allowed by number only."""
    with pytest.raises(DestinationError, match="link-local"):
        Destinations().check(Secret(url))
    Destinations(("169.254.169.254",)).check(Secret("http://169.254.169.254/"))


def test_a_port_without_end_is_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """No driver takes it for a number, and nobody here stumbles over it."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])

    assert Destinations().check(Secret(f"postgresql:///d?host=db.test:{'9' * 5000}")) == ()


def test_a_relative_file_is_looked_for_in_the_working_folder(tmp_path, monkeypatch) -> None:
    """That is where SQLite opens it, whatever an allowed folder is called."""
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)

    Destinations((str(tmp_path / "data"),)).check(Secret("sqlite:///data/x.db"))
    for refused in ("sqlite:///x.db", "sqlite:///data/../x.db"):
        with pytest.raises(DestinationError, match="allowed folder"):
            Destinations((str(tmp_path / "data"),)).check(Secret(refused))


def test_without_a_host_a_server_is_the_one_of_this_machine() -> None:
    """By name, or by its addresses; a file of a kind that nobody here knows needs leave for its folder as well."""
    addresses = tuple({str(entry[4][0]) for entry in socket.getaddrinfo("localhost", None)})
    for allowed in (("localhost",), ("127.0.0.0/8", "::1")):
        (host,) = Destinations(allowed).check(Secret("postgresql:///shop"))
        assert (host.name, set(host.addresses)) == ("localhost", set(addresses))
    Destinations(("localhost", "/data")).check(Secret("acme:///data/x"))
    Destinations(("localhost", "/data")).check(Secret("sqlalchemy+acme:////data/x"))
    for url in ("postgresql:///data", "mysql:///data", "sqlalchemy+mysql:////data", "rest+http:///data", "acme:///data"):
        with pytest.raises(DestinationError, match="server"):
            Destinations(("/data",)).check(Secret(url))
    for refused in ("acme:///etc/x", "sqlalchemy+acme:////etc/x", "sqlalchemy+acme:///data/x"):
        with pytest.raises(DestinationError, match="allowed folder"):
            Destinations(("localhost", "/data")).check(Secret(refused))


def test_a_link_leads_where_it_leads(tmp_path) -> None:
    """An allowed folder does not allow what a link in it points to."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)

    Destinations((str(inside),)).check(Secret(f"files://{inside}/a"))
    with pytest.raises(DestinationError):
        Destinations((str(inside),)).check(Secret(f"files://{inside}/link/a"))


@pytest.mark.parametrize("connector", [PostgresConnector(), MysqlConnector(), RestConnector()], ids=lambda one: one.name)
def test_a_name_server_that_lies_the_second_time_changes_nothing(connector, monkeypatch) -> None:
    """The connector goes to the address that was looked at, not to what the name stands for a moment later."""
    answers = ["127.0.0.1", *["127.0.0.2"] * 9]
    real = socket.getaddrinfo

    def lie(host, port, *arguments, **others):
        if host != "db.test":
            return real(host, port, *arguments, **others)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), int(port or 0)))]

    monkeypatch.setattr(socket, "getaddrinfo", lie)
    with socket.create_server(("127.0.0.2", 0)) as trap, socket.create_server(("127.0.0.1", trap.getsockname()[1])) as meant:
        trap.settimeout(0.1)
        meant.settimeout(2.0)
        url = Secret(f"{connector.schemes[-1]}://db.test:{trap.getsockname()[1]}/d")
        confined = ConfinedConnector(connector, Destinations(("127.0.0.1",)))
        with contextlib.suppress(SourceUnreachableError):
            confined.connect(DataSource("main", connector.name, url), ReadLimits(connect_timeout_s=0.5)).close()
        meant.accept()[0].close()
        with pytest.raises(TimeoutError):
            trap.accept()


def test_a_socket_goes_to_the_first_address_that_answers() -> None:
    """As drivers do with the addresses of a name; without one that answers the last one's error is raised."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        open_socket(("127.0.0.3", "127.0.0.1"), port, 1.0).close()
    for addresses in (("127.0.0.3", "127.0.0.1"), ()):
        with pytest.raises(OSError, match=r"refused|no address"):
            open_socket(addresses, port, 1.0)


def test_nobody_connects_to_what_is_refused() -> None:
    """A listener sees no connection; with its address allowed it sees one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.3)
        source = DataSource("main", "postgres", Secret(f"postgresql://u@127.0.0.1:{listener.getsockname()[1]}/d?sslmode=disable"))
        refused = ConfinedConnector(PostgresConnector(), Destinations(("10.0.0.0/8",)))
        with pytest.raises(DestinationError):
            refused.connect(source, ReadLimits(connect_timeout_s=0.5))
        with pytest.raises(TimeoutError):
            listener.accept()

        allowed = ConfinedConnector(PostgresConnector(), Destinations(("127.0.0.1",)))
        with pytest.raises(SourceUnreachableError):
            allowed.connect(source, ReadLimits(connect_timeout_s=0.5))
        listener.accept()[0].close()


def test_a_zone_stays_with_its_address() -> None:
    """Without it nobody knows on which network a link-local address is; an entry with a zone allows no other."""
    zone = socket.if_nametoindex("lo")
    url = Secret("postgresql://u@[fe80::1%25lo]:5432/d")

    for allowed in ("fe80::/10", "fe80::1", "fe80::1%lo", f"fe80::1%{zone}"):
        (host,) = Destinations((allowed,)).check(url)
        assert (host.name, host.addresses) == ("fe80::1%lo", (f"fe80::1%{zone}",))
    for refused in ("fe80::1%eth99", f"fe80::1%{zone + 90}"):
        with pytest.raises(DestinationError):
            Destinations((refused,)).check(url)
    with pytest.raises(DestinationError, match="link-local"):
        Destinations().check(Secret("http://[fd00:ec2::254%25lo]/"))


def test_a_connector_reaches_a_link_local_address() -> None:
    """Through the real connector, which is told the address that was looked at."""
    lines = [line.split() for line in Path("/proc/net/if_inet6").read_text().splitlines()]
    own = [(str(ipaddress.IPv6Address(int(number, 16))), name) for number, *_, name in lines if number.startswith("fe80")]
    if not own:
        pytest.skip("this machine has no link-local address")
    address, name = own[0]
    with socket.socket(socket.AF_INET6) as listener:
        listener.bind((address, 0, 0, socket.if_nametoindex(name)))
        listener.listen()
        listener.settimeout(2.0)
        port = listener.getsockname()[1]
        source = DataSource("main", "rest", Secret(f"rest+http://[{address}%25{name}]:{port}/v1"))
        confined = ConfinedConnector(RestConnector(), Destinations((address,)))
        with contextlib.closing(confined.connect(source, ReadLimits(connect_timeout_s=0.5))) as session:
            session.test()
            listener.accept()[0].close()


@pytest.mark.parametrize("secret", ["s3cret~&x", "pass word", "p!ss", "a=b", "x$y", "50%~off", "ann;secret"])
def test_a_password_in_the_place_of_a_host_is_asked_of_nobody(secret, monkeypatch):
    """It is refused before a name server hears of it, and not repeated."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("a name server was asked"))
    with pytest.raises(DestinationError, match="no server can be called") as caught:
        Destinations().check(Secret(f"postgresql://{secret}"))

    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "127.0.0.1,127.0.0.2", "%2Fvar%2Frun%2Fpg", "127.0.0.1\\sql", "", "b%C3%BC"]
)
def test_whatever_can_be_a_host_is_taken_for_one(host, monkeypatch):
    """Numbers, several of them, a socket's folder, an instance, a name of another script."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])

    Destinations().check(Secret(f"postgresql://{host}/d"))
