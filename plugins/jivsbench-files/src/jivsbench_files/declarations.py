"""Types that somebody wrote down for a table: `orders.csv.columns.toml` beside `orders.csv`."""

import re
import tomllib
from typing import Final

import pyarrow as pa

from jivsbench.errors import ConfigError

SUFFIX: Final = ".columns.toml"
MAX_BYTES: Final = 1 << 20
_DECIMAL: Final = re.compile(r"decimal\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)")
_MAX_PRECISION: Final = 38
_NAMED: Final = {
    "bool": pa.bool_(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
}


def parse_declarations(text: bytes, name: str) -> dict[str, pa.DataType]:
    """`[columns]` with `id = "int64"`, in the order of the file. Raises ConfigError naming file and column."""
    try:
        document = tomllib.loads(text.decode())
    except (ValueError, RecursionError):
        raise ConfigError(f'{name!r} is no TOML: write [columns] and lines like id = "int64"') from None
    columns = document.pop("columns", None)
    if document or not isinstance(columns, dict) or not columns:
        raise ConfigError(f'{name!r} must hold one table [columns], with lines like id = "int64", and nothing else')
    return {column: _parse_type(declared, column, name) for column, declared in columns.items()}


def _parse_type(declared: object, column: str, name: str) -> pa.DataType:
    text = declared.strip().lower() if isinstance(declared, str) else ""
    if text in _NAMED:
        return _NAMED[text]
    decimal = _DECIMAL.fullmatch(text)
    if decimal is not None and 0 < int(decimal[1]) <= _MAX_PRECISION and int(decimal[2]) <= int(decimal[1]):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    raise ConfigError(f"{name!r}: column {column!r} has no type this connector knows: use {', '.join(_NAMED)} or decimal(p,s)")
