"""Errors of the server and of libpq, turned into this project's own.

Nothing that the server or libpq wrote is repeated: their texts can hold row values, filter values and pieces of a URL.
What is kept is the SQLSTATE, a code of five characters with a published meaning.
"""

from psycopg import errors

from jivsbench.errors import (
    AccessDeniedError,
    CancelledJobError,
    DeadlineError,
    ExtractionError,
    JivsbenchError,
    MissingObjectError,
    SourceUnreachableError,
)

QUERY_CANCELED = "57014"
_DATA_EXCEPTION = "22"
_MISSING = {
    "3D000": "there is no such database",
    "3F000": "there is no such schema",
    "42P01": "there is no such table",
    "42703": "there is no such column",
}
_DENIED = {"42501": "the user lacks the privilege", "25006": "the session is read-only"}
_GONE = {
    "53300": "every connection slot is taken",
    "57P01": "the server is shutting down or ended the session",
    "57P02": "the server crashed",
    "57P03": "the server is starting up",
    "25P03": "the session was idle in its transaction for too long",
    "25P04": "the transaction took longer than the server allows",
}


def build_server_error(place: str, doing: str, sqlstate: str | None, *, was_cancelled: bool) -> JivsbenchError:
    """What to raise when the server answered a statement with an error. `doing` is a verb phrase, e.g. `read table 'orders'`."""
    asked = f"{place} did not {doing}"
    if sqlstate is None:
        return SourceUnreachableError(f"{place} broke the connection when asked to {doing}: check the server's log")
    if sqlstate == QUERY_CANCELED:
        if was_cancelled:
            return CancelledJobError(f"{asked}: the query was cancelled on request")
        return DeadlineError(f"{asked}: the query ran longer than its time limit; raise query_timeout_s or ask for less")
    if sqlstate == "55P03":
        return DeadlineError(f"{asked}: another session holds a lock on it; try again when that is done")
    if sqlstate in _MISSING:
        return MissingObjectError(f"{asked}: {_MISSING[sqlstate]} (SQLSTATE {sqlstate}); check the name's spelling and case")
    if sqlstate in _DENIED:
        return AccessDeniedError(f"{asked}: {_DENIED[sqlstate]} (SQLSTATE {sqlstate})")
    if sqlstate.startswith("28"):
        return AccessDeniedError(f"{asked}: the user or the password is refused (SQLSTATE {sqlstate})")
    if sqlstate in _GONE or sqlstate.startswith("08"):
        return SourceUnreachableError(
            f"{asked}: {_GONE.get(sqlstate, 'the connection failed')} (SQLSTATE {sqlstate}); try again later"
        )
    if sqlstate.startswith(_DATA_EXCEPTION):
        return ExtractionError(
            f"{asked}: a filter's value does not fit the type of its column, or the query computes something impossible "
            f"(SQLSTATE {sqlstate}, {_describe(sqlstate)})"
        )
    return ExtractionError(f"{asked}: the server refused the statement (SQLSTATE {sqlstate}, {_describe(sqlstate)})")


def _describe(sqlstate: str) -> str:
    """The published name of a code: `InvalidTextRepresentation` for 22P02."""
    try:
        return errors.lookup(sqlstate).__name__
    except KeyError:
        return "a code of this server's own"


def build_connect_error(place: str, user: str, libpq_text: str, *, needs_password: bool) -> JivsbenchError:
    """What to raise when a session could not be opened.

    libpq does not tell the SQLSTATE of a refused log-in, so its text is searched for the words of the known cases; none of
    it is repeated. A server that speaks another language than English is recognised by FATAL, which most translations keep.
    """
    text = libpq_text.lower()
    who = f"user {user!r}" if user else "the default user"
    if 'database "' in text and "does not exist" in text:
        return MissingObjectError(f"{place}: the server has no such database; create it or correct the URL")
    for words, meaning in _BUSY.items():
        if words in text:
            return SourceUnreachableError(f"{place} takes no session now: {meaning}; try again later", is_busy=True)
    if needs_password or "no password supplied" in text:
        return AccessDeniedError(f"{place} asks {who} for a password, and the URL holds none")
    if "ssl" in text or "certificate" in text:
        return SourceUnreachableError(
            f"{place} and this machine do not agree on TLS: check sslmode, sslrootcert and the server's certificate; "
            "without sslmode a server on another machine must show a certificate that can be verified for its name"
        )
    if "fatal" in text or "authentication" in text:
        return AccessDeniedError(f"{place} refuses {who}: check the user, the password and the server's pg_hba.conf")
    return SourceUnreachableError(f"no PostgreSQL server answers at {place}: is it running, and do host and port match?")


_BUSY = {
    "too many": "every connection slot is taken",
    "remaining connection slots": "every connection slot is taken",
    "starting up": "the server is starting up",
    "shutting down": "the server is shutting down",
    "in recovery mode": "the server is recovering from a crash",
    "not accepting connections": "the server does not accept connections",
}
