"""URLs that lead where nobody allowed, written in every way that drivers read and parsers overlook. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

ALLOWED_HOST: Final = "127.0.0.1"
FORBIDDEN_HOST: Final = "127.0.0.2"
REBOUND: Final = "rebind-{count}-{connector}.invalid"
"""Names of which the control's lying name server tells an allowed address `count` times, and then a forbidden one."""
_LOCAL: Final = (
    *("169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "[::ffff:169.254.169.254]"),
    *("[fe80::1]", "[fd00:ec2::254]", "100.100.100.200", "0.0.0.0", "[::]", "224.0.0.1"),  # noqa: S104 - nobody binds it
)

_BY_SQLALCHEMY: Final = (
    ("sqlalchemy-postgresql", "sqlalchemy+postgresql+psycopg"),
    ("sqlalchemy-mysql", "sqlalchemy+mysql+pymysql"),
)
"""Which reads URLs by itself; with drivers that come with the project."""
_SCHEMES: Final = (("postgres", "postgresql"), ("mysql", "mysql"), *_BY_SQLALCHEMY)
_MARKS: Final = ("/", "?", "#", "\\")
"""Where a host ends for one reader of a URL, while another still reads the password."""


@dataclass(frozen=True, slots=True)
class HostileUrl:
    """One URL. `is_final`: that it is stored at all is the finding, and nobody is asked to connect to it.

    `may_open`: the place itself is allowed, and what counts is where it leads to.
    """

    name: str
    connector: str
    url: str
    is_final: bool = False
    may_open: bool = False


@dataclass(frozen=True, slots=True)
class Traps:
    """Where a connection would be noticed."""

    port: int
    redirect_port: int
    folder: Path
    """Holds a socket file, a service file, a database of SQLite; allowed to nobody."""

    def name_places(self, text: str) -> str:
        """The text without what was chosen for one run alone: in another run it is the same."""
        for port, word in ((self.port, "PORT"), (self.redirect_port, "REDIRECT")):
            text = re.sub(rf"(?<!\d){port}(?!\d)", word, text)
        return text.replace(quote(str(self.folder), safe=""), "%2FFOLDER").replace(str(self.folder), "/FOLDER")


def list_neighbours() -> Iterator[HostileUrl]:
    """Addresses of a machine's own neighbourhood, where clouds answer with credentials: never, with any list or none."""
    for host in _LOCAL:
        yield HostileUrl(f"link-local {host}", "postgres", f"postgresql://u:p@{host}:5432/d", is_final=True)
        yield HostileUrl(
            f"link-local {host} in the query", "postgres", f"postgresql://u:p@/d?host={host.strip('[]')}", is_final=True
        )
        yield HostileUrl(f"link-local {host}", "mysql", f"mysql://u:p@{host}:3306/d", is_final=True)
    host = _LOCAL[0]
    for connector, scheme in _BY_SQLALCHEMY:
        for mark in _MARKS:
            url = f"{scheme}://{ALLOWED_HOST}:1{mark}p@{host}:1/d"
            yield HostileUrl(f"link-local {host} behind a password with {mark}", connector, url, is_final=True)
    yield HostileUrl(f"link-local {host} behind a socket", "postgres", f"postgresql:///d?host=/tmp,{host}", is_final=True)


def list_elsewhere(traps: Traps) -> Iterator[HostileUrl]:
    """Hosts, ports, sockets and files that are not on the list."""
    evil, good, port = FORBIDDEN_HOST, ALLOWED_HOST, traps.port
    for host in (evil, "127.2", "0x7f000002", "2130706434", "0177.0.0.2", "[::ffff:127.0.0.2]", "127.0.0.002", f"{evil}."):
        yield HostileUrl(f"another host, {host}", "postgres", f"postgresql://u:p@{host}:{port}/d")
        yield HostileUrl(f"another host, {host}", "mysql", f"mysql://u:p@{host}:{port}/d")
    for name, rest in (
        ("multi-host", f"u:p@{good}:{port},{evil}:{port}/d"),
        ("multi-host, evil first", f"u:p@{evil}:{port},{good}:{port}/d"),
        ("multi-host, encoded comma", f"u:p@{good}%2C{evil}:{port}/d"),
        ("encoded at sign", f"u:p@{good}%40{evil}:{port}/d"),
        ("hash before the host", f"u:p@{good}#@{evil}:{port}/d"),
        ("backslash", f"u:p@{good}\\@{evil}:{port}/d"),
        ("tab in the host", f"u:p@127.0.0.\t2:{port}/d"),
        ("no host but the query's", f"u:p@:{port}/d?host={evil}"),
    ):
        yield HostileUrl(name, "postgres", f"postgresql://{rest}")
    for connector, scheme in _SCHEMES:
        for mark in _MARKS:
            url = f"{scheme}://{good}:{port}{mark}p@{evil}:{port}/d"
            yield HostileUrl(f"password with {mark} and no user", connector, url)
        yield HostileUrl("two at signs", connector, f"{scheme}://u:p@{good}@{evil}:{port}/d")
    for query in (
        *(
            f"host={evil}",
            f"HOST={evil}",
            f"%68ost={evil}",
            f"hostaddr={evil}",
            f"host={good},{evil}",
            f"host={good}&host={evil}",
        ),
        *(f"host={evil}&host={good}", f"hostaddr={good},{evil}&host={good},{good}", f"dbname=host%3D{evil}%20port%3D{port}"),
        *(f"host=/tmp,{evil}", f"host={good}%00{evil}", "sslcert=x%00"),
    ):
        yield HostileUrl(f"query {query}", "postgres", f"postgresql://u:p@{good}:{port}/d?{query}")
    folder = quote(str(traps.folder), safe="")
    yield HostileUrl("socket file", "postgres", f"postgresql://u:p@/d?host={traps.folder}")
    yield HostileUrl("socket file as host", "postgres", f"postgresql://u:p@{folder}/d")
    yield HostileUrl("socket file", "mysql", f"mysql://u:p@{good}:{port}/d?socket={folder}%2F.s.PGSQL.5432")
    yield HostileUrl("file", "sqlite", f"sqlite:///{traps.folder / 'other.db'}")
    yield HostileUrl("file by ..", "sqlite", f"sqlite:///{traps.folder / 'x' / '..' / 'other.db'}")
    yield HostileUrl("file from the working folder", "sqlite", f"sqlite:///{'../' * 40}{traps.folder.relative_to('/')}/other.db")
    yield HostileUrl("file", "sqlalchemy-sqlite", f"sqlalchemy+sqlite:///{traps.folder / 'other.db'}")
    yield HostileUrl("folder of files", "files", f"files://{traps.folder}")
    yield HostileUrl("HTTP", "rest", f"rest+http://{evil}:{port}/")
    yield HostileUrl("redirected HTTP", "rest", f"rest+http://{good}:{traps.redirect_port}/", may_open=True)


def list_smuggled(traps: Traps) -> Iterator[HostileUrl]:
    """Pieces of a URL that a careless connection string reads as settings of its own."""
    evil, good, port = FORBIDDEN_HOST, ALLOWED_HOST, traps.port
    settings = f"host={evil} port={port} sslmode=disable"
    for text in (
        settings,
        f"d' {settings} '",
        f"d {settings}",
        f"d\\' {settings}",
        f"service=evil {settings}",
        f"postgresql://{evil}:{port}/d",
    ):
        piece = quote(text, safe="")
        yield HostileUrl("settings as database", "postgres", f"postgresql://u:p@{good}:1/{piece}")
        yield HostileUrl("settings as user", "postgres", f"postgresql://{piece}:p@{good}:1/d")
        yield HostileUrl("settings as password", "postgres", f"postgresql://u:{piece}@{good}:1/d")


def list_overriding(url: str, traps: Traps) -> Iterator[HostileUrl]:
    """The source's own URL, with options that undo the session's settings or name files. None may lead to a session."""
    if urlsplit(url).scheme not in {"postgresql", "postgres"}:
        return
    joint = "&" if urlsplit(url).query else "?"
    service = quote(str(traps.folder / "service.conf"), safe="")
    for option in (
        *("options=-c%20default_transaction_read_only%3Doff", "options=-csearch_path%3Devil", "OPTIONS=-cstatement_timeout%3D0"),
        *(
            f"service=evil&servicefile={service}",
            "service=evil",
            f"passfile={service}",
            "replication=database",
            "dbname=postgres",
        ),
        *("user=postgres", "password=x", "port=1", "application_name=other", "client_encoding=SQL_ASCII", "sslpassword=x"),
        *(
            "target_session_attrs=any",
            "load_balance_hosts=random",
            "requirepeer=postgres",
            "connect_timeout=0",
            "sslkeylogfile=x",
        ),
    ):
        yield HostileUrl(f"option {option.partition('=')[0]}", "postgres", f"{url}{joint}{option}")


def list_rebinding(port: int) -> Iterator[HostileUrl]:
    """Names that stand for an allowed address when they are looked at, and for another one later."""
    for count in (1, 2, 3):
        for connector, form in (
            ("postgres", "postgresql://u:p@{}:{}/d"),
            ("mysql", "mysql://u:p@{}:{}/d"),
            ("rest", "rest+http://{}:{}/"),
        ):
            host = REBOUND.format(count=count, connector=connector)
            yield HostileUrl(f"DNS rebinding after {count} answers", connector, form.format(host, port))
