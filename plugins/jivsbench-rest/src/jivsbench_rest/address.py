"""Where an API is and how it pages, read from a URL of which nothing secret may reach a message.

    rest+https://:TOKEN@api.example.com/v1?paging=cursor&records=data&cursor=meta.next&total=meta.total

What stands before the `?` is the API's; what stands after it is read here and never sent.
"""

import base64
import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from jivsbench.errors import ConfigError
from jivsbench.model.secret import Secret
from jivsbench_rest.columns import DeclaredColumn, parse_columns

_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_BOOLEANS: Final = {"true": True, "false": False}


class Paging(StrEnum):
    """How the next page is asked for."""

    NONE = "none"
    CURSOR = "cursor"
    PAGE = "page"
    OFFSET = "offset"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Options:
    """What the URL says after its `?`. Paths lead through the JSON document, names joined by dots."""

    paging: Paging = Paging.NONE
    records: str = ""
    """Path to the list of records; empty: the document is the list."""
    total: str = ""
    """Path to the number of all records, or `header:NAME`."""
    cursor: str = "next_cursor"
    """Path to what the next page is asked by; null on the last page."""
    cursor_may_be_missing: bool = False
    """True for an API that leaves the field out of the last page, even when that is the first."""
    cursor_parameter: str = "cursor"
    page_parameter: str = "page"
    first_page: int = 1
    offset_parameter: str = "offset"
    size_parameter: str = "limit"
    """Empty: the API's own size of a page."""
    page_size: int = 1000
    version: str = ""
    """A response header that names the state of the whole resource, the same on all pages."""
    resources: tuple[str, ...] = ()
    """What may be asked for; empty: anything, and nothing is listed."""
    columns: tuple[DeclaredColumn, ...] = ()
    missing: str = "error"
    """What a record without the key of a column means: `error`, or `null`."""
    max_pages: int = 100_000
    max_page_bytes: int = 32 * 2**20
    max_depth: int = 64
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """One origin, the path that resources lie under, and who asks. Printing it shows no secret."""

    scheme: str
    host: str
    port: int
    path: str
    authorization: Secret
    user: str
    options: Options

    addresses: tuple[str, ...] = ()
    """What the host's name stands for, when somebody has looked already."""

    @property
    def place(self) -> str:
        """`host:port/path`, for messages."""
        return f"{self.host}:{self.port}{self.path}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """What a link must not leave."""
        return self.scheme, self.host, self.port


def parse_address(url: Secret) -> Address:
    """Read a `rest+https://` URL. Raises ConfigError, which repeats nothing of it but names of options."""
    try:
        parts = urlsplit(url.reveal())
        scheme = parts.scheme.removeprefix("rest+")
        port = parts.port or _DEFAULT_PORTS[scheme]
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        host, user, password = (unquote(p or "", errors="strict") for p in (parts.hostname, parts.username, parts.password))
    except (ValueError, KeyError):
        raise ConfigError("a REST URL cannot be read: write it as rest+https://:TOKEN@host/path?paging=...") from None
    if not host or parts.fragment or "@" in parts.path or not (user + password).isprintable():
        raise ConfigError("a REST URL cannot be read: name a host, and percent-encode '#', '/', '?', '@' in user and token")
    if (user or password) and scheme == "http" and not _is_loopback(host):
        raise ConfigError("a REST URL holds a user or token, and http:// would send it in the clear: use rest+https://")
    return Address(scheme, host, port, parts.path.rstrip("/"), _build_authorization(user, password), user, _read_options(query))


def find_origin(url: str) -> tuple[str, str, int]:
    """The origin of an absolute URL. Raises ValueError for one of another kind, or with a user in it."""
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.username is not None:
        raise ValueError
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme]


def _build_authorization(user: str, password: str) -> Secret:
    """A user and password are Basic, a password alone is a Bearer token."""
    if user:
        return Secret("Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())
    return Secret(f"Bearer {password}" if password else "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read_options(query: list[tuple[str, str]]) -> Options:
    given = dict(query)
    known = {name: getattr(Options(), name) for name in Options.__slots__}
    unknown = sorted(set(given) - set(known))
    if unknown or len(given) != len(query):
        # A name can be a piece of a password that was not percent-encoded.
        raise ConfigError(f"a REST URL sets an option that does not exist, or one twice: there are {', '.join(known)}")
    return Options(**{name: _read_option(name, text, known[name]) for name, text in given.items()})  # type: ignore[arg-type]


def _read_option(name: str, text: str, default: object) -> object:
    try:
        if name == "columns":
            return parse_columns(text)
        if name == "resources":
            return tuple(filter(None, text.split(",")))
        if isinstance(default, Paging):
            return Paging(text)
        if isinstance(default, bool):
            return _BOOLEANS[text]
        if isinstance(default, int):
            return _at_least(int(text), 0 if name == "first_page" else 1)
    except (ValueError, KeyError):
        raise ConfigError(f"option {name!r} of a REST URL cannot be read: see the README of jivsbench-rest") from None
    if name == "missing" and text not in ("error", "null"):
        raise ConfigError("option 'missing' of a REST URL is 'error' or 'null'")
    return text


def _at_least(number: int, least: int) -> int:
    if number < least:
        raise ValueError
    return number
