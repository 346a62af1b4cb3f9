"""Which Arrow type each MySQL type is read as. The table for people is docs/types.md."""

import re
from typing import Final

import pyarrow as pa

from jivsbench.model.source import TypePolicy
from jivsbench.model.table import Column

MAX_DECIMAL_PRECISION: Final = 38

# Keyed by the first word of a type; what is not here is read as the server's own text.
_INTEGERS: Final = {
    "tinyint": (pa.int8(), pa.uint8()),
    "smallint": (pa.int16(), pa.uint16()),
    "mediumint": (pa.int32(), pa.uint32()),
    "int": (pa.int32(), pa.uint32()),
    "bigint": (pa.int64(), pa.uint64()),
    "year": (pa.int16(), pa.int16()),
}
_EXACT: Final = {"float": pa.float32(), "double": pa.float64()}
_BINARY: Final = (
    *("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"),
    *("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"),
    *("geometrycollection", "geomcollection"),
)
# Types with values that Arrow cannot hold: 0000-00-00 and its kin, times below zero or beyond a day. These follow the policy.
_PARTIAL: Final = {
    "date": pa.date32(),
    "time": pa.time64("us"),
    "datetime": pa.timestamp("us"),
    "timestamp": pa.timestamp("us", "UTC"),
}
_NUMERIC: Final = (*_INTEGERS, *_EXACT, "decimal", "bit")
_TEXTS: Final = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set")
_SIZES: Final = re.compile(r"\((\d+)(?:,(\d+))?\)")


def word_of(server_type: str) -> str:
    """The first word of a type: `decimal` of `decimal(10,2) unsigned`."""
    return re.split(r"[( ]", server_type, maxsplit=1)[0]


def is_numeric(server_type: str) -> bool:
    """True for a type whose values are numbers, so that texts are not compared with it."""
    return word_of(server_type) in _NUMERIC


def is_text(server_type: str) -> bool:
    """True for a type that has a character set."""
    return word_of(server_type) in _TEXTS


def build_column(name: str, server_type: str, *, is_nullable: bool, policy: TypePolicy) -> Column:
    """A column of one server type, e.g. `bigint(20) unsigned`."""
    partial = _PARTIAL.get(word_of(server_type))
    if partial is None:
        return Column(name, server_type, _exact_type(server_type), is_nullable)
    if policy is TypePolicy.TEXT:
        return Column(name, server_type, pa.string(), is_nullable)
    # Under the policy `null` a value that does not fit becomes NULL, in a NOT NULL column too.
    return Column(name, server_type, partial, is_nullable or policy is TypePolicy.NULL)


def is_partial(arrow_type: pa.DataType) -> bool:
    """True for an Arrow type that cannot hold every value of the server type it stands for."""
    return bool(pa.types.is_temporal(arrow_type))


def _exact_type(server_type: str) -> pa.DataType:
    word = word_of(server_type)
    sizes = _SIZES.search(server_type)
    if word in _INTEGERS:
        return _INTEGERS[word]["unsigned" in server_type]
    if word == "bit":
        return pa.bool_() if sizes is not None and sizes[1] == "1" else pa.uint64()
    if word == "decimal" and sizes is not None and int(sizes[1]) <= MAX_DECIMAL_PRECISION:
        return pa.decimal128(int(sizes[1]), int(sizes[2] or 0))
    if word in _BINARY:
        return pa.binary()
    return _EXACT.get(word, pa.string())
