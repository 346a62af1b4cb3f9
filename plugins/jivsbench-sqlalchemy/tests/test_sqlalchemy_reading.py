"""Values arrive exactly or not at all, on real servers; sessions say what view they kept, and errors tell no secret."""

import time as wait
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy

from jivsbench.api import ReadLimits
from jivsbench.errors import (
    AccessDeniedError,
    ConfigError,
    DeadlineError,
    EnvironmentProblem,
    ExtractionError,
    JivsbenchError,
    MissingObjectError,
    TypePolicyError,
)
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource, TypePolicy
from jivsbench.model.table import Consistency, ExtractionRequest, Filter, Operator, Partition, TableName
from jivsbench_sqlalchemy.connection import SqlAlchemyConnection
from jivsbench_sqlalchemy.connector import SqlAlchemyConnector
from jivsbench_sqlalchemy.dialects import find_dialects

LIMITS = ReadLimits(connect_timeout_s=3.0, query_timeout_s=10.0, batch_rows=100)
Opener = Callable[..., SqlAlchemyConnection]


def connect(url: str, policy: TypePolicy = TypePolicy.ERROR, limits: ReadLimits = LIMITS) -> SqlAlchemyConnection:
    """A session with the place of SQLAlchemy's own URL."""
    name = url.partition(":")[0].partition("+")[0]
    dialect = next(dialect for dialect in find_dialects() if dialect.name == name)
    return SqlAlchemyConnector(dialect).connect(DataSource("test", "", Secret(f"sqlalchemy+{url}"), policy), limits)


class Place:
    """A database, written to beside the connector."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        self._sessions: list[SqlAlchemyConnection] = []

    def execute(self, *statements: str) -> None:
        """Run statements, and commit."""
        with self._engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def open(self, policy: TypePolicy = TypePolicy.ERROR, limits: ReadLimits = LIMITS) -> SqlAlchemyConnection:
        """A session that is closed after the test."""
        self._sessions.append(connect(self.url, policy, limits))
        return self._sessions[-1]

    def read(self, request: ExtractionRequest, policy: TypePolicy = TypePolicy.ERROR) -> pa.Table:
        """All rows; the count must agree."""
        session = self.open(policy)
        session.begin()
        schema = session.schema(request)
        (partition,) = session.partitions(request, schema, 4)
        rows = pa.Table.from_batches(session.read(partition), schema.to_arrow())
        assert session.fingerprint(partition).row_count == rows.num_rows
        return rows

    def close(self) -> None:
        """Close all sessions and drop the table of the test."""
        for session in self._sessions:
            session.close()
        self.execute("DROP TABLE IF EXISTS t")


@pytest.fixture
def mariadb(mariadb_database_url: str) -> Iterator[Place]:
    """MariaDB."""
    place = Place(mariadb_database_url.replace("mysql+", "mariadb+"))
    yield place
    place.close()


@pytest.fixture
def postgres(embedded_postgres_url: str) -> Iterator[Place]:
    """PostgreSQL."""
    place = Place(embedded_postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    yield place
    place.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Place]:
    """SQLite."""
    place = Place(f"sqlite:///{tmp_path}/test.db")
    yield place
    place.close()


def table(*filters: Filter) -> ExtractionRequest:
    """A request for the table of the test."""
    return ExtractionRequest("test", TableName("t"), filters=filters)


MARIADB = [
    ("FLOAT", "0.1", pa.float64(), 0.10000000149011612),
    ("DOUBLE", "0.1", pa.float64(), 0.1),
    ("BIGINT UNSIGNED", "18446744073709551615", pa.decimal128(20, 0), Decimal(2**64 - 1)),
    ("TINYINT(1)", "7", pa.int64(), 7),
    (
        "DECIMAL(38,10)",
        "'1234567890123456789012345678.0000000001'",
        pa.decimal128(38, 10),
        Decimal("1234567890123456789012345678.0000000001"),
    ),
    ("DATETIME(6)", "'2020-02-29 23:59:59.999999'", pa.timestamp("us"), datetime(2020, 2, 29, 23, 59, 59, 999999)),  # noqa: DTZ001
    ("TIMESTAMP", "'2020-01-01 00:00:00'", pa.timestamp("us", "UTC"), datetime(2020, 1, 1, tzinfo=UTC)),
    ("TIME", "'23:59:59'", pa.time64("us"), time(23, 59, 59)),
    ("DATE", "'2020-02-29'", pa.date32(), date(2020, 2, 29)),
    ("YEAR", "2020", pa.string(), "2020"),
    ("JSON", "'{\"a\": 1}'", pa.string(), '{"a": 1}'),
    ("ENUM('a','b')", "'b'", pa.string(), "b"),
    ("VARBINARY(10)", "x'00ff'", pa.binary(), b"\x00\xff"),
    ("BIT(8)", "b'101'", pa.binary(), b"\x05"),
]
POSTGRES = [
    ("interval", "'1 mon 1 day'", pa.string(), "1 mon 1 day"),
    ("jsonb", "'{\"a\": 1e400}'", pa.string(), '{"a": 1' + "0" * 400 + "}"),
    ("integer[]", "'{1,NULL}'", pa.string(), "{1,NULL}"),
    ("uuid", "'00000000-0000-0000-0000-00000000000A'", pa.string(), "00000000-0000-0000-0000-00000000000a"),
    ("numeric", "1.10", pa.string(), "1.10"),
    ("real", "0.1", pa.float32(), 0.10000000149011612),
    ("bytea", "'\\x00ff'", pa.binary(), b"\x00\xff"),
    ("timestamptz", "'2020-07-01 12:00:00+02'", pa.timestamp("us", "UTC"), datetime(2020, 7, 1, 10, tzinfo=UTC)),
    ("char(3)", "'a'", pa.string(), "a  "),
]


@pytest.mark.real_server
@pytest.mark.parametrize(("kind", "literal", "arrow_type", "value"), MARIADB, ids=[row[0] for row in MARIADB])
def test_a_value_of_mariadb_is_read_exactly(*, mariadb: Place, kind, literal, arrow_type, value) -> None:
    """Also where its driver would change it."""
    mariadb.execute(f"CREATE TABLE t (v {kind} NULL)", f"INSERT INTO t VALUES ({literal})")

    rows = mariadb.read(table())

    assert rows.schema.field("v").type == arrow_type
    assert rows["v"].to_pylist() == [value]


@pytest.mark.parametrize(("kind", "literal", "arrow_type", "value"), POSTGRES, ids=[row[0] for row in POSTGRES])
def test_a_value_of_postgresql_is_read_exactly(*, postgres: Place, kind, literal, arrow_type, value) -> None:
    """Types that Python's own would lose something of are read as the server's text."""
    postgres.execute(f"CREATE TABLE t (v {kind})", f"INSERT INTO t VALUES ({literal}), (NULL)".replace("%", "%%"))

    rows = postgres.read(table())

    assert rows.schema.field("v").type == arrow_type
    assert rows["v"].to_pylist() == [value, None]


def test_a_decimal_of_sqlite_is_not_rounded(sqlite: Place) -> None:
    """SQLAlchemy itself would make it a text of ten digits."""
    sqlite.execute("CREATE TABLE t (v DECIMAL(15,12))", "INSERT INTO t VALUES (1.123456789012)")

    assert sqlite.read(table())["v"].to_pylist() == [Decimal("1.123456789012")]


@pytest.mark.parametrize(
    ("kind", "literal"),
    [("INTEGER", "'x'"), ("INTEGER", "1.5"), ("REAL", "'x'"), ("DATE", "'2020-13-01'"), ("DECIMAL(4,1)", "1.25")],
)
def test_a_value_that_breaks_its_declaration_follows_the_policy(sqlite: Place, kind: str, literal: str) -> None:
    """Refused by default, naming table and column; NULL alone; or as text."""
    sqlite.execute(f"CREATE TABLE t (v {kind} NOT NULL)", f"INSERT INTO t VALUES ({literal}), (1)")

    with pytest.raises(TypePolicyError, match=r"'t'.*'v'"):
        sqlite.read(table())
    assert sqlite.read(table(), TypePolicy.NULL)["v"].to_pylist()[0] is None
    assert sqlite.read(table(), TypePolicy.TEXT)["v"].to_pylist()[0] == literal.strip("'")


def test_what_the_driver_cannot_hold_is_a_question_of_types(postgres: Place) -> None:
    """`infinity` is no date of Python's; as text it is the server's own."""
    postgres.execute("CREATE TABLE t (v date)", "INSERT INTO t VALUES ('infinity')")

    with pytest.raises(TypePolicyError, match="'t'"):
        postgres.read(table())
    assert postgres.read(table(), TypePolicy.TEXT)["v"].to_pylist() == ["infinity"]


@pytest.mark.real_server
def test_a_date_of_zeros_follows_the_policy(mariadb: Place) -> None:
    """MariaDB allows 0000-00-00; nothing makes another date of it."""
    mariadb.execute("SET sql_mode = ''", "CREATE TABLE t (v DATE)", "INSERT INTO t VALUES ('0000-00-00')")

    with pytest.raises(TypePolicyError, match="'v'"):
        mariadb.read(table())
    assert mariadb.read(table(), TypePolicy.NULL)["v"].to_pylist() == [None]
    assert mariadb.read(table(), TypePolicy.TEXT)["v"].to_pylist() == ["0000-00-00"]


@pytest.mark.real_server
@pytest.mark.parametrize(("engine", "expected"), [("InnoDB", Consistency.ONE_SNAPSHOT), ("MyISAM", Consistency.NONE)])
def test_only_tables_with_views_are_said_to_have_one(mariadb: Place, engine: str, expected: Consistency) -> None:
    """MyISAM shows every row as it is now, whatever transaction asks."""
    mariadb.execute(f"CREATE TABLE t (v INT) ENGINE={engine}", "INSERT INTO t VALUES (1)")
    session = mariadb.open()
    session.begin()
    mariadb.execute("INSERT INTO t VALUES (2)")
    (partition,) = session.partitions(table(), session.schema(table()), 1)

    assert session.consistency(table()) is expected
    assert session.fingerprint(partition).row_count == (1 if expected is Consistency.ONE_SNAPSHOT else 2)
    assert session.consistency(ExtractionRequest("test", query="SELECT v FROM t")) is Consistency.NONE


def test_a_transaction_keeps_its_view(postgres: Place, sqlite: Place) -> None:
    """Rows that come later are seen by neither the read nor the count."""
    for place in (postgres, sqlite):
        place.execute("CREATE TABLE t (v INTEGER)", "INSERT INTO t VALUES (1)")
        session = place.open()
        session.begin()
        if place is postgres:
            place.execute("INSERT INTO t VALUES (2)")
        (partition,) = session.partitions(table(), session.schema(table()), 1)

        assert session.fingerprint(partition).row_count == 1
        assert session.consistency(table()) is Consistency.ONE_SNAPSHOT


@pytest.mark.real_server
def test_a_session_that_was_asked_whether_it_lives_can_begin(mariadb: Place, postgres: Place, sqlite: Place) -> None:
    """The question leaves no transaction behind, in which a view could not begin any more."""
    for place in (mariadb, postgres, sqlite):
        place.execute("CREATE TABLE t (v INTEGER)")
        session = place.open()
        for _ in range(2):
            assert session.is_alive()
            session.begin()
            assert session.consistency(table()) is Consistency.ONE_SNAPSHOT
            session.reset()


def test_a_query_is_read_as_it_was_written(postgres: Place) -> None:
    """Colons, percent signs, backslashes and a comment in the last line mean what they mean to the server."""
    text = r"SELECT '%s :a ::b \:c %(d)s' AS text, '5'::int % 3 AS rest -- and no more"

    assert postgres.read(ExtractionRequest("test", query=text)).to_pylist() == [{"text": r"%s :a ::b \:c %(d)s", "rest": "2"}]


@pytest.mark.parametrize("text", ["SELECT 1 AS a; DROP TABLE t", "SELECT 1) AS x; DROP TABLE t; --", "", ";"])
def test_a_query_is_one_statement(postgres: Place, text: str) -> None:
    """A second one would end the read-only transaction and do what it likes."""
    postgres.execute("CREATE TABLE t (v int)")

    with pytest.raises(ExtractionError):
        postgres.read(ExtractionRequest("test", query=text))
    assert postgres.read(table()).num_rows == 0


def test_a_query_ends_at_its_time_limit(postgres: Place) -> None:
    """The server works no longer than it may, and the session can be used again."""
    session = postgres.open(limits=ReadLimits(query_timeout_s=0.5))
    request = ExtractionRequest("test", query="SELECT pg_sleep(60)::text AS a")
    session.begin()
    schema = session.schema(request)

    with pytest.raises(DeadlineError, match="query_timeout_s"):
        list(session.read(session.partitions(request, schema, 1)[0]))
    session.reset()
    assert session.is_alive()


def test_settings_that_a_query_left_are_gone_after_reset(postgres: Place) -> None:
    """The next borrower finds a session like a fresh one."""
    request = ExtractionRequest("test", query="SELECT set_config('search_path', 'pg_catalog', false) AS a")
    session = postgres.open()
    session.begin()
    list(session.read(session.partitions(request, session.schema(request), 1)[0]))
    session.reset()
    session.begin()
    shown = ExtractionRequest("test", query="SELECT current_setting('search_path') AS a")
    (batch,) = session.read(session.partitions(shown, session.schema(shown), 1)[0])

    assert batch.to_pylist() == [{"a": '"$user", public'}]


def test_a_filter_that_does_not_fit_is_refused_without_its_value(sqlite: Place) -> None:
    """It never reaches the server."""
    sqlite.execute("CREATE TABLE t (n INTEGER, d DATE, m DATETIME, b BOOLEAN, r REAL, x DECIMAL(4,1))")

    for column in "ndmbrx":
        with pytest.raises(ExtractionError, match=f"'{column}'") as caught:
            sqlite.read(table(Filter(column, Operator.EQUAL, ("s3cret",))))
        assert "s3cret" not in str(caught.value)


@pytest.mark.real_server
def test_a_refused_log_in_is_told_as_one(mariadb: Place, postgres: Place) -> None:
    """So that nobody tries again and locks the account; no part of the password is shown."""
    for place in (mariadb, postgres):
        url = sqlalchemy.make_url(place.url).set(username="nobody", password="s3cr3t-word")

        with pytest.raises(AccessDeniedError, match="'nobody'") as caught:
            connect(url.render_as_string(hide_password=False))
        assert "s3cr3t" not in str(caught.value)


@pytest.mark.real_server
def test_a_missing_database_is_told_as_one(mariadb: Place, postgres: Place) -> None:
    """Not as a server that is down."""
    for place in (mariadb, postgres):
        url = sqlalchemy.make_url(place.url).set(database="no_such_database")

        with pytest.raises(MissingObjectError, match="no_such_database"):
            connect(url.render_as_string(hide_password=False))


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Reading never creates a database."""
    with pytest.raises(MissingObjectError, match=r"new\.db"):
        connect(f"sqlite:///{tmp_path}/new.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "wanted"),
    [("oracle://a:b@127.0.0.1/x", "oracledb"), ("mssql://a:b@127.0.0.1/x", "pyodbc"), ("mysql+mysqldb://a@h/x", "mysqlclient")],
)
def test_a_missing_driver_is_named(url: str, wanted: str) -> None:
    """With what to install. None of these is installed here."""
    with pytest.raises(EnvironmentProblem, match=f"pip install '{wanted}'"):
        connect(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cr3t@h/d?options=-c",
        "mysql://u:s3cr3t@h/d?read_default_file=/etc/x",
        "postgresql://u:s3@cr3t@h/d?service=x",
        "postgresql://u:s3#cr3t@h:1/d",
        "postgresql://u:s3cr3t@h:port/d",
        "postgresql://u:s3cr3t@h:/d",
        "postgresql://u:12/s3cr3t@h/d",
        "postgresql://u:12?s3cr3t@h/d",
        "mysql://u:s3cr3t@h@127.0.0.2/d",
        "mysql://u:s3cr3t@h\\@127.0.0.2/d",
        "mysql://u:s3cr3t@127%2E0.0.2/d",
        "mysql://u:s3cr3t@127.0.0.\t2/d",
        "mysql://u:s3cr3t@[::1]x/d",
        "postgresql://u:s3cr3t@h/d?sslcert=a%00",
        "mssql://u:s3cr3t@h/d?driver=x%7D;Server=127.0.0.2",
        "mssql://u:s3cr3t%7D;Server=127.0.0.2@h/d",
        "mssql://u:s3cr3t@h/d%7D%0a;Server=127.0.0.2",
    ],
)
def test_a_url_that_is_not_plain_is_refused_without_its_password(url: str) -> None:
    """Options that read files, and passwords that are not percent-encoded."""
    with pytest.raises(JivsbenchError) as caught:
        connect(url)
    assert isinstance(caught.value, ConfigError)
    assert "cr3t" not in str(caught.value)


def test_a_text_that_python_alone_takes_for_a_number_is_none(tmp_path: Path) -> None:
    """SQLite keeps it as the text that it is, in a column of decimals too."""
    place = Place(f"sqlite:///{tmp_path}/a.db")
    place.execute("CREATE TABLE t (a NUMERIC(10, 2))", "INSERT INTO t VALUES ('1_000'), ('٣'), ('nan'), (' 1.5 ')")

    rows = place.read(ExtractionRequest("test", TableName("t")), TypePolicy.NULL)

    assert rows["a"].to_pylist() == [None, None, None, Decimal("1.50")]


def test_the_time_limit_of_a_forgotten_reader_does_not_end_the_next_query(tmp_path: Path) -> None:
    """It ended when the session was reset."""
    place = Place(f"sqlite:///{tmp_path}/a.db")
    place.execute("CREATE TABLE t (a INTEGER)", f"INSERT INTO t VALUES {', '.join(['(1)'] * 1000)}")
    session = place.open(limits=replace(LIMITS, query_timeout_s=1.0))
    request = ExtractionRequest("test", TableName("t"))
    partition = Partition(0, request, session.schema(request))
    forgotten = session.read(partition)
    next(forgotten)
    session.reset()
    wait.sleep(0.7)
    reader = session.read(partition)
    rows = next(reader).num_rows
    wait.sleep(0.6)

    assert rows + sum(batch.num_rows for batch in reader) == 1000
    with pytest.raises(ExtractionError, match="went to another reader"):
        next(forgotten)


def test_a_time_with_an_offset_is_no_value_for_a_column_without(tmp_path: Path) -> None:
    """The offset would be left out without a word; a number of a billion digits is refused at once."""
    place = Place(f"sqlite:///{tmp_path}/a.db")
    place.execute("CREATE TABLE t (t TIME, i INTEGER)")
    for column, value in (("t", "10:00+02:00"), ("i", "1e999999999")):
        with pytest.raises(ExtractionError, match=f"column '{column}'"):
            place.read(ExtractionRequest("test", TableName("t"), filters=(Filter(column, Operator.EQUAL, (value,)),)))


def test_a_column_of_another_type_than_planned_is_not_read(sqlite: Place) -> None:
    """By the type of before its values would not fit, and would be NULL under this policy."""
    request = ExtractionRequest("test", TableName("t"))
    sqlite.execute("CREATE TABLE t (a INTEGER)", "INSERT INTO t VALUES (1)")
    session = sqlite.open(TypePolicy.NULL)
    (partition,) = session.partitions(request, session.schema(request), 1)
    session.reset()
    sqlite.execute("DROP TABLE t", "CREATE TABLE t (a TEXT)", "INSERT INTO t VALUES ('abc')")

    with pytest.raises(ExtractionError, match="other columns than when it was planned"):
        list(session.read(partition))


def test_a_table_that_was_written_anew_is_refused(postgres: Place) -> None:
    """It looks empty under an older snapshot of PostgreSQL: no row came, and none was counted."""
    request = ExtractionRequest("test", TableName("t"))
    postgres.execute("CREATE TABLE t AS SELECT generate_series(1, 9) AS a")
    session = postgres.open()
    (partition,) = session.partitions(request, session.schema(request), 1)
    session.reset()
    session.begin()
    postgres.execute("TRUNCATE t")
    assert list(session.read(partition)) == []

    with pytest.raises(ExtractionError, match="was written anew"):
        session.fingerprint(partition)


def test_rows_of_a_foreign_table_are_of_no_snapshot(postgres: Place) -> None:
    """Behind a view as well; a table beside it is of one."""
    postgres.execute("CREATE EXTENSION file_fdw", "CREATE SERVER files FOREIGN DATA WRAPPER file_fdw", "CREATE TABLE t (a int)")
    try:
        postgres.execute("CREATE FOREIGN TABLE f (a int) SERVER files OPTIONS (program 'echo 1', format 'csv')")
        postgres.execute("CREATE VIEW v AS SELECT a FROM f")
        told = []
        for name in ("f", "v", "t"):
            request = ExtractionRequest("test", TableName(name))
            session = postgres.open()
            session.begin()
            list(session.read(session.partitions(request, session.schema(request), 1)[0]))
            told.append(session.consistency(request))
            session.close()
    finally:
        postgres.execute("DROP EXTENSION file_fdw CASCADE")

    assert told == [Consistency.NONE, Consistency.NONE, Consistency.ONE_SNAPSHOT]
