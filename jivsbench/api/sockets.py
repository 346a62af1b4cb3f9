"""Opens connections to addresses that somebody has looked up, for drivers that would look the name up again."""

import socket
from collections.abc import Sequence


def open_socket(addresses: Sequence[str], port: int, timeout_s: float | None) -> socket.socket:
    """A TCP connection to the first of some addresses that answers. Raises the OSError of the last one."""
    for place, address in enumerate(addresses, start=1):
        try:
            connection = socket.create_connection((address, port), timeout_s)
        except OSError:
            if place == len(addresses):
                raise
            continue
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return connection
    raise OSError("there is no address to connect to")
