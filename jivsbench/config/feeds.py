"""Feeds: a CSV or JSONL file beside the scenario, one iteration a row. Read and checked as a whole before any load is sent."""

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Final, NoReturn

from jivsbench.errors import ConfigError
from jivsbench.model.feed import FeedRow
from jivsbench.model.filters import Filter, Operator
from jivsbench.model.scenario import FeedFacts
from jivsbench.model.whole_numbers import MOST_DIGITS, parse_whole_number

FEED_SUFFIXES: Final = (".csv", ".jsonl")
_MAX_BYTES: Final = 64 * 2**20
_NUMBERS: Final = ("first", "rows", "expected_rows")
_OPERATORS: Final = tuple(
    operator for operator in Operator if operator not in (Operator.IN, Operator.IS_NULL, Operator.IS_NOT_NULL)
)


@dataclass(frozen=True, slots=True)
class Feed:
    """The rows of a feed, and what is said of it in reports."""

    facts: FeedFacts
    rows: tuple[FeedRow, ...]


def read_feed(path: Path) -> Feed:
    """Read a feed. Columns `first`, `rows` and `expected_rows` are whole numbers; any other is a filter, `column` or `column op`.

    Raises ConfigError naming file, row and column, and no value.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path}: a feed is kept in memory and may have {_MAX_BYTES // 2**20} MiB: take fewer rows")
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: the feed is not UTF-8 text (byte {exc.start}): save it as UTF-8") from exc
    except OSError as exc:
        raise ConfigError(f"{path}: the feed cannot be read ({exc.strerror}): put it beside the scenario") from exc
    records = _read_csv(path, text) if path.suffix == ".csv" else _read_jsonl(path, text)
    columns: dict[str, None] = {}
    rows = []
    for number, record in records:
        columns.update(dict.fromkeys(record))
        rows.append(_build_row(path, number, record))
    if not rows:
        raise ConfigError(f"{path}: the feed has no rows, so nothing could be asked for: add some")
    return Feed(FeedFacts(path.name, len(rows), tuple(columns), hashlib.sha256(content).hexdigest()), tuple(rows))


def _read_csv(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        if not header or len(set(header)) != len(header) or not all(name.strip() for name in header):
            raise ConfigError(f"{path}:1: the first line of a CSV feed names its columns, each once: write such a line")
        for cells in reader:
            if cells:
                if len(cells) != len(header):
                    _fail(path, reader.line_num, f"it has {len(cells)} values for {len(header)} columns: give it as many")
                # An empty cell says nothing: that part of the iteration is chosen as without a feed.
                yield reader.line_num, {name: cell for name, cell in zip(header, cells, strict=True) if cell}
    except csv.Error as exc:
        _fail(path, reader.line_num, f"it is not CSV ({exc}): repair its quotes", exc)


def _read_jsonl(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                record = json.loads(line)
            except ValueError as exc:
                _fail(path, number, "it is not JSON: write one object a line", exc)
            except RecursionError as exc:
                _fail(path, number, "it is nested too deeply: write one object a line, with texts, numbers, true and false", exc)
            if not isinstance(record, dict):
                _fail(path, number, "it is not an object: write one object a line")
            for name, value in record.items():
                if _has_half_character(name) or (isinstance(value, str) and _has_half_character(value)):
                    _fail(path, number, f"column {name!r} has half a character (\\ud800 to \\udfff alone): write both halves")
            yield number, {name: value for name, value in record.items() if value is not None}


def _build_row(path: Path, line: int, record: Mapping[str, object]) -> FeedRow:
    numbers = {name: _read_number(path, line, name, record[name]) for name in _NUMBERS if name in record}
    filters = tuple(_build_filter(path, line, name, value) for name, value in record.items() if name not in _NUMBERS)
    row = FeedRow(numbers.get("first"), numbers.get("rows"), filters, numbers.get("expected_rows"))
    if row.expected_rows is not None and not row.filters:
        _fail(path, line, "expected_rows goes with filters: a range of keys is as long as its rows")
    if row.filters and (row.first is not None or row.rows is not None):
        _fail(path, line, "it has a range of keys (first, rows) and filters: give one of them")
    return row


def _read_number(path: Path, line: int, name: str, value: object) -> int:
    number = None if isinstance(value, bool) else parse_whole_number(str(value))
    least = 0 if name == "expected_rows" else 1
    if number is None or number < least:
        _fail(path, line, f"column {name!r} must be a whole number of {least} or more, of at most {MOST_DIGITS} digits")
    return number


def _build_filter(path: Path, line: int, name: str, value: object) -> Filter:
    column, _, word = name.strip().partition(" ")
    operator = word.strip() or Operator.EQUAL.value
    if operator not in _OPERATORS:
        _fail(path, line, f"column {name!r} is no filter: write a column's name, alone or with one of {', '.join(_OPERATORS)}")
    if not isinstance(value, str | int | float | bool):
        _fail(path, line, f"column {name!r} must hold a text, a number, true or false")
    if isinstance(value, float) and not isfinite(value):
        _fail(path, line, f"column {name!r} must hold a finite number: NaN, Infinity and what is too large for a float are none")
    return Filter(column, Operator(operator), (value,))


def _has_half_character(text: str) -> bool:
    """JSON can name one half of a surrogate pair, which neither a file nor a request can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _fail(path: Path, line: int, problem: str, cause: Exception | None = None) -> NoReturn:
    raise ConfigError(f"{path}:{line}: {problem}") from cause
