"""Places that nobody may connect to, and that notice when somebody does. On the loopback interface and in a folder alone."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_POLL_S: Final = 0.2
_READ_S: Final = 1.0


class Listeners:
    """Accepts connections at several places, closes them at once, and keeps where they came."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._visits: list[str] = []
        self._is_ended = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="listeners", daemon=True)

    def listen(self, family: int, address: object, name: str, answer: bytes = b"") -> int:
        """Open one more place, before the start. Returns its port, 0 for a socket file. Raises OSError.

        With an answer a visit is none of those that count: it is said to whoever asks there.
        """
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.bind(address)  # type: ignore[arg-type]
            listener.listen(16)
        except OSError:
            listener.close()
            raise
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, (name, answer))
        return int(listener.getsockname()[1]) if family != socket.AF_UNIX else 0

    def take_visits(self) -> tuple[str, ...]:
        """Where somebody connected since the last question; a connection that still waits to be accepted counts."""
        self._accept_waiting(0.0)
        with self._lock:
            visits, self._visits = tuple(self._visits), []
        return visits

    @contextlib.contextmanager
    def accepting(self) -> Iterator[None]:
        """Notice connections until the end of the block."""
        self._thread.start()
        try:
            yield
        finally:
            self._is_ended.set()
            self._thread.join(5.0)
            self.close()

    def close(self) -> None:
        """Let go of every place."""
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def _accept(self) -> None:
        while not self._is_ended.is_set():
            self._accept_waiting(_POLL_S)

    def _accept_waiting(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            name, answer = key.data
            # The other thread may have been quicker; then there is nothing to accept.
            with contextlib.suppress(OSError):
                with self._lock:
                    connection, _ = key.fileobj.accept()  # type: ignore[union-attr]
                    if not answer:
                        self._visits.append(name)
                _say(connection, answer)


def _say(connection: socket.socket, answer: bytes) -> None:
    with connection:
        connection.settimeout(_READ_S)
        if answer:
            connection.recv(65_536)
            connection.sendall(answer)


def build_redirect(url: str) -> bytes:
    """An answer of HTTP that sends whoever asked elsewhere."""
    return f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


def name_socket_file(folder: Path) -> Path:
    """Where PostgreSQL's clients look for a server in a folder."""
    return folder / ".s.PGSQL.5432"
