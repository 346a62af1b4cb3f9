"""Test data: all of it as it was given, or none."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pyarrow as pa
import pytest

from jivsbench.errors import MissingObjectError, OutputError
from jivsbench.model.source import DataSource
from jivsbench.model.table import TableName
from jivsbench_mysql.connector import MysqlConnector
from tests.mysql_database import Execute, Opener, read, table

pytestmark = pytest.mark.real_server

SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("big", pa.uint64()),
        pa.field("amount", pa.decimal128(38, 10)),
        pa.field("ratio", pa.float64()),
        pa.field("single", pa.float32()),
        pa.field("flag", pa.bool_()),
        pa.field("day", pa.date32()),
        pa.field("hour", pa.time64("us")),
        pa.field("local", pa.timestamp("us")),
        pa.field("at", pa.timestamp("us", "UTC")),
        pa.field("data", pa.binary()),
        pa.field("name", pa.string()),
    ]
)
ROWS = [
    {
        "id": 1,
        "big": 2**64 - 1,
        "amount": Decimal("9999999999999999999999999999.9999999999"),
        "ratio": 1e-300,
        "single": 0.5,
        "flag": True,
        "day": date(2020, 2, 29),
        "hour": time(23, 59, 59, 999999),
        "local": datetime(1999, 12, 31, 23, 59, 59, 1),  # noqa: DTZ001 - the type has no zone
        "at": datetime(2020, 1, 1, tzinfo=UTC),
        "data": b"\x00\xff'\\",
        "name": "it's \\ \0 \" \n 🦀",
    },
    {"id": 2},
    {"id": 3, "name": "", "data": b"", "flag": False},
]


def test_what_is_loaded_is_read_back(source: DataSource, execute: Execute, open_session: Opener) -> None:
    """Every type that can be written, NULL and the empty text apart, and the index that was asked for."""
    batch = pa.RecordBatch.from_pylist(ROWS, SCHEMA)

    assert MysqlConnector().load_table(source, TableName("t"), SCHEMA, iter([batch]), ["name", "at"]) == 3

    rows = read(open_session(), table("t"))
    assert rows.schema.equals(SCHEMA)
    assert rows.to_pylist() == batch.to_pylist()
    indexed = [row[4] for row in execute("SHOW INDEX FROM t")]
    assert indexed == ["id", "name", "at"]


def test_a_load_that_fails_leaves_nothing(source: DataSource, execute: Execute) -> None:
    """A duplicate key, an existing table, NaN, a type that there is not, an index on nothing."""
    execute("CREATE TABLE taken (id INT)")
    one = pa.RecordBatch.from_pylist([{"id": 1}], SCHEMA)
    nan = pa.RecordBatch.from_pylist([{"id": 1, "ratio": float("nan")}], SCHEMA)
    late = pa.RecordBatch.from_pylist([{"id": 1, "at": datetime(2500, 1, 1, tzinfo=UTC)}], SCHEMA)
    nested = pa.schema([pa.field("id", pa.list_(pa.int64()))])
    load = MysqlConnector().load_table

    for name, schema, batches in (
        ("t", SCHEMA, [one, one]),
        ("taken", SCHEMA, [one]),
        ("t", SCHEMA, [nan]),
        ("t", SCHEMA, [late]),
        ("t", nested, []),
    ):
        with pytest.raises(OutputError):
            load(source, TableName(name), schema, iter(batches), [])
    with pytest.raises(MissingObjectError):
        load(source, TableName("t"), SCHEMA, iter([one]), ["nope"])

    assert execute("SHOW TABLES") == [("taken",)]
    assert MysqlConnector().drop_table(source, TableName("taken"))
    assert not MysqlConnector().drop_table(source, TableName("taken"))
