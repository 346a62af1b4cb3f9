"""What a source's URL tells, wherever in it that stands: where it leads, who logs in, and by what secret.

Drivers take the same facts in the middle of a URL, in its query, and in a connection string within its query.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, unquote_plus, urlsplit

from jivsbench.model.secret import Secret

_STRINGS: Final = frozenset({"dsn", "odbc_connect"})
_SERVERS: Final = frozenset({"host", "hostaddr", "server", "addr", "address", "network address", "data source"})
_FILES: Final = frozenset({"unix_socket", "socket", "service", "servicefile", "passfile", "read_default_file"})
PLACES: Final = _SERVERS | _FILES | _STRINGS
"""Options of drivers, and of connection strings, that name a place to connect to, or a file that does."""
_USERS: Final = frozenset({"user", "uid", "username", "user id"})
_SECRET: Final = re.compile(r"pass(word|wd|phrase)?$|pwd$|secret|token$|api_?key$", re.IGNORECASE)
_MOST_DIGITS: Final = 9
_PORTS: Final = range(1, 65_536)
_PAIR: Final = re.compile(r"\s*([\w ]+?)\s*=\s*('[^']*'|\{[^}]*\}|[^;\s]*)")


@dataclass(frozen=True, slots=True)
class UrlParts:
    """The parts of one URL, decoded. `hosts` holds names and numbers, `paths` files and sockets."""

    hosts: frozenset[str]
    paths: frozenset[str]
    ports: frozenset[str]
    users: frozenset[str]
    secrets: frozenset[str]
    database: str
    """The path of the URL, as `/shop`, which follows a host where messages name both."""


def split_url(url: Secret) -> UrlParts | None:
    """The parts of a URL; None for one that nobody can read."""
    try:
        parts = urlsplit(url.reveal())
        options = list(list_options(parts.query))
    except ValueError:
        return None
    # By hand: of several hosts the standard library knows the first alone, and takes the others for a port, which it refuses.
    own = [(unquote(host), port) for host, port in split_hosts(parts.netloc.rpartition("@")[2])]
    named = [value for key, value in options if key in PLACES - _STRINGS]
    hosts = [*own, *(pair for place in named if not is_path(place) for pair in split_hosts(place))]
    names = {name for name, _ in hosts}
    path, password = unquote(parts.path), parts.password or ""
    # Without its slash it is a file's relative path, or a database's name; a plain word of a folder's is in any message.
    bare = path[1:] if named or "/" in path[1:] or "." in path else ""
    files = set() if any(name for name, _ in own) or not path.strip("/") else {path, bare}
    ports = {*(str(port or "") for _, port in hosts), *(value for key, value in options if key == "port")}
    misread = tuple(_list_misread_passwords(url.reveal()))
    secrets = {password, unquote(password), *misread, *map(unquote, misread)}
    secrets.update(value for key, value in options if _SECRET.search(key))
    users = {unquote(parts.username or ""), *(value for key, value in options if key in _USERS)}
    return UrlParts(
        hosts=frozenset(name for name in names if name and not is_path(name)),
        paths=frozenset({*filter(is_path, (*names, *named)), *files} - {""}),
        ports=frozenset(ports - {""}),
        users=frozenset(users - {""}),
        secrets=frozenset(secrets - {""}),
        database=path if path.strip("/") else "",
    )


def _list_misread_passwords(text: str) -> Iterator[str]:
    """What whoever forgot to percent-encode a password means, and what SQLAlchemy reads: it goes on to an "@" behind a slash."""
    rest = text.partition("://")[2]
    for credentials in (rest.partition("@")[0], rest.rpartition("@")[0]):
        yield credentials.partition(":")[2]


def list_options(query: str) -> Iterator[tuple[str, str]]:
    """Names, in lower case, and values of a URL's query, and of the connection strings in it."""
    for key, value in parse_qsl(query, keep_blank_values=True):
        yield key.lower(), value
        # SQLAlchemy decodes such a string once more.
        for string in dict.fromkeys((value, unquote_plus(value))) if key.lower() in _STRINGS else ():
            yield from ((name.lower(), text.strip("'{}")) for name, text in _PAIR.findall(string))


def split_hosts(place: str) -> Iterator[tuple[str, int | None]]:
    """The hosts of one place, each with its port if it has one; the instance that SQL Server has behind one is left out."""
    for text in place.removeprefix("tcp:").split(","):
        part = text.strip()
        # A number alone is a port behind a comma, as SQL Server has it; a large one is an address.
        is_port = part.isdecimal() and len(part) <= _MOST_DIGITS and int(part) in _PORTS
        host, port = ("", int(part)) if is_port else split_port(part)
        yield host.partition("\\")[0], port


def split_port(place: str) -> tuple[str, int | None]:
    """`db:5432` or `[::1]:5432` as host and port; a bare IPv6 address has none."""
    host, separator, port = place.rpartition(":")
    if separator and port.isdecimal() and len(port) <= _MOST_DIGITS and (":" not in host or host.endswith("]")):
        return host.strip("[]"), int(port)
    return place.strip("[]"), None


def list_spellings(host: str) -> tuple[str, ...]:
    """A host as others may write it: an IPv6 address in its short and its long form; the zone (`%eth0`) stays."""
    number, percent, zone = host.partition("%")
    try:
        address = ipaddress.ip_address(number)
    except ValueError:
        return (host,)
    forms = dict.fromkeys((number, address.compressed, address.exploded))
    return tuple(form + percent + zone for form in forms)


def is_path(place: str) -> bool:
    """True for a file's or a socket's path, also one of the abstract kind."""
    return place.startswith(("/", "@"))
