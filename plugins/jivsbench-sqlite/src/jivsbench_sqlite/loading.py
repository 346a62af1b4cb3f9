"""Writes seeded test data: a table made, filled and indexed in one transaction, or not at all."""

import contextlib
import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from jivsbench.errors import MissingObjectError, OutputError
from jivsbench.model.table import TableName
from jivsbench_sqlite.location import build_uri
from jivsbench_sqlite.statements import quote_name, quote_table

_TIMEOUT_S = 5.0
_MAX_DECIMAL_PRECISION = 15
"""SQLite makes a float of a decimal text when its first 15 digits survive; what comes after them would be lost in silence."""
_SERVER_TYPES = {
    pa.bool_(): "BOOLEAN",
    pa.int8(): "INTEGER",
    pa.int16(): "INTEGER",
    pa.int32(): "INTEGER",
    pa.int64(): "INTEGER",
    pa.float32(): "REAL",
    pa.float64(): "REAL",
    pa.string(): "TEXT",
    pa.large_string(): "TEXT",
    pa.binary(): "BLOB",
    pa.date32(): "DATE",
    pa.time64("us"): "TIME",
    pa.timestamp("us"): "TIMESTAMP",
    pa.timestamp("us", "UTC"): "TIMESTAMPTZ",
}


def load_table(path: Path, table: TableName, schema: pa.Schema, batches: Iterator[pa.RecordBatch], indexes: Sequence[str]) -> int:
    """Create, fill, index and analyse a table. All or nothing. Raises OutputError when it exists or cannot be written."""
    unknown = [name for name in indexes if name not in schema.names]
    if unknown:
        raise MissingObjectError(f"table {str(table)!r} has no column {unknown[0]!r} to index: it has {', '.join(schema.names)}")
    name = quote_table(table)
    columns = ", ".join(_build_column(field, is_key=index == 0) for index, field in enumerate(schema))
    insert = f"INSERT INTO {name} VALUES ({', '.join('?' * len(schema))})"  # noqa: S608 - the name is quoted, values bound
    rows = 0
    with _open_writer(path) as database:
        try:
            database.execute("BEGIN IMMEDIATE")
            if _has_table(database, table):
                raise OutputError(f"{path} has a table {table.name!r} already: drop it first, or choose another name")
            database.execute(f"CREATE TABLE {name} ({columns})")
            for batch in batches:
                database.executemany(insert, zip(*map(_to_values, batch.columns), strict=True))
                rows += batch.num_rows
            for column in indexes:
                index = quote_name(f"{table.name}_{column}_index")
                database.execute(f"CREATE INDEX main.{index} ON {quote_name(table.name)} ({quote_name(column)})")
            database.execute(f"ANALYZE {name}")
            database.execute("COMMIT")
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorname", type(error).__name__)
            raise OutputError(
                f"{path}: table {table.name!r} was not written ({code}); check space, permissions and the rows"
            ) from None
    return rows


def drop_table(path: Path, table: TableName) -> bool:
    """Drop a table; False when there was none, or no file."""
    if not path.is_file():
        return False
    name = quote_table(table)
    with _open_writer(path) as database:
        try:
            if not _has_table(database, table):
                return False
            database.execute(f"DROP TABLE {name}")
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorname", type(error).__name__)
            raise OutputError(f"{path}: table {table.name!r} was not dropped ({code}); is it in use?") from None
    return True


@contextlib.contextmanager
def _open_writer(path: Path) -> Iterator[sqlite3.Connection]:
    """A session that may write. Closing it rolls back what is not committed."""
    try:
        database = sqlite3.connect(build_uri(path, "rwc"), uri=True, timeout=_TIMEOUT_S, isolation_level=None)
    except sqlite3.Error:
        raise OutputError(
            f"the SQLite file {path} cannot be opened for writing: does its folder exist, and may you write there?"
        ) from None
    try:
        yield database
    finally:
        database.close()


def _has_table(database: sqlite3.Connection, table: TableName) -> bool:
    return database.execute("SELECT 1 FROM main.sqlite_schema WHERE lower(name) = lower(?)", (table.name,)).fetchone() is not None


def _build_column(field: pa.Field, *, is_key: bool) -> str:
    if pa.types.is_decimal(field.type) and field.type.precision <= _MAX_DECIMAL_PRECISION:
        declared = f"DECIMAL({field.type.precision},{field.type.scale})"
    elif field.type in _SERVER_TYPES:
        declared = _SERVER_TYPES[field.type]
    else:
        raise OutputError(
            f"column {field.name!r} of Arrow type {field.type} cannot be written to SQLite: use one of docs/types.md"
        )
    # A primary key that is no INTEGER may hold NULL in SQLite unless told otherwise.
    limits = " PRIMARY KEY NOT NULL" if is_key else "" if field.nullable else " NOT NULL"
    return f"{quote_name(field.name)} {declared}{limits}"


def _to_values(column: pa.Array) -> list[object]:
    """A column as what SQLite stores."""
    values = column.to_pylist()
    convert = _converter(column.type)
    return values if convert is None else [None if value is None else convert(value) for value in values]


def _converter(arrow_type: pa.DataType) -> Callable[[object], object] | None:
    if pa.types.is_floating(arrow_type):
        return _refuse_nan
    if pa.types.is_boolean(arrow_type) or pa.types.is_temporal(arrow_type) or pa.types.is_decimal(arrow_type):
        return _to_stored
    return None


def _refuse_nan(value: object) -> object:
    if isinstance(value, float) and math.isnan(value):
        raise OutputError("SQLite stores NaN as NULL, a silent change: leave NaN out of the rows")
    return value


def _to_stored(value: object) -> object:
    """Numbers as numbers; dates and times as text whose order is that in time."""
    match value:
        case bool():
            return int(value)
        case datetime():
            return value.isoformat(sep=" ")
        case date() | time():
            return value.isoformat()
        case Decimal():
            # A text, of which SQLite makes a number: up to 15 digits nothing is lost.
            return str(value)
    return value
