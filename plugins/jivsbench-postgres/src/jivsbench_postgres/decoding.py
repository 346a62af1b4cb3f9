"""Blocks of COPY's text format into Arrow record batches of exactly the schema that was asked for.

Text rather than CSV: what stands in it needs no quotes, so Arrow's reader takes its fast path (two fifths less CPU measured).
"""

import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from jivsbench.model.source import TypePolicy
from jivsbench.model.table import TableSchema
from jivsbench_postgres.arrow_types import is_partial
from jivsbench_postgres.refusals import UnfitRow, UnfitValueError
from jivsbench_postgres.socket_copy import CopyBlock

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NULL = r"\N"
_BACKSLASH, _OF_NULL = _NULL.encode()
_FEW_BACKSLASHES = 200
_WHOLE = (1 << 31) - 1
"""Arrow's reader takes every block in one piece."""
_HEXADECIMAL = r"\\x"
"""How bytea starts, its backslash doubled by the format."""
# A pair of backslashes stands for one; it becomes a NUL first, which no value holds, so that it takes part in no other pair.
_ESCAPES = (
    (r"\\", "\0"),
    (r"\b", "\b"),
    (r"\f", "\f"),
    (r"\n", "\n"),
    (r"\r", "\r"),
    (r"\t", "\t"),
    (r"\v", "\v"),
    ("\0", "\\"),
)

# What fits, as the server writes it. Anything else in such a column (infinity, BC, NaN, 24:00:00, five-digit years) does not.
_DATE = r"\d{4}-\d\d-\d\d"
_TIME = r"([01]\d|2[0-3]):\d\d:\d\d(\.\d+)?"
_FITS_DATE = f"^{_DATE}$"
_FITS_TIME = f"^{_TIME}$"
_FITS_TIMESTAMP = rf"^{_DATE} {_TIME}(\+00)?$"
_FITS_DECIMAL = r"^-?\d+(\.\d+)?$"


@dataclass(frozen=True, slots=True)
class Decoder:
    """Decodes the blocks of one read."""

    schema: TableSchema
    policy: TypePolicy
    batch_rows: int

    def decode(self, block: CopyBlock) -> Iterator[pa.RecordBatch]:
        """The rows of a block. Raises UnfitValueError."""
        wire_types = [_wire_type(column.arrow_type) for column in self.schema.columns]
        try:
            columns = _parse(block, wire_types).columns
        except pa.ArrowInvalid:
            columns = self._parse_column_by_column(block, wire_types)
        has_escapes = _has_escapes(block)
        arrays = [
            _finish(column, field.arrow_type, has_escapes=has_escapes)
            for column, field in zip(columns, self.schema.columns, strict=True)
        ]
        yield from pa.Table.from_arrays(arrays, schema=self.schema.to_arrow()).to_batches(max_chunksize=self.batch_rows)

    def _parse_column_by_column(self, block: CopyBlock, wire_types: list[pa.DataType]) -> list[pa.ChunkedArray]:
        """The slow way, for a block with a value that does not fit: find it, then refuse it or read it as NULL."""
        texts = _parse(block, [pa.string()] * len(wire_types)).columns
        columns = []
        for index, (text, wire_type) in enumerate(zip(texts, wire_types, strict=True)):
            unfit = _find_unfit(text, wire_type) if is_partial(wire_type) else []
            if unfit and self.policy is not TypePolicy.NULL:
                row = pc.index(text, unfit[0]).as_py()
                raise UnfitValueError(index, UnfitRow(row, tuple(column[row].as_py() for column in texts)))
            try:
                columns.append(_parse(block, wire_types, _build_convert_options(wire_types, [index], unfit)).column(0))
            except pa.ArrowInvalid:
                # No cause: Arrow's message repeats the value.
                raise UnfitValueError(index, None) from None
        return columns


def _wire_type(arrow_type: pa.DataType) -> pa.DataType:
    """The type that Arrow's CSV reader is asked for: bytea arrives as hexadecimal text."""
    return pa.string() if pa.types.is_binary(arrow_type) else arrow_type


def _parse(block: CopyBlock, types: Sequence[pa.DataType], convert: csv.ConvertOptions | None = None) -> pa.Table:
    data = block.data
    # Arrow takes a byte order mark at the start for a sign of the encoding and drops it; here it is the first value's.
    if isinstance(data, bytes) and data.startswith(_BYTE_ORDER_MARK):
        data = _BYTE_ORDER_MARK + data
    return csv.read_csv(
        pa.BufferReader(pa.py_buffer(data)),
        _build_read_options(len(types)),
        csv.ParseOptions(delimiter="\t", quote_char=False, escape_char=False, ignore_empty_lines=block.has_blank_lines),
        convert or _build_usual_options(tuple(types)),
    )


@cache
def _build_read_options(columns: int) -> csv.ReadOptions:
    # Columns are numbered, not named: a query may yield names that Arrow's options would mix up.
    names = [str(index) for index in range(columns)]
    return csv.ReadOptions(column_names=names, use_threads=False, block_size=_WHOLE)


@lru_cache(maxsize=64)
def _build_usual_options(types: tuple[pa.DataType, ...]) -> csv.ConvertOptions:
    """Built once for a table, not for each of its blocks: that takes as long as reading a hundred rows."""
    return _build_convert_options(types, range(len(types)), ())


def _build_convert_options(types: Sequence[pa.DataType], wanted: Sequence[int], nulls: Sequence[str]) -> csv.ConvertOptions:
    return csv.ConvertOptions(
        column_types={str(index): arrow_type for index, arrow_type in enumerate(types)},
        include_columns=[str(index) for index in wanted],
        null_values=[_NULL, *nulls],
        strings_can_be_null=True,
        true_values=["t"],
        false_values=["f"],
    )


def _has_escapes(block: CopyBlock) -> bool:
    """True when a backslash stands for anything but NULL."""
    data = bytes(block.data)
    position = -1
    # Few backslashes are found one by one, many (a column full of NULLs) all at once.
    for _number in range(_FEW_BACKSLASHES):
        position = data.find(b"\\", position + 1)
        if position < 0:
            return False
        # A line break follows the last value, so there is a next byte.
        if data[position + 1] != _OF_NULL:
            return True
    codes = np.frombuffer(data, np.uint8)
    return bool((codes[np.flatnonzero(codes == _BACKSLASH) + 1] != _OF_NULL).any())


def _finish(column: pa.ChunkedArray, arrow_type: pa.DataType, *, has_escapes: bool) -> pa.ChunkedArray:
    if pa.types.is_binary(arrow_type):
        return _decode_hexadecimal(column)
    if has_escapes and pa.types.is_string(arrow_type) and pc.any(pc.match_substring(column, "\\")).as_py():
        for escape, character in _ESCAPES:
            column = pc.replace_substring(column, escape, character)
    return column


def _decode_hexadecimal(column: pa.ChunkedArray) -> pa.Array:
    r"""`\\x6a69` into two bytes, for a whole column at once: one call per value would cost more than reading it."""
    text = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    present = text.drop_null()
    data = binascii.unhexlify("".join(present.to_pylist()).replace(_HEXADECIMAL, ""))
    sizes = pc.fill_null(pc.divide(pc.subtract(pc.binary_length(text), len(_HEXADECIMAL)), 2), 0)
    ends = pc.cumulative_sum(pc.cast(sizes, pa.int32()))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    validity = pc.is_valid(text).buffers()[1] if text.null_count else None
    return pa.Array.from_buffers(pa.binary(), len(text), [validity, offsets.buffers()[1], pa.py_buffer(data)], text.null_count)


def _find_unfit(text: pa.ChunkedArray, arrow_type: pa.DataType) -> list[str]:
    if pa.types.is_date(arrow_type):
        pattern = _FITS_DATE
    elif pa.types.is_time(arrow_type):
        pattern = _FITS_TIME
    elif pa.types.is_timestamp(arrow_type):
        pattern = _FITS_TIMESTAMP
    else:
        pattern = _FITS_DECIMAL
    fits = re.compile(pattern)
    return [value for value in pc.unique(text).to_pylist() if value is not None and not fits.match(value)]
