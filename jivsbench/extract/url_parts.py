"""What a source's URL tells, wherever in it that stands: where it leads, who logs in, and by what secret.

Drivers take the same facts in the middle of a URL, in its query, and in a connection string within its query.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from jivsbench.model.secret import Secret

PLACES_IN_QUERY: Final = frozenset(
    {
        "host",
        "hostaddr",
        "unix_socket",
        "socket",
        "service",
        "servicefile",
        "passfile",
        "dsn",
        "odbc_connect",
        "read_default_file",
    }
)
"""Options of drivers that name a place to connect to, or a file that does."""
_STRINGS: Final = frozenset({"dsn", "odbc_connect"})
_SERVERS: Final = frozenset({"server", "addr", "address", "network address", "data source"})
"""What connection strings call a host besides."""
_USERS: Final = frozenset({"user", "uid", "username", "user id"})
_SECRET: Final = re.compile(r"pass(word|wd|phrase)?$|pwd$|secret|token$|api_?key$", re.IGNORECASE)
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
        options = list(_list_options(parts))
        port = str(parts.port or "")
    except ValueError:
        return None
    host, path = unquote(parts.hostname or ""), unquote(parts.path)
    named = [value for key, value in options if key in PLACES_IN_QUERY - _STRINGS or key in _SERVERS]
    places = list(_split_hosts([host, *named]))
    # Without its slash it is a file's relative path, or a database's name; a plain word of a folder's is in any message.
    bare = path[1:] if named or "/" in path[1:] or "." in path else ""
    files = set() if host or not path.strip("/") else {path, bare} - {""}
    hosts = [split_port(place) for place in places if not _is_path(place)]
    ports = {port, *(str(number or "") for _, number in hosts), *(value for key, value in options if key == "port")}
    password = parts.password or ""
    secrets = {password, unquote(password), *(value for key, value in options if _SECRET.search(key))}
    users = {unquote(parts.username or ""), *(value for key, value in options if key in _USERS)}
    return UrlParts(
        hosts=frozenset(name for name, _ in hosts if name),
        paths=frozenset({*(place for place in places if _is_path(place)), *files}),
        ports=frozenset(ports - {""}),
        users=frozenset(users - {""}),
        secrets=frozenset(secrets - {""}),
        database=path if path.strip("/") else "",
    )


def split_port(place: str) -> tuple[str, int | None]:
    """`db:5432` or `[::1]:5432` as host and port; a bare IPv6 address has none."""
    host, separator, port = place.rpartition(":")
    if separator and port.isdecimal() and (":" not in host or host.endswith("]")):
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


def _list_options(parts: SplitResult) -> Iterator[tuple[str, str]]:
    """Names, in lower case, and values of the query, and of the connection strings in it."""
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        yield key.lower(), value
        if key.lower() in _STRINGS:
            yield from ((name.lower(), text.strip("'{}")) for name, text in _PAIR.findall(value))


def _split_hosts(places: list[str]) -> Iterator[str]:
    for place in places:
        if _is_path(place):
            yield place
            continue
        for part in place.removeprefix("tcp:").split(","):
            # A number alone is a port behind a comma, as SQL Server has it.
            yield f":{part}" if part.strip().isdecimal() else part.strip()


def _is_path(place: str) -> bool:
    return place.startswith(("/", "@"))
