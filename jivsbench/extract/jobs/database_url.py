"""Which databases this project keeps what is its own in: PostgreSQL and SQLite."""

import os
import ssl
from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from jivsbench.errors import ConfigError
from jivsbench.model.host import is_this_machine
from jivsbench.model.secret import Secret

_VERIFIED: Final = "verify-full"
_AUTHORITIES: Final = "sslrootcert"


def parse_database_url(url: Secret, kept: str) -> URL:
    """The URL with its driver. `kept` is what is to be kept there, as messages name it. Raises ConfigError."""
    try:
        parsed = make_url(url.reveal())
    except ArgumentError as exc:
        raise ConfigError(f"{kept}'s URL cannot be read: write postgresql://user@host:port/database") from exc
    if parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return _secure(parsed.set(drivername="postgresql+psycopg"))
    if parsed.drivername == "sqlite" and parsed.database:
        return parsed
    raise ConfigError(f"{kept} cannot be kept in {parsed.drivername!r}: name a postgresql:// or a sqlite:/// URL")


def _secure(url: URL) -> URL:
    """The same rule as for sources: what leaves this machine is verified, unless the URL names an `sslmode`."""
    hosts = [place for key in ("host", "hostaddr") for place in _list_places(url, key)] or [url.host or ""]
    if "sslmode" not in url.query and not all(is_this_machine(host) for host in hosts):
        url = url.update_query_dict({"sslmode": _VERIFIED})
    if url.query.get("sslmode") == _VERIFIED and _AUTHORITIES not in url.query and not _has_authorities():
        authorities = ssl.get_default_verify_paths().cafile
        url = url.update_query_dict({_AUTHORITIES: authorities} if authorities else {})
    return url


def _list_places(url: URL, key: str) -> tuple[str, ...]:
    named = url.query.get(key, ())
    return tuple(host for text in ((named,) if isinstance(named, str) else named) for host in text.split(","))


def _has_authorities() -> bool:
    return bool(os.environ.get("PGSSLROOTCERT")) or Path("~/.postgresql/root.crt").expanduser().exists()
