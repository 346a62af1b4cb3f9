"""A copy read from the socket: the same rows however the bytes are cut, and never another session's."""

import socket
import struct
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench_postgres.socket_copy import LongRowError, RefusedCopyError, SocketCopy

BEFORE = b"1\0\0\0\4" + b"2\0\0\0\4" + b"H\0\0\0\7\0\0\0"
READY = b"Z\0\0\0\5T"
ERROR = b"SFATAL\0VFATAL\0C57P01\0Mterminating \0\0"
PATIENCE_S = 5.0


def message(kind: bytes, body: bytes) -> bytes:
    """One message of the server."""
    return kind + struct.pack("!I", len(body) + 4) + body


def answer(rows: list[bytes], tag: bytes | None = None) -> bytes:
    """What a server sends for a copy of these rows."""
    data = b"".join(message(b"d", row + b"\n") for row in rows)
    return BEFORE + data + b"c\0\0\0\4" + message(b"C", (tag or b"COPY %d" % len(rows)) + b"\0") + READY


class Server:
    """The other end of a line: sends what it is told in pieces of given sizes, and then closes or waits."""

    def __init__(self) -> None:
        mine, self.line = socket.socketpair()
        mine.setblocking(False)
        self.copy = SocketCopy(mine)

    def play(self, data: bytes, sizes: list[int], *, closes: bool) -> threading.Thread:
        """Send in the background, after the statement has come."""
        thread = threading.Thread(target=self._play, args=(data, sizes), kwargs={"closes": closes})
        thread.start()
        return thread

    def _play(self, data: bytes, sizes: list[int], *, closes: bool) -> None:
        self.line.recv(1 << 16)
        position = 0
        for size in sizes:
            self.line.sendall(data[position : position + size])
            position += size
        self.line.sendall(data[position:])
        if closes:
            self.line.close()

    def read(self, data: bytes, sizes: list[int] | None = None, *, may_blank: bool = False, closes: bool = False) -> bytes:
        """All blocks of one copy, joined."""
        self.copy.start(b"COPY t TO STDOUT", PATIENCE_S)
        thread = self.play(data, sizes or [], closes=closes)
        try:
            return b"".join(bytes(block.data) for block in self.copy.blocks(PATIENCE_S, may_blank=may_blank))
        finally:
            thread.join()

    def close(self) -> None:
        """Close both ends."""
        self.line.close()
        self.copy.close()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on the other end of a socket."""
    made = Server()
    yield made
    made.close()


ROWS = st.lists(st.binary(max_size=600).map(lambda row: row.replace(b"\0", b"d").replace(b"\n", b"Z")), max_size=60)


@given(rows=ROWS, sizes=st.lists(st.integers(1, 400), max_size=20), may_blank=st.booleans())
def test_rows_arrive_whole_however_they_are_cut(rows: list[bytes], sizes: list[int], *, may_blank: bool) -> None:
    """Every row, in order, for every way to cut the bytes; with empty lines between them only when they are allowed."""
    server = Server()
    try:
        found = server.read(answer(rows), sizes, may_blank=may_blank)
    finally:
        server.close()

    if may_blank:
        assert [line for line in found.split(b"\n") if line] == [row for row in rows if row]
    else:
        assert found == b"".join(row + b"\n" for row in rows)
    assert server.copy.row_count == len(rows)
    assert not server.copy.is_running


@pytest.mark.parametrize("size", [250, 251, 252, 65_530, 65_531, 1 << 20, (1 << 20) + 300_000, 17 << 20])
def test_rows_of_every_length_arrive(server: Server, size: int) -> None:
    """Lengths with NULs in other places, rows larger than the buffer, and one of more than 16 MiB among small ones."""
    rows = [b"a", b"x" * size, b"b", b"y" * size, b""]

    assert server.read(answer(rows)) == b"".join(row + b"\n" for row in rows)


def test_a_long_copy_wakes_for_its_last_bytes(server: Server) -> None:
    """After 1 MiB the reader lets bytes gather; the end comes all the same, and the socket is as it was."""
    rows = [b"%d" % number * 20 for number in range(60_000)]

    found = server.read(answer(rows))

    assert found == b"".join(row + b"\n" for row in rows)
    assert server.copy._line.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 1


def test_notices_and_settings_between_rows_are_passed_over(server: Server) -> None:
    """The server may send these at any time; they hold NULs of their own."""
    notice = message(b"N", b"SNOTICE\0C00000\0Md\0\0") + message(b"S", b"TimeZone\0UTC\0")
    row = message(b"d", b"1\tx\n")
    data = BEFORE + notice + row + notice + notice + row + b"c\0\0\0\4" + message(b"C", b"COPY 2\0") + READY

    assert server.read(data) == b"1\tx\n1\tx\n"


def test_an_error_after_rows_is_told_with_its_code(server: Server) -> None:
    """Rows that came before do not hide it; the socket is libpq's again."""
    data = BEFORE + message(b"d", b"1\n") + message(b"E", b"SERROR\0VERROR\0C22012\0Mdivision\0\0") + READY

    with pytest.raises(RefusedCopyError) as refusal:
        server.read(data)

    assert refusal.value.sqlstate == "22012"
    assert not server.copy.is_running


def test_a_server_that_says_why_and_leaves_is_quoted(server: Server) -> None:
    """A fatal error has no ReadyForQuery after it: the session is over."""
    with pytest.raises(RefusedCopyError) as refusal:
        server.read(BEFORE + message(b"d", b"1\n") + message(b"E", ERROR), closes=True)

    assert refusal.value.sqlstate == "57P01"
    assert server.copy.is_running


@pytest.mark.parametrize("cut", [3, 9, 20, 26, -3])
def test_a_line_that_breaks_is_no_end(server: Server, cut: int) -> None:
    """Wherever the bytes stop, an answer without its end is an error."""
    with pytest.raises(ConnectionResetError):
        server.read(answer([b"1", b"2"])[:cut], closes=True)


def test_silence_is_given_up(server: Server) -> None:
    """A server that stalls in the middle of a row costs no more than the patience."""
    server.copy.start(b"COPY t TO STDOUT", PATIENCE_S)
    server.line.sendall(answer([b"1", b"2"])[:-10])

    with pytest.raises(TimeoutError):
        list(server.copy.blocks(0.2, may_blank=True))


@pytest.mark.parametrize("data", [b"X\0\0\0\4", b"d\xff\xff\xff\xff\x01\x02", message(b"R", b"\0\0\0\0")])
def test_what_no_server_sends_ends_the_session(server: Server, data: bytes) -> None:
    """Better no rows than rows that are guessed at."""
    with pytest.raises(ConnectionError):
        server.read(BEFORE + data, closes=True)


def test_what_is_left_can_be_thrown_away(server: Server) -> None:
    """After a reader has stopped, the rest is read to its end, and the next statement starts clean."""
    rows = [b"%d" % number * 100 for number in range(20_000)]
    server.copy.start(b"COPY t TO STDOUT", PATIENCE_S)
    thread = server.play(answer(rows), [], closes=False)
    next(server.copy.blocks(PATIENCE_S, may_blank=True))

    server.copy.discard(PATIENCE_S)

    thread.join()
    assert not server.copy.is_running
    assert server.read(answer([b"next"])) == b"next\n"


def test_a_block_can_be_read_as_bytes_without_a_copy(server: Server) -> None:
    """A block with empty lines is a view of the buffer."""
    server.copy.start(b"COPY t TO STDOUT", PATIENCE_S)
    thread = server.play(answer([b"1\t2", b"3\t4"]), [], closes=False)
    (block,) = server.copy.blocks(PATIENCE_S, may_blank=True)

    thread.join()
    assert isinstance(block.data, np.ndarray)
    assert bytes(block.data) == b"\n" * 5 + b"1\t2\n" + b"\n" * 5 + b"3\t4\n"


def test_a_row_that_would_fill_the_memory_is_not_taken_in(server: Server) -> None:
    """The rows before it arrive; of its 300 MB no room is made, and the same goes for throwing it away."""
    head = struct.pack("!cI", b"d", 300_000_000)
    started = BEFORE + message(b"d", b"1\n") + head + b"x" * ((1 << 20) + 50_000)

    with pytest.raises(LongRowError):
        server.read(started)
    room = server.copy._buffer.size
    with pytest.raises(LongRowError):
        server.copy.discard(PATIENCE_S)

    assert room < 4 << 20
