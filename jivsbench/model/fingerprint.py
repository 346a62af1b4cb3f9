"""What a column holds, in figures that do not depend on the order of its rows: the same from the server and from the disk."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

_LOW_BITS = 32
_LOW_MASK = (1 << _LOW_BITS) - 1
_EXACT_SUM_PRECISION = 28
"""A decimal of so many digits can be added up a billion times within the 38 digits of decimal128."""


@dataclass(frozen=True, slots=True)
class ColumnFingerprint:
    """Counts and exact whole numbers, in the column's own smallest unit.

    The unit is 1 for integers and booleans, the last decimal of a decimal, days or microseconds since 1970 for dates and
    times, and bytes of UTF-8 for texts and bytes (where the figures are those of the lengths). `total`, `least` and
    `greatest` are None for a column without values, and all three for floats, which have no exact sum.
    """

    name: str
    null_count: int | None
    """None where it cannot be compared, because values may have been read as NULL."""
    total: int | None
    least: int | None
    greatest: int | None

    def join(self, other: "ColumnFingerprint") -> "ColumnFingerprint":
        """Of both rows together."""
        return ColumnFingerprint(
            self.name,
            _join(sum, self.null_count, other.null_count),
            _join(sum, self.total, other.total),
            _join(min, self.least, other.least),
            _join(max, self.greatest, other.greatest),
        )


def fingerprint_column(name: str, values: pa.Array | pa.ChunkedArray) -> ColumnFingerprint:
    """The figures of one column of a batch or table."""
    figures = _to_whole_numbers(values)
    nulls = int(values.null_count)
    if figures is None or nulls == len(values):
        return ColumnFingerprint(name, nulls, None, None, None)
    extremes = pc.min_max(figures)
    return ColumnFingerprint(name, nulls, _add_up(figures), _to_int(extremes["min"].as_py()), _to_int(extremes["max"].as_py()))


def has_figures(arrow_type: pa.DataType) -> bool:
    """False for a type of which only NULLs are counted."""
    return not pa.types.is_floating(arrow_type)


def _to_whole_numbers(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray | None:
    kind = values.type
    if not has_figures(kind):
        return None
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return pc.cast(pc.binary_length(values), pa.int64())
    if pa.types.is_date32(kind):
        return pc.cast(pc.cast(values, pa.int32()), pa.int64())
    if pa.types.is_decimal(kind) or pa.types.is_uint64(kind):
        # Half of the latter's values have no place in an int64.
        return values
    return pc.cast(values, pa.int64())


def _add_up(figures: pa.Array | pa.ChunkedArray) -> int:
    """The exact sum: Arrow's own wraps around at 64 bits without a word."""
    if pa.types.is_decimal(figures.type):
        if figures.type.precision <= _EXACT_SUM_PRECISION:
            return _to_int(pc.sum(figures).as_py())
        return sum(_to_int(value) for value in figures.drop_null().to_pylist())
    high = pc.sum(pc.shift_right(figures, pa.scalar(_LOW_BITS, figures.type))).as_py()
    low = pc.sum(pc.bit_wise_and(figures, pa.scalar(_LOW_MASK, figures.type))).as_py()
    return int((high << _LOW_BITS) + low)


def _to_int(value: int | Decimal) -> int:
    """A decimal in its last place: 12.30 is 1230."""
    if isinstance(value, Decimal):
        sign, digits, _exponent = value.as_tuple()
        whole = int("".join(map(str, digits)))
        return -whole if sign else whole
    return value


def _join(how: Callable[[list[int]], int], *figures: int | None) -> int | None:
    known = [figure for figure in figures if figure is not None]
    return how(known) if known else None


def join_fingerprints(parts: Iterable[tuple[ColumnFingerprint, ...]]) -> tuple[ColumnFingerprint, ...]:
    """Column by column, of all parts together."""
    joined: tuple[ColumnFingerprint, ...] = ()
    for part in parts:
        joined = tuple(one.join(two) for one, two in zip(joined, part, strict=True)) if joined else part
    return joined
