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
_SCHEMES: Final = frozenset({"postgresql", "postgres"})
_DEFAULT_PORT: Final = 5432
_SSL_REQUEST: Final = 80877103
_GSS_REQUEST: Final = 80877104
_CANCEL_REQUEST: Final = 80877102
_LENGTH_BYTES: Final = 4
_LONGEST_MESSAGE: Final = 1 << 30


class WireRecorder:
    """The record of all connections of one target. Written by the threads of a proxy, read by a check."""

    def __init__(self, room_bytes: int = _ROOM_BYTES) -> None:
        self._lock = threading.Lock()
        self._messages: list[WireMessage] = []
        self._framers: dict[int, PostgresFramer] = {}
        self._room_bytes = room_bytes
        self._is_complete = True

    @property
    def is_complete(self) -> bool:
        """False when something was not kept, for want of room or because it could not be read."""
        return self._is_complete

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
            if is_from_server:
                framer.note_answer(chunk)
                return
            for kind, payload in framer.feed(chunk):
                self._room_bytes -= len(payload)
                if self._room_bytes < 0:
                    self._is_complete = False
                    return
                self._messages.append(WireMessage(connection, kind, payload))
            self._is_complete = self._is_complete and not framer.is_lost


class PostgresFramer:
    """Cuts what a client of PostgreSQL sends into messages (protocol 3, "Message Formats" in the manual)."""

    def __init__(self) -> None:
        self._left = bytearray()
        self._has_started = False
        self._awaits_answer = False
        self.is_lost = False
        """True once the stream cannot be cut any more: it is encrypted, or no PostgreSQL."""

    def note_answer(self, chunk: bytes) -> None:
        """What the server answered: of interest is its one letter about encryption."""
        if self._awaits_answer:
            self._awaits_answer = False
            self.is_lost = self.is_lost or chunk[:1] in {b"S", b"G"}

    def feed(self, chunk: bytes) -> Iterator[tuple[str, bytes]]:
        """Kind and payload of each message that is whole now. A start is "startup", "ssl", "gss" or "cancel"."""
        self._left += chunk
        while not self.is_lost:
            head = 1 if self._has_started else 0
            if len(self._left) < head + _LENGTH_BYTES:
                return
            length = int.from_bytes(self._left[head : head + _LENGTH_BYTES], "big")
            if not _LENGTH_BYTES <= length <= _LONGEST_MESSAGE:
                self.is_lost = True
                return
            if len(self._left) < head + length:
                return
            kind = chr(self._left[0]) if head else ""
            payload = bytes(self._left[head + _LENGTH_BYTES : head + length])
            del self._left[: head + length]
            yield (kind, payload) if head else (self._start(payload), payload)

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
