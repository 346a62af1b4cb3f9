"""Stands between a target and its source's server, passes everything on, and keeps what the target says.

What reached the server is counted here, not where it was sent from: "all attacks were blocked" and "the database was down" look
the same to whoever sent them. Keeps the client's side alone, and no more than a fixed room of it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final
from urllib.parse import SplitResult, urlsplit

from jivsbench.api import WireMessage
from jivsbench.model.host import is_this_machine
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.testing.tcp_proxy import TcpProxy

_ROOM_BYTES: Final = 64 << 20
_LONGEST_KEPT: Final = 10_000
"""Bytes of one message; no check asks for more of a statement."""
_MESSAGE_BYTES: Final = 200
"""What a message takes besides its payload."""
_TEXTS: Final = frozenset({"Q", "P"})
"""Kinds of message that hold a statement: Query and Parse. The others hold values and orders."""
_SCHEMES: Final = frozenset({"postgresql", "postgres"})
_DEFAULT_PORT: Final = 5432
_SSL_REQUEST: Final = 80877103
_GSS_REQUEST: Final = 80877104
_CANCEL_REQUEST: Final = 80877102
_LENGTH_BYTES: Final = 4
_LONGEST_MESSAGE: Final = 1 << 30


class WireRecorder:
    """The record of all connections of one target. Written by the threads of a proxy, read by a check.

    It takes `room_bytes` of memory at most: of each message its start, and no message more when the room is used up.
    """

    def __init__(self, room_bytes: int = _ROOM_BYTES) -> None:
        self._lock = threading.Lock()
        self._messages: list[WireMessage] = []
        self._framers: dict[int, PostgresFramer] = {}
        self._room_bytes = room_bytes
        self._cut_texts = 0
        self.lost_streams = 0
        """Connections that could not be cut into messages any more: encrypted, or no PostgreSQL."""

    @property
    def is_complete(self) -> bool:
        """False when a statement's text was not kept whole: it was too long, there was no room, or its stream was lost."""
        return not self.lost_streams and not self._cut_texts and self._room_bytes >= 0

    def mark(self) -> int:
        """How many messages there are."""
        with self._lock:
            return len(self._messages)

    def since(self, mark: int) -> tuple[WireMessage, ...]:
        """Messages after a mark, in the order in which they came."""
        with self._lock:
            return tuple(self._messages[mark:])

    def observe(self, connection: int, is_from_server: bool, chunk: bytes) -> None:  # noqa: FBT001 - the proxy's call
        """Take note of bytes that pass."""
        with self._lock:
            framer = self._framers.setdefault(connection, PostgresFramer())
            if framer.is_lost or self._room_bytes < 0:
                return
            if is_from_server:
                framer.note_answer(chunk)
            else:
                for kind, payload, is_whole in framer.feed(chunk):
                    self._keep(WireMessage(connection, kind, payload, is_whole))
            self.lost_streams += framer.is_lost

    def _keep(self, message: WireMessage) -> None:
        """Every message costs something, also an empty one: a target that goes on sending them is not kept for ever."""
        self._room_bytes -= len(message.payload) + _MESSAGE_BYTES
        if self._room_bytes < 0:
            # Nothing more is kept, so no half of a message has to be either.
            self._framers.clear()
            return
        self._cut_texts += message.kind in _TEXTS and not message.is_whole
        self._messages.append(message)


class PostgresFramer:
    """Cuts what a client of PostgreSQL sends into messages (protocol 3, "Message Formats" in the manual).

    Of a message longer than 10,000 bytes the start is kept and the rest let pass.
    """

    def __init__(self) -> None:
        self._left = bytearray()
        self._passing_bytes = 0
        self._has_started = False
        self._awaits_answer = False
        self.is_lost = False
        """True once the stream cannot be cut any more: it is encrypted, or no PostgreSQL."""

    def note_answer(self, chunk: bytes) -> None:
        """What the server answered: of interest is its one letter about encryption."""
        if self._awaits_answer:
            self._awaits_answer = False
            if chunk[:1] in {b"S", b"G"}:
                self._lose()

    def feed(self, chunk: bytes) -> Iterator[tuple[str, bytes, bool]]:
        """Kind and payload of each message whose start is here now, and whether that is all of it.

        A start of a session is "startup", "ssl", "gss" or "cancel".
        """
        if self.is_lost:
            return
        self._left += chunk
        while (found := self._cut()) is not None:
            yield found

    def _cut(self) -> tuple[str, bytes, bool] | None:
        passed = min(self._passing_bytes, len(self._left))
        del self._left[:passed]
        self._passing_bytes -= passed
        head = 1 if self._has_started else 0
        if len(self._left) < head + _LENGTH_BYTES:
            return None
        length = int.from_bytes(self._left[head : head + _LENGTH_BYTES], "big")
        if not _LENGTH_BYTES <= length <= _LONGEST_MESSAGE:
            self._lose()
            return None
        kept = head + min(length, _LENGTH_BYTES + _LONGEST_KEPT)
        if len(self._left) < kept:
            return None
        kind = chr(self._left[0]) if head else ""
        payload = bytes(self._left[head + _LENGTH_BYTES : kept])
        del self._left[:kept]
        self._passing_bytes = head + length - kept
        return kind if head else self._start(payload), payload, not self._passing_bytes

    def _lose(self) -> None:
        self.is_lost = True
        self._left.clear()

    def _start(self, payload: bytes) -> str:
        match int.from_bytes(payload[:_LENGTH_BYTES], "big"):
            case number if number in {_SSL_REQUEST, _GSS_REQUEST}:
                self._awaits_answer = True
                return "ssl" if number == _SSL_REQUEST else "gss"
            case number if number == _CANCEL_REQUEST:
                return "cancel"
            case _:
                self._has_started = True
                return "startup"


@contextmanager
def record_source(source: DataSource) -> Iterator[tuple[DataSource, WireRecorder | None]]:
    """The source by way of a recorder; the source itself and None where no recorder can stand in between.

    That is: another protocol than PostgreSQL's, a socket file, several hosts, a URL that cannot be read, or a line that is
    encrypted, as the URL may ask and as it is to another machine.
    """
    parts = _read_url(source)
    if parts is None or not _is_recordable(parts):
        yield source, None
        return
    recorder = WireRecorder()
    with TcpProxy(parts.hostname or "127.0.0.1", parts.port or _DEFAULT_PORT, recorder.observe) as proxy:
        user, at, _ = parts.netloc.rpartition("@")
        passing = parts._replace(netloc=f"{user}{at}127.0.0.1:{proxy.port}")
        yield replace(source, url=Secret(passing.geturl())), recorder


def _read_url(source: DataSource) -> SplitResult | None:
    """None for a URL that cannot be read: its target is to say so, and the error's text would repeat a piece of it."""
    try:
        parts = urlsplit(source.url.reveal())
        port = parts.port
    except ValueError:
        return None
    return None if port == 0 else parts


def _is_recordable(parts: SplitResult) -> bool:
    asks = parts.query.lower()
    has_one_host = bool(parts.hostname) and "," not in parts.netloc and is_this_machine(parts.hostname or "")
    return parts.scheme in _SCHEMES and has_one_host and not any(word in asks for word in ("ssl", "host", "service="))
