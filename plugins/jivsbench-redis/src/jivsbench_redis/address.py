"""What a cache URL says, checked before anything connects."""

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from jivsbench.errors import ConfigError
from jivsbench.model.host import is_this_machine
from jivsbench.model.secret import Secret
from jivsbench.model.url import parse_url

SCHEMES: Final = ("redis", "rediss", "valkey", "valkeys")
_TLS_SCHEMES: Final = ("rediss", "valkeys")
_TLS_SETTINGS: Final = ("ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_keyfile")
_PLAIN_SETTING: Final = "tls"
_PLAIN: Final = "off"
_DEFAULT_PORT: Final = 6379
_MAX_DIGITS: Final = 9
DEFAULT_CALL_TIMEOUT_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Address:
    """A server and how to talk to it. `str` shows host and port alone."""

    host: str
    port: int
    db: int
    username: str | None
    password: str | None = field(repr=False)
    is_tls: bool
    tls_settings: tuple[tuple[str, str], ...]
    call_timeout_s: float

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def connection_options(self) -> dict[str, Any]:
        """Keyword arguments of redis-py's connections, without the timeouts."""
        return {
            "host": self.host,
            "port": self.port,
            "db": self.db,
            "username": self.username,
            "password": self.password,
            **dict(self.tls_settings),
        }


def parse_address(url: Secret) -> Address:
    """Read `redis://user:password@host:port/db?socket_timeout=0.1`. Raises ConfigError, which never shows the password."""
    try:
        parts = parse_url(url.reveal())
    except ValueError:
        # No cause: the original message can hold any piece of the URL, the password's too.
        raise ConfigError("the cache's URL cannot be read: write @ : / ? # in a password as %40 %3A %2F %3F %23") from None
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise ConfigError(
            f"the cache's URL must be {SCHEMES[0]}://host:port/number, with one of the schemes {', '.join(SCHEMES)}"
        )
    is_tls = parts.scheme in _TLS_SCHEMES
    settings = _read_settings(parts.query, ("socket_timeout", *(_TLS_SETTINGS if is_tls else (_PLAIN_SETTING,))))
    address = Address(
        host=unquote(parts.hostname),
        port=parts.port or _DEFAULT_PORT,
        db=_read_db(parts.path),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        is_tls=is_tls,
        tls_settings=tuple((name, text) for name, text in settings.items() if name in _TLS_SETTINGS),
        call_timeout_s=_read_timeout(settings.get("socket_timeout")),
    )
    _check_line(address, settings.get(_PLAIN_SETTING))
    return address


def _check_line(address: Address, tls: str | None) -> None:
    """Nothing that can be read on its way goes to another machine, unless the URL says that it may."""
    if tls not in {None, _PLAIN}:
        raise ConfigError(f"the cache's setting {_PLAIN_SETTING} can only be {_PLAIN!r}: for TLS write rediss:// or valkeys://")
    if not address.is_tls and tls is None and not is_this_machine(address.host):
        raise ConfigError(
            f"the cache at {address} is on another machine and its URL asks for no TLS: write rediss://, "
            f"or add ?{_PLAIN_SETTING}={_PLAIN} for a network that is trusted"
        )


def _read_settings(query: str, known: tuple[str, ...]) -> dict[str, str]:
    settings = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    for name in settings:
        if name not in known:
            raise ConfigError(f"the cache's URL has the setting {name!r}, which is not known: use {', '.join(known)}")
    return settings


def _read_db(path: str) -> int:
    text = path.strip("/")
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise ConfigError(f"the cache's database is a number, and the URL's path is {path!r}: write redis://host:port/0")
    return int(text)


def _read_timeout(text: str | None) -> float:
    if text is None:
        return DEFAULT_CALL_TIMEOUT_S
    try:
        timeout_s = float(text)
    except ValueError:
        timeout_s = 0.0
    if not 0 < timeout_s <= 60:  # noqa: PLR2004 - a minute: nobody waits longer for a cache; nan and inf fail too
        raise ConfigError("the cache's socket_timeout must be a number of seconds above 0: write ?socket_timeout=0.1")
    return timeout_s
