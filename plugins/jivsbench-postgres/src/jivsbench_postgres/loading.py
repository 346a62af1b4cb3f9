"""Writes seeded test data: a table made, filled and indexed in one transaction, or not at all."""

import binascii
import io
from collections.abc import Iterator, Sequence

import psycopg
import pyarrow as pa
from psycopg import sql
from pyarrow import csv

from jivsbench.api import ReadLimits
from jivsbench.errors import JivsbenchError, MissingObjectError, OutputError
from jivsbench.model.table import TableName
from jivsbench_postgres.address import Address, build_conninfo
from jivsbench_postgres.failures import build_server_error
from jivsbench_postgres.login import open_wire
from jivsbench_postgres.statements import quote_column, quote_table

TYPE_KEY = b"jivsbench:type"
_DUPLICATE_TABLE = "42P07"
_TEXT_TYPES = {b"jsonb": "jsonb", b"uuid": "uuid"}
_SERVER_TYPES = {
    pa.bool_(): "boolean",
    pa.int8(): "smallint",
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.string(): "text",
    pa.large_string(): "text",
    pa.binary(): "bytea",
    pa.date32(): "date",
    pa.time64("us"): "time",
    pa.timestamp("us"): "timestamp",
    pa.timestamp("us", "UTC"): "timestamptz",
}


def load_table(
    address: Address, table: TableName, schema: pa.Schema, batches: Iterator[pa.RecordBatch], indexes: Sequence[str]
) -> int:
    """Create, fill, index and analyse a table. All or nothing. Raises OutputError when it exists or its types cannot be had."""
    unknown = [name for name in indexes if name not in schema.names]
    if unknown:
        raise MissingObjectError(f"table {str(table)!r} has no column {unknown[0]!r} to index: it has {', '.join(schema.names)}")
    create = _build_create(table, schema)
    name = quote_table(table)
    # The table is new in this transaction, so its rows can be written as frozen: no first reader has to mark them.
    copy = sql.SQL("COPY {} FROM STDIN (FORMAT csv, FREEZE)").format(name)
    with _open_writer(address) as connection:
        try:
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute(create)
                rows = 0
                with cursor.copy(copy) as target:
                    for batch in batches:
                        target.write(_format_csv(batch))
                        rows += batch.num_rows
                for column in indexes:
                    cursor.execute(sql.SQL("CREATE INDEX ON {} ({})").format(name, quote_column(column)))
                cursor.execute(sql.SQL("ANALYZE {}").format(name))
        except psycopg.Error as error:
            raise _translate(address, table, "write", error) from None
    return rows


def drop_table(address: Address, table: TableName) -> bool:
    """Drop a table; False when there was none."""
    with _open_writer(address) as connection:
        try:
            connection.execute(sql.SQL("DROP TABLE {}").format(quote_table(table)))
        except psycopg.errors.UndefinedTable:
            return False
        except psycopg.Error as error:
            raise _translate(address, table, "drop", error) from None
    return True


def _open_writer(address: Address) -> psycopg.Connection:
    limits = ReadLimits()
    return open_wire(
        build_conninfo(address, limits, read_only=False), address.place, address.user, limits.connect_timeout_s
    ).driver


def _translate(address: Address, table: TableName, verb: str, error: psycopg.Error) -> JivsbenchError:
    if error.sqlstate == _DUPLICATE_TABLE:
        return OutputError(f"{address.place} has a table {str(table)!r} already: drop it first, or choose another name")
    return build_server_error(address.place, f"{verb} table {str(table)!r}", error.sqlstate, was_cancelled=False)


def _build_create(table: TableName, schema: pa.Schema) -> sql.Composed:
    columns = [
        sql.SQL("{} {}{}").format(
            quote_column(field.name),
            sql.SQL(_server_type(field)),
            sql.SQL(" PRIMARY KEY" if index == 0 else "" if field.nullable else " NOT NULL"),
        )
        for index, field in enumerate(schema)
    ]
    return sql.SQL("CREATE TABLE {} ({})").format(quote_table(table), sql.SQL(", ").join(columns))


def _server_type(field: pa.Field) -> str:
    """The server type of a field. The metadata key `jivsbench:type` asks for jsonb or uuid in a string column."""
    wanted = (field.metadata or {}).get(TYPE_KEY)
    if wanted in _TEXT_TYPES and pa.types.is_string(field.type):
        return _TEXT_TYPES[wanted]
    if pa.types.is_decimal(field.type):
        return f"numeric({field.type.precision},{field.type.scale})"
    if field.type not in _SERVER_TYPES:
        raise OutputError(
            f"column {field.name!r} of Arrow type {field.type} cannot be written to PostgreSQL: use one of docs/types.md"
        )
    return _SERVER_TYPES[field.type]


def _format_csv(batch: pa.RecordBatch) -> bytes:
    """A batch as the server reads it: NULL is nothing, the empty string is "", bytes are hexadecimal."""
    columns = [
        pa.array(
            [None if value is None else "\\x" + binascii.hexlify(value).decode() for value in column.to_pylist()], pa.string()
        )
        if pa.types.is_binary(column.type)
        else column
        for column in batch.columns
    ]
    sink = io.BytesIO()
    csv.write_csv(pa.RecordBatch.from_arrays(columns, names=batch.schema.names), sink, csv.WriteOptions(include_header=False))
    return sink.getvalue()
