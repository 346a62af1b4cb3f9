"""A driver's values into Arrow arrays of one column's type. A value that does not fit is refused, or made NULL, never changed."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Final
from uuid import UUID

import pyarrow as pa

from jivsbench.errors import TypePolicyError
from jivsbench.model.numbers import build_fit, parse_number
from jivsbench.model.source import TypePolicy
from jivsbench.model.table import Column

Convert = Callable[[object], object]

_DATE: Final = r"\d{4}-\d\d-\d\d"
# Zeros may follow the microseconds; Python's reader would cut any other digit there without a word.
_TIME: Final = r"\d\d:\d\d(:\d\d(\.\d{1,6}0*)?)?"
_IS_DATE: Final = re.compile(_DATE)
_IS_TIME: Final = re.compile(_TIME)
_IS_MOMENT: Final = re.compile(rf"{_DATE}[ T]{_TIME}( ?(Z|[+-]\d\d:\d\d))?")
_MAX_EXACT_INTEGER: Final = 1 << 53
_MIDNIGHT: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - of a day that nobody sees
_DAY: Final = timedelta(days=1)


class UnfitValueError(Exception):
    """A value that its column's Arrow type cannot hold. Never leaves this package."""


def build_array(values: Sequence[object], column: Column, table: str, policy: TypePolicy, *, naive_is_utc: bool) -> pa.Array:
    """One column of a batch. Raises TypePolicyError naming table and column."""
    convert = build_converter(column.arrow_type, policy, naive_is_utc=naive_is_utc)
    try:
        return pa.array([None if value is None else convert(value) for value in values], column.arrow_type)
    except (UnfitValueError, pa.ArrowInvalid, OverflowError):
        if policy is not TypePolicy.NULL:
            # No cause: its message may repeat the value.
            raise _refuse(column, table) from None
    return pa.array([_convert_or_null(value, convert, column.arrow_type) for value in values], column.arrow_type)


def _convert_or_null(value: object, convert: Convert, arrow_type: pa.DataType) -> object:
    try:
        return None if value is None else pa.scalar(convert(value), arrow_type).as_py()
    except (UnfitValueError, pa.ArrowInvalid, OverflowError):
        return None


def _refuse(column: Column, table: str) -> TypePolicyError:
    return TypePolicyError(
        f"{table}: column {column.name!r} ({column.server_type or 'of a query'}) holds a value that Arrow's "
        f"{column.arrow_type} cannot hold: set the source's type_policy to 'text' or 'null', or leave the column out"
    )


def build_converter(arrow_type: pa.DataType, policy: TypePolicy, *, naive_is_utc: bool) -> Convert:
    """What turns one value that is not NULL into what Arrow takes for the type; it raises UnfitValueError."""
    if pa.types.is_decimal(arrow_type):
        return partial(_to_decimal, fit=build_fit(arrow_type))
    if pa.types.is_timestamp(arrow_type):
        return partial(_to_zoned_moment, naive_is_utc=naive_is_utc) if arrow_type.tz else _to_moment
    if pa.types.is_string(arrow_type) and policy is TypePolicy.TEXT:
        return _to_any_text
    return _CONVERTERS[arrow_type]


def _to_integer(value: object) -> object:
    if type(value) is int:
        return value
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    raise UnfitValueError


def _to_real(value: object) -> object:
    if type(value) is float or (type(value) is int and abs(value) <= _MAX_EXACT_INTEGER):
        return float(value)
    raise UnfitValueError


def _to_boolean(value: object) -> object:
    if isinstance(value, bool | int) and value in (0, 1):
        return value == 1
    raise UnfitValueError


def _to_text(value: object) -> object:
    match value:
        case str():
            return value
        case bool() | int() | float():
            return repr(value)
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.isoformat(sep=" ")
        case date() | time():
            return value.isoformat()
        case UUID():
            return str(value)
    # Bytes are no text, and what a driver made of an interval, an array or a document need not be all of it.
    raise UnfitValueError


def _to_any_text(value: object) -> object:
    return f"X'{bytes(value).hex().upper()}'" if isinstance(value, bytes | bytearray | memoryview) else _to_text(value)


def _to_bytes(value: object) -> object:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise UnfitValueError


def _to_decimal(value: object, fit: Callable[[Decimal], Decimal]) -> object:
    """Exactly, or not at all. A float is one of SQLite's, whose shortest text is what was written."""
    if not isinstance(value, Decimal | int | float | str) or isinstance(value, bool):
        raise UnfitValueError
    try:
        return fit(parse_number(str(value).strip()))
    except ValueError:
        raise UnfitValueError from None


def _to_date(value: object) -> object:
    if type(value) is date:
        return value
    return _read(value, _IS_DATE, date.fromisoformat)


def _to_time(value: object) -> object:
    if isinstance(value, timedelta) and timedelta(0) <= value < _DAY:
        return (_MIDNIGHT + value).time()
    if isinstance(value, time) and value.tzinfo is None:
        return value
    return _read(value, _IS_TIME, time.fromisoformat)


def _to_moment(value: object) -> object:
    moment = value if isinstance(value, datetime) else _read(value, _IS_MOMENT, _read_moment)
    if not isinstance(moment, datetime) or moment.tzinfo is not None:
        raise UnfitValueError
    return moment


def _to_zoned_moment(value: object, *, naive_is_utc: bool) -> object:
    moment = value if isinstance(value, datetime) else _read(value, _IS_MOMENT, _read_moment)
    if not isinstance(moment, datetime) or (moment.tzinfo is None and not naive_is_utc):
        raise UnfitValueError
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise UnfitValueError from None


def _read_moment(text: str) -> datetime:
    # SQL Server puts a blank before the offset.
    return datetime.fromisoformat(text[:11] + text[11:].replace(" ", ""))


def _read(value: object, pattern: re.Pattern[str], read: Callable[[str], object]) -> object:
    text = value.strip() if isinstance(value, str) else ""
    if not pattern.fullmatch(text):
        raise UnfitValueError
    try:
        return read(text)
    except (ValueError, OverflowError):
        raise UnfitValueError from None


_CONVERTERS: dict[pa.DataType, Convert] = {
    pa.int64(): _to_integer,
    pa.float32(): _to_real,
    pa.float64(): _to_real,
    pa.bool_(): _to_boolean,
    pa.string(): _to_text,
    pa.binary(): _to_bytes,
    pa.date32(): _to_date,
    pa.time64("us"): _to_time,
}
