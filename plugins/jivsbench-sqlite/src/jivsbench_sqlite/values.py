"""SQLite values into Arrow arrays of one column's type. A value that does not fit is refused, or made NULL, never changed."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import partial

import pyarrow as pa

from jivsbench.errors import TypePolicyError
from jivsbench.model.numbers import build_fit, parse_number
from jivsbench.model.source import TypePolicy
from jivsbench.model.table import Column

Convert = Callable[[object], object]

_DATE = r"\d{4}-\d\d-\d\d"
_TIME = r"\d\d:\d\d(:\d\d(\.\d{1,6})?)?"
_IS_DATE = re.compile(_DATE)
_IS_TIME = re.compile(_TIME)
# Python's reader cuts a fraction after six digits, which would be a silent change: the pattern refuses it.
_IS_MOMENT = re.compile(rf"{_DATE}[ T]{_TIME}")
_IS_MOMENT_WITH_ZONE = re.compile(rf"{_DATE}[ T]{_TIME}(Z|[+-]\d\d:\d\d)")
_MAX_EXACT_INTEGER = 1 << 53


class UnfitValueError(Exception):
    """A value that its column's Arrow type cannot hold. Never leaves this module."""


def build_array(
    values: Sequence[object], column: Column, table: str, policy: TypePolicy, name_row: Callable[[int], str]
) -> pa.Array:
    """One column of a batch. Raises TypePolicyError naming table, column and row; `name_row` describes a row by its index."""
    convert = build_converter(column.arrow_type, policy)
    try:
        return pa.array([None if value is None else convert(value) for value in values], column.arrow_type)
    except (UnfitValueError, pa.ArrowInvalid):
        if policy is not TypePolicy.NULL:
            # No cause: its message may repeat the value.
            raise _refuse(column, table, _find_unfit(values, convert, name_row)) from None
    return pa.array([_convert_or_null(value, convert) for value in values], column.arrow_type)


def _find_unfit(values: Sequence[object], convert: Convert, name_row: Callable[[int], str]) -> str:
    for index, value in enumerate(values):
        if value is not None and _convert_or_null(value, convert) is None:
            return f" in {name_row(index)}"
    return ""


def build_value_reader(column: Column, table: str, policy: TypePolicy) -> Convert:
    """What reads one value of a column as `build_array` does, but into Python. It raises TypePolicyError."""
    convert = build_converter(column.arrow_type, policy)

    def read(value: object) -> object:
        if policy is TypePolicy.NULL:
            return _convert_or_null(value, convert)
        try:
            return None if value is None else convert(value)
        except UnfitValueError:
            raise _refuse(column, table) from None

    return read


def _convert_or_null(value: object, convert: Convert) -> object:
    try:
        return None if value is None else convert(value)
    except UnfitValueError:
        return None


def _refuse(column: Column, table: str, where: str = "") -> TypePolicyError:
    return TypePolicyError(
        f"{table}: column {column.name!r} ({column.server_type or 'no declared type'}) holds a value{where} that Arrow's "
        f"{column.arrow_type} cannot hold: set the source's type_policy to 'text' or 'null', or leave the column out"
    )


def build_converter(arrow_type: pa.DataType, policy: TypePolicy) -> Convert:
    """What turns one value that is not NULL into what Arrow takes for the type; it raises UnfitValueError."""
    if pa.types.is_decimal(arrow_type):
        return partial(_to_decimal, fit=build_fit(arrow_type))
    if pa.types.is_timestamp(arrow_type):
        return _to_moment_with_zone if arrow_type.tz else _to_moment
    if pa.types.is_string(arrow_type) and policy is TypePolicy.TEXT:
        return _to_any_text
    return _CONVERTERS[arrow_type]


def format_moment(text: str, arrow_type: pa.DataType) -> str:
    """A filter's date and time in the form in which `load_table` writes them, so that their order as text is that in time."""
    whole = f"{text} 00:00:00" if _IS_DATE.fullmatch(text) else text
    # Without an offset it is meant in UTC.
    whole = f"{whole}Z" if arrow_type.tz and _IS_MOMENT.fullmatch(whole) else whole
    try:
        moment = (_to_moment_with_zone if arrow_type.tz else _to_moment)(whole)
    except UnfitValueError:
        return text
    return moment.isoformat(sep=" ") if isinstance(moment, datetime) else text


def _to_integer(value: object) -> object:
    if type(value) is int:
        return value
    raise UnfitValueError


def _to_real(value: object) -> object:
    if type(value) is float or (type(value) is int and abs(value) <= _MAX_EXACT_INTEGER):
        return float(value)
    raise UnfitValueError


def _to_boolean(value: object) -> object:
    if type(value) is int and value in (0, 1):
        return value == 1
    raise UnfitValueError


def _to_text(value: object) -> object:
    """Numbers are what columns without a declared type hold too; a BLOB is no text."""
    if type(value) is str:
        return value
    if isinstance(value, bytes):
        raise UnfitValueError
    return repr(value)


def _to_any_text(value: object) -> object:
    return f"X'{value.hex().upper()}'" if isinstance(value, bytes) else _to_text(value)


def _to_bytes(value: object) -> object:
    if type(value) is bytes:
        return value
    raise UnfitValueError


def _to_decimal(value: object, fit: Callable[[Decimal], Decimal]) -> object:
    """Exactly, or not at all: SQLite keeps a decimal as integer, as float or as text."""
    if isinstance(value, bytes):
        raise UnfitValueError
    try:
        return fit(parse_number(str(value).strip()))
    except ValueError:
        raise UnfitValueError from None


def _reader(pattern: re.Pattern[str], read: Callable[[str], object]) -> Convert:
    """A converter of texts that match `pattern` as a whole."""

    def convert(value: object) -> object:
        if type(value) is not str or not pattern.fullmatch(value):
            raise UnfitValueError
        try:
            return read(value)
        except (ValueError, OverflowError):
            raise UnfitValueError from None

    return convert


_to_moment = _reader(_IS_MOMENT, datetime.fromisoformat)
_to_moment_with_zone = _reader(_IS_MOMENT_WITH_ZONE, lambda text: datetime.fromisoformat(text).astimezone(UTC))

_CONVERTERS: dict[pa.DataType, Convert] = {
    pa.int64(): _to_integer,
    pa.float64(): _to_real,
    pa.bool_(): _to_boolean,
    pa.string(): _to_text,
    pa.binary(): _to_bytes,
    pa.date32(): _reader(_IS_DATE, date.fromisoformat),
    pa.time64("us"): _reader(_IS_TIME, time.fromisoformat),
}
