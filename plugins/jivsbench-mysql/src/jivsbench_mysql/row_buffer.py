"""Rows of the text protocol, found in the bytes as they came: where each row and each of its values begins and ends.

One step of Python a row finds the rows; from there on numpy looks at one column of all rows at a time, and no value becomes a
Python object. A packet is three bytes of length, one that counts packets, and as many bytes as it says; a row is a packet of
values, each led by its own length.
"""

import io
from dataclasses import dataclass
from struct import Struct
from typing import Final

import numpy as np
import numpy.typing as npt

from jivsbench.errors import ExtractionError

Places = npt.NDArray[np.int32]

_HEADER: Final = 4
_FULL: Final = 0xFFFFFF
"""A packet of this length goes on in the next one."""
_END_OF_ROWS: Final = 0xFE
_ERROR: Final = 0xFF
_LONGEST_END: Final = 8
"""A longer packet with the same first byte is a row whose first value has 16 MiB or more."""
_NULL: Final = 0xFB
_LENGTH_BYTES: Final = {0xFC: 2, 0xFD: 3, 0xFE: 8}
BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ColumnPlaces:
    """Where the values of one column begin and end in a block. `nulls` is None when there is none."""

    starts: Places
    ends: Places
    nulls: npt.NDArray[np.bool_] | None


@dataclass(frozen=True, slots=True)
class Block:
    """Whole rows. Its bytes are overwritten by the next one. Row i lies between `headers[i]` and `headers[i + 1]`."""

    data: bytearray
    headers: Places

    @property
    def num_rows(self) -> int:
        """How many rows it holds."""
        return len(self.headers) - 1

    def locate(self, columns: int) -> list[ColumnPlaces]:
        """The places of every value, column by column. Raises ExtractionError when a row is not as long as its values."""
        codes = np.frombuffer(self.data, np.uint8)
        position = self.headers[:-1] + _HEADER
        found = []
        for _number in range(columns):
            places = _locate_column(codes, position)
            found.append(places)
            position = places.ends
        if not np.array_equal(position, self.headers[1:]):
            raise ExtractionError("the server sent a row whose length is not that of its values: the connection is out of step")
        return found


def _locate_column(codes: npt.NDArray[np.uint8], position: Places) -> ColumnPlaces:
    first = codes[position]
    lengths = first.astype(np.int32)
    starts = position + 1
    if first.max() < _NULL:
        return ColumnPlaces(starts, starts + lengths, None)
    nulls = first == _NULL
    lengths[nulls] = 0
    for mark, size in _LENGTH_BYTES.items():
        longer = first == mark
        if longer.any():
            where = starts[longer]
            # No value is longer than a gigabyte, so four bytes of the eight say it all.
            lengths[longer] = sum(codes[where + byte].astype(np.int32) << (8 * byte) for byte in range(min(size, 4)))
            starts[longer] += size
    return ColumnPlaces(starts, starts + lengths, nulls if nulls.any() else None)


class RowBuffer:
    """Takes bytes from the server until a block is full or the rows are over. As large as a block, or as the longest row."""

    def __init__(self, source: io.BufferedReader) -> None:
        # Past the reader's own buffer, which would wait for more while it holds all that comes.
        self._source = source.raw
        read_ahead = source.read1(io.DEFAULT_BUFFER_SIZE)
        self._data = bytearray(BLOCK_BYTES)
        self._data[: len(read_ahead)] = read_ahead
        self._filled = len(read_ahead)
        self._headers: list[int] = []
        self._position = 0
        self.ending: bytes | None = None
        """What the server sent after the last row, once it came: the end, or an error."""
        self._find_rows()

    def fill(self) -> bool:
        """One read from the server. Returns False when the server is gone."""
        if self._filled == len(self._data):
            # A row longer than the buffer. What numpy or Arrow still holds of the old one stays as it is.
            self._data = self._data + bytearray(len(self._data))
        with memoryview(self._data) as view, view[self._filled :] as room:
            count = self._source.readinto(room) or 0
        self._filled += count
        self._find_rows()
        return count > 0

    @property
    def has_block(self) -> bool:
        """True when it pays to take what is there."""
        return bool(self._headers) and (self.ending is not None or self._filled >= BLOCK_BYTES * 3 // 4)

    def take(self) -> Block:
        """The whole rows that are there. They are gone with `free`."""
        return Block(self._data, np.array([*self._headers, self._position], np.int32))

    def free(self) -> None:
        """Make room: the rows that were taken are dealt with."""
        rest = self._filled - self._position
        self._data[:rest] = self._data[self._position : self._filled]
        self._filled, self._position = rest, 0
        self._headers.clear()

    def _find_rows(self) -> None:
        data, position, limit = self._data, self._position, self._filled - _HEADER
        unpack, append = Struct("<I").unpack_from, self._headers.append
        while position <= limit:
            size = unpack(data, position)[0] & _FULL
            if size == _FULL:
                end = self._join_packets(position)
                limit = self._filled - _HEADER
                if end is None:
                    break
            else:
                end = position + _HEADER + size
                if end > self._filled:
                    break
            append(position)
            position = end
        self._position = position
        self._find_ending()

    def _find_ending(self) -> None:
        """Nothing follows the end, so only the last packet can be one."""
        if not self._headers or self._position != self._filled:
            return
        start = self._headers[-1] + _HEADER
        first = self._data[start]
        if first == _ERROR or (first == _END_OF_ROWS and self._filled - start <= _LONGEST_END):
            self._position = self._headers.pop()
            self.ending = bytes(self._data[start : self._filled])

    def _join_packets(self, position: int) -> int | None:
        """Make one piece of a row that came in several packets: drop the headers inside. None while some of it is missing."""
        pieces = []
        start = position
        while start + _HEADER <= self._filled:
            size = int.from_bytes(self._data[start : start + 3], "little")
            pieces.append(self._data[start + _HEADER : start + _HEADER + size])
            start += _HEADER + size
            if size < _FULL:
                break
        else:
            return None
        if start > self._filled:
            return None
        rest = self._data[start : self._filled]
        joined = b"".join(pieces)
        end = position + _HEADER + len(joined)
        self._data[position + _HEADER : end + len(rest)] = joined + rest
        self._filled = end + len(rest)
        return end
