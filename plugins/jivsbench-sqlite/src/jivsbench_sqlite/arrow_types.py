"""Which Arrow type each declared SQLite type is read as. The table for people is docs/types.md.

A declaration binds nobody in SQLite: any column can hold any storage class. So every type but the text of an undeclared
column is a promise that single values may break, and those follow the type policy.
"""

import re
from typing import Final

import pyarrow as pa

from jivsbench.model.source import TypePolicy
from jivsbench.model.table import Column

_MAX_DECIMAL_PRECISION: Final = 38
_DECIMAL: Final = re.compile(r"(?:DECIMAL|NUMERIC)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")
_NAMED: Final = {
    "BOOLEAN": pa.bool_(),
    "BOOL": pa.bool_(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "DATETIME": pa.timestamp("us"),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMPTZ": pa.timestamp("us", "UTC"),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
}
# The order of SQLite's own rules of affinity.
_BY_AFFINITY: Final = (
    (("INT",), pa.int64()),
    (("CHAR", "CLOB", "TEXT"), pa.string()),
    (("BLOB",), pa.binary()),
    (("REAL", "FLOA", "DOUB"), pa.float64()),
)


def build_column(name: str, declared: str, *, is_nullable: bool, is_row_id: bool, policy: TypePolicy) -> Column:
    """A column of one declared type. `is_row_id` marks INTEGER PRIMARY KEY, the one declaration that always holds."""
    if is_row_id:
        return Column(name, declared, pa.int64(), is_nullable=False)
    arrow_type = pa.string() if policy is TypePolicy.TEXT else _arrow_type(declared)
    return Column(name, declared, arrow_type, is_nullable or policy is TypePolicy.NULL)


def _arrow_type(declared: str) -> pa.DataType:
    text = declared.upper().strip()
    if text in _NAMED:
        return _NAMED[text]
    decimal = _DECIMAL.fullmatch(text)
    if decimal is not None:
        precision, scale = int(decimal.group(1)), int(decimal.group(2) or 0)
        return pa.decimal128(precision, scale) if 0 < precision <= _MAX_DECIMAL_PRECISION and scale <= precision else pa.string()
    return next((arrow_type for parts, arrow_type in _BY_AFFINITY if any(part in text for part in parts)), pa.string())
