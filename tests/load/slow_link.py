"""A slow way to a port of this machine, as between machines that are far from one another."""

import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def slow_link(port: int, delay_s: float) -> Iterator[int]:
    """Every byte to that port and back takes so long. Gives the port to connect to instead."""
    sockets: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, port, delay_s, sockets), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for each in sockets:
        each.close()


def _accept(listener: socket.socket, port: int, delay_s: float, sockets: list[socket.socket]) -> None:
    with suppress(OSError):
        while True:
            near, _address = listener.accept()
            try:
                far = socket.create_connection(("127.0.0.1", port))
            except OSError:
                # Whoever is connected to does not listen yet: the other side tries again.
                near.close()
                continue
            sockets.extend((near, far))
            for ends in ((near, far), (far, near)):
                threading.Thread(target=_forward, args=(*ends, delay_s), daemon=True).start()


def _forward(source: socket.socket, sink: socket.socket, delay_s: float) -> None:
    pending: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
    threading.Thread(target=_deliver, args=(sink, pending), daemon=True).start()
    with suppress(OSError):
        while chunk := source.recv(65536):
            pending.put((time.monotonic() + delay_s, chunk))
    pending.put((time.monotonic() + delay_s, b""))


def _deliver(sink: socket.socket, pending: queue.SimpleQueue[tuple[float, bytes]]) -> None:
    with suppress(OSError):
        while True:
            due_s, chunk = pending.get()
            time.sleep(max(0.0, due_s - time.monotonic()))
            if not chunk:
                sink.close()
                return
            sink.sendall(chunk)
