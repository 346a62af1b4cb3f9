"""Sessions of a check's own with a PostgreSQL source: whatever it makes there, and whatever it sees there, is by way of one.

None is kept for long by a statement or a lock, and none is ended by the server for waiting.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import unquote, urlsplit

import psycopg

from jivsbench.errors import InvalidRunError
from jivsbench.model.secret import Secret
from jivsbench_security.hostile_check import SourceUnfitError

CONNECTOR: Final = "postgres"
_DRIVER: Final = re.compile(r"^(\w+)\+\w+://")
_CONNECT_TIMEOUT_S: Final = 5
_PATIENCE: Final = {"statement_timeout": "15s", "lock_timeout": "5s"}
# Not by name alone: one of them is not there before version 14.
_STAY: Final = """
SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings
 WHERE name IN ('idle_in_transaction_session_timeout', 'idle_session_timeout')
"""
_SEES: Final = """
SELECT pg_catalog.bool_or(pg_catalog.pg_has_role(oid, 'USAGE')) FROM pg_catalog.pg_roles
 WHERE rolname IN ('pg_read_all_stats', %s)
"""
_UNFIT: Final = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.FeatureNotSupported,
    psycopg.errors.InvalidGrantOperation,
)


def open_session(url: Secret) -> psycopg.Connection:
    """A session that commits each statement. Raises InvalidRunError when the server gives none."""
    text = _DRIVER.sub(r"\1://", url.reveal())
    try:
        session = psycopg.connect(text, autocommit=True, prepare_threshold=None, connect_timeout=_CONNECT_TIMEOUT_S)
    except psycopg.Error:
        # The text of the error can hold a part of the URL.
        asked = f"the check asked the source for a session of its own as {find_user(url) or 'the URL says'!r} and got none"
        raise InvalidRunError(f"{asked}: see that the server runs, lets this user in, and has a free slot") from None
    for name, value in _PATIENCE.items():
        session.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))
    session.execute(_STAY)
    return session


def ask_user(url: Secret) -> str:
    """Whom the server takes the URL's user for. Raises InvalidRunError when it gives no session."""
    with open_session(url) as session:
        row = session.execute("SELECT session_user::text").fetchone()
        return str(row[0]) if row else ""


def find_user(url: Secret) -> str:
    """The user that a URL names; empty for none."""
    return unquote(urlsplit(url.reveal()).username or "")


@contextmanager
def making(what: str) -> Iterator[None]:
    """Around statements that make `what`. Raises SourceUnfitError when the server does not let the session's user make it."""
    try:
        yield
    except _UNFIT as refusal:
        told = f"the source's owner may not make {what} (SQLSTATE {refusal.sqlstate})"
        raise SourceUnfitError(f"{told}: give the check a source whose owner may") from None


@contextmanager
def depending_on_own_sessions() -> Iterator[None]:
    """Around what needs sessions of a check's own: one that fails says nothing about the target. Raises InvalidRunError then."""
    try:
        yield
    except psycopg.Error as error:
        told = f"a session of the check's own with the source failed ({type(error).__name__}, SQLSTATE {error.sqlstate})"
        raise InvalidRunError(f"{told}: run it again while the server has less to do") from error


def need_unicode(session: psycopg.Connection) -> None:
    """Raise SourceUnfitError unless the database takes every letter."""
    encoding = session.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        told = f"the source's database is in {encoding}, and what the check sends has letters of all alphabets"
        raise SourceUnfitError(f"{told}: give it one in UTF8")


def need_sight(session: psycopg.Connection, user: str) -> None:
    """Raise SourceUnfitError unless the session sees what those of another user do.

    Without the right the server shows its list of sessions with holes: one that is not seen looks like one that is gone.
    """
    row = session.execute(_SEES, (user,)).fetchone()
    if row is None or not row[0]:
        owner = session.info.user
        told = f"the source's owner does not see what the sessions of {user!r} do"
        raise SourceUnfitError(f"{told}: GRANT pg_read_all_stats TO {owner}")
