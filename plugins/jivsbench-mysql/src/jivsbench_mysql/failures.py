"""Errors of the server and of the driver, turned into this project's own.

Nothing that the server or the driver wrote is repeated: their texts can hold row values, filter values and pieces of a URL.
What is kept is the error's number, which has a published meaning.
"""

import ssl
from collections.abc import Mapping

import pymysql.err
from pymysql.constants import CR, ER

from jivsbench.errors import (
    AccessDeniedError,
    CancelledJobError,
    DeadlineError,
    ExtractionError,
    JivsbenchError,
    MissingObjectError,
    SourceUnreachableError,
)

QUERY_INTERRUPTED = 1317
_TIME_IS_UP = {1969, 3024}
"""MariaDB's number and MySQL's."""
_LOCK_WAIT_TIMEOUT = 1205
_NO_DATABASE = "there is no such database"
_MISSING = {
    ER.BAD_DB_ERROR: _NO_DATABASE,
    ER.NO_SUCH_TABLE: "there is no such table",
    ER.BAD_FIELD_ERROR: "there is no such column",
}
_DENIED = {
    ER.DBACCESS_DENIED_ERROR: "the user may not use the database",
    ER.TABLEACCESS_DENIED_ERROR: "the user lacks the privilege",
    ER.COLUMNACCESS_DENIED_ERROR: "the user lacks the privilege",
    ER.SPECIFIC_ACCESS_DENIED_ERROR: "the user lacks the privilege",
    1370: "the user lacks the privilege",
    1792: "the session is read-only",
}
_REFUSED_LOGIN = {1045, 1129, 1130, 1251, 1524, 1698, 1862, 3118, 4151}
_GONE = {
    1040: "every connection slot is taken",
    1053: "the server is shutting down",
    1203: "the user has too many sessions",
    1226: "the user has used up what it may",
    1927: "the session was ended",
}
UNFIT = {1292, 1366, 1411, 1525, 1690, 3140, 3141}
_CHANGED = {1412, 1615}
_KNOWN: tuple[tuple[Mapping[int, str] | set[int], type[JivsbenchError], str], ...] = (
    ({QUERY_INTERRUPTED}, ExtractionError, "somebody on the server ended the query {where}; try again"),
    (_TIME_IS_UP, DeadlineError, "the query ran longer than its time limit; raise query_timeout_s or ask for less"),
    ({_LOCK_WAIT_TIMEOUT}, DeadlineError, "another session holds a lock on it; try again when that is done"),
    (_MISSING, MissingObjectError, "{meaning} {where}; check the name's spelling and case"),
    (_DENIED, AccessDeniedError, "{meaning} {where}"),
    (_REFUSED_LOGIN, AccessDeniedError, "the user or the password is refused {where}"),
    (_GONE, SourceUnreachableError, "{meaning} {where}; try again later"),
    (_CHANGED, ExtractionError, "the table was altered while it was read {where}; start the extraction again"),
    (
        UNFIT,
        ExtractionError,
        "a filter's value does not fit the type of its column, or the query computes something impossible {where}",
    ),
)


def number_of(error: BaseException) -> int | None:
    """The number of a driver's error; None for one that has none."""
    code = error.args[0] if isinstance(error, pymysql.err.Error) and error.args else None
    return code if isinstance(code, int) and code > 0 else None


def build_server_error(place: str, doing: str, error: BaseException, *, was_cancelled: bool) -> JivsbenchError:
    """What to raise when a statement failed. `doing` is a verb phrase, e.g. `read table 'orders'`."""
    asked = f"{place} did not {doing}"
    number = number_of(error)
    if number is None or number in (CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST):
        if isinstance(error.__context__, TimeoutError):
            return SourceUnreachableError(f"{asked}: it has been silent for too long, so the connection was given up")
        return SourceUnreachableError(f"{place} broke the connection when asked to {doing}: check the server's log")
    if number == QUERY_INTERRUPTED and was_cancelled:
        return CancelledJobError(f"{asked}: the query was cancelled on request")
    return _build_known_error(asked, number) or ExtractionError(f"{asked}: the server refused the statement (error {number})")


def _build_known_error(asked: str, number: int) -> JivsbenchError | None:
    where = f"(error {number})"
    for numbers, kind, text in _KNOWN:
        if number in numbers:
            meaning = numbers[number] if isinstance(numbers, Mapping) else ""
            return kind(f"{asked}: {text.format(meaning=meaning, where=where)}")
    return None


def build_connect_error(place: str, user: str, error: BaseException) -> JivsbenchError:
    """What to raise when a session could not be opened."""
    who = f"user {user!r}" if user else "the default user"
    number = number_of(error)
    origin = getattr(error, "original_exception", error)
    if number in _GONE:
        return SourceUnreachableError(f"{place} takes no session now: {_GONE[number]} (error {number}); try again later")
    if number == ER.BAD_DB_ERROR:
        return MissingObjectError(f"{place}: {_NO_DATABASE}; create it or correct the URL")
    if number in _DENIED or number in _REFUSED_LOGIN:
        return AccessDeniedError(f"{place} refuses {who} (error {number}): check the user, the password and the user's host")
    if number == CR.CR_SSL_CONNECTION_ERROR or isinstance(origin, ssl.SSLError):
        return SourceUnreachableError(
            f"{place} and this machine do not agree on TLS: check ssl-mode, ssl-ca and the server's certificate"
        )
    if isinstance(origin, PasswordInClearError):
        return AccessDeniedError(
            f"{place} wants the password of {who} in a way that is safe over TLS alone: set ssl-mode=REQUIRED"
        )
    return SourceUnreachableError(f"no MySQL server answers at {place}: is it running, and do host and port match?")


class PasswordInClearError(Exception):
    """On an open line the server wants the password, or offers a key of its own for it. Never leaves this plugin."""
