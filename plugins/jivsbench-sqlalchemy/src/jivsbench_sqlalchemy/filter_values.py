"""A filter's value in the type of its column: what does not convert is refused here and never reaches a server."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import types
from sqlalchemy.dialects import mssql

from jivsbench.errors import ExtractionError
from jivsbench.model.moments import parse_moment, parse_time
from jivsbench.model.numbers import parse_number, parse_real


def convert_filter_value(value: object, kind: types.TypeEngine[Any], column: str) -> object:
    """What is bound for a value. Raises ExtractionError naming the column, never the value."""
    try:
        return _convert(value, kind)
    except (ValueError, OverflowError):
        raise ExtractionError(f"a filter's value does not fit the column {column!r} of type {kind}: change the filter") from None


def _convert(value: object, kind: types.TypeEngine[Any]) -> object:
    match kind:
        case types.Boolean():
            return _to_boolean(value)
        case types.Integer():
            return int(value) if isinstance(value, bool) else _to_whole_number(str(value))
        case types.Float():
            return parse_real(str(value))
        case types.Numeric():
            return parse_number(str(value))
        case types.DateTime():
            return _to_moment(str(value), is_zoned=kind.timezone or isinstance(kind, mssql.DATETIMEOFFSET))
        case types.Date():
            return date.fromisoformat(str(value))
        case types.Time():
            return _to_time(str(value))
    return value if isinstance(kind, types.NullType) else str(value)


def _to_boolean(value: object) -> bool:
    text = str(value).lower()
    if text in ("true", "1"):
        return True
    if text in ("false", "0"):
        return False
    raise ValueError


def _to_whole_number(text: str) -> int | Decimal:
    """A number with a fraction is still a number to compare a whole one with."""
    number = parse_number(text)
    return int(number) if number == number.to_integral_value() else number


def _to_time(text: str) -> time:
    clock = parse_time(text)
    if clock.tzinfo is not None:
        raise ValueError
    return clock


def _to_moment(text: str, *, is_zoned: bool) -> datetime:
    """UTC where no offset is given; a column without zone is compared in UTC."""
    moment = parse_moment(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment if is_zoned else moment.replace(tzinfo=None)
