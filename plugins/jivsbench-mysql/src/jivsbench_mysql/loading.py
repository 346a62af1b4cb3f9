"""Writes seeded test data: a table made, filled and indexed under another name, and then given its own.

A server commits at every CREATE, so a transaction could not take it back; a table that nobody knows can be dropped.
"""

# ruff: noqa: S608 - names and values are quoted by `statements`

import contextlib
import uuid
from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pymysql.err
from pymysql.constants import ER

from jivsbench.api import ReadLimits
from jivsbench.errors import JivsbenchError, MissingObjectError, OutputError
from jivsbench.model.table import TableName
from jivsbench_mysql.address import Address
from jivsbench_mysql.catalogue import select_table
from jivsbench_mysql.driver import Driver
from jivsbench_mysql.failures import UNFIT, build_server_error, number_of
from jivsbench_mysql.login import SQL_MODE, open_driver
from jivsbench_mysql.statements import quote_name, quote_table

TYPE_KEY: Final = b"jivsbench:type"
_WRITE_TIMEOUT_S: Final = 600.0
_INSERT_BYTES: Final = 1 << 20
_INDEXED_CHARACTERS: Final = 191
"""The start of a long text that an index holds: as many as fit into any server's index."""
_TEXT_TYPES: Final = {b"jsonb": "json", b"uuid": "char(36)"}
_SERVER_TYPES: Final = {
    pa.bool_(): "bit(1)",
    pa.int8(): "tinyint",
    pa.int16(): "smallint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.uint8(): "tinyint unsigned",
    pa.uint16(): "smallint unsigned",
    pa.uint32(): "int unsigned",
    pa.uint64(): "bigint unsigned",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "longtext",
    pa.large_string(): "longtext",
    pa.binary(): "longblob",
    pa.date32(): "date",
    pa.time64("us"): "time(6)",
    pa.timestamp("us"): "datetime(6)",
    pa.timestamp("us", "UTC"): "timestamp(6)",
}
_KEY_TYPES: Final = {"longtext": "varchar(255)", "longblob": "varbinary(255)"}
_MAX_PRECISION: Final = 65
_MAX_SCALE: Final = 30


def load_table(
    address: Address, table: TableName, schema: pa.Schema, batches: Iterator[pa.RecordBatch], indexes: Sequence[str]
) -> int:
    """Create, fill, index and analyse a table. All or nothing. Raises OutputError when it exists or its types cannot be had."""
    unknown = [name for name in indexes if name not in schema.names]
    if unknown:
        raise MissingObjectError(f"table {str(table)!r} has no column {unknown[0]!r} to index: it has {', '.join(schema.names)}")
    hidden = TableName(f"jivsbench_load_{uuid.uuid4().hex[:16]}", table.namespace)
    create = _build_create(hidden, schema, indexes)
    with _open_writer(address, table, "write") as driver:
        _refuse_existing(driver, address, table)
        driver.query(create + _build_options(driver))
        try:
            rows = _fill(driver, hidden, batches)
            driver.query(f"ANALYZE TABLE {quote_table(hidden)}")
            driver.query(f"RENAME TABLE {quote_table(hidden)} TO {quote_table(table)}")
        except BaseException:
            with contextlib.suppress(pymysql.err.Error, OSError):
                driver.query(f"DROP TABLE IF EXISTS {quote_table(hidden)}")
            raise
    return rows


def drop_table(address: Address, table: TableName) -> bool:
    """Drop a table; False when there was none."""
    with _open_writer(address, table, "drop") as driver:
        try:
            driver.query(f"DROP TABLE {quote_table(table)}")
        except pymysql.err.Error as error:
            if number_of(error) == ER.BAD_TABLE_ERROR:
                return False
            raise
    return True


@contextlib.contextmanager
def _open_writer(address: Address, table: TableName, verb: str) -> Iterator[Driver]:
    driver = open_driver(address, ReadLimits().connect_timeout_s)
    try:
        driver.set_patience(_WRITE_TIMEOUT_S)
        driver.query(f"SET NAMES utf8mb4, autocommit = 1, time_zone = '+00:00', sql_mode = '{SQL_MODE},STRICT_ALL_TABLES'")
        yield driver
    except (pymysql.err.Error, OSError) as error:
        raise _translate(address, table, verb, error) from None
    finally:
        driver.break_off()


def _translate(address: Address, table: TableName, verb: str, error: Exception) -> JivsbenchError:
    number = number_of(error)
    if number == ER.TABLE_EXISTS_ERROR:
        return _refuse_twice(address, table)
    if isinstance(error, (pymysql.err.IntegrityError, pymysql.err.DataError)) or number in UNFIT:
        return OutputError(
            f"{address.place} did not {verb} table {str(table)!r}: it refused a row (error {number}); is a key there twice, "
            "or a value beyond its type?"
        )
    return build_server_error(address.place, f"{verb} table {str(table)!r}", error, was_cancelled=False)


def _refuse_twice(address: Address, table: TableName) -> OutputError:
    return OutputError(f"{address.place} has a table {str(table)!r} already: drop it first, or choose another name")


def _refuse_existing(driver: Driver, address: Address, table: TableName) -> None:
    """Before the work: RENAME would find it too, after all of it."""
    quote_table(table)
    if driver.query(f"SELECT 1 FROM information_schema.TABLES WHERE {select_table(table)}"):
        raise _refuse_twice(address, table)


def _build_create(table: TableName, schema: pa.Schema, indexes: Sequence[str]) -> str:
    key = schema.names[0]
    parts = [_build_column(field, is_key=field.name == key) for field in schema]
    parts.append(f"PRIMARY KEY ({quote_name(key)})")
    for name in indexes:
        is_long = name != key and _server_type(schema.field(name)) in _KEY_TYPES
        parts.append(f"KEY ({quote_name(name)}{f'({_INDEXED_CHARACTERS})' if is_long else ''})")
    return f"CREATE TABLE {quote_table(table)} ({', '.join(parts)})"


def _build_options(driver: Driver) -> str:
    """Texts are compared character by character, and a blank at the end counts, as on other servers."""
    collation = "utf8mb4_nopad_bin" if driver.is_mariadb else "utf8mb4_0900_bin"
    return f" ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE {collation}"


def _build_column(field: pa.Field, *, is_key: bool) -> str:
    server_type = _server_type(field)
    if is_key:
        server_type = _KEY_TYPES.get(server_type, server_type)
    # NULL is said too: a timestamp without it means NOT NULL on some servers.
    return f"{quote_name(field.name)} {server_type} {'NULL' if field.nullable and not is_key else 'NOT NULL'}"


def _server_type(field: pa.Field) -> str:
    """The server type of a field. The metadata key `jivsbench:type` asks for jsonb or uuid in a string column."""
    wanted = (field.metadata or {}).get(TYPE_KEY)
    if wanted in _TEXT_TYPES and pa.types.is_string(field.type):
        return _TEXT_TYPES[wanted]
    if pa.types.is_decimal(field.type) and field.type.precision <= _MAX_PRECISION and 0 <= field.type.scale <= _MAX_SCALE:
        return f"decimal({field.type.precision},{field.type.scale})"
    if field.type not in _SERVER_TYPES:
        raise OutputError(f"column {field.name!r} of type {field.type} cannot be written to MySQL: use one of docs/types.md")
    return _SERVER_TYPES[field.type]


def _fill(driver: Driver, table: TableName, batches: Iterator[pa.RecordBatch]) -> int:
    insert = f"INSERT INTO {quote_table(table)} VALUES ".encode()
    rows = 0
    driver.begin()
    for batch in batches:
        values = _format_rows(batch)
        # A statement of about a mebibyte: far below what any server takes at once.
        step = max(1, _INSERT_BYTES * batch.num_rows // max(1, values.nbytes))
        for start in range(0, len(values), step):
            texts = values.slice(start, step).to_pylist()
            driver.query(insert + b",".join(texts))
        rows += batch.num_rows
    driver.commit()
    return rows


def _format_rows(batch: pa.RecordBatch) -> pa.Array:
    """`(1,'text',NULL)` for each row, as bytes, column by column."""
    columns = [_format_column(column, batch.schema.field(index)) for index, column in enumerate(batch.columns)]
    opened = [pc.binary_join_element_wise("(", columns[0], ""), *columns[1:]]
    joined = pc.binary_join_element_wise(*opened, ",") if len(opened) > 1 else opened[0]
    return pc.binary_join_element_wise(joined, ")", "").cast(pa.binary())


def _format_column(column: pa.Array, field: pa.Field) -> pa.Array:
    kind = field.type
    if pa.types.is_binary(kind):
        texts = pa.array([None if value is None else f"X'{value.hex()}'" for value in column.to_pylist()], pa.string())
    elif pa.types.is_boolean(kind):
        texts = column.cast(pa.int8()).cast(pa.string())
    elif pa.types.is_floating(kind):
        if not pc.all(pc.is_finite(column)).as_py() and pc.any(pc.invert(pc.is_finite(column))).as_py():
            raise OutputError(f"column {field.name!r} holds NaN or an infinity, which MySQL has not: leave such rows out")
        texts = column.cast(pa.float64()).cast(pa.string())
    elif pa.types.is_temporal(kind):
        plain = column.cast(pa.int64()).cast(pa.timestamp("us")) if pa.types.is_timestamp(kind) else column
        texts = _quote(plain.cast(pa.string()))
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts = _quote(pc.replace_substring(column.cast(pa.string()), "'", "''"))
    else:
        texts = column.cast(pa.string())
    return pc.fill_null(texts, "NULL")


def _quote(texts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise("'", texts, "'", "")
