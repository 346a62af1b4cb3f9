"""Casts that lose nothing: what cannot be taken back exactly ends the extraction, with the column named."""

import re
from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from jivsbench.errors import TypePolicyError, UnknownNameError, UsageError
from jivsbench.model.numbers import parse_decimals
from jivsbench.model.spellings import PLAIN_BOOL, PLAIN_DECIMAL, PLAIN_INTEGER, match_spelling

_TYPES: Final = {
    "bool": pa.bool_(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
}
_DECIMAL: Final = re.compile(r"decimal\((\d{1,2}),\s*(\d{1,2})\)")
_MOST_DIGITS: Final = 38


def parse_type(text: str) -> pa.DataType:
    """The Arrow type of a name such as `int32` or `decimal(10,2)`. Raises UnknownNameError."""
    if found := _DECIMAL.fullmatch(text):
        precision, scale = int(found[1]), int(found[2])
        if 0 < precision <= _MOST_DIGITS and scale <= precision:
            return pa.decimal128(precision, scale)
    if text not in _TYPES:
        raise UnknownNameError.among("type", text, (*_TYPES, "decimal(p,s)"))
    return _TYPES[text]


def build_cast(column: str, source: pa.DataType, to: str) -> tuple[pa.DataType, Callable[[pa.Array], pa.Array]]:
    """The new type, and the change of a column. Raises UsageError when there is no such cast, or none that can be checked."""
    target = parse_type(to)
    is_parsed = pa.types.is_string(source)
    spelling = _find_spelling(target) if is_parsed else None
    if is_parsed and pa.types.is_floating(target):
        raise UsageError(f"column {column!r} is text, and a text has no exact {to}: cast it to decimal(p,s)")
    try:
        back = pc.cast(pc.cast(pa.array([], source), target), source)
        pc.equal(back, back)
    except pa.ArrowException as problem:
        raise UsageError(
            f"column {column!r} is of type {source} and cannot be cast to {to} and back: choose another type"
        ) from problem

    def cast(values: pa.Array) -> pa.Array:
        if spelling is not None and pc.all(match_spelling(values, spelling)).as_py() is False:
            raise _build_error(column, source, to)
        try:
            # Arrow asks for 19 digits before it makes a decimal of a whole number, however small the number is.
            via_text = pa.types.is_integer(source) and pa.types.is_decimal(target)
            given = pc.cast(values, pa.string()) if via_text else values
            is_read = pa.types.is_decimal(target) and (is_parsed or via_text)
            found = parse_decimals(given, target) if is_read else pc.cast(given, target)
            # A text that is plainly spelt is read exactly or not at all; everything else must come back as it was.
            is_exact = is_parsed or _are_equal(pc.cast(found, source), values)
        except pa.ArrowInvalid as problem:
            raise _build_error(column, source, to) from problem
        if not is_exact:
            raise _build_error(column, source, to)
        return found

    return target, cast


def _find_spelling(target: pa.DataType) -> str | None:
    """How a text must be spelt to be a value of a type: Arrow would also take `0x1A`, `007` and, for true, `1`."""
    if pa.types.is_boolean(target):
        return PLAIN_BOOL
    if pa.types.is_integer(target):
        return PLAIN_INTEGER
    return PLAIN_DECIMAL if pa.types.is_decimal(target) else None


def _are_equal(found: pa.Array, values: pa.Array) -> bool:
    same = pc.equal(found, values)
    if pa.types.is_floating(values.type):
        same = pc.or_(same, pc.and_(pc.is_nan(found), pc.is_nan(values)))
    return pc.all(same).as_py() is not False


def _build_error(column: str, source: pa.DataType, to: str) -> TypePolicyError:
    # Arrow's own text holds the value.
    return TypePolicyError(
        f"column {column!r} holds a value of type {source} that {to} cannot hold exactly: cast it to a wider type, or not at all"
    )
