"""Sessions: views, cancels, limits, resets, and what the server cannot give."""

import threading
import time
from dataclasses import replace

import pytest

from jivsbench.errors import (
    CancelledJobError,
    DeadlineError,
    ExtractionError,
    JivsbenchError,
    MissingObjectError,
    SourceUnreachableError,
)
from jivsbench.model.table import Consistency, ExtractionRequest, Filter, Operator, TableName
from tests.machine import leave_out
from tests.mysql_database import LIMITS, Execute, Opener, part_of, query, read, table

pytestmark = pytest.mark.real_server

ENDLESS = "SELECT a.n + b.n AS n FROM numbers AS a CROSS JOIN numbers AS b CROSS JOIN numbers AS c"
# In this test's database alone: others may use the server too.
RUNNING = (
    "SELECT info FROM information_schema.processlist WHERE info LIKE '%CROSS JOIN%' AND db = database() AND id <> connection_id()"
)


@pytest.fixture
def numbers(execute: Execute) -> None:
    """Two thousand rows, which joined with themselves never end."""
    execute("CREATE TABLE numbers (n INT PRIMARY KEY)")
    execute("INSERT INTO numbers VALUES " + ", ".join(f"({number})" for number in range(2000)))


def test_the_view_holds_until_reset(execute: Execute, open_session: Opener) -> None:
    """Rows that are written meanwhile are not seen; the view cannot be shared, and says so."""
    execute("CREATE TABLE t (id INT PRIMARY KEY)")
    session = open_session()

    assert session.begin() is None
    execute("INSERT INTO t VALUES (1)")
    partition = part_of(session, table("t"))
    assert [list(session.read(partition)), session.fingerprint(partition).row_count] == [[], 0]
    assert session.consistency(table("t")) is Consistency.ONE_SNAPSHOT
    session.reset()
    assert read(session, table("t")).num_rows == 1
    with pytest.raises(ExtractionError, match="join"):
        session.begin("another")


@pytest.mark.parametrize(
    "change",
    [
        "ADD email TEXT",
        "ADD email TEXT INVISIBLE",
        "DROP a",
        "MODIFY a TEXT NOT NULL",
        "MODIFY a DECIMAL(11,2) NOT NULL",
        "MODIFY a DECIMAL(10,2)",
        "RENAME COLUMN a TO b",
    ],
)
def test_other_columns_are_another_version_of_the_schema(execute: Execute, open_session: Opener, change: str) -> None:
    """Of a table and of a query with a star, but for what the star does not see; other rows are not."""
    execute("CREATE TABLE t (id INT PRIMARY KEY, a DECIMAL(10,2) NOT NULL)")
    session, requests = open_session(), (table("t"), query("SELECT * FROM t"))
    before = [session.schema_version(request) for request in requests]
    execute("INSERT INTO t VALUES (1, 1.5)")
    same = [session.schema_version(request) for request in requests]
    execute(f"ALTER TABLE t {change}")
    after = [session.schema_version(request) for request in requests]

    assert before == same
    assert before[0] != after[0]
    assert before[1] != after[1] or "INVISIBLE" in change or change == "MODIFY a DECIMAL(10,2)"


@pytest.mark.parametrize("engine", ["MyISAM", "Aria", "MEMORY"])
def test_a_table_without_snapshots_is_said_so(execute: Execute, open_session: Opener, engine: str) -> None:
    """By its engine; a query or a view may read it, so they say it too."""
    execute("CREATE TABLE inno (id INT PRIMARY KEY) ENGINE = InnoDB")
    execute("CREATE VIEW seen AS SELECT * FROM inno")
    session = open_session()
    before = [session.consistency(request) for request in (table("inno"), table("seen"), query("SELECT 1 AS a"))]
    if before[1] is Consistency.NONE:
        leave_out("another database on this server has a table without snapshots")
    execute(f"CREATE TABLE plain (id INT PRIMARY KEY) ENGINE = {engine}")
    found = [session.consistency(request) for request in (table("inno"), table("plain"), table("seen"), query("SELECT 1 AS a"))]

    assert before == [Consistency.ONE_SNAPSHOT] * 3
    assert found == [Consistency.ONE_SNAPSHOT, Consistency.NONE, Consistency.NONE, Consistency.NONE]


@pytest.mark.parametrize("reads", ["read", "read_rows", "fingerprint"])
def test_cancel_ends_a_query_within_a_second(numbers: None, execute: Execute, open_session: Opener, reads: str) -> None:  # noqa: ARG001
    """On the server too; afterwards the session is as good as new."""
    session = open_session()
    partition = part_of(session, query(ENDLESS))
    session.begin()
    timer = threading.Timer(0.3, session.cancel)
    timer.start()
    with pytest.raises(CancelledJobError):
        for _ in getattr(session, reads)(partition):
            pass
    timer.join()

    deadline = time.monotonic() + 1
    while running := execute(RUNNING):
        assert time.monotonic() < deadline, running
    session.reset()
    assert session.is_alive()
    assert read(session, query("SELECT 1 AS a")).to_pylist() == [{"a": 1}]


def test_a_cancel_that_finds_no_free_connection_breaks_the_line(numbers: None, execute: Execute, open_session: Opener) -> None:  # noqa: ARG001
    """The reader ends all the same, and the server with it when it finds nobody to send to."""
    session = open_session()
    rows = session.read(part_of(session, query(ENDLESS)))
    next(rows)
    session._wire._open_another = lambda: open_session(url="mysql://nobody@127.0.0.1:1/")
    session.cancel()
    with pytest.raises(CancelledJobError):
        list(rows)

    assert not session.is_alive()
    with pytest.raises(SourceUnreachableError, match="open another"):
        session.reset()
    deadline = time.monotonic() + 5
    while execute(RUNNING):
        assert time.monotonic() < deadline


def test_a_session_does_one_thing_at_a_time(numbers: None, open_session: Opener) -> None:  # noqa: ARG001
    """A statement in the middle of a read would take its rows for an answer."""
    session = open_session()
    partition = part_of(session, query(ENDLESS))
    rows = session.read(partition)
    next(rows)

    with pytest.raises(ExtractionError, match="still to come"):
        session.fingerprint(partition)
    assert not session.is_alive()
    session.reset()
    assert session.is_alive()


def test_cancelling_an_idle_session_does_nothing(open_session: Opener) -> None:
    """Neither to it nor to its next query."""
    session = open_session()
    session.begin()
    session.cancel()

    assert read(session, query("SELECT 1 AS a")).num_rows == 1


def test_a_query_ends_at_its_time_limit(numbers: None, open_session: Opener) -> None:  # noqa: ARG001
    """And says which limit it was."""
    session = open_session(limits=replace(LIMITS, query_timeout_s=0.3))
    partition = part_of(session, query(ENDLESS))

    with pytest.raises(DeadlineError, match="query_timeout_s"):
        session.fingerprint(partition)


@pytest.mark.parametrize("reads", ["read", "read_rows"])
def test_a_forgotten_reader_does_not_disturb_the_next_borrower(numbers: None, open_session: Opener, reads: str) -> None:  # noqa: ARG001
    """Half read, reset, asked for more and closed later."""
    session = open_session()
    session.begin()
    forgotten = getattr(session, reads)(part_of(session, query(ENDLESS)))
    next(forgotten)
    session.reset()
    session.begin()
    rows = session.read(part_of(session, query("SELECT n FROM numbers")))
    first = next(rows)
    for _ in forgotten:
        break
    forgotten.close()

    assert first.num_rows + sum(batch.num_rows for batch in rows) == 2000


def test_reset_returns_every_setting(open_session: Opener) -> None:
    """Variables, temporary tables and modes that the last user left are gone; what every read relies on is back."""
    session = open_session()
    wanted = "SELECT @@sql_mode AS m, @@time_zone AS z, @@tx_read_only AS r, @@character_set_results AS c, @left AS v"
    before = read(session, query(wanted)).to_pylist()
    for statement in (
        "SET sql_mode = '', time_zone = '+05:00', @left = 1",
        "SET NAMES latin1",
        "SET SESSION TRANSACTION READ WRITE",
    ):
        session._wire.run(statement, doing="spoil the session", patience_s=1)
    assert read(session, query(wanted)).to_pylist() != before
    session.reset()

    assert read(session, query(wanted)).to_pylist() == before
    assert before[0]["z"] == "+00:00"
    assert before[0]["r"] == 1
    assert "NO_BACKSLASH_ESCAPES" in before[0]["m"]


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM t",
        "SELECT 1; DELETE FROM t",
        "SELECT 1) AS a; DELETE FROM t; --",
        "SELECT 1 AS a) AS x, (SELECT 2",
        "SELECT ?",
        "SET @a = 1",
        "INSERT INTO t VALUES (9) RETURNING id",
        "SELECT id FROM t INTO OUTFILE '/tmp/jivsbench-never'",
        "",
    ],
)
def test_no_query_writes_or_reaches_out_of_its_parentheses(text: str, execute: Execute, open_session: Opener) -> None:
    """The rows are the same, and the session is of use."""
    execute("CREATE TABLE t (id INT PRIMARY KEY)")
    execute("INSERT INTO t VALUES (1)")
    session = open_session()
    for begins in (True, False):
        if begins:
            session.begin()
        with pytest.raises(JivsbenchError):
            read(session, query(text))
        session.reset()

    assert read(session, table("t")).to_pylist() == [{"id": 1}]


@pytest.mark.parametrize("name", ["a`b", "a.b", "a b", "select", '"', "é", "'", "x;--", "`", "\\"])
def test_any_name_finds_its_table_and_column(name: str, execute: Execute, open_session: Opener) -> None:
    """Quoted as a name, never taken for a text."""
    quoted = "`" + name.replace("`", "``") + "`"
    execute(f"CREATE TABLE {quoted} ({quoted} INT PRIMARY KEY)")
    execute(f"INSERT INTO {quoted} VALUES (7)")

    assert read(open_session(), table(name, Filter(name, Operator.EQUAL, (7,)))).to_pylist() == [{name: 7}]


def test_unknown_names_are_missing_objects(execute: Execute, open_session: Opener) -> None:
    """With the nearest one; the server's own schemas are not offered, and case counts."""
    execute("CREATE TABLE customers (email TEXT)")
    session = open_session()
    asked = [
        table("custommers"),
        table("Customers"),
        table(""),
        table("a\0"),
        table("x" * 65),
        table("customers", Filter("e", Operator.IS_NULL)),
    ]
    asked += [
        ExtractionRequest("test", TableName("user", "mysql")),
        ExtractionRequest("test", TableName("PROCESSLIST", "INFORMATION_SCHEMA")),
        ExtractionRequest("test", TableName("customers"), columns=("emial",)),
    ]
    messages = []
    for request in asked:
        with pytest.raises(MissingObjectError) as caught:
            session.schema(request)
        messages.append(str(caught.value))

    assert "did you mean 'customers'" in messages[0]
    assert "did you mean 'email'" in messages[-1]


def test_a_row_longer_than_a_packet_is_read_whole(open_session: Opener) -> None:
    """The protocol cuts it every 16 MiB; the rows around it stay what they are."""
    wide = ", ".join(f"repeat('{letter}', 6000000) AS {letter}" for letter in "abcdef")
    short, shorter = wide.replace("6000000", "2"), wide.replace("6000000", "1")
    text = f"SELECT 0 AS id, {shorter} UNION ALL SELECT 1, {wide} UNION ALL SELECT 2, {short}"

    rows = read(open_session(), query(text)).to_pylist()

    assert [row["id"] for row in rows] == [0, 1, 2]
    for row, size in zip(rows, (1, 6_000_000, 2), strict=True):
        assert all(row[letter] == letter * size for letter in "abcdef")


def test_batches_hold_at_most_the_configured_rows(numbers: None, open_session: Opener) -> None:  # noqa: ARG001
    """Whatever arrives in one block."""
    session = open_session()

    sizes = [batch.num_rows for batch in session.read(part_of(session, table("numbers")))]

    assert sizes == [1000, 1000]


def test_a_long_text_of_groups_is_not_cut(numbers: None, open_session: Opener) -> None:  # noqa: ARG001
    """The server's own default ends it in silence."""
    found = read(open_session(), query("SELECT group_concat(n, repeat('x', 1000)) AS g FROM numbers")).to_pylist()[0]["g"]

    assert len(found) > 2_000_000


def test_facts_say_who_the_server_is(execute: Execute, open_session: Opener, url: str) -> None:
    """Product, version, user, database, and whether the user may write."""
    facts = open_session().test()

    assert facts.version == execute("SELECT version()")[0][0]
    assert (facts.product, facts.database) == ("MariaDB" if "MariaDB" in facts.version else "MySQL", url.rpartition("/")[2])
    assert facts.may_write
    assert facts.max_connections
