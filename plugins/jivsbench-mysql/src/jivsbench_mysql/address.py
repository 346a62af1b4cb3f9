"""Where a MySQL or MariaDB server is, read from a URL of which nothing secret may reach a message."""

import ssl
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from jivsbench.errors import ConfigError
from jivsbench.model.host import is_this_machine
from jivsbench.model.secret import Secret

SCHEMES = ("mysql", "mariadb")
DEFAULT_PORT = 3306
_FORM = "mysql://user:password@host:port/database"


class TlsMode(StrEnum):
    """The server's own words for how the line is secured."""

    DISABLED = "DISABLED"
    PREFERRED = "PREFERRED"
    REQUIRED = "REQUIRED"
    VERIFY_CA = "VERIFY_CA"
    VERIFY_IDENTITY = "VERIFY_IDENTITY"


@dataclass(frozen=True, slots=True)
class Tls:
    """How the line is secured, with the files that it takes."""

    mode: TlsMode = TlsMode.PREFERRED
    ca: str | None = None
    cert: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """A server and database, with what is needed to log in. Printing it shows no password."""

    host: str
    port: int
    socket: str | None
    database: str
    user: str
    password: Secret
    tls: Tls
    addresses: tuple[str, ...] = ()
    """What the host's name stands for, when somebody has looked already."""

    @property
    def place(self) -> str:
        """`host:port/database`, for messages."""
        where = self.socket or f"{self.host}:{self.port}"
        return f"{where}/{self.database}" if self.database else where


def parse_address(url: Secret) -> Address:
    """Read `mysql://user:password@host:port/database?ssl-mode=...`. Raises ConfigError, which repeats nothing of it."""
    try:
        parts = urlsplit(url.reveal())
        port = parts.port or DEFAULT_PORT
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        texts = [
            unquote(part or "", errors="strict") for part in (parts.hostname, parts.path[1:], parts.username, parts.password)
        ]
    except ValueError:
        # No cause: the original message can hold any piece of the URL, the password's too.
        raise ConfigError(f"a MySQL URL cannot be read: write it as {_FORM}") from None
    host, database, user, password = texts
    if parts.fragment or "@" in parts.path or "," in parts.netloc.rpartition("@")[2]:
        # A password with a bare "#", "/" or "@" splits in the wrong place, and what looks like host or database is a piece of it.
        raise ConfigError("a MySQL URL cannot be read: percent-encode '#', '/', '?', '@' in its parts, name one host")
    if parts.scheme not in SCHEMES:
        raise ConfigError(f"a MySQL URL starts with one of {', '.join(f'{s}://' for s in SCHEMES)}")
    if any("\0" in text for text in (*texts, *(value for _, value in query))):
        raise ConfigError("a MySQL URL holds a NUL character: remove it")
    options = dict(query)
    socket = options.pop("socket", None)
    tls = _parse_tls(options, is_local=bool(socket) or is_this_machine(host))
    if options:
        raise ConfigError(
            f"a MySQL URL may not set {len(options)} of its options: allowed are socket, ssl-ca, ssl-cert, ssl-key, ssl-mode"
        )
    return Address(host or "localhost", port, socket, database, user, Secret(password), tls)


def _parse_tls(options: dict[str, str], *, is_local: bool) -> Tls:
    """Take the options of TLS out of `options`. Without a word about it, what leaves this machine is verified."""
    ca, cert, key = (options.pop(name, None) for name in ("ssl-ca", "ssl-cert", "ssl-key"))
    mode = options.pop("ssl-mode", None)
    if mode is None:
        local = TlsMode.VERIFY_CA if ca else TlsMode.PREFERRED
        return Tls(local if is_local else TlsMode.VERIFY_IDENTITY, ca, cert, key)
    if mode.upper() not in TlsMode.__members__:
        raise ConfigError(f"a MySQL URL has an ssl-mode that is none: use one of {', '.join(TlsMode)}")
    return Tls(TlsMode(mode.upper()), ca, cert, key)


def build_tls_context(tls: Tls) -> ssl.SSLContext | None:
    """What the driver is given; None when no TLS is wanted. Raises ConfigError for a file that cannot be used."""
    if tls.mode is TlsMode.DISABLED:
        return None
    for path in (tls.ca, tls.cert, tls.key):
        if path is not None and not Path(path).is_file():
            raise ConfigError(f"the MySQL URL names the file {path!r} for TLS, and there is none: correct the path")
    if tls.key is not None and tls.cert is None:
        raise ConfigError("the MySQL URL names a key for TLS, ssl-key, and no certificate: add ssl-cert, or take it out")
    try:
        context = ssl.create_default_context(cafile=tls.ca)
    except OSError:
        raise ConfigError(f"the authorities' file {tls.ca!r} that the MySQL URL names cannot be used: check ssl-ca") from None
    # Certificates that these servers make for themselves fail the strict reading that Python 3.13 turned on.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.check_hostname = tls.mode is TlsMode.VERIFY_IDENTITY
    if tls.mode not in (TlsMode.VERIFY_CA, TlsMode.VERIFY_IDENTITY):
        context.verify_mode = ssl.CERT_NONE
    if tls.cert is not None:
        try:
            context.load_cert_chain(tls.cert, tls.key)
        except OSError:
            raise ConfigError("the client certificate that the MySQL URL names cannot be used: check ssl-cert, ssl-key") from None
    return context
