"""A session of the source's owner: it makes what a check attacks with, and sees what the target's sessions do on the server.

For PostgreSQL alone. Whatever it makes has a name that no other run uses, and is gone at the end.
"""

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from jivsbench.api import CheckContext
from jivsbench.errors import InvalidRunError
from jivsbench.model.secret import Secret
from jivsbench_security.hostile_check import SourceUnfitError
from jivsbench_security.own_sessions import ask_user, making, need_sight, open_session

_TOKEN_BYTES: Final = 5
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

    def __init__(self, connection: psycopg.Connection, context: CheckContext) -> None:
        self._connection = connection
        self._owner_url = context.data_source().url
        self._reader_url = context.reader().url
        self._views: list[str] = []
        self._roles: list[str] = []
        self.token = f"jivsbench_attack_{secrets.token_hex(_TOKEN_BYTES)}"
        """Starts the name of whatever is made."""

    def make_view(self, kind: str, query: str) -> str:
        """A view over a query of the check's own, which everybody may read. Its name. Raises SourceUnfitError."""
        name = f"{self.token}_{kind}"
        with making("the views that the check needs"):
            self._connection.execute(sql.SQL("CREATE VIEW {} AS {}").format(sql.Identifier(name), sql.SQL(query)))
            self._views.append(name)
            self._connection.execute(sql.SQL("GRANT SELECT ON {} TO PUBLIC").format(sql.Identifier(name)))
        if len(self._views) == 1:
            self._need_way(name)
        return name

    def _need_way(self, view: str) -> None:
        with open_session(self._reader_url) as session:
            try:
                row = session.execute("SELECT to_regclass(%s) IS NOT NULL", (view,)).fetchone()
            except psycopg.errors.InsufficientPrivilege:
                row = None
        if row is None or not row[0]:
            told = "the target's user does not find what the source's owner makes"
            raise SourceUnfitError(f"{told}: give both the same search_path, and the user USAGE on the owner's schema")

    def make_login(self, kind: str) -> Login:
        """A user who may log in and read the views. Raises SourceUnfitError when there can be none."""
        role, password = f"{self.token}_{kind}", secrets.token_urlsafe(24)
        with making("the users that the check needs"):
            # Some servers log such statements: what is in it is a verifier, as the server itself keeps it.
            kept = self._connection.pgconn.encrypt_password(password.encode(), role.encode()).decode()
            self._connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(kept)))
        self._roles.append(role)
        parts = urlsplit(self._reader_url.reveal())
        place = parts.netloc.rpartition("@")[2]
        login = Login(role, Secret(parts._replace(netloc=f"{role}:{password}@{place}").geturl()))
        try:
            open_session(login.url).close()
        except InvalidRunError:
            told = "the source does not let in a user whom the check has made"
            raise SourceUnfitError(f"{told}: see its pg_hba.conf, and whether it has a free slot") from None
        return login

    def look(self) -> tuple[SessionState, ...]:
        """Sessions whose statement, or whose locks, name something of this run."""
        rows = self._connection.execute(_BUSY, {"mark": f"%{self.token}%"}).fetchall()
        return tuple(SessionState(pid, query, bool(active), age or 0.0) for pid, query, active, age in rows)

    def count_sessions(self, login: Login) -> int:
        """Sessions that this user has, whatever they do."""
        row = self._connection.execute(_OF_ROLE, (login.role,)).fetchone()
        return int(row[0]) if row else 0

    def count_rows(self, table: str, most: int) -> int:
        """Rows of a table by the server's own count, which stops at `most`."""
        name = sql.Identifier(*table.split("."))
        statement = sql.SQL("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) AS part").format(name, most)
        row = self._connection.execute(statement).fetchone()
        return int(row[0]) if row else 0

    def end_sessions(self) -> None:
        """End what still runs of this run, whoever left it there, as far as the owner may."""
        with suppress(psycopg.errors.InsufficientPrivilege):
            self._connection.execute(_END, (f"%{self.token}%", f"{self.token}%"))

    def close(self) -> None:
        """Take back everything that was made, and log off. Raises InvalidRunError when something stays."""
        self._connection.close()
        # By another session: an attack may have ended this one.
        with open_session(self._owner_url) as self._connection:
            self.end_sessions()
            try:
                for name in self._views:
                    self._connection.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(sql.Identifier(name)))
                for role in self._roles:
                    self._connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))
            except psycopg.Error as error:
                told = f"views and users named {self.token}_* could not be taken away (SQLSTATE {error.sqlstate})"
                raise InvalidRunError(f"{told}: drop them by hand") from None


@contextmanager
def open_owner_session(context: CheckContext) -> Iterator[OwnerSession]:
    """A session as the source's owner. Raises SourceUnfitError for another server, and for an owner who does not see enough."""
    if context.dialect != "postgres":
        raise SourceUnfitError("what the target's sessions do on the server is watched on PostgreSQL alone")
    if context.reader().tables is not None:
        raise SourceUnfitError("the source's list of tables leaves out the check's own")
    user = ask_user(context.reader().url)
    with closing(open_session(context.data_source().url)) as connection:
        need_sight(connection, user)
        session = OwnerSession(connection, context)
        try:
            yield session
        finally:
            session.close()
