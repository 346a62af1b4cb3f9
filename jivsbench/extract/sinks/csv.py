"""CSV by RFC 4180: CRLF, a header, texts in quotes. NULL is an empty cell, the empty text an empty pair of quotes.

Spreadsheets run a cell that begins with certain characters, so such texts get an apostrophe in front, which is counted. So do
texts that look like one which got it: otherwise nobody could tell the two apart when reading back.
"""

from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from jivsbench.errors import UsageError
from jivsbench.extract.sinks.encoding import Encoder
from jivsbench.extract.sinks.text_stream import check_moments, format_suffix, format_timestamps, open_text, read_text

# The starts of ASVS 1.2.10, and both line ends.
_FORMULA = r"^'*[=+@\t\r\n\x00\-]"
_LINE_END = "\r\n"
_BLOCK_BYTES = 4 * 1024 * 1024
_LARGEST_BLOCK_BYTES = 2**31 - 1
_RULES = (
    "NULL: an empty cell; an empty text: two quotes",
    "bytes: \\x and hexadecimal digits, as PostgreSQL writes them",
    "times: ISO 8601 with a blank before the time of day; Z: in UTC",
    "floats: nan, inf, -inf; otherwise the shortest text that reads back as the same number",
)
_STARTS = "texts that begin with = + - @ TAB CR LF or NUL, which spreadsheets run"
_ESCAPED = f"{_STARTS}, or with apostrophes before one of these: an apostrophe is put in front"
_NOT_ESCAPED = f"{_STARTS}: as they are"


@dataclass(frozen=True, slots=True)
class CsvEncoding:
    """CSV, in one zstd frame or plain."""

    is_compressed: bool
    escape_formulas: bool
    group_rows: int = 1

    @property
    def suffix(self) -> str:
        """`.csv.zst` or `.csv`."""
        return format_suffix(".csv", is_compressed=self.is_compressed)

    @property
    def rules(self) -> tuple[str, ...]:
        """How values are written."""
        return (*_RULES, _ESCAPED if self.escape_formulas else _NOT_ESCAPED)

    def check(self, schema: pa.Schema) -> None:
        """Refuse lists, structs and whatever else has no text of its own."""
        for column in schema:
            try:
                pcsv.write_csv(pa.table({"": pa.nulls(1, _plain_type(column.type))}), pa.BufferOutputStream())
            except pa.ArrowException as problem:
                raise UsageError(
                    f"column {column.name!r} is of type {column.type}, which CSV cannot hold: "
                    "choose the format parquet or arrow, or leave the column out"
                ) from problem

    def open(self, stream: pa.NativeFile, schema: pa.Schema, first: pa.Table, *, is_whole: bool) -> Encoder:  # noqa: ARG002 - the seam's shape
        """Begin a file with its header."""
        text = open_text(stream, is_compressed=self.is_compressed)
        return _CsvEncoder(text, schema, escape_formulas=self.escape_formulas)

    def count_rows(self, path: str) -> int:
        """By a parser, which also refuses a row with another number of cells than the header has."""
        block_bytes = _BLOCK_BYTES
        while True:
            try:
                return self._count_rows(path, block_bytes)
            except pa.ArrowInvalid:
                # A row that is longer than the block cannot be parsed. Anything else fails again with the largest block.
                if block_bytes == _LARGEST_BLOCK_BYTES:
                    raise
                block_bytes = min(block_bytes * 8, _LARGEST_BLOCK_BYTES)

    def _count_rows(self, path: str, block_bytes: int) -> int:
        with read_text(path, is_compressed=self.is_compressed) as text:
            reader = pcsv.open_csv(
                text,
                pcsv.ReadOptions(use_threads=False, block_size=block_bytes, autogenerate_column_names=True),
                pcsv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
                pcsv.ConvertOptions(include_columns=["f0"], column_types={"f0": pa.binary()}),
            )
            rows = sum(int(batch.num_rows) for batch in reader)
            return rows - 1


class _CsvEncoder:
    def __init__(self, text: pa.NativeFile, schema: pa.Schema, *, escape_formulas: bool) -> None:
        header = pa.array(schema.names, pa.string())
        self._escaped: list[int] | None = None
        if escape_formulas:
            # The header's cells are texts like others.
            header, are_formulas = _escape(header)
            self._escaped = [int(is_formula) for is_formula in are_formulas.to_pylist()]
        fields = zip(header.to_pylist(), schema.types, strict=True)
        self._names = schema.names
        self._schema = pa.schema([pa.field(name, _plain_type(arrow_type)) for name, arrow_type in fields])
        self._text = text
        self._writer = pcsv.CSVWriter(text, self._schema, write_options=pcsv.WriteOptions(eol=_LINE_END))

    def write(self, rows: pa.Table) -> None:
        for batch in rows.to_batches():
            columns = [self._to_plain(number, column) for number, column in enumerate(batch.columns)]
            self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def finish(self) -> None:
        self._writer.close()
        self._text.close()

    def abandon(self) -> None:
        for end in (self._writer, self._text):
            with suppress(OSError, pa.ArrowException):
                end.close()

    def escaped_cells(self) -> tuple[int, ...]:
        return tuple(self._escaped or ())

    def _to_plain(self, number: int, column: pa.Array) -> pa.Array:
        plain_type = self._schema.types[number]
        check_moments(self._names[number], column)
        if _is_bytes(column.type):
            return pa.array((None if value is None else f"\\x{value.hex()}" for value in column.to_pylist()), plain_type)
        if pa.types.is_timestamp(column.type):
            return format_timestamps(column)
        plain = column if column.type == plain_type else pc.cast(column, plain_type)
        if self._escaped is None or not pa.types.is_string(plain_type):
            return plain
        plain, are_formulas = _escape(plain)
        self._escaped[number] += pc.sum(are_formulas).as_py() or 0
        return plain


def _escape(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Texts that no spreadsheet runs, and which of them were changed."""
    are_formulas = pc.match_substring_regex(texts, _FORMULA)
    if not pc.any(are_formulas).as_py():
        return texts, are_formulas
    return pc.if_else(are_formulas, pc.binary_join_element_wise("'", texts, ""), texts), are_formulas


def _plain_type(arrow_type: pa.DataType) -> pa.DataType:
    """The type as which pyarrow writes a column."""
    if pa.types.is_dictionary(arrow_type):
        return _plain_type(arrow_type.value_type)
    is_written_as_text = _is_bytes(arrow_type) or pa.types.is_large_string(arrow_type) or pa.types.is_timestamp(arrow_type)
    return pa.string() if is_written_as_text else arrow_type


def _is_bytes(arrow_type: pa.DataType) -> bool:
    kinds = pa.types
    return any(is_kind(arrow_type) for is_kind in (kinds.is_binary, kinds.is_large_binary, kinds.is_fixed_size_binary))
