"""Where a server is, read from a URL of which nothing secret may reach a message."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, quote, unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from jivsbench.errors import ConfigError, MissingObjectError
from jivsbench.model.secret import Secret
from jivsbench.model.url import parse_url
from jivsbench_sqlalchemy.dialects import PREFIX, Dialect, Driver

_ENDS_A_SETTING: Final = re.compile(r"\}.*;", re.DOTALL)
"""Drivers of ODBC get one string of settings in braces, and not all of them know that a doubled brace ends none."""


@dataclass(frozen=True, slots=True)
class Address:
    """A server and database. SQLAlchemy's URL holds the password, and shows asterisks when it is printed."""

    dialect: Dialect
    driver: Driver | None
    """None where the dialect names none, and SQLAlchemy knows the only one."""
    url: URL

    @property
    def place(self) -> str:
        """`host:port/database`, for messages; a file's path for SQLite."""
        port = f":{self.url.port}" if self.url.port else ""
        database = self.url.database or ""
        return f"{self.url.host}{port}/{database}" if self.url.host else database or self.dialect.name

    @property
    def user(self) -> str:
        """Who logs in."""
        return self.url.username or ""


def parse_address(url: Secret, dialect: Dialect) -> Address:
    """Read `sqlalchemy+DIALECT+DRIVER://user:password@host:port/database`. Raises ConfigError, which repeats nothing of it."""
    shown = f"{PREFIX}+{dialect.name}://user:password@host:port/database"
    scheme, _, rest = url.reveal().partition("://")
    wanted = scheme.lower().removeprefix(f"{PREFIX}+{dialect.name}").removeprefix("+")
    driver = next((d for d in dialect.drivers if d.name == (wanted or d.name)), None)
    if scheme.lower() not in dialect.schemes:
        raise ConfigError(f"the URL of a {PREFIX}-{dialect.name} source starts with one of {', '.join(dialect.schemes)}")
    try:
        # SQLAlchemy's own message repeats the URL.
        parsed, parts = make_url(f"{dialect.name}://{rest}"), parse_url(url.reveal())
    except (ArgumentError, TypeError, ValueError):
        raise ConfigError(f"the URL cannot be read: write it as {shown}") from None
    if "@" in (parsed.host or "") + (parsed.database or "") or "#" in rest or not _is_read_alike(parsed, parts):
        # What looks like host or database is a piece of a password with a bare "@", "/" or "#".
        raise ConfigError(
            "the URL cannot be read: percent-encode '#', '/', '?', '@' in user and password, and nothing in the host"
        )
    if dialect.options is not None and (unknown := set(parsed.query) - dialect.options):
        allowed = ", ".join(sorted(dialect.options)) or "none"
        raise ConfigError(f"a {PREFIX}+{dialect.name} URL may not set {len(unknown)} of its options: allowed are {allowed}")
    if dialect.name == "mssql" and any(map(_ENDS_A_SETTING.search, _list_texts(parsed))):
        raise ConfigError("a part of the URL holds a '}' and a ';' after it, which drivers take for settings of their own")
    drivername = f"{dialect.name}+{driver.name}" if driver else dialect.name
    return Address(dialect, driver, parsed.set(drivername=drivername))


def _is_read_alike(parsed: URL, parts: SplitResult) -> bool:
    """Whether SQLAlchemy connects to what was looked at before: by its host, which it takes as it is written, and by its path."""
    host = unquote(parts.hostname or "")
    ours = [unquote(part or "") for part in (parts.username, parts.password, parts.path.removeprefix("/"))]
    theirs = [parsed.username or "", parsed.password or "", parsed.database or ""]
    return ours == theirs and host.lower() == (parsed.host or "").lower() and (parts.port or None) == (parsed.port or None)


def _list_texts(url: URL) -> Iterator[str]:
    yield from (url.username or "", url.password or "", url.database or "")
    for value in url.query.values():
        yield from [value] if isinstance(value, str) else value


def build_file_url(address: Address) -> URL:
    """SQLite's file, opened read-only and never created. Raises MissingObjectError when there is none."""
    path = Path(address.url.database or "")
    if not path.is_file():
        raise MissingObjectError(f"there is no SQLite file {path}: {PREFIX}+sqlite:///a.db is relative, :////a.db absolute")
    return address.url.set(database=f"file:{quote(str(path.absolute()))}").update_query_dict({"mode": "ro", "uri": "true"})
