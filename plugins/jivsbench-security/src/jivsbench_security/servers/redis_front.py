"""A Redis server as far as a cache needs one to start and to miss, which takes any password."""

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Iterable
from typing import BinaryIO, Final

from jivsbench_security.servers.certificates import Certificates
from jivsbench_security.servers.fronts import Front, Line

_CLIENT_HELLO: Final = b"\x16"
_TOGETHER_S: Final = 2.0
_LONGEST_BYTES: Final = 65_536
_MOST_PARTS: Final = 64
_ME: Final = b"id=1 addr=127.0.0.1:1"
_ANSWERS: Final = {
    b"PING": b"+PONG\r\n",
    b"GET": b"$-1\r\n",
    b"CLIENT": b"$%d\r\n%b\r\n" % (len(_ME), _ME),
    b"SCAN": b"*2\r\n$1\r\n0\r\n*0\r\n",
    b"UNLINK": b":0\r\n",
}


class RedisFront(Front):
    """Trusted, until it is told what it is for each of the next connections: then those are answered together."""

    def __init__(self, certificates: Certificates, lines: Iterable[Line], trusted_port: int | None = None) -> None:
        self.hostile: Final = tuple(lines)
        self._next: deque[Line] = deque()
        self._together = threading.Barrier(1)
        super().__init__(Line.TRUSTED, certificates, trusted_port)

    def _list_lines(self) -> tuple[Line, ...]:
        return (Line.TRUSTED, *self.hostile)

    def turn_hostile(self, lines: Iterable[Line]) -> None:
        """Be each of these for one of the next connections; every client has to connect anew."""
        self._next = deque(lines)
        # A client believes no server that has just failed it: so none fails before all are asked.
        self._together = threading.Barrier(max(1, len(self._next)))
        self.cut()

    def _choose(self) -> Line:
        with contextlib.suppress(IndexError):
            return self._next.popleft()
        return self.line

    def _talk(self, client: socket.socket, line: Line) -> None:
        if not (first := client.recv(1, socket.MSG_PEEK)):
            return
        if line is not Line.TRUSTED:
            with contextlib.suppress(threading.BrokenBarrierError):
                self._together.wait(_TOGETHER_S)
        self._note_meeting(line)
        if line is Line.STRIPPED:
            self._relay(client, line, self._note(line, client.recv(_LONGEST_BYTES)), lambda _server: None)
            return
        if line.has_tls and first == _CLIENT_HELLO:
            client = self._encrypt(client, line)
        with client.makefile("rb") as said:
            while command := self._read_command(said, line):
                client.sendall(_ANSWERS.get(command, b"+OK\r\n"))
        # What a server says that was asked for TLS and has none.
        client.sendall(b"-ERR Protocol error\r\n")

    def _read_command(self, said: BinaryIO, line: Line) -> bytes:
        """The command's name; empty when there is none, or it is no Redis."""
        head = self._note(line, said.readline(_LONGEST_BYTES))
        if not head.startswith(b"*") or not head[1:].strip().isdigit():
            return b""
        parts = []
        for _ in range(min(int(head[1:]), _MOST_PARTS)):
            length = self._note(line, said.readline(_LONGEST_BYTES))[1:].strip()
            if not length.isdigit() or int(length) > _LONGEST_BYTES:
                return b""
            parts.append(self._note(line, said.read(int(length) + 2)).strip())
        return parts[0].upper() if parts else b""
