"""A server that speaks as much of PostgreSQL's protocol as it takes to be told the password, and then tells it in its error."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Final, Self

from jivsbench_security.servers.fronts import read_exactly

_LENGTH_BYTES: Final = 4
_SSL_REQUESTS: Final = frozenset({80877103, 80877104})
_MOST_BYTES: Final = 10_000
_PATIENCE_S: Final = 5.0
_PAUSE_S: Final = 0.01


class TelltaleServer:
    """Listens on a free port of 127.0.0.1. A context manager."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self.port: Final[int] = self._listener.getsockname()[1]
        self.told = 0
        """How many passwords it was sent."""
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._is_closed.set()
        self._thread.join(_PATIENCE_S)
        self._listener.close()

    def _serve(self) -> None:
        while not self._is_closed.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                # Nobody came; or this process has no file left for the moment.
                self._is_closed.wait(_PAUSE_S)
                continue
            with client, contextlib.suppress(OSError, ValueError):
                client.settimeout(_PATIENCE_S)
                self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        start = _read_message(client)
        while int.from_bytes(start[:_LENGTH_BYTES], "big") in _SSL_REQUESTS:
            client.sendall(b"N")
            start = _read_message(client)
        client.sendall(_write_message(b"R", (3).to_bytes(4, "big")))
        client.recv(1)
        password = _read_message(client).rstrip(b"\0")
        self.told += 1
        spoken = b"user " + start[_LENGTH_BYTES:].replace(b"\0", b" ") + b" has the password " + password
        client.sendall(_write_message(b"E", b"SFATAL\0VFATAL\0C28P01\0M" + spoken + b"\0D" + spoken + b"\0\0"))


def _read_message(client: socket.socket) -> bytes:
    """The next message without its length."""
    length = int.from_bytes(read_exactly(client, _LENGTH_BYTES), "big") - _LENGTH_BYTES
    if not 0 <= length <= _MOST_BYTES:
        raise ValueError("this is no PostgreSQL client")
    return read_exactly(client, length)


def _write_message(kind: bytes, payload: bytes) -> bytes:
    return kind + (len(payload) + _LENGTH_BYTES).to_bytes(_LENGTH_BYTES, "big") + payload
