"""Where a PostgreSQL server is, read from a URL of which nothing secret may reach a message."""

import math
import socket
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, unquote, urlsplit

from psycopg.conninfo import make_conninfo

from jivsbench.api import ReadLimits, secure_options
from jivsbench.errors import ConfigError, SourceUnreachableError
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource

SCHEMES = ("postgresql", "postgres")
DEFAULT_PORT = 5432

# Options that say how the line is secured, and nothing else: `service`, `passfile` and `options` would let a URL read
# files or undo the session's settings.
ALLOWED_OPTIONS = frozenset(
    (
        "host",
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "sslcrl",
        "sslnegotiation",
        "channel_binding",
        "gssencmode",
        "require_auth",
    )
)

# Sent with the start of the session, so that they are its defaults: RESET and DISCARD ALL return to exactly these.
SETTINGS = {
    "timezone": "UTC",
    "datestyle": "ISO,YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "3",  # the shortest text that reads back as the same float, on every server version
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "default_transaction_read_only": "on",
    "lock_timeout": "2000",  # a reader in the queue behind an ALTER TABLE holds up everybody behind it
    "jit": "off",  # compiling costs more than it saves in an extraction, and makes first reads slower than later ones
}


@dataclass(frozen=True, slots=True)
class Address:
    """A server and database, with what is needed to log in. Printing it shows no password."""

    host: str
    port: int
    database: str
    user: str
    password: Secret
    options: tuple[tuple[str, str], ...]
    addresses: tuple[str, ...] = ()
    """What the host's name stands for, when somebody has looked already."""

    @property
    def place(self) -> str:
        """`host:port/database`, for messages."""
        return f"{self.host}:{self.port}/{self.database}" if self.database else f"{self.host}:{self.port}"


def parse_address(url: Secret) -> Address:
    """Read `postgresql://user:password@host:port/database?sslmode=...`. Raises ConfigError, which repeats nothing of it."""
    try:
        parts = urlsplit(url.reveal())
        port = parts.port or DEFAULT_PORT
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        texts = [
            unquote(part or "", errors="strict") for part in (parts.hostname, parts.path[1:], parts.username, parts.password)
        ]
    except ValueError:
        # No cause: the original message can hold any piece of the URL, the password's too.
        raise ConfigError("a PostgreSQL URL cannot be read: write it as postgresql://user:password@host:port/database") from None
    host, database, user, password = texts
    if parts.fragment or "@" in parts.path or "," in parts.netloc.rpartition("@")[2]:
        # A password with a bare "#", "/" or "@" splits in the wrong place, and what looks like host or database is a piece of it.
        raise ConfigError("a PostgreSQL URL cannot be read: percent-encode '#', '/', '?', '@' in its parts, name one host")
    if parts.scheme not in SCHEMES:
        raise ConfigError(f"a PostgreSQL URL starts with one of {', '.join(f'{s}://' for s in SCHEMES)}")
    if any("\0" in text for text in (*texts, *(value for _, value in query))):
        # libpq's string of all settings would end there, without the host and without what keeps the session read-only.
        raise ConfigError("a PostgreSQL URL holds a NUL character: remove it")
    options = tuple((key, value) for key, value in query if key != "host")
    unknown = sorted({key for key, _ in query} - ALLOWED_OPTIONS)
    if unknown:
        raise ConfigError(
            f"a PostgreSQL URL may not set {len(unknown)} of its options: allowed are {', '.join(sorted(ALLOWED_OPTIONS))}"
        )
    host = next((value for key, value in query if key == "host"), host) or "localhost"
    if "," in host:
        # Behind a socket's folder, libpq takes it for another host.
        raise ConfigError("a PostgreSQL URL names several hosts: name one")
    return Address(host, port, database, user, Secret(password), options)


def find_address(source: DataSource) -> Address:
    """Where a source's server is, with the addresses that may be connected to. Raises ConfigError."""
    address = parse_address(source.url)
    return replace(address, addresses=source.addresses_of(address.host))


def build_conninfo(address: Address, limits: ReadLimits, *, read_only: bool = True) -> bytes:
    """The connection string for libpq, which holds the password. Raises SourceUnreachableError for an unknown host name."""
    settings = dict(SETTINGS)
    if read_only:
        settings["statement_timeout"] = str(math.ceil(limits.query_timeout_s * 1000))
    else:
        settings["default_transaction_read_only"] = "off"
    options = dict(address.options)
    parameters: dict[str, str | int | None] = {
        **options,
        **secure_options(address.host, options),
        **_resolve(address),
        "port": address.port,
        "dbname": address.database or None,
        "user": address.user or None,
        "password": address.password.reveal() or None,
        "application_name": "jivsbench",
        "client_encoding": "UTF8",
        "connect_timeout": max(2, math.ceil(limits.connect_timeout_s)),
        "tcp_user_timeout": math.ceil(limits.connect_timeout_s * 1000),
        "keepalives_idle": 10,
        "keepalives_interval": 3,
        "keepalives_count": 3,
        "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
    }
    return make_conninfo("", **parameters).encode()


def _resolve(address: Address) -> dict[str, str]:
    """Host and addresses. libpq would look the name up itself, but inside a call that stops every other thread."""
    if address.host.startswith(("/", "@")):
        return {"host": address.host}
    numbers = address.addresses or _look_up(address)
    return {"host": ",".join([address.host] * len(numbers)), "hostaddr": ",".join(numbers)}


def _look_up(address: Address) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise SourceUnreachableError(f"{address.place} cannot be found: its host name is unknown here; check the name") from None
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
