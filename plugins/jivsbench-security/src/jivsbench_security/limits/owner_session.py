"""A session of the source's owner: it makes what a check attacks with, and sees what the target's sessions do on the server.

For PostgreSQL alone. Whatever it makes has a name that no other run uses, and is gone at the end.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from jivsbench.api import CheckContext
from jivsbench.model.secret import Secret

_TOKEN_BYTES: Final = 5
_CONNECT_TIMEOUT_S: Final = 5
_STATEMENT_TIMEOUT_MS: Final = 10_000
# A FETCH names no table; but its transaction holds a lock on each that it reads.
_BUSY: Final = """
SELECT a.pid, concat_ws(' ', a.query, l.names), a.state = 'active',
       extract(epoch FROM clock_timestamp() - a.query_start)::float8
  FROM pg_catalog.pg_stat_activity AS a
  LEFT JOIN (SELECT k.pid, pg_catalog.string_agg(c.relname, ' ') AS names
               FROM pg_catalog.pg_locks AS k JOIN pg_catalog.pg_class AS c ON c.oid = k.relation
              WHERE c.relname LIKE %(mark)s GROUP BY k.pid) AS l ON l.pid = a.pid
 WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.backend_type = 'client backend'
   AND (a.query LIKE %(mark)s OR l.names IS NOT NULL)
"""
_OF_ROLE: Final = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE usename = %s"
_END: Final = """
SELECT pg_catalog.pg_terminate_backend(pid)
  FROM pg_catalog.pg_stat_activity
 WHERE pid <> pg_catalog.pg_backend_pid() AND backend_type = 'client backend' AND (query LIKE %s OR usename LIKE %s)
"""


class SourceUnfitError(Exception):
    """The source is one on which such a check cannot work; the text says why."""


@dataclass(frozen=True, slots=True)
class SessionState:
    """One session of the server whose last statement names something of this run."""

    pid: int
    query: str
    is_active: bool
    age_s: float
    """Since its statement began."""


@dataclass(frozen=True, slots=True)
class Login:
    """A user of the source that was made for one run, and the source's URL as that user."""

    role: str
    url: Secret


class OwnerSession:
    """What a check may do to the source and see of it. `open_owner_session` makes one."""

    def __init__(self, connection: psycopg.Connection, reader_url: Secret) -> None:
        self._connection = connection
        self._reader_url = reader_url
        self._reader = urlsplit(reader_url.reveal()).username or ""
        self._views: list[str] = []
        self._roles: list[str] = []
        self.token = f"jivsbench_attack_{secrets.token_hex(_TOKEN_BYTES)}"
        """Starts the name of whatever is made."""

    def make_view(self, kind: str, query: str) -> str:
        """A view over a query of the check's own, which the target's user and every login of this run may read. Its name."""
        name = f"{self.token}_{kind}"
        self._views.append(name)
        self._run(sql.SQL("CREATE VIEW {} AS {}").format(sql.Identifier(name), sql.SQL(query)))
        for role in (self._reader, *self._roles):
            if role:
                self._run(sql.SQL("GRANT SELECT ON {} TO {}").format(sql.Identifier(name), sql.Identifier(role)))
        return name

    def make_login(self, kind: str) -> Login:
        """A user who may log in and read the views that are made after it."""
        role, password = f"{self.token}_{kind}", secrets.token_urlsafe(24)
        self._run(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password)))
        self._roles.append(role)
        parts = urlsplit(self._reader_url.reveal())
        place = parts.netloc.rpartition("@")[2]
        return Login(role, Secret(parts._replace(netloc=f"{role}:{password}@{place}").geturl()))

    def look(self) -> tuple[SessionState, ...]:
        """Sessions whose statement, or whose locks, name something of this run."""
        rows = self._connection.execute(_BUSY, {"mark": f"%{self.token}%"}).fetchall()
        return tuple(SessionState(pid, query, bool(active), age or 0.0) for pid, query, active, age in rows)

    def count_sessions(self, login: Login) -> int:
        """Sessions that this user has, whatever they do."""
        row = self._connection.execute(_OF_ROLE, (login.role,)).fetchone()
        return int(row[0]) if row else 0

    def count_rows(self, table: str) -> int:
        """Rows of a table, by the server's own count."""
        parts = table.split(".")
        row = self._connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*parts))).fetchone()
        return int(row[0]) if row else 0

    def end_sessions(self) -> None:
        """End what still runs of this run, whoever left it there."""
        self._connection.execute(_END, (f"%{self.token}%", f"{self.token}%"))

    def close(self) -> None:
        """Take back everything that was made, and log off."""
        with self._connection:
            self.end_sessions()
            for name in self._views:
                self._run(sql.SQL("DROP VIEW IF EXISTS {}").format(sql.Identifier(name)))
            for role in self._roles:
                self._run(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))

    def _run(self, statement: sql.Composed) -> None:
        try:
            self._connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            raise SourceUnfitError("the source's owner may not make the views and users that the check needs") from None


@contextmanager
def open_owner_session(context: CheckContext) -> Iterator[OwnerSession]:
    """A session as the source's owner. Raises SourceUnfitError for another server than PostgreSQL, or one that refuses."""
    if context.dialect != "postgres":
        raise SourceUnfitError("what the target's sessions do on the server is watched on PostgreSQL alone")
    owner, reader = context.data_source().url, context.reader().url
    try:
        connection = psycopg.connect(
            owner.reveal(),
            autocommit=True,
            connect_timeout=_CONNECT_TIMEOUT_S,
            options=f"-c statement_timeout={_STATEMENT_TIMEOUT_MS}",
        )
    except psycopg.Error:
        # The text of the error can hold a part of the URL.
        raise SourceUnfitError("the source's owner could not log in") from None
    session = OwnerSession(connection, reader)
    try:
        yield session
    finally:
        session.close()
