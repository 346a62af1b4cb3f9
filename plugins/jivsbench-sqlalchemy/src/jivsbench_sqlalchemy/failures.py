"""Errors of servers and drivers, turned into this project's own.

Nothing that a server or driver wrote is repeated: their texts can hold row values, filter values and pieces of a URL. What is
kept is a code with a published meaning (an SQLSTATE, a number of MySQL or SQL Server, an ORA- number).
"""

import re
from typing import Final

from sqlalchemy import exc

from jivsbench.errors import (
    AccessDeniedError,
    ExtractionError,
    JivsbenchError,
    MissingObjectError,
    SourceUnreachableError,
    TypePolicyError,
)

_DENIED: Final = frozenset(
    ("1044", "1045", "1142", "1698", "ORA-01017", "ORA-28000", "ORA-01031", "18456", "229", "42501", "28P01")
)
_MISSING: Final = frozenset(
    ("1049", "1146", "1054", "ORA-00942", "ORA-00904", "ORA-12514", "4060", "208", "207", "3D000", "42P01")
)
_ORACLE: Final = re.compile(r"ORA-\d{5}")
_SQL_SERVER: Final = re.compile(r"\((\d{3,5})\)")
_POSTGRES_DENIES: Final = ("authentication failed", "no password supplied", "no pg_hba.conf entry")


def read_code(error: BaseException) -> str:
    """The code of a driver's exception; its class when it carries none."""
    orig = error.orig if isinstance(error, exc.DBAPIError) and error.orig is not None else error
    if orig.args and isinstance(orig.args[0], int):
        # MySQL's own number says more than the SQLSTATE that some of its drivers add.
        return str(orig.args[0])
    for name in ("sqlstate", "pgcode", "sqlite_errorname"):
        if isinstance(code := getattr(orig, name, None), str):
            return code
    text = str(orig)
    found = _ORACLE.search(text)
    if found:
        return found[0]
    number = _SQL_SERVER.search(text) if type(orig).__module__.startswith(("pyodbc", "pymssql")) else None
    return number[1] if number else type(orig).__name__


def build_connect_error(error: BaseException, place: str, user: str) -> JivsbenchError:
    """What to raise when a session could not be opened."""
    code = read_code(error)
    who = f"user {user!r}" if user else "the default user"
    # libpq tells no SQLSTATE of a refused log-in, so its text is searched, and not repeated.
    text = str(getattr(error, "orig", error)).lower()
    if code in _DENIED or any(words in text for words in _POSTGRES_DENIES):
        return AccessDeniedError(f"{place} refuses {who} ({code}): check the user and the password")
    if code in _MISSING or ('database "' in text and "does not exist" in text):
        return MissingObjectError(f"{place}: the server has no such database ({code}); create it or correct the URL")
    return SourceUnreachableError(f"no server answers at {place} ({code}): is it running, and do host and port match?")


def build_server_error(error: BaseException, place: str, doing: str) -> JivsbenchError:
    """What to raise when a statement failed. `doing` is a verb phrase, e.g. `read table 'orders'`."""
    asked, code = f"{place} did not {doing}", read_code(error)
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return SourceUnreachableError(f"{place} broke the connection when asked to {doing} ({code}): check the server's log")
    if isinstance(error, exc.NoSuchTableError) or code in _MISSING:
        return MissingObjectError(f"{asked}: there is no such table or column ({code}); check the name's spelling and case")
    if code in _DENIED:
        return AccessDeniedError(f"{asked}: the user lacks the privilege ({code})")
    if code == "DataError" or not isinstance(error, exc.SQLAlchemyError):
        # Raised by the driver itself while it turned what the server sent into Python's types.
        return TypePolicyError(f"{asked}: it holds a value that the driver cannot hold ({code}); leave the column out")
    return ExtractionError(f"{asked}: the server refused the statement ({code}); check the query and the filters")
