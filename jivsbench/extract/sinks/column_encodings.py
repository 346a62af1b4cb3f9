"""How the columns of a large file are encoded, by its first rows: what repeats is stored once, what is long has no extremes."""

from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_SAMPLE_ROWS: Final = 20_000
_REPEATS: Final = 8
"""A dictionary pays where each value comes so often: measured with TPC-H lineitem, it then saves a third of the CPU or more for
numbers and dates, and half of the bytes; with few repeats it costs twice the CPU and more bytes."""
_LONG_VALUE_BYTES: Final = 16
"""Extremes let a reader skip row groups. Long texts are rarely sorted by, and comparing them costs more than encoding them."""


@dataclass(frozen=True, slots=True)
class ColumnEncodings:
    """Names of columns, as Parquet's writer takes them."""

    with_dictionary: list[str]
    with_statistics: list[str]


def choose_encodings(rows: pa.Table) -> ColumnEncodings:
    """Choose by the first 20,000 rows of a file; wrong for the rest costs time and space, never a value."""
    sample = rows.slice(0, _SAMPLE_ROWS)
    return ColumnEncodings(
        with_dictionary=[name for name in sample.column_names if _repeats(sample.column(name))],
        with_statistics=[name for name in sample.column_names if not _is_long(sample.column(name))],
    )


def _repeats(values: pa.ChunkedArray) -> bool:
    if pa.types.is_boolean(values.type) or pa.types.is_nested(values.type):
        return False
    try:
        distinct = pc.count_distinct(values, mode="all").as_py()
    except pa.ArrowNotImplementedError:
        return False
    return bool(distinct * _REPEATS <= len(values))


def _is_long(values: pa.ChunkedArray) -> bool:
    if not (pa.types.is_string(values.type) or pa.types.is_binary(values.type)):
        return False
    average = pc.mean(pc.binary_length(values)).as_py()
    return average is not None and average > _LONG_VALUE_BYTES
