"""Figures of columns and fingerprints of rows, added up from a query of their own: SQLite has no exact sums and no hash.

Values come from the file a second time and are written out by Python, not by Arrow. So what happened to rows, batches, arrays and
files on the way to the disk is checked; what one stored value means is decided by the same converters as in reading.
"""

import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice

from jivsbench.model.fingerprint import ColumnFingerprint
from jivsbench.model.row_fingerprint import RowFingerprint, hash_texts, join_row_fingerprints
from jivsbench.model.source import TypePolicy
from jivsbench.model.table import Column
from jivsbench_sqlite.values import build_value_reader

Row = tuple[object, ...]

_PIECE_ROWS = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def sum_columns(rows: Iterable[Row], columns: Sequence[Column], table: str, policy: TypePolicy) -> tuple[ColumnFingerprint, ...]:
    """NULLs, sum, least and greatest of each column. Raises TypePolicyError naming table and column."""
    tallies = [_Tally() for _ in columns]
    for row in _read_values(rows, columns, table, policy):
        for tally, value in zip(tallies, row, strict=True):
            tally.add(value)
    return tuple(tally.finish(column.name) for tally, column in zip(tallies, columns, strict=True))


def hash_rows(rows: Iterable[Row], columns: Sequence[Column], table: str, policy: TypePolicy) -> RowFingerprint:
    """Rows and the sum of their hashes. Raises TypePolicyError naming table and column."""
    texts = (_write_row(row) for row in _read_values(rows, columns, table, policy))
    return join_row_fingerprints(hash_texts(piece) for piece in iter(lambda: list(islice(texts, _PIECE_ROWS)), []))


class _Tally:
    """Adds up one column, in Python's whole numbers, which have no end."""

    def __init__(self) -> None:
        self._nulls = self._total = 0
        self._least: int | None = None
        self._greatest: int | None = None

    def add(self, value: object) -> None:
        if value is None:
            self._nulls += 1
        elif not isinstance(value, float):
            whole = _to_whole(value)
            self._total += whole
            self._least = whole if self._least is None else min(self._least, whole)
            self._greatest = whole if self._greatest is None else max(self._greatest, whole)

    def finish(self, name: str) -> ColumnFingerprint:
        total = None if self._least is None else self._total
        return ColumnFingerprint(name, self._nulls, total, self._least, self._greatest)


def _read_values(rows: Iterable[Row], columns: Sequence[Column], table: str, policy: TypePolicy) -> Iterator[Row]:
    readers = [build_value_reader(column, table, policy) for column in columns]
    for row in rows:
        yield tuple(read(value) for read, value in zip(readers, row, strict=True))


def _write_row(row: Row) -> bytes:
    head: list[bytes] = []
    tail: list[bytes] = []
    for value in row:
        match value:
            case str() | bytes():
                tail.append(value.encode() if isinstance(value, str) else value.hex().encode())
                head.append(b"%d" % len(tail[-1]))
            case None:
                head.append(b"")
            case _:
                head.append(_write(value).encode())
        head.append(b",")
    return b"".join(head + tail)


def _write(value: object) -> str:
    match value:
        case bool():
            return "t" if value else "f"
        case float():
            return "NaN" if math.isnan(value) else struct.pack(">d", value).hex()
        case Decimal():
            # Negative zero is zero in every Arrow decimal.
            return format(value or abs(value), "f")
        case datetime():
            return _cut_zeros(value.replace(tzinfo=None).isoformat(" ")) + ("+00" if value.tzinfo else "")
        case date():
            return value.isoformat()
        case time():
            return _cut_zeros(value.isoformat())
    return str(value)


def _cut_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _to_whole(value: object) -> int:
    match value:
        case str():
            return len(value.encode())
        case bytes():
            return len(value)
        case Decimal():
            # Not by arithmetic, which rounds at 28 digits.
            return int(format(value, "f").replace(".", ""))
        case datetime():
            return (value.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
        case date():
            return (value - _EPOCH.date()).days
        case time():
            return (datetime.combine(_EPOCH.date(), value, UTC) - _EPOCH) // _MICROSECOND
    assert isinstance(value, int), "the converters give nothing else"
    return int(value)
