"""JSON lines: one object a row, in the order of the columns, NULL as null.

Every value comes back exactly: a decimal is a text, because most readers take a number with a point for a binary float.
"""

import base64
import json
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from jivsbench.errors import UsageError
from jivsbench.extract.sinks.encoding import Encoder
from jivsbench.extract.sinks.text_stream import check_moments, format_suffix, format_timestamps, open_text, read_text

_SLICE_CELLS = 262_144
_SLICE_BYTES = 16 * 1024 * 1024
"""So much is turned into text at a time: names and quotes can make it several times larger."""
_READ_BYTES = 1024 * 1024
_CONTROL = "[\\x00-\\x1f]"
_RULES = (
    "NULL: null",
    "decimals: texts; integers: numbers with all of their digits",
    "floats: the shortest number that reads back as the same; the texts NaN, Infinity and -Infinity",
    "bytes: base64",
    "dates and times: ISO 8601 texts, with microseconds; Z: in UTC",
)


@dataclass(frozen=True, slots=True)
class JsonLinesEncoding:
    """JSON lines, in one zstd frame or plain."""

    is_compressed: bool
    group_rows: int = 1
    rules: tuple[str, ...] = _RULES

    @property
    def suffix(self) -> str:
        """`.jsonl.zst` or `.jsonl`."""
        return format_suffix(".jsonl", is_compressed=self.is_compressed)

    def check(self, schema: pa.Schema) -> None:
        """Refuse what has no text of its own, and two columns of one name: a reader would lose one of them."""
        for column in schema:
            if schema.names.count(column.name) > 1:
                raise UsageError(
                    f"two columns are called {column.name!r}, and a JSON object holds one: give one another name in the query"
                )
            try:
                _to_json(pa.nulls(1, column.type))
            except pa.ArrowException as problem:
                raise UsageError(
                    f"column {column.name!r} is of type {column.type}, which has no form in JSON lines: "
                    "choose the format parquet or arrow, or leave the column out"
                ) from problem

    def open(self, stream: pa.NativeFile, schema: pa.Schema, first: pa.Table, *, is_whole: bool) -> Encoder:  # noqa: ARG002 - the seam's shape
        """Begin a file."""
        return _JsonLinesEncoder(open_text(stream, is_compressed=self.is_compressed), schema.names, _build_keys(schema.names))

    def count_rows(self, path: str) -> int:
        """By the ends of lines: within a value they are escaped."""
        with read_text(path, is_compressed=self.is_compressed) as text:
            return sum(block.count(b"\n") for block in iter(lambda: text.read(_READ_BYTES), b""))


@dataclass(frozen=True, slots=True)
class _JsonLinesEncoder:
    text: pa.NativeFile
    names: list[str]
    keys: tuple[str, ...]

    def write(self, rows: pa.Table) -> None:
        slice_rows = max(1, min(_SLICE_CELLS // len(self.keys), rows.num_rows * _SLICE_BYTES // max(rows.nbytes, 1)))
        for batch in rows.to_batches(max_chunksize=slice_rows):
            cells: list[str | pa.Array] = []
            for name, key, column in zip(self.names, self.keys, batch.columns, strict=True):
                check_moments(name, column)
                cells += (key, _to_json(column))
            lines = pc.binary_join_element_wise(*cells, "}\n", "")
            self.text.write(_view_text(lines))

    def finish(self) -> None:
        self.text.close()

    def abandon(self) -> None:
        with suppress(OSError, pa.ArrowException):
            self.text.close()

    def escaped_cells(self) -> tuple[int, ...]:
        return ()


def _build_keys(names: list[str]) -> tuple[str, ...]:
    """What stands before each value: `{"a":`, `,"b":`."""
    return tuple(f"{',' if number else '{'}{json.dumps(name, ensure_ascii=False)}:" for number, name in enumerate(names))


def _view_text(lines: pa.Array) -> pa.Buffer:
    """The lines one after the other, as they lie in memory."""
    _validity, offsets, characters = lines.buffers()
    ends = pa.Array.from_buffers(pa.int32(), len(lines) + 1, [None, offsets])
    return characters.slice(ends[0].as_py(), ends[-1].as_py() - ends[0].as_py())


def _to_json(values: pa.Array) -> pa.Array:
    """The JSON text of each value. Raises ArrowException for a type that has none."""
    kind, kinds = values.type, pa.types
    if kinds.is_dictionary(kind):
        return _to_json(pc.cast(values, kind.value_type))
    if kinds.is_large_string(kind):
        return _to_json(pc.cast(values, pa.string()))
    if kinds.is_string(kind):
        texts = _quote(_escape(values))
    elif kinds.is_binary(kind) or kinds.is_large_binary(kind) or kinds.is_fixed_size_binary(kind):
        texts = pa.array((None if v is None else f'"{base64.b64encode(v).decode()}"' for v in values.to_pylist()), pa.string())
    elif kinds.is_floating(kind):
        texts = _format_floats(values)
    elif kinds.is_timestamp(kind):
        texts = _quote(_format_timestamps(values))
    elif kinds.is_integer(kind) or kinds.is_boolean(kind) or kinds.is_null(kind):
        texts = pc.cast(values, pa.string())
    else:
        texts = _quote(pc.cast(values, pa.string()))
    return pc.fill_null(texts, "null")


def _quote(texts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', texts, '"', "")


def _escape(texts: pa.Array) -> pa.Array:
    escaped = pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), '"', '\\"')
    # The first question is ten times as fast, and most often enough.
    if not pc.all(pc.ascii_is_printable(escaped)).as_py() and pc.any(pc.match_substring_regex(escaped, _CONTROL)).as_py():
        for code in range(0x20):
            escaped = pc.replace_substring(escaped, chr(code), json.dumps(chr(code))[1:-1])
    return escaped


def _format_floats(values: pa.Array) -> pa.Array:
    texts = pc.cast(values, pa.string())
    # Many readers take "-0" for a whole number, which has no sign at zero.
    texts = pc.if_else(pc.equal(texts, "-0"), "-0.0", texts)
    are_finite = pc.is_finite(values)
    if pc.all(are_finite).as_py() is not False:
        return texts
    names = pc.if_else(pc.is_nan(values), '"NaN"', pc.if_else(pc.greater(values, 0), '"Infinity"', '"-Infinity"'))
    return pc.if_else(are_finite, texts, names)


def _format_timestamps(values: pa.Array) -> pa.Array:
    return pc.replace_substring(format_timestamps(values), " ", "T", max_replacements=1)
