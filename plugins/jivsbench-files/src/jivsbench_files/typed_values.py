"""Columns whose values have types in the file: JSON and workbooks. A column is of one kind, or its values follow the policy."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

import pyarrow as pa

from jivsbench.model.source import TypePolicy
from jivsbench.model.table import Column
from jivsbench_files.tables import OpenedFile
from jivsbench_files.text_survey import check_names, convert_column, refuse_value

MAX_EXACT_INTEGER: Final = 1 << 53
_INT64: Final = 1 << 63
_MOST_DIGITS: Final = 100
"""Before or after the point: more than any decimal has."""


class CellError(str):
    """What a workbook shows where a formula failed: a text, but no value."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    arrow_type: pa.DataType
    classes: frozenset[type]


_KINDS: Final = (
    _Kind("boolean", pa.bool_(), frozenset({bool})),
    _Kind("integer", pa.int64(), frozenset({int})),
    _Kind("number", pa.float64(), frozenset({int, float})),
    _Kind("text", pa.string(), frozenset({str})),
    _Kind("date and time", pa.timestamp("us"), frozenset({datetime})),
    _Kind("date", pa.date32(), frozenset({date})),
    _Kind("time", pa.time64("us"), frozenset({time})),
    _Kind("nested", pa.string(), frozenset({dict, list})),
    _Kind("duration", pa.string(), frozenset({timedelta})),
)
_BY_NAME: Final = {kind.name: kind for kind in _KINDS}
_INTEGER: Final = _BY_NAME["integer"]
_NUMBER: Final = _BY_NAME["number"]
_NOTHING: Final = _Kind("no value", pa.string(), frozenset())


class ValueColumns:
    """The columns of all files of a table, and the one kind of each."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}
        self._declared: dict[str, pa.DataType] = {}
        self._policy = TypePolicy.ERROR
        self._has_large: set[str] = set()

    def look_at(self, records: Sequence[dict[str, object]], opened: OpenedFile, first_row: int) -> None:
        """Take in some records. Raises TypePolicyError for a value of another kind than those before, under that policy."""
        self._policy = opened.policy
        names = dict.fromkeys(name for record in records for name in record)
        if not names.keys() <= self._kinds.keys():
            for name in names:
                self._kinds.setdefault(name, _NOTHING)
            check_names(list(self._kinds), opened, has_declared=False)
        if self._policy is TypePolicy.TEXT:
            return
        for name in names:
            if name not in opened.declared:
                self._look_at_column(name, [record.get(name) for record in records], opened, first_row)

    def end(self, opened: OpenedFile) -> None:
        """A file has ended: what is declared must have been among its columns, or those of the files before."""
        self._declared, self._policy = opened.declared, opened.policy
        check_names(list(self._kinds), opened)

    def columns(self) -> tuple[Column, ...]:
        """All columns, in the order in which they were seen."""
        return tuple(self._build(name, kind) for name, kind in self._kinds.items())

    def _build(self, name: str, kind: _Kind) -> Column:
        declared = self._declared.get(name)
        arrow_type = pa.string() if self._policy is TypePolicy.TEXT else kind.arrow_type if declared is None else declared
        return Column(name, kind.name if declared is None else f"{declared} (declared)", arrow_type, is_nullable=True)

    def _look_at_column(self, name: str, values: list[object], opened: OpenedFile, first_row: int) -> None:
        kind = self._kinds[name]
        classes = set(map(type, values)) - {type(None)}
        if kind is _NOTHING and classes:
            first = type(next(value for value in values if value is not None))
            kind = next((each for each in _KINDS if first in each.classes), _BY_NAME["text"])
        if kind is _INTEGER and float in classes and name not in self._has_large:
            kind = _NUMBER
        self._kinds[name] = kind
        if int in classes and any(type(value) is int and abs(value) > MAX_EXACT_INTEGER for value in values):
            self._has_large.add(name)
        if self._policy is TypePolicy.NULL:
            return
        unfit = _find_unfit(values, classes, kind)
        if unfit is not None:
            raise refuse_value(self._build(name, kind), opened, first_row + unfit)


def _find_unfit(values: list[object], classes: set[type], kind: _Kind) -> int | None:
    if classes <= kind.classes and int not in classes:
        return None
    return next((number for number, value in enumerate(values) if not _fits(value, kind)), None)


def _fits(value: object, kind: _Kind) -> bool:
    if type(value) is int and kind in (_INTEGER, _NUMBER):
        return -_INT64 <= value < _INT64 if kind is _INTEGER else abs(value) <= MAX_EXACT_INTEGER
    return value is None or type(value) in kind.classes


def build_batch(
    records: Sequence[dict[str, object]], columns: tuple[Column, ...], opened: OpenedFile, first_row: int
) -> pa.RecordBatch:
    """Records as a batch. Raises TypePolicyError naming file, column and row, unless the policy makes them NULL."""
    arrays = [_build_array([record.get(column.name) for record in records], column, opened, first_row) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])


def _build_array(values: list[object], column: Column, opened: OpenedFile, first_row: int) -> pa.Array:
    kind = _BY_NAME.get(column.server_type, _NOTHING)
    if opened.policy is TypePolicy.TEXT or column.name in opened.declared:
        return convert_column(_to_texts(values, column), column, opened, first_row)
    classes = set(map(type, values)) - {type(None)}
    if _find_unfit(values, classes, kind) is not None:
        if opened.policy is not TypePolicy.NULL:
            unfit = _find_unfit(values, classes, kind) or 0
            raise refuse_value(column, opened, first_row + unfit)
        values = [value if _fits(value, kind) else None for value in values]
    if kind.arrow_type == pa.string():
        return _to_texts(values, column)
    return pa.array(values, column.arrow_type)


def _to_texts(values: list[object], column: Column) -> pa.Array:
    is_decimal = pa.types.is_decimal(column.arrow_type)
    return pa.array([_to_text(value, is_decimal=is_decimal) for value in values], pa.string())


def _to_text(value: object, *, is_decimal: bool) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case float() | Decimal():
            number = Decimal(repr(value)) if isinstance(value, float) else value
            # Written out, 1e999999999 would take a gigabyte, and no decimal holds it.
            return f"{number:f}" if is_decimal and abs(number.adjusted()) < _MOST_DIGITS else str(value)
        case datetime():
            return value.isoformat(sep=" ")
        case date() | time():
            return value.isoformat()
        case dict() | list():
            return _format_json(value)
    return str(value)


def _format_json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except TypeError:
        # A number that no float holds is in it, and stays a number with all of its digits.
        match value:
            case dict():
                pairs = (f"{json.dumps(name, ensure_ascii=False)}:{_format_json(each)}" for name, each in value.items())
                return "{" + ",".join(pairs) + "}"
            case list():
                return "[" + ",".join(map(_format_json, value)) + "]"
        return str(value)
