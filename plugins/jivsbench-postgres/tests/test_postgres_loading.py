"""Test data is written as it is, or not at all."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal

import psycopg
import pyarrow as pa
import pytest

from jivsbench.errors import ExtractionError, MissingObjectError, OutputError
from jivsbench.model.source import DataSource
from jivsbench.model.table import TableName
from jivsbench_postgres.connector import PostgresConnector

SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("key", pa.string(), metadata={"jivsbench:type": "uuid"}),
        pa.field("document", pa.string(), metadata={"jivsbench:type": "jsonb"}),
        pa.field("name", pa.string()),
        pa.field("small", pa.int16()),
        pa.field("ratio", pa.float64()),
        pa.field("amount", pa.decimal128(10, 2)),
        pa.field("is_active", pa.bool_()),
        pa.field("born", pa.date32()),
        pa.field("at", pa.time64("us")),
        pa.field("seen", pa.timestamp("us", "UTC")),
        pa.field("local", pa.timestamp("us")),
        pa.field("data", pa.binary()),
    ]
)
ROWS = [
    {
        "id": 1,
        "key": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "document": '{"a": "x, \\"y\\""}',
        "name": 'quo"te, \n\\N',
        "small": -3,
        "ratio": float("inf"),
        "amount": Decimal("-12.30"),
        "is_active": True,
        "born": date(1, 1, 1),
        "at": time(23, 59, 59, 999999),
        "seen": datetime(2020, 1, 1, 12, 0, 0, 1, tzinfo=UTC),
        "local": datetime(9999, 12, 31, 23, 59),  # noqa: DTZ001 - a timestamp without zone
        "data": b"\x00\xff",
    },
    {"id": 2, "name": "", "data": b""},
    {"id": 3},
]


@pytest.fixture
def url(any_url: str) -> str:
    """Loading is tested on both servers."""
    return any_url


def test_what_is_loaded_is_read_back(connector: PostgresConnector, source: DataSource, session, reader, admin, namespace) -> None:  # noqa: PLR0917 - fixtures
    """Every type, NULL, the empty text and empty bytes; keys, types and indexes on the server are as asked."""
    batch = pa.RecordBatch.from_pylist(ROWS, SCHEMA)

    written = connector.load_table(
        source, TableName("t", namespace), SCHEMA, iter([batch.slice(0, 1), batch.slice(1)]), ["name", "seen"]
    )

    rows = reader.read(session, reader.request("t"))
    assert written == 3
    assert rows.equals(pa.Table.from_batches([batch]).cast(rows.schema))
    assert json.loads(rows["document"][0].as_py()) == {"a": 'x, "y"'}
    assert rows.schema.field("id").nullable is False
    types = dict(
        admin.execute(
            f"SELECT attname, atttypid::regtype::text FROM pg_attribute WHERE attrelid = '{namespace}.t'::regclass"
        ).fetchall()
    )
    assert (types["key"], types["document"], types["seen"]) == ("uuid", "jsonb", "timestamp with time zone")
    indexes = [
        row[0] for row in admin.execute(f"SELECT indexdef FROM pg_indexes WHERE schemaname = '{namespace}' ORDER BY 1").fetchall()
    ]
    assert [text.split("USING btree ")[1] for text in indexes] == ["(name)", "(seen)", "(id)"]
    assert admin.execute(f"SELECT reltuples FROM pg_class WHERE oid = '{namespace}.t'::regclass").fetchone() == (3.0,)


def test_a_load_that_fails_leaves_nothing(connector: PostgresConnector, source: DataSource, admin, namespace) -> None:
    """A duplicate key in the second batch undoes the first one and the table."""
    batch = pa.RecordBatch.from_pylist([{"id": 1}], SCHEMA)

    with pytest.raises(ExtractionError, match="23505, UniqueViolation"):
        connector.load_table(source, TableName("t", namespace), SCHEMA, iter([batch, batch]), [])

    assert admin.execute(f"SELECT to_regclass('{namespace}.t')").fetchone() == (None,)


def test_a_source_of_rows_that_fails_leaves_nothing(connector: PostgresConnector, source: DataSource, admin, namespace) -> None:
    """Its own error comes through."""

    def batches():
        yield pa.RecordBatch.from_pylist([{"id": 1}], SCHEMA)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        connector.load_table(source, TableName("t", namespace), SCHEMA, batches(), [])

    assert admin.execute(f"SELECT to_regclass('{namespace}.t')").fetchone() == (None,)


def test_what_cannot_be_loaded_is_refused_before_anything_is_made(
    connector: PostgresConnector, source: DataSource, admin, namespace
) -> None:
    """An index on no column, a type without a counterpart."""
    table = TableName("t", namespace)
    with pytest.raises(MissingObjectError, match="'nope'"):
        connector.load_table(source, table, SCHEMA, iter([]), ["nope"])
    with pytest.raises(OutputError, match="list<"):
        connector.load_table(source, table, pa.schema([pa.field("id", pa.list_(pa.int64()))]), iter([]), [])

    assert admin.execute(f"SELECT to_regclass('{namespace}.t')").fetchone() == (None,)


def test_a_table_is_dropped_by_its_exact_name(
    connector: PostgresConnector, source: DataSource, admin: psycopg.Connection, namespace
) -> None:
    """A hostile name drops nothing else."""
    admin.execute(f"CREATE TABLE {namespace}.t (id int)")

    assert not connector.drop_table(source, TableName('t"; DROP TABLE t; --', namespace))
    assert not connector.drop_table(source, TableName("T", namespace))
    assert connector.drop_table(source, TableName("t", namespace))
    assert not connector.drop_table(source, TableName("t", namespace))
