"""The statements that a target sent to a PostgreSQL server, out of the record of the wire, and what they are as statements."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import pq

from jivsbench.api import WireMessage
from jivsbench.errors import InvalidRunError

_SIMPLE: Final = "Q"
_PARSE: Final = "P"
_BROKEN_OFF: Final = "the session in which statements are judged has broken off"
_GONE: Final = (b"57P", b"08")
"""The server ended the session, or the connection failed."""
_MULTIPLE: Final = "exec_parse_message"
"""The server's function that refuses a text of several statements. Its name is the same in every language of the server."""
# Strings, names, dollar quotes and comments each end where the server says that they end ("Lexical Structure" in the manual).
_TOKEN: Final = re.compile(
    r"""
    (?P<value>\s?[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*')
    | "(?:[^"]|"")*"
    | (?P<tag>\$\w*\$) .*? (?P=tag)
    | --[^\n]*
    | /\*.*?\*/
    """,
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class SentText:
    """One text, and whether it went by the simple protocol, which carries out several statements of one text."""

    text: bytes
    is_simple: bool


def read_texts(messages: Iterable[WireMessage]) -> list[SentText]:
    """The statement texts among the messages, in order."""
    texts: list[SentText] = []
    for message in messages:
        if message.kind == _SIMPLE:
            texts.append(SentText(message.payload.removesuffix(b"\0"), is_simple=True))
        elif message.kind == _PARSE:
            texts.append(SentText(message.payload.split(b"\0", 2)[1], is_simple=False))
    return texts


def strip_values(text: bytes) -> str:
    """A statement's fingerprint: the text with a question mark for each string. Two of them are equal when only values differ."""
    return _TOKEN.sub(lambda token: "?" if token["value"] else token[0], text.decode("utf-8", "replace"))


class StatementJudge:
    """Asks a PostgreSQL server whether a text holds more than one statement. Nothing is run.

    Raises InvalidRunError for a server that does not tell several statements from a slip of the pen, as those do that only
    speak PostgreSQL's protocol, and for a session that is gone.
    """

    def __init__(self, session: psycopg.Connection) -> None:
        self._pgconn = session.pgconn
        if not self.holds_several(b"SELECT 1; SELECT 2") or self.holds_several(b"SELECT 1 1"):
            raise InvalidRunError(
                "the server does not say of a text that it holds several statements: nobody can judge what it got"
            )

    def holds_several(self, text: bytes) -> bool:
        """True when the server's own parser finds several."""
        if b"\0" in text:
            return False
        try:
            result = self._pgconn.prepare(b"", text)
        except psycopg.OperationalError:
            raise InvalidRunError(_BROKEN_OFF) from None
        state = result.error_field(pq.DiagnosticField.SQLSTATE)
        if result.status != pq.ExecStatus.COMMAND_OK and (state is None or state.startswith(_GONE)):
            raise InvalidRunError(_BROKEN_OFF)
        return state == b"42601" and result.error_field(pq.DiagnosticField.SOURCE_FUNCTION) == _MULTIPLE.encode()
