"""Which Arrow type each PostgreSQL type is read as. The table for people is docs/types.md."""

import re
from typing import Final

import pyarrow as pa

from jivsbench.model.source import TypePolicy
from jivsbench.model.table import Column

MAX_DECIMAL_PRECISION: Final = 38

# Keyed by the name that format_type() gives, without its modifier. What is not here is read as the server's own text.
_EXACT: Final = {
    "boolean": pa.bool_(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "oid": pa.int64(),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "bytea": pa.binary(),
}

# Types with values that Arrow cannot hold: infinity, BC, years after 9999, 24:00:00, NaN. These follow the type policy.
_PARTIAL: Final = {
    "date": pa.date32(),
    "time without time zone": pa.time64("us"),
    "timestamp without time zone": pa.timestamp("us"),
    "timestamp with time zone": pa.timestamp("us", "UTC"),
}

_PLAIN_TEXTS: Final = ("text", "character", "character varying")

_MODIFIER: Final = re.compile(r"\([^)]*\)")
_NUMERIC: Final = re.compile(r"numeric\((\d+),(-?\d+)\)")
"""The whole name: what follows it makes another type, as in `numeric(10,2)[]`."""


def build_column(name: str, declared: str, resolved: str, *, is_nullable: bool, policy: TypePolicy) -> Column:
    """A column of one server type. `resolved` is the type under a domain; else the same as `declared`."""
    exact = _EXACT.get(resolved)
    if exact is not None:
        return Column(name, declared, exact, is_nullable)
    partial = _partial_type(resolved)
    if partial is None or policy is TypePolicy.TEXT:
        return Column(name, declared, pa.string(), is_nullable)
    # Under the policy `null` a value that does not fit becomes NULL, in a NOT NULL column too.
    return Column(name, declared, partial, is_nullable or policy is TypePolicy.NULL)


def is_partial(arrow_type: pa.DataType) -> bool:
    """True for an Arrow type that cannot hold every value of the server type it stands for."""
    return bool(pa.types.is_temporal(arrow_type) or pa.types.is_decimal(arrow_type))


def is_plain_text(declared: str) -> bool:
    """True for a type that the server itself takes for a text; an array of such is none."""
    return _MODIFIER.sub("", declared) in _PLAIN_TEXTS


def _partial_type(resolved: str) -> pa.DataType | None:
    numeric = _NUMERIC.fullmatch(resolved)
    if numeric is None:
        return _PARTIAL.get(_MODIFIER.sub("", resolved))
    precision, scale = int(numeric[1]), int(numeric[2])
    # No fixed scale can hold the values of the rest.
    return pa.decimal128(precision, scale) if 0 <= scale <= precision <= MAX_DECIMAL_PRECISION else None
