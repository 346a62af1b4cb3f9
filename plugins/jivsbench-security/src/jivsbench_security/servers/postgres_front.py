"""A PostgreSQL server as far as the password, which it asks for in clear (protocol 3, "Message Flow" in the manual)."""

import socket
from typing import Final

from jivsbench_security.servers.fronts import Front, Line, read_exactly

_SSL_REQUEST: Final = 80877103
_GSS_REQUEST: Final = 80877104
_HEAD_BYTES: Final = 8
_LONGEST_BYTES: Final = 10_000
_ASK_PASSWORD: Final = b"R" + (8).to_bytes(4, "big") + (3).to_bytes(4, "big")
_REFUSAL: Final = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed\0\0"
_REFUSED: Final = b"E" + (len(_REFUSAL) + 4).to_bytes(4, "big") + _REFUSAL


class PostgresFront(Front):
    """Takes the password, and refuses it."""

    def _talk(self, client: socket.socket, line: Line) -> None:
        head = self._note(line, read_exactly(client, _HEAD_BYTES))
        self._note_meeting(line)
        while _read_number(head[4:]) in {_SSL_REQUEST, _GSS_REQUEST}:
            if _read_number(head[4:]) == _SSL_REQUEST and line.has_tls:
                client.sendall(b"S")
                client = self._encrypt(client, line)
            else:
                client.sendall(b"N")
            head = self._note(line, read_exactly(client, _HEAD_BYTES))
        startup = head + self._note(line, read_exactly(client, min(_read_number(head[:4]), _LONGEST_BYTES) - _HEAD_BYTES))
        if line is Line.STRIPPED:
            self._relay(client, line, startup, _ask_for_tls)
            return
        client.sendall(_ASK_PASSWORD)
        kind_and_length = self._note(line, read_exactly(client, 5))
        self._note(line, read_exactly(client, min(_read_number(kind_and_length[1:]), _LONGEST_BYTES) - 4))
        client.sendall(_REFUSED)


def _ask_for_tls(server: socket.socket) -> None:
    server.sendall((8).to_bytes(4, "big") + _SSL_REQUEST.to_bytes(4, "big"))
    if read_exactly(server, 1) != b"S":
        raise ConnectionError


def _read_number(data: bytes) -> int:
    return int.from_bytes(data[:4], "big")
