"""A COPY read straight from the session's socket, a mebibyte at a time.

libpq hands a copy out row by row, and each of these calls costs more than all else that is done with the row (measured with
TPC-H lineitem: 11 CPU s against 1 for 6 million rows). While libpq is idle nobody reads its socket, so on a line without
encryption one statement's messages can be read here; at ReadyForQuery libpq goes on as if nothing had happened. Messages are
those of https://www.postgresql.org/docs/current/protocol-message-formats.html. Nothing here knows what the rows mean.
"""

import select
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

_ENOUGH_BYTES = 1 << 20
"""A block is handed on when so much is there: larger ones need more memory and parse no faster."""
_SPARE_BYTES = 256 << 10
_CAPACITY_BYTES = _ENOUGH_BYTES + _SPARE_BYTES
LONGEST_ROW_BYTES = 32 << 20
"""The server's own limit is 1 GiB, and a row is held several times over until it is written: one value could fill the memory."""
_PATIENT_FROM_BYTES = 1 << 20
_LOW_WATER_BYTES = 256 << 10
"""In a long copy the kernel wakes us when so much waits, not at each of the server's 8 KiB: that saves two thirds of the CPU."""
_LOW_WATER_SLICE_S = 0.002
"""So long the last bytes of a long copy, which never fill the low water mark, may wait."""
_NAP_S = 0.0002
"""Taken between two receipts of a short copy: the server's 8 KiB pieces then come by the dozen, not each with a wake-up and a
change of thread of its own."""
_HEADER_BYTES = 5
_LINE_BREAK = ord("\n")
_ROW = ord("d")
_READY = b"Z\0\0\0\5"


class RefusedCopyError(Exception):
    """The server answered with an error; `sqlstate` is its code."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


class LongRowError(ConnectionAbortedError):
    """A row is longer than any that is taken in. What is left of it is not read: the session is to be closed."""


@dataclass(frozen=True, slots=True)
class CopyBlock:
    """Whole rows of COPY's text format, each ended by a line break. Valid until the next block is asked for.

    Between the rows stand empty lines unless `has_blank_lines` is False.
    """

    data: Bytes | bytes
    row_count: int
    has_blank_lines: bool


class SocketCopy:
    """Runs one COPY at a time on a socket that libpq has left alone. Used by one thread."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._poll = select.poll()
        self._poll.register(line, select.POLLIN)
        self._buffer: Bytes = np.empty(_CAPACITY_BYTES, np.uint8)
        # Used again and again: fresh pages would cost more than what is done with them.
        self._scratch = np.empty(_CAPACITY_BYTES, np.bool_)
        self._position = self._fill = 0
        """What lies between them has arrived and is not taken in yet."""
        self._enough_bytes = _ENOUGH_BYTES
        self._received_bytes = 0
        self._has_low_water = False
        self._sqlstate: str | None = None
        self._failed = False
        self.is_running = False
        """From the statement until ReadyForQuery: then the socket is libpq's again."""
        self.answered_ns: int | None = None
        """When the first byte of the answer came, by `time.perf_counter_ns`."""
        self.row_count: int | None = None
        """Rows that the server says it sent; None until it has said so."""

    def start(self, sql: bytes, patience_s: float) -> None:
        """Send one statement by the extended protocol, which refuses a text that holds two. Raises OSError."""
        if self._buffer.size > _CAPACITY_BYTES:
            self._buffer = np.empty(_CAPACITY_BYTES, np.uint8)
            self._scratch = np.empty(_CAPACITY_BYTES, np.bool_)
        self._position = self._fill = self._received_bytes = 0
        self._sqlstate, self._failed, self.row_count, self.answered_ns = None, False, None, None
        self.is_running = True
        message = memoryview(_build_messages(sql))
        poll = select.poll()
        poll.register(self._line, select.POLLOUT)
        while message:
            if not poll.poll(patience_s * 1000):
                raise TimeoutError
            message = message[self._line.send(message) :]

    def blocks(self, patience_s: float, *, may_blank: bool) -> Iterator[CopyBlock]:
        """Blocks of whole rows until ReadyForQuery; a second call goes on where the first one stopped.

        With `may_blank` rows are parted by empty lines, which costs less than closing the gaps. Raises RefusedCopyError,
        TimeoutError after `patience_s` of silence, LongRowError, and another ConnectionError when the server is gone.
        """
        is_open = True
        while self.is_running:
            # First what is here already: a block before may have been the last that anyone asked for.
            rows = _find_rows(self._buffer[self._position : self._fill], self._scratch)
            if rows.row_count:
                self._position += rows.data.size
                yield _build_block(rows, may_blank=may_blank)
            elif not self._take_message():
                if not is_open:
                    break
                is_open = self._receive_enough(patience_s)
        if self.is_running and not self._failed:
            raise ConnectionResetError
        if self._failed:
            raise RefusedCopyError(self._sqlstate)

    def discard(self, timeout_s: float) -> None:
        """Throw away what is left of a statement that was cancelled. Raises what `blocks` raises, but no RefusedCopyError."""
        deadline = time.monotonic() + timeout_s
        try:
            for _block in self.blocks(timeout_s, may_blank=True):
                if time.monotonic() > deadline:
                    raise TimeoutError
        except RefusedCopyError:
            if self.is_running:
                raise ConnectionResetError from None

    def close(self) -> None:
        """Let go of the socket. May be called twice."""
        self._line.close()

    def _may_be_ready(self) -> bool:
        return self._buffer[max(0, self._fill - len(_READY) - 1) : self._fill - 1].tobytes() == _READY

    def _receive_enough(self, patience_s: float) -> bool:
        """Append bytes until a block is full or nothing more will come. False when the server has closed the line."""
        self._make_room()
        while self._receive(patience_s):
            if self._fill >= self._enough_bytes or self._may_be_ready():
                return True
            if not self._has_low_water:
                time.sleep(_NAP_S)
        return False

    def _receive(self, patience_s: float) -> bool:
        """Wait for bytes and append them. False when the server has closed the line."""
        if not self._has_low_water and self._received_bytes > _PATIENT_FROM_BYTES:
            self._set_low_water(_LOW_WATER_BYTES)
        deadline = time.monotonic() + patience_s
        while True:
            left_s = max(0.0, deadline - time.monotonic())
            found = self._poll.poll(min(left_s, _LOW_WATER_SLICE_S) * 1000 if self._has_low_water else left_s * 1000)
            try:
                count = self._line.recv_into(self._buffer[self._fill :].data)
            except BlockingIOError:
                if not found and time.monotonic() >= deadline:
                    raise TimeoutError from None
                continue
            if self.answered_ns is None:
                self.answered_ns = time.perf_counter_ns()
            self._fill += count
            self._received_bytes += count
            return count > 0

    def _set_low_water(self, size_bytes: int) -> None:
        self._line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size_bytes)
        self._has_low_water = size_bytes > 1

    def _take_message(self) -> bool:
        """Take in one message that is no row. False when it is not whole yet."""
        waiting = self._buffer[self._position : self._fill]
        if waiting.size < _HEADER_BYTES:
            return False
        kind, length = _read_header(waiting)
        if waiting.size < length + 1:
            return False
        self._position += length + 1
        body = waiting[_HEADER_BYTES : length + 1].tobytes()
        match kind:
            case b"C":
                self.row_count = _read_row_count(body)
            case b"E":
                self._failed, self._sqlstate = True, _read_sqlstate(body)
            case b"Z":
                self.is_running = False
                if self._has_low_water:
                    self._set_low_water(1)
            case b"1" | b"2" | b"H" | b"c" | b"N" | b"S" | b"A":
                pass
            case _:
                # A row can hold no message of another kind: what is read here is not what the server wrote.
                raise ConnectionAbortedError
        return True

    def _make_room(self) -> None:
        """Move what is not taken in yet to the front, and make the buffer hold at least the message that starts there."""
        waiting = self._buffer[self._position : self._fill]
        length = _read_header(waiting)[1] + 1 if waiting.size >= _HEADER_BYTES else 0
        if length > LONGEST_ROW_BYTES + _HEADER_BYTES:
            raise LongRowError
        self._enough_bytes = max(_ENOUGH_BYTES, length)
        room = self._buffer
        if self._enough_bytes + _SPARE_BYTES > room.size:
            room = np.empty(self._enough_bytes + _SPARE_BYTES, np.uint8)
            self._scratch = np.empty(room.size, np.bool_)
        room[: waiting.size] = waiting
        self._buffer, self._position, self._fill = room, 0, int(waiting.size)


@dataclass(frozen=True, slots=True)
class _Rows:
    """A run of CopyData messages, and where each starts."""

    data: Bytes
    starts: npt.NDArray[np.int64]

    @property
    def row_count(self) -> int:
        return int(self.starts.size)


def _find_rows(data: Bytes, scratch: npt.NDArray[np.bool_]) -> _Rows:
    """The run of whole CopyData messages at the start of `data`. `scratch` is at least as long.

    A message is `d`, its length in four bytes, and a row, which can hold no NUL. So NULs stand in lengths alone, and those of
    one length lie at most three bytes apart. What that finds is believed only where each message starts at the end of the one
    before.
    """
    if not data.size or data[0] != _ROW:
        return _Rows(data[:0], np.empty(0, np.int64))
    nuls = np.flatnonzero(np.equal(data, 0, out=scratch[: data.size]))
    is_first = np.empty(nuls.size, np.bool_)
    is_first[:1] = True
    np.greater(np.diff(nuls), 3, out=is_first[1:])
    found = nuls[is_first] - 1
    # A length of 16 MiB or more starts with no NUL: the first message is a candidate all the same.
    starts = np.concatenate((np.zeros(1, np.int64), found[found > 0]))
    starts = starts[starts <= data.size - _HEADER_BYTES]
    if not starts.size:
        return _Rows(data[:0], starts)
    headers = data[starts[:, None] + np.arange(_HEADER_BYTES)]
    lengths = np.ascontiguousarray(headers[:, 1:]).view(">u4").ravel().astype(np.int64)
    ends = starts + 1 + lengths
    is_row = (headers[:, 0] == _ROW) & (ends <= data.size)
    is_row[1:] &= starts[1:] == ends[:-1]
    count = int(is_row.size if is_row.all() else is_row.argmin())
    return _Rows(data[: ends[count - 1] if count else 0], starts[:count])


def _build_block(rows: _Rows, *, may_blank: bool) -> CopyBlock:
    headers = rows.starts[:, None] + np.arange(_HEADER_BYTES)
    if may_blank:
        rows.data[headers] = _LINE_BREAK
        return CopyBlock(rows.data, rows.row_count, has_blank_lines=True)
    is_kept = np.ones(rows.data.size, np.bool_)
    is_kept[headers] = False
    return CopyBlock(rows.data[is_kept].tobytes(), rows.row_count, has_blank_lines=False)


def _build_messages(sql: bytes) -> bytes:
    """Parse, Bind, Execute and Sync of one statement without parameters."""
    bodies: tuple[tuple[bytes, Any], ...] = (
        (b"P", b"\0" + sql + b"\0\0\0"),
        (b"B", b"\0\0" + b"\0\0" * 3),
        (b"E", b"\0" + b"\0\0\0\0"),
        (b"S", b""),
    )
    return b"".join(kind + struct.pack("!I", len(body) + 4) + body for kind, body in bodies)


def _read_header(data: Bytes) -> tuple[bytes, int]:
    """Kind and length of the message that starts here; the length counts itself, not the kind."""
    kind, length = struct.unpack("!cI", data[:_HEADER_BYTES].tobytes())
    return kind, length


def _read_row_count(body: bytes) -> int:
    """`COPY 42` of CommandComplete."""
    count = body.rstrip(b"\0").rpartition(b" ")[2]
    return int(count) if count.isdigit() else -1


def _read_sqlstate(body: bytes) -> str | None:
    """The field `C` of ErrorResponse; its texts are not read, since they can hold values."""
    fields = body.split(b"\0")
    return next((field[1:].decode("ascii", "replace") for field in fields if field[:1] == b"C"), None)
