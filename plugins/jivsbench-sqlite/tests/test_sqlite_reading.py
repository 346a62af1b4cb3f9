"""Files are read as docs/types.md says, without being written to, and end when they are told."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from datetime import time as clock
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jivsbench.api import ReadLimits
from jivsbench.errors import (
    CancelledJobError,
    ConfigError,
    DeadlineError,
    ExtractionError,
    JivsbenchError,
    MissingObjectError,
    OutputError,
    TypePolicyError,
)
from jivsbench.extract.rows import read_rows_as_batch
from jivsbench.model.fingerprint import fingerprint_column
from jivsbench.model.row_fingerprint import fingerprint_rows, join_row_fingerprints
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource, TypePolicy
from jivsbench.model.table import ExtractionRequest, Filter, Operator, Partition, TableName
from jivsbench.model.transform import DropColumns, KeepColumns, Mask, Masking, Rename, Transform
from jivsbench_sqlite.connection import SqliteConnection
from jivsbench_sqlite.connector import SqliteConnector
from jivsbench_sqlite.location import parse_path
from tests.machine import fastest

LIMITS = ReadLimits(connect_timeout_s=1.0, query_timeout_s=20.0, batch_rows=100)
ENDLESS = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n"
SLOW = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n LIMIT 1000000000) SELECT max(id) AS id FROM n"
Opener = Callable[..., SqliteConnection]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A new file."""
    return tmp_path / "a file%20?.db"


@pytest.fixture
def source(path: Path) -> DataSource:
    """The file as a data source."""
    return DataSource("test", "sqlite", Secret(f"sqlite:///{path}".replace("%", "%25").replace("?", "%3F")))


@pytest.fixture
def execute(path: Path) -> Callable[..., None]:
    """Runs one statement in the file, beside the connector."""

    def run(text: str, *values: object) -> None:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(text, values)

    run("CREATE TABLE other (id INTEGER PRIMARY KEY)")
    return run


@pytest.fixture
def open_session(source: DataSource) -> Iterator[Opener]:
    """Opens sessions that are closed after the test."""
    opened: list[SqliteConnection] = []

    def open_one(policy: TypePolicy = TypePolicy.ERROR, limits: ReadLimits = LIMITS) -> SqliteConnection:
        opened.append(SqliteConnector().connect(DataSource("test", "sqlite", source.url, policy), limits))
        return opened[-1]

    yield open_one
    for session in opened:
        session.close()


def part_of(session: SqliteConnection, request: ExtractionRequest) -> Partition:
    """A request as its one partition, in a transaction."""
    session.begin()
    return session.partitions(request, session.schema(request), 4)[0]


def read(session: SqliteConnection, request: ExtractionRequest) -> pa.Table:
    """All rows; the count must agree."""
    try:
        partition = part_of(session, request)
        rows = pa.Table.from_batches(session.read(partition), partition.schema.to_arrow())
        assert session.fingerprint(partition).row_count == rows.num_rows
        assert session.fingerprint_columns(partition) == tuple(fingerprint_column(n, rows.column(n)) for n in rows.column_names)
        assert session.fingerprint_rows(partition) == join_row_fingerprints(map(fingerprint_rows, rows.to_batches()))
    finally:
        session.reset()
    return rows


def table(name: str, *filters: Filter) -> ExtractionRequest:
    """A request for a table."""
    return ExtractionRequest("test", TableName(name), filters=filters)


def query(text: str) -> ExtractionRequest:
    """A request for a query."""
    return ExtractionRequest("test", query=text)


EXACT = [
    ("INTEGER", pa.int64(), [2**63 - 1, -(2**63)], [2**63 - 1, -(2**63)]),
    ("BIGINT", pa.int64(), [1], [1]),
    ("BOOLEAN", pa.bool_(), [1, 0], [True, False]),
    ("REAL", pa.float64(), [1.5, 2, float("inf")], [1.5, 2.0, float("inf")]),
    ("DOUBLE PRECISION", pa.float64(), [0.1], [0.1]),
    ("DECIMAL(10,2)", pa.decimal128(10, 2), ["12.30", 7, -0.01], [Decimal("12.30"), Decimal("7.00"), Decimal("-0.01")]),
    ("NUMERIC", pa.string(), [1, 1.5, "x"], ["1", "1.5", "x"]),
    ("VARCHAR(10)", pa.string(), ["", "NULL", "🦀", 5], ["", "NULL", "🦀", "5"]),
    ("BLOB", pa.binary(), [b"", b"\x00\xff"], [b"", b"\x00\xff"]),
    ("DATE", pa.date32(), ["2020-02-29", "0001-01-01"], [date(2020, 2, 29), date(1, 1, 1)]),
    ("TIME", pa.time64("us"), ["23:59:59.999999"], [clock(23, 59, 59, 999999)]),
    ("DATETIME", pa.timestamp("us"), ["2020-01-01 01:02:03"], [datetime(2020, 1, 1, 1, 2, 3)]),  # noqa: DTZ001 - without zone
    ("TIMESTAMPTZ", pa.timestamp("us", "UTC"), ["2020-01-01T01:00:00+01:00"], [datetime(2020, 1, 1, tzinfo=UTC)]),
    ("", pa.string(), ["x", 1, 1.0], ["x", "1", "1.0"]),
]
UNFIT = [
    ("INTEGER", "x", "x"),
    ("INTEGER", 1.5, "1.5"),
    ("BOOLEAN", 2, "2"),
    ("REAL", "x", "x"),
    ("DECIMAL(4,2)", "1.005", "1.005"),
    ("DECIMAL(4,2)", 100, "100"),
    ("DECIMAL(4,2)", "NaN", "NaN"),
    ("DECIMAL(10,2)", "1_000", "1_000"),
    ("DECIMAL(10,2)", "\u0661\u0662", "\u0661\u0662"),
    ("TEXT", b"\x0a\xff", "X'0AFF'"),
    ("BLOB", "x", "x"),
    ("DATE", "2020-02-30", "2020-02-30"),
    ("DATE", "20200229", "20200229"),
    ("TIME", "24:00:00", "24:00:00"),
    ("DATETIME", "2020-01-01 00:00:00.1234567", "2020-01-01 00:00:00.1234567"),
    ("DATETIME", "2020-01-01 00:00:00Z", "2020-01-01 00:00:00Z"),
    ("TIMESTAMPTZ", "2020-01-01 00:00:00", "2020-01-01 00:00:00"),
    ("TIMESTAMPTZ", "0001-01-01 00:00:00+14:00", "0001-01-01 00:00:00+14:00"),
]


@pytest.mark.parametrize(
    ("declared", "arrow_type", "stored", "expected"), EXACT, ids=[f"{row[0]}-{i}" for i, row in enumerate(EXACT)]
)
def test_values_of_a_declared_type_are_read_exactly(
    *, execute, open_session: Opener, declared, arrow_type, stored, expected
) -> None:
    """NULL apart from everything else."""
    execute(f"CREATE TABLE t (v {declared})")
    for value in [*stored, None]:
        execute("INSERT INTO t VALUES (?)", value)

    rows = read(open_session(), table("t"))

    assert rows.schema.field("v").type == arrow_type
    assert rows["v"].to_pylist() == [*expected, None]


@pytest.mark.parametrize(("declared", "stored", "text"), UNFIT)
def test_a_value_that_does_not_fit_follows_the_policy(execute, open_session: Opener, declared, stored, text) -> None:
    """Refused with table and column and no value; or the text; or NULL, alone."""
    execute(f"CREATE TABLE t (v {declared} NOT NULL)")
    execute("INSERT INTO t VALUES (?)", stored)

    with pytest.raises(TypePolicyError, match=r"table 't': column 'v'") as caught:
        read(open_session(), table("t"))

    assert not isinstance(stored, str) or stored == "x" or stored not in str(caught.value)
    assert read(open_session(TypePolicy.TEXT), table("t"))["v"].to_pylist() == [text]
    assert read(open_session(TypePolicy.NULL), table("t"))["v"].to_pylist() == [None]


def test_a_row_id_is_a_number_under_every_policy(execute, open_session: Opener) -> None:
    """INTEGER PRIMARY KEY is the one declaration that SQLite enforces."""
    execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v INT)")
    execute("INSERT INTO t VALUES (1, 2)")

    assert read(open_session(TypePolicy.TEXT), table("t")).to_pylist() == [{"id": 1, "v": "2"}]


@pytest.mark.parametrize("form", ["(id INTEGER PRIMARY KEY DESC)", "(id INTEGER PRIMARY KEY) WITHOUT ROWID"])
def test_a_key_beside_the_row_id_is_a_column_like_others(form: str, execute, open_session: Opener) -> None:
    """SQLite lets such an INTEGER PRIMARY KEY hold texts and, of a table with row ids, NULL."""
    execute(f"CREATE TABLE t {form}")
    execute("INSERT INTO t VALUES ('x')")

    assert read(open_session(TypePolicy.TEXT), table("t")).to_pylist() == [{"id": "x"}]
    assert read(open_session(TypePolicy.NULL), table("t")).to_pylist() == [{"id": None}]

    execute("DELETE FROM t")
    if "ROWID" not in form:
        execute("INSERT INTO t VALUES (NULL)")
        rows = read(open_session(), table("t"))
        assert (rows.to_pylist(), rows.schema.field("id").nullable) == ([{"id": None}], True)


@pytest.mark.parametrize(
    ("column", "operator", "value", "ids"),
    [
        *(("flag", Operator.EQUAL, "True", [1]), ("flag", Operator.IN, "false", [2]), ("flag", Operator.EQUAL, "1", [1])),
        *(("bare", Operator.EQUAL, "8", [1]), ("bare", Operator.LESS, "x", [1, 2]), ("bare", Operator.EQUAL, 8, [1])),
        *(("i", Operator.EQUAL, " 7", [1]), ("r", Operator.GREATER, "1e0", [1]), ("i", Operator.LIKE, "%7%", [1])),
        *(("at", Operator.EQUAL, "2020-01-01", [1]), ("at", Operator.GREATER, "2020-01-01", [2])),
        ("at_utc", Operator.EQUAL, "2020-01-01 00:00:00", [1]),
    ],
)
def test_a_filters_text_is_compared_in_the_columns_type(
    *, column: str, operator: Operator, value: str | int, ids: list[int], execute, open_session: Opener
) -> None:
    """True is 1, a number without a declared type is the text that it is read as, and a date is its first moment."""
    execute("CREATE TABLE t (id INTEGER PRIMARY KEY, flag BOOLEAN, bare, i INT, r REAL, at TIMESTAMP, at_utc TIMESTAMPTZ)")
    execute("INSERT INTO t VALUES (1, 1, 8, 7, 1.5, '2020-01-01 00:00:00', '2020-01-01 00:00:00+00:00')")
    execute("INSERT INTO t VALUES (2, 0, 9, 9, 0.5, '2020-01-02 00:00:00', '2020-01-02 00:00:00+00:00')")

    assert read(open_session(), table("t", Filter(column, operator, (value,))))["id"].to_pylist() == ids


@pytest.mark.parametrize("column", ["b BOOLEAN", "i INT", "r REAL", "d DECIMAL(5,2)"])
def test_a_text_that_is_no_number_is_not_compared_with_one(column: str, execute, open_session: Opener) -> None:
    """To SQLite every number is less than it: neither all rows nor none are the answer."""
    execute(f"CREATE TABLE t ({column})")
    name = column.split(maxsplit=1)[0]

    for operator in (Operator.LESS, Operator.EQUAL, Operator.IN):
        with pytest.raises(ExtractionError, match=f"column '{name}' has a value that does not fit"):
            read(open_session(), table("t", Filter(name, operator, ("1 OR 1=1",))))


@pytest.mark.parametrize("stored", [b"a", b"\xff"])
def test_bytes_are_no_text_without_batches_either(stored: bytes, execute, open_session: Opener) -> None:
    """Python would write them out as a text: b'a'."""
    execute("CREATE TABLE t (v TEXT)")
    execute("INSERT INTO t VALUES (?)", stored)
    session = open_session()

    with pytest.raises(TypePolicyError, match="bytes"):
        read_rows_as_batch(session, part_of(session, table("t")))


def test_a_text_that_is_not_utf8_is_refused(execute, open_session: Opener) -> None:
    """Neither cut nor replaced."""
    execute("CREATE TABLE t (v TEXT)")
    execute("INSERT INTO t VALUES (CAST(x'ff' AS TEXT))")

    with pytest.raises(TypePolicyError, match="not UTF-8"):
        read(open_session(), table("t"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    operator=st.sampled_from([Operator.EQUAL, Operator.NOT_EQUAL, Operator.IN, Operator.LESS, Operator.GREATER_OR_EQUAL]),
    value=st.one_of(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30),
        st.lists(st.sampled_from(["'", '"', "`", "]", "\\", ";", "--", "/*", "?", "?1", ":a", "%", ")"]), max_size=8).map(
            "".join
        ),
    ),
)
def test_a_hostile_text_never_changes_the_question(operator: Operator, value: str, tmp_path_factory) -> None:
    """For any text the rows are those that plain Python finds."""
    texts = ["", "a", "'", "\\", '"', "é", "?"]
    path = tmp_path_factory.mktemp("hostile") / "t.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE t (v TEXT)")
        database.executemany("INSERT INTO t VALUES (?)", [(text,) for text in texts])
    expected = {
        Operator.EQUAL: lambda text: text == value,
        Operator.IN: lambda text: text == value,
        Operator.NOT_EQUAL: lambda text: text != value,
        Operator.LESS: lambda text: text.encode() < value.encode(),
        Operator.GREATER_OR_EQUAL: lambda text: text.encode() >= value.encode(),
    }[operator]

    with closing(SqliteConnector().connect(DataSource("t", "sqlite", Secret(f"sqlite:///{path}")), LIMITS)) as session:
        rows = read(session, table("t", Filter("v", operator, (value,))))["v"].to_pylist()

    assert rows == [text for text in texts if expected(text)]


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_a_text_that_sqlite_cannot_hold_is_refused_clearly(value: str, execute, open_session: Opener) -> None:
    """Naming the column."""
    execute("CREATE TABLE t (v TEXT)")

    with pytest.raises(ExtractionError, match="column 'v' holds"):
        read(open_session(), table("t", Filter("v", Operator.EQUAL, (value,))))


def test_a_filter_on_a_moment_follows_time(execute, open_session: Opener) -> None:
    """Whatever offset and separator it is written with."""
    execute("CREATE TABLE t (v TIMESTAMPTZ)")
    for text in ("2020-01-01 23:00:00+00:00", "2020-01-02 00:00:00+00:00", "2020-01-02 00:00:00.000001+00:00"):
        execute("INSERT INTO t VALUES (?)", text)

    rows = read(open_session(), table("t", Filter("v", Operator.LESS_OR_EQUAL, ("2020-01-02T05:30:00+05:30",))))

    assert rows.num_rows == 2


@pytest.mark.parametrize("name", ['a"b', "a.b", "a b", "select", "`", "]", "é", "'", "x;--"])
def test_any_name_finds_its_table_and_column(name: str, execute, open_session: Opener) -> None:
    """Quoted as a name, never taken for a text."""
    quoted = '"' + name.replace('"', '""') + '"'
    execute(f"CREATE TABLE {quoted} ({quoted} INTEGER)")
    execute(f"INSERT INTO {quoted} VALUES (7)")

    assert read(open_session(), table(name, Filter(name, Operator.EQUAL, (7,)))).to_pylist() == [{name: 7}]


def test_unknown_names_are_missing_objects(execute, open_session: Opener) -> None:
    """With the nearest one; the system's tables and other databases are not offered."""
    execute("CREATE TABLE customers (email TEXT)")
    session = open_session()
    asked = [
        table("custommers"),
        table("Customers"),
        table("sqlite_schema"),
        table(""),
        table("a\0"),
        table("customers", Filter("e", Operator.IS_NULL)),
    ]
    asked += [
        ExtractionRequest("test", TableName("customers", "temp")),
        ExtractionRequest("test", TableName("customers"), columns=("emial",)),
    ]
    messages = []
    for request in asked:
        with pytest.raises(MissingObjectError) as caught:
            session.schema(request)
        messages.append(str(caught.value))

    assert "did you mean 'customers'" in messages[0]
    assert "did you mean 'email'" in messages[-1]


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM t",
        "SELECT 1; DELETE FROM t",
        "SELECT 1) AS a; DELETE FROM t; --",
        "PRAGMA query_only = 0",
        "SELECT 1 AS a) AS x, (SELECT 2",
        "",
        "ATTACH ':memory:' AS x",
        "SELECT ?",
        "SELECT load_extension('x') AS a",
    ],
)
def test_no_query_writes_or_reaches_out_of_its_parentheses(text: str, execute, open_session: Opener, path: Path) -> None:
    """The file is the same, byte by byte."""
    execute("CREATE TABLE t (id INTEGER)")
    execute("INSERT INTO t VALUES (1)")
    before = path.read_bytes()

    with pytest.raises(JivsbenchError):
        read(open_session(), query(text))

    assert path.read_bytes() == before


def test_a_query_is_read_as_text(execute, open_session: Opener) -> None:
    """Its columns have no declared type; a comment and a semicolon at its end do no harm; LIKE follows case."""
    execute("CREATE TABLE t (id INTEGER)")
    session = open_session()

    assert read(session, query("SELECT 1 AS a, 'x' AS b, 1.5 AS c, NULL AS d -- end")).to_pylist() == [
        {"a": "1", "b": "x", "c": "1.5", "d": None}
    ]
    assert read(session, query("SELECT 'a' LIKE 'A' AS found;")).to_pylist() == [{"found": "0"}]
    assert read(session, query("SELECT 1 AS a, 2 AS a")).to_pylist() == [{"a": "1", "a:1": "2"}]


@pytest.mark.parametrize("reads", ["read", "read_rows"])
@pytest.mark.parametrize("text", [SLOW, ENDLESS])
def test_cancel_ends_a_query_within_a_second(reads: str, text: str, execute, open_session: Opener) -> None:
    """From another thread; afterwards the session is as good as new."""
    execute("CREATE TABLE t (id INTEGER)")
    session = open_session()
    partition = part_of(session, query(text))
    timer = threading.Timer(0.2, session.cancel)
    timer.start()
    started = time.monotonic()
    with pytest.raises(CancelledJobError):
        for _ in getattr(session, reads)(partition):
            pass
    timer.join()

    assert time.monotonic() - started < 1.2
    session.reset()
    assert session.is_alive()


def test_a_query_ends_at_its_time_limit(execute, open_session: Opener) -> None:
    """A quarter of a second late at most."""
    execute("CREATE TABLE t (id INTEGER)")
    session = open_session(limits=ReadLimits(query_timeout_s=0.3))
    partition = part_of(session, query(SLOW))

    def read() -> float:
        started = time.monotonic()
        with pytest.raises(DeadlineError, match="query_timeout_s"):
            list(session.read(partition))
        took_s = time.monotonic() - started
        session.reset()
        return took_s

    assert fastest(read, 0.55) < 0.55


@pytest.mark.parametrize("reads", ["read", "read_rows"])
def test_a_forgotten_reader_does_not_disturb_the_next_borrower(reads: str, execute, open_session: Opener) -> None:
    """Half read, reset, closed later."""
    execute("CREATE TABLE t AS SELECT 1 AS id")
    session = open_session()
    forgotten = getattr(session, reads)(part_of(session, query(ENDLESS)))
    next(forgotten)
    session.reset()
    partition = part_of(session, query("SELECT * FROM t"))
    rows = session.read(partition)
    first = next(rows)
    forgotten.close()

    assert first.num_rows + sum(batch.num_rows for batch in rows) == 1


def test_the_view_holds_until_reset(execute, open_session: Opener) -> None:
    """Rows that another process writes meanwhile are not seen; the view cannot be shared, and says so."""
    execute("PRAGMA journal_mode = WAL")
    execute("CREATE TABLE t (id INTEGER)")
    session = open_session()

    assert session.begin() is None
    execute("INSERT INTO t VALUES (1)")
    partition = session.partitions(table("t"), session.schema(table("t")), 4)[0]
    assert [list(session.read(partition)), session.fingerprint(partition).row_count] == [[], 0]
    session.reset()
    assert read(session, table("t")).num_rows == 1
    with pytest.raises(ExtractionError, match="join"):
        session.begin("another")


def test_batches_hold_at_most_the_configured_rows(execute, open_session: Opener) -> None:
    """Memory stays bounded however large the table is."""
    execute("CREATE TABLE t AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n LIMIT 1050) SELECT id FROM n")
    session = open_session()

    sizes = [batch.num_rows for batch in session.read(part_of(session, table("t")))]

    assert sizes == [100] * 10 + [50]


def test_a_missing_file_is_a_missing_object_and_is_not_created(tmp_path: Path) -> None:
    """Nor is its folder."""
    with pytest.raises(MissingObjectError, match=r"no/such\.db"):
        SqliteConnector().connect(DataSource("t", "sqlite", Secret(f"sqlite:///{tmp_path}/no/such.db")), LIMITS)

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_said_so(tmp_path: Path) -> None:
    """And is left as it is."""
    (tmp_path / "x.db").write_text("no database at all" * 100)

    with pytest.raises(MissingObjectError, match="no whole SQLite database"):
        SqliteConnector().connect(DataSource("t", "sqlite", Secret(f"sqlite:///{tmp_path}/x.db")), LIMITS)


@pytest.mark.parametrize(
    "url", ["sqlite://host/a.db", "sqlite://", "sqlite:///", "sqlite:///a.db?mode=rwc", "sqlite:///a%00b", "file:///a.db"]
)
def test_a_url_that_is_not_just_a_file_is_refused(url: str) -> None:
    """An option could undo that the file is opened read-only."""
    with pytest.raises(ConfigError, match=r"sqlite:///relative\.db"):
        parse_path(Secret(url))


def test_three_slashes_are_relative_and_four_absolute() -> None:
    """As in other tools that read such URLs."""
    assert parse_path(Secret("sqlite:///a/b.db")) == Path("a/b.db")
    assert parse_path(Secret("sqlite:////a/b.db")) == Path("/a/b.db")


def test_facts_say_what_is_read(execute, open_session: Opener, path: Path) -> None:
    """Product, version, file, and whether this process could write to it."""
    execute("CREATE VIEW v AS SELECT 1 AS one")
    facts = open_session().test()

    assert (facts.product, facts.version, facts.database) == ("SQLite", sqlite3.sqlite_version, str(path))
    assert facts.may_write == os.access(path, os.W_OK)
    assert open_session().tables() == (TableName("other"), TableName("v"))


SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("amount", pa.decimal128(15, 2)),
        pa.field("ratio", pa.float64()),
        pa.field("at", pa.timestamp("us", "UTC")),
        pa.field("data", pa.binary()),
        pa.field("name", pa.string()),
    ]
)


def test_what_is_loaded_is_read_back(source: DataSource, open_session: Opener) -> None:
    """Decimals of 15 digits to the last one, NULL and the empty text apart."""
    rows = [
        {
            "id": 1,
            "amount": Decimal("9999999999999.99"),
            "ratio": 0.1,
            "at": datetime(2020, 1, 1, tzinfo=UTC),
            "data": b"\x00",
            "name": "",
        },
        {"id": 2},
    ]
    batch = pa.RecordBatch.from_pylist(rows, SCHEMA)

    assert SqliteConnector().load_table(source, TableName("t"), SCHEMA, iter([batch]), ["name"]) == 2

    assert read(open_session(), table("t")).to_pylist() == batch.to_pylist()


def test_a_load_that_fails_leaves_nothing(source: DataSource, execute, open_session: Opener) -> None:
    """A duplicate key, an existing table, NaN, long decimals, an index on nothing."""
    execute("CREATE TABLE taken (id INTEGER)")
    one = pa.RecordBatch.from_pylist([{"id": 1}], SCHEMA)
    nan = pa.RecordBatch.from_pylist([{"id": 1, "ratio": float("nan")}], SCHEMA)
    long = pa.schema([pa.field("id", pa.decimal128(16, 2))])
    load = SqliteConnector().load_table

    for name, schema, batches in (
        ("t", SCHEMA, [one, one]),
        ("taken", SCHEMA, [one]),
        ("TAKEN", SCHEMA, []),
        ("t", SCHEMA, [nan]),
        ("t", long, []),
    ):
        with pytest.raises(OutputError):
            load(source, TableName(name), schema, iter(batches), [])
    with pytest.raises(MissingObjectError):
        load(source, TableName("t"), SCHEMA, iter([one]), ["nope"])

    assert open_session().tables() == (TableName("other"), TableName("taken"))
    assert SqliteConnector().drop_table(source, TableName("taken"))
    assert not SqliteConnector().drop_table(source, TableName("taken"))


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("id INTEGER PRIMARY KEY, email TEXT", "in the row with id = 205 "),
        ("id INT, email TEXT PRIMARY KEY", "in row 205 of those read "),
        ("id INT, email TEXT", "in row 205 of those read "),
    ],
)
def test_a_refusal_says_which_row_it_was(execute, open_session: Opener, key: str, told: str) -> None:
    """By its primary key when that is numbers; a name or an address is not shown, and neither is the value."""
    execute(f"CREATE TABLE keyed ({key}, v INTEGER)")
    execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300) INSERT INTO keyed "
        "SELECT i, 'ann' || i || '@example.org', CASE i WHEN 205 THEN 'secret' ELSE 1 END FROM n"
    )

    with pytest.raises(TypePolicyError, match=f"table 'keyed': column 'v' .*{told}") as caught:
        read(open_session(), table("keyed"))

    assert "secret" not in str(caught.value)
    assert "@" not in str(caught.value)


@pytest.mark.parametrize(
    "transforms",
    [
        (Mask("ssn", Masking.REDACT),),
        (Rename("ssn", "key"), Rename("v", "ssn"), Mask("key", Masking.DIGEST)),
        (DropColumns(("ssn",)),),
        (KeepColumns(("v",)),),
    ],
)
def test_a_masked_key_is_not_shown(execute, open_session: Opener, transforms: tuple[Transform, ...]) -> None:
    """Whoever may not see it in the output is not told it by the job's error; another transform hides nothing."""
    execute("CREATE TABLE people (ssn INTEGER PRIMARY KEY, v INTEGER)")
    execute("INSERT INTO people VALUES (1, 1), (123456789, 'abc')")
    for chosen, told in ((transforms, "in row 2 of those read"), ((Mask("v", Masking.REDACT),), "ssn = 123456789")):
        with pytest.raises(TypePolicyError, match=told) as caught:
            read(open_session(), replace(table("people"), transforms=chosen))

        assert ("123456789" in str(caught.value)) == (chosen is not transforms)


def test_a_key_that_does_not_fit_is_not_shown(execute, open_session: Opener) -> None:
    """It is the value itself."""
    execute("CREATE TABLE flags (is_on BOOLEAN PRIMARY KEY)")
    execute("INSERT INTO flags VALUES (0), (424242)")

    with pytest.raises(TypePolicyError, match="in row 2 of those read") as caught:
        read(open_session(), table("flags"))
    assert "424242" not in str(caught.value)
