"""JSON: a record a line, or one array of records. Python's parser reads it, and refuses what two readers could read differently.

Arrow's own reader fixes the types of a file by its first block and takes a doubled key without a word; both would be silent.
"""

import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Final, Self

import pyarrow as pa

from jivsbench.errors import ExtractionError
from jivsbench.model.source import TypePolicy
from jivsbench.model.table import Column
from jivsbench_files.encodings import Utf8Reader
from jivsbench_files.limits import refuse_excess
from jivsbench_files.tables import OpenedFile, Portion
from jivsbench_files.text_survey import put_declared_first
from jivsbench_files.typed_values import ValueColumns, build_batch

Record = dict[str, object]
_READ_BYTES: Final = 256 * 1024
_BATCH_RECORDS: Final = 8192
_EXACT_CHARACTERS: Final = 16
"""A number of 15 digits and a point is the same again when a float is written out."""
_BLANKS: Final = " \t\r\n"
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape of half a pair; the other half should follow."""


class JsonLinesFormat:
    """`.jsonl` and `.ndjson`: each line is an object."""

    suffixes = (".jsonl", ".ndjson")
    can_be_compressed = True

    def survey(self) -> "JsonSurvey":
        """A new look."""
        return JsonSurvey(is_lines=True)

    def read(self, opened: OpenedFile, portion: Portion, columns: tuple[Column, ...]) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - a file is one portion
        """Stream the records of a file."""
        return _build_batches(_read_lines(opened, _Lines()), columns, opened)


class JsonArrayFormat:
    """`.json`: one array of objects."""

    suffixes = (".json",)
    can_be_compressed = True

    def survey(self) -> "JsonSurvey":
        """A new look."""
        return JsonSurvey(is_lines=False)

    def read(self, opened: OpenedFile, portion: Portion, columns: tuple[Column, ...]) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - a file is one portion
        """Stream the records of a file."""
        return _build_batches(_read_array(opened), columns, opened)


class _Lines:
    """Lines of a file, counted in its bytes and not in its records."""

    def __init__(self) -> None:
        self.count = 0


class JsonSurvey:
    """Finds the keys and kinds of all records."""

    def __init__(self, *, is_lines: bool) -> None:
        self._is_lines = is_lines
        self._columns = ValueColumns()
        self._declared: dict[str, pa.DataType] = {}

    def take(self, opened: OpenedFile) -> tuple[Portion, ...]:
        """Parse a file once. Lines are a count that does not depend on parsing; an array has no such count."""
        row, lines = 0, _Lines()
        for records in _read_lines(opened, lines) if self._is_lines else _read_array(opened):
            self._columns.look_at(records, opened, row)
            row += len(records)
        self._columns.end(opened)
        self._declared = opened.declared
        return (Portion(opened.name, opened.version, 0, None, 0, lines.count if self._is_lines else None),)

    def columns(self) -> tuple[Column, ...]:
        """All keys: those that are declared, then the others in the order in which they come."""
        return put_declared_first(self._columns.columns(), self._declared)


def _build_batches(chunks: Iterator[list[Record]], columns: tuple[Column, ...], opened: OpenedFile) -> Iterator[pa.RecordBatch]:
    row = 0
    for records in chunks:
        yield build_batch(records, columns, opened, row)
        row += len(records)


class _Parser:
    """Parses one record after another, and says which one is wrong."""

    def __init__(self, opened: OpenedFile) -> None:
        self._opened = opened
        is_text = opened.policy is TypePolicy.TEXT
        self._decoder = json.JSONDecoder(
            object_pairs_hook=_refuse_doubled,
            parse_float=_parse_written if is_text else _parse_number,
            parse_int=_parse_written if is_text else None,
            parse_constant=_refuse_constant,
        )
        self.rows = 0

    def parse_line(self, line: bytes) -> Record:
        """The object that a line is."""
        text = line.decode()
        try:
            return self._accept(self._decoder.decode(text), text)
        except (ValueError, RecursionError) as error:
            raise self.refuse(error) from None

    def parse_at(self, text: str, at: int) -> tuple[Record, int]:
        """The object at a place of a text, and where it ends. Raises JSONDecodeError, which may mean that the text goes on."""
        try:
            value, end = self._decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            raise
        except (ValueError, RecursionError) as error:
            raise self.refuse(error) from None
        return self._accept(value, text[at:end]), end

    def refuse(self, error: Exception | str) -> ExtractionError:
        """The error for the record at hand; the parser's own message can repeat values."""
        where = f"{self._opened.name!r}, row {self.rows + 1}"
        if isinstance(error, RecursionError):
            levels = self._opened.limits.max_nesting_levels
            return refuse_excess(where, "max_nesting_levels", levels, "the record is nested hundreds of levels deep")
        found = (
            error
            if isinstance(error, str)
            else str(error)
            if isinstance(error, _AmbiguousJsonError)
            else "this is not one JSON object"
        )
        return ExtractionError(f"{where}: {found}; correct the record")

    def _accept(self, value: object, text: str) -> Record:
        if type(value) is not dict:
            raise self.refuse("there is a value that is no object")
        if _SURROGATE.search(text) and not _is_encodable(value):
            raise self.refuse("there is half of a surrogate pair, which is no character")
        limits = self._opened.limits
        depth = max(
            (_measure_depth(each, limits.max_nesting_levels) for each in value.values() if type(each) in (dict, list)), default=0
        )
        if depth >= limits.max_nesting_levels:
            where = f"{self._opened.name!r}, row {self.rows + 1}"
            raise refuse_excess(where, "max_nesting_levels", limits.max_nesting_levels, "the record is nested deeper")
        if len(value) > limits.max_columns:
            where = f"{self._opened.name!r}, row {self.rows + 1}"
            raise refuse_excess(where, "max_columns", limits.max_columns, f"the record has {len(value):,} keys")
        self.rows += 1
        return value


class _AmbiguousJsonError(ValueError):
    """What is JSON to some readers and not to others, or not the same."""


class _WrittenNumber(Decimal):
    """A number whose text is that of the file: `1.10`, `1e3`."""

    __slots__ = ("_text",)
    _text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number._text = text
        return number

    def __str__(self) -> str:
        return self._text


def _refuse_doubled(pairs: list[tuple[str, object]]) -> Record:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _AmbiguousJsonError("an object has a key twice")
    return found


def _refuse_constant(_text: str) -> object:
    raise _AmbiguousJsonError("NaN and Infinity are not JSON")


def _is_encodable(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return False
    return True


def _parse_written(text: str) -> Decimal:
    try:
        return _WrittenNumber(text)
    except InvalidOperation:
        raise _build_exponent_error() from None


def _build_exponent_error() -> _AmbiguousJsonError:
    return _AmbiguousJsonError("a number has an exponent of 19 digits or more")


def _parse_number(text: str) -> float | Decimal:
    """A float when it is exact; else the decimal that was written, which no column of numbers takes without a word."""
    if len(text) <= _EXACT_CHARACTERS and "e" not in text and "E" not in text:
        return float(text)
    number = float(text)
    if repr(number) == text:
        return number
    try:
        exact = Decimal(text)
    except InvalidOperation:
        raise _build_exponent_error() from None
    return number if math.isfinite(number) and Decimal(repr(number)) == exact else exact


def _measure_depth(value: object, limit: int) -> int:
    if limit <= 0 or type(value) not in (dict, list):
        return 0
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max((_measure_depth(each, limit - 1) for each in inner), default=0)


def _read_lines(opened: OpenedFile, lines: _Lines) -> Iterator[list[Record]]:
    source, parser, rest = Utf8Reader(opened.content, opened.options.encoding, opened.name), _Parser(opened), b""
    while True:
        chunk = source.read(_READ_BYTES)
        lines.count += chunk.count(b"\n")
        found = (rest + chunk).split(b"\n")
        rest = found.pop()
        _check_length(len(rest), parser, opened)
        if not chunk and rest:
            lines.count += 1
            found.append(rest)
        records = []
        for line in found:
            _check_length(len(line), parser, opened)
            if not line.strip():
                raise parser.refuse("the line is empty")
            records.append(parser.parse_line(line))
        if records:
            yield records
        if not chunk:
            return


def _check_length(length: int, parser: _Parser, opened: OpenedFile) -> None:
    if length > opened.limits.max_record_bytes:
        where = f"{opened.name!r}, row {parser.rows + 1}"
        raise refuse_excess(
            where, "max_record_bytes", opened.limits.max_record_bytes, f"the record has at least {length:,} bytes"
        )


class _Text:
    """The characters of a file, of which those before `at` are done with."""

    def __init__(self, opened: OpenedFile) -> None:
        self._source = Utf8Reader(opened.content, opened.options.encoding, opened.name)
        self.text = ""
        self.at = 0

    def grow(self) -> bool:
        """Read on, twice as much each time nothing was done with it; False at the end."""
        left = len(self.text) - self.at
        chunk = self._source.read(max(_READ_BYTES, left)).decode()
        self.text, self.at = self.text[self.at :] + chunk, 0
        return bool(chunk)

    def next_mark(self) -> str:
        """The next character that is no blank, which is not taken; empty at the end."""
        while True:
            while self.at < len(self.text):
                mark = self.text[self.at]
                if mark not in _BLANKS:
                    return mark
                self.at += 1
            if not self.grow():
                return ""


def _read_array(opened: OpenedFile) -> Iterator[list[Record]]:
    text, parser, records = _Text(opened), _Parser(opened), list[Record]()
    if text.next_mark() != "[":
        raise ExtractionError(f"{opened.name!r} is no JSON array of objects: if each line is an object, name it .jsonl")
    text.at += 1
    is_first = True
    while (mark := text.next_mark()) != "]":
        if not is_first:
            if mark != ",":
                raise parser.refuse("there is no comma or end of the array where one is needed")
            text.at += 1
            mark = text.next_mark()
        if mark != "{":
            raise parser.refuse("there is a value that is no object")
        is_first = False
        records.append(_take_record(text, parser, opened))
        if len(records) >= _BATCH_RECORDS:
            yield records
            records = []
    text.at += 1
    if text.next_mark():
        raise parser.refuse("there is more after the end of the array")
    if records:
        yield records


def _take_record(text: _Text, parser: _Parser, opened: OpenedFile) -> Record:
    while True:
        try:
            record, end = parser.parse_at(text.text, text.at)
        except json.JSONDecodeError as error:
            _check_length(len(text.text) - text.at, parser, opened)
            if not text.grow():
                raise parser.refuse(error) from None
            continue
        _check_length(end - text.at, parser, opened)
        text.at = end
        return record
