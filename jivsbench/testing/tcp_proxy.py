"""A TCP proxy that breaks on demand, for tests of what talks to a server."""

import contextlib
import itertools
import select
import socket
import threading
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Final, Self

_CHUNK_BYTES: Final = 65_536
_LOOK_EVERY_S: Final = 0.01


class Fault(Enum):
    """What the proxy does to connections, old and new."""

    NONE = "none"
    HOLD = "hold"
    """Everything stays open and nothing passes: the hardest fault, since nobody is told."""
    REFUSE = "refuse"
    """Open connections are cut, new ones are refused."""


class TcpProxy:
    """Listens on a free port of 127.0.0.1 and passes bytes to one server, as long as no fault is set. A context manager.

    `observe` is called with the number of the connection, whether the server is the sender, and the bytes, before they pass on;
    by the thread of the connection, one after the other for each connection.
    """

    def __init__(self, host: str, port: int, observe: Callable[[int, bool, bytes], None] | None = None) -> None:
        self._target = (host, port)
        self._observe = observe
        self._numbers = itertools.count()
        self._fault = Fault.NONE
        self._is_stopped = threading.Event()
        self._listener: socket.socket | None = _listen(0)
        self.port: Final[int] = self._listener.getsockname()[1]
        self._connections: list[threading.Thread] = []
        self._change = threading.Condition()
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def set_fault(self, fault: Fault) -> None:
        """Break, or repair with `Fault.NONE`. In force when this returns; bytes that were held pass on after the repair."""
        with self._change:
            self._fault = fault
            self._change.wait_for(lambda: (self._listener is None) == (fault is Fault.REFUSE))
        if fault is Fault.REFUSE:
            self._join_connections()

    def close(self) -> None:
        """Cut every connection and stop."""
        self._is_stopped.set()
        self._acceptor.join()
        self._join_connections()
        if self._listener is not None:
            self._listener.close()

    def _join_connections(self) -> None:
        for thread in tuple(self._connections):
            thread.join()

    def _accept(self) -> None:
        while not self._is_stopped.is_set():
            self._open_or_close_listener()
            if self._listener is None:
                self._is_stopped.wait(_LOOK_EVERY_S)
                continue
            with contextlib.suppress(TimeoutError):
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._pass_on, args=(client,), daemon=True)
                self._connections.append(thread)
                thread.start()

    def _open_or_close_listener(self) -> None:
        """By the accepting thread alone: as long as another one waits on it, a closed socket goes on listening."""
        with self._change:
            if self._fault is Fault.REFUSE and self._listener is not None:
                self._listener.close()
                self._listener = None
            elif self._fault is not Fault.REFUSE and self._listener is None:
                self._listener = _listen(self.port)
            self._change.notify_all()

    def _is_cut(self) -> bool:
        return self._is_stopped.is_set() or self._fault is Fault.REFUSE

    def _pass_on(self, client: socket.socket) -> None:
        number = next(self._numbers)
        with client, contextlib.suppress(OSError), socket.create_connection(self._target) as server:
            other = {client: server, server: client}
            for end in other:
                # A receiver that reads nothing must not keep a cut from being made.
                end.settimeout(_LOOK_EVERY_S)
            while not self._is_cut():
                for ready in select.select(list(other), [], [], _LOOK_EVERY_S)[0]:
                    chunk = ready.recv(_CHUNK_BYTES)
                    self._wait_while_held()
                    if not chunk or self._is_cut():
                        return
                    if self._observe is not None:
                        self._observe(number, ready is server, chunk)
                    self._send(other[ready], chunk)

    def _send(self, receiver: socket.socket, chunk: bytes) -> None:
        left = memoryview(chunk)
        while left and not self._is_cut():
            with contextlib.suppress(TimeoutError):
                left = left[receiver.send(left) :]

    def _wait_while_held(self) -> None:
        while self._fault is Fault.HOLD and not self._is_stopped.is_set():
            self._is_stopped.wait(_LOOK_EVERY_S)


def _listen(port: int) -> socket.socket:
    listener = socket.create_server(("127.0.0.1", port))
    listener.settimeout(_LOOK_EVERY_S)
    return listener
