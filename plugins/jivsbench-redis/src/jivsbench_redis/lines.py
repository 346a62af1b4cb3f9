"""The connections to one server, each used by one call at a time.

A call that was given up may have sent its SET already: the bytes lie somewhere on their way, and a server that comes back may
store them after everybody has moved on. So each connection knows what the server calls it, and one that was given up in the
middle of a SET is ended there before the server is believed again.
"""

import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, cast

import redis
from redis.connection import ConnectionInterface

_LATE_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class LineName:
    """What the server calls a connection. The number alone could be another client's after a restart."""

    number: bytes
    peer: bytes


@dataclass(frozen=True, slots=True)
class _Line:
    connection: ConnectionInterface
    name: LineName | None

    def close(self) -> None:
        self.connection.disconnect()  # type: ignore[no-untyped-call]


class Lines:
    """Asks one server, for many threads."""

    def __init__(self, pool: redis.ConnectionPool) -> None:
        self._pool = pool
        self._idle: deque[_Line] = deque()
        self._late: deque[LineName] = deque(maxlen=_LATE_MAX)
        self._is_closed = threading.Event()

    def ask(self, *command: str | bytes | int) -> object:
        """One command, straight on a connection: through the client's usual layers it takes more than twice the CPU.

        A connection that was closed while it was idle is found only now; the command is then sent once more on a new one.
        """
        try:
            return self._ask_on(self._idle.pop(), command)
        except IndexError:
            pass
        except redis.TimeoutError:
            raise
        except (redis.ConnectionError, OSError):
            self._drop_idle()
        return self._ask_on(self._open(), command)

    def end_late(self) -> None:
        """Let the server end what was given up in the middle of a SET. An account that may not do so is left as it is."""
        while self._late:
            name = self._late.popleft()
            try:
                self.ask("CLIENT", "KILL", "ID", name.number, "ADDR", name.peer)
            except redis.ResponseError:
                continue
            except BaseException:
                self._late.append(name)
                raise

    def close(self) -> None:
        """Close the connections, and those that are in use as soon as they are not."""
        self._is_closed.set()
        self._drop_idle()

    def _open(self) -> _Line:
        connection = self._pool.make_connection()
        try:
            connection.send_command("CLIENT", "INFO")  # type: ignore[no-untyped-call]
            told = cast("bytes", connection.read_response())
        except redis.ResponseError:
            return _Line(connection, None)
        except BaseException:
            _Line(connection, None).close()
            raise
        facts = dict(fact.partition(b"=")[::2] for fact in told.split())
        return _Line(connection, LineName(facts.get(b"id", b""), facts.get(b"addr", b"")))

    def _ask_on(self, line: _Line, command: tuple[str | bytes | int, ...]) -> object:
        try:
            line.connection.send_command(*command)  # type: ignore[no-untyped-call]
            answer = line.connection.read_response()
        except redis.ResponseError:
            self._keep(line)
            raise
        except BaseException:
            if command[0] == "SET" and line.name is not None:
                self._late.append(line.name)
            line.close()
            raise
        self._keep(line)
        return answer

    def _keep(self, line: _Line) -> None:
        self._idle.append(line)
        if self._is_closed.is_set():
            self._drop_idle()

    def _drop_idle(self) -> None:
        # Other threads take from it too.
        with suppress(IndexError):
            while True:
                self._idle.pop().close()
