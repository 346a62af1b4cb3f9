"""Which rows a request's filters keep, worked out by Arrow in each column's own type. A comparison with NULL never matches."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from jivsbench.errors import ExtractionError
from jivsbench.model.filtering import COMPARISONS
from jivsbench.model.filters import check_value_count
from jivsbench.model.moments import parse_moment, parse_time
from jivsbench.model.numbers import parse_number, parse_real
from jivsbench.model.table import Column, Filter, Operator

Value = str | int | float | bool


def keep_rows(batch: pa.RecordBatch, filters: tuple[Filter, ...], columns: dict[str, Column]) -> pa.RecordBatch:
    """The rows that match every filter. Raises ExtractionError for a value that is none of its column's type."""
    for condition in filters:
        if not batch.num_rows:
            break
        batch = batch.filter(_match(batch.column(condition.column), condition, columns[condition.column]))
    return batch


def check_filters(filters: tuple[Filter, ...], columns: dict[str, Column]) -> None:
    """Raise for what cannot be compared, before the first row is read."""
    for condition in filters:
        _match(pa.nulls(0, columns[condition.column].arrow_type), condition, columns[condition.column])


def _match(values: pa.Array, condition: Filter, column: Column) -> pa.Array:
    check_value_count(condition)
    match condition.operator:
        case Operator.IS_NULL:
            return values.is_null()
        case Operator.IS_NOT_NULL:
            return values.is_valid()
        case Operator.LIKE:
            return _match_like(values, condition, column)
        case Operator.IN:
            return pc.is_in(values, value_set=_build_values(condition, column))
        case comparison:
            try:
                return COMPARISONS[comparison](values, _build_values(condition, column)[0])
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                raise _refuse(column) from None


def _match_like(values: pa.Array, condition: Filter, column: Column) -> pa.Array:
    if not pa.types.is_string(column.arrow_type):
        raise ExtractionError(f"the filter like on column {column.name!r} compares texts, and the column is {column.arrow_type}")
    try:
        return pc.match_like(values, _to_text(condition.values[0]))
    except UnicodeEncodeError:
        raise _refuse(column) from None


def _build_values(condition: Filter, column: Column) -> pa.Array:
    kind = column.arrow_type
    try:
        values = [_convert(value, kind) for value in condition.values]
        # A decimal keeps its own scale: 0.005 lies between two values of a column of two decimals, and equals none.
        if pa.types.is_decimal(kind) and condition.operator is not Operator.IN:
            return pa.array(values)
        return pa.array([value for value in values if _has_place(value, kind)], kind)
    except (ValueError, OverflowError, pa.ArrowInvalid, pa.ArrowTypeError):
        raise _refuse(column) from None


def _has_place(value: Any, kind: pa.DataType) -> bool:
    """False for a decimal of a list that the column cannot hold, and so never does."""
    return not pa.types.is_decimal(kind) or -value.as_tuple().exponent <= kind.scale


def _refuse(column: Column) -> ExtractionError:
    return ExtractionError(
        f"the filter on column {column.name!r} has a value that is no {column.arrow_type}: write it in that type"
    )


def _convert(value: Value, kind: pa.DataType) -> Any:
    """A filter's value in the column's type. Raises ValueError when it is none."""
    is_boolean = str(value).lower() in ("true", "false")
    if (pa.types.is_boolean(kind) and not is_boolean) or (isinstance(value, bool) and not pa.types.is_boolean(kind)):
        raise ValueError
    convert = next((convert for is_kind, convert in _CONVERTERS if is_kind(kind)), None)
    if convert is None:
        raise ValueError
    return convert(value)


def _to_boolean(value: Value) -> bool:
    return str(value).lower() == "true"


def _to_text(value: Value) -> str:
    # Half of a surrogate pair is no character, and an error here.
    return str(value).encode().decode()


def _to_integer(value: Value) -> int:
    number = parse_number(str(value))
    if number != number.to_integral_value():
        raise ValueError
    return int(number)


def _to_moment(value: Value) -> datetime:
    moment = parse_moment(str(value))
    if moment.tzinfo is not None:
        raise ValueError
    return moment


def _to_time(value: Value) -> time:
    clock = parse_time(str(value))
    if clock.tzinfo is not None:
        raise ValueError
    return clock


def _to_instant(value: Value) -> datetime:
    """Without an offset it is meant in UTC."""
    moment = parse_moment(str(value))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


_CONVERTERS: Final[tuple[tuple[Callable[[pa.DataType], bool], Callable[[Value], Any]], ...]] = (
    (pa.types.is_boolean, _to_boolean),
    (pa.types.is_integer, _to_integer),
    (pa.types.is_floating, lambda value: parse_real(str(value))),
    (pa.types.is_decimal, lambda value: parse_number(str(value))),
    (pa.types.is_string, _to_text),
    (pa.types.is_large_string, _to_text),
    (lambda kind: pa.types.is_timestamp(kind) and kind.tz is None, _to_moment),
    (pa.types.is_timestamp, _to_instant),
    (pa.types.is_date, lambda value: date.fromisoformat(str(value))),
    (pa.types.is_time, _to_time),
)
