"""A session hands on nothing, writes nothing, and ends when it is told."""

import contextlib
import threading
import time
from dataclasses import replace

import psycopg
import pyarrow as pa
import pytest

from jivsbench.api import ReadLimits
from jivsbench.errors import AccessDeniedError, CancelledJobError, DeadlineError, ExtractionError, JivsbenchError
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, Partition
from jivsbench_postgres.connection import PostgresConnection
from tests.machine import fastest

LIMITS = ReadLimits(connect_timeout_s=5.0, query_timeout_s=20.0)
# In the list of columns the server makes rows as they are read; after FROM it would first store them all.
ENDLESS = "SELECT generate_series(1, 1000000000) AS id"
SLEEP = "SELECT pg_sleep(30)::text AS slept"


@pytest.fixture
def url(any_url: str) -> str:
    """Sessions are tested on both servers."""
    return any_url


def part_of(connection: PostgresConnection, query: str) -> Partition:
    """A query as one partition, in a transaction."""
    connection.begin()
    request = ExtractionRequest("test", query=query)
    return connection.partitions(request, connection.schema(request), 4)[0]


STATE = """
SELECT (SELECT json_object_agg(name, setting ORDER BY name)::text FROM pg_settings
         WHERE source IN ('session', 'client')) AS settings,
       current_user::text AS role, session_user::text AS login, current_setting('search_path') AS path,
       (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())::text AS locks,
       (SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND pg_table_is_visible(oid))::text AS temporary,
       (SELECT count(*) FROM pg_prepared_statements WHERE name <> '')::text AS prepared,
       (SELECT count(*) FROM pg_cursors WHERE name <> '')::text AS cursors,
       (SELECT count(*) FROM pg_listening_channels())::text AS channels,
       current_setting('transaction_read_only') AS read_only,
       current_setting('statement_timeout') AS time_limit,
       coalesce(current_setting('my.variable', true), '') AS variable
"""
POISON = {
    "search_path": "SELECT set_config('search_path', 'pg_temp, pg_catalog', false)",
    "read-only": "SELECT set_config('default_transaction_read_only', 'off', false)",
    "time limit": "SELECT set_config('statement_timeout', '0', false)",
    "own variable": "SELECT set_config('my.variable', 'secret', false)",
    "time zone": "SET SESSION TimeZone = 'Asia/Kolkata'",
    "role": "SET SESSION ROLE pg_monitor",
    "advisory lock": "SELECT pg_advisory_lock(4711)",
    "temporary table": "BEGIN READ WRITE; CREATE TEMPORARY TABLE left_behind (a int); COMMIT",
    "prepared statement": "PREPARE left_behind AS SELECT 1",
    "cursor": "DECLARE left_behind CURSOR WITH HOLD FOR SELECT 1",
    "channel": "LISTEN left_behind",
    "open transaction": "BEGIN",
    "failed transaction": "BEGIN; SELECT 1/0",
    "local setting": "BEGIN; SET LOCAL work_mem = '77MB'",
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_reset_leaves_a_session_as_fresh_as_a_new_one(poison: str, open_session, reader) -> None:
    """Whatever the last user did, the next one finds what a new session would show."""
    session = open_session()
    expected = reader.query(open_session(), STATE).to_pylist()
    raw = session._wire.driver.pgconn
    raw.exec_(poison.encode())

    session.reset()

    assert reader.query(session, STATE).to_pylist() == expected


def test_the_poison_is_seen_without_a_reset(open_session) -> None:
    """The test above can fail: every poison changes what it compares, or leaves a transaction open."""
    seen = 0
    for poison in POISON.values():
        session = open_session()
        before = session._wire.driver.execute(STATE).fetchall()
        session._wire.driver.pgconn.exec_(poison.encode())
        if session._wire.driver.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            seen += 1
            continue
        seen += session._wire.driver.execute(STATE).fetchall() != before

    assert seen == len(POISON)


WRITES = [
    "DELETE FROM t",
    "SELECT 1; DELETE FROM t",
    "SELECT 1) TO STDOUT; DELETE FROM t; COPY (SELECT 1",
    "COMMIT",
    "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
    "SELECT 1 INTO other",
    "SELECT * FROM t FOR UPDATE",
    "SELECT nextval('numbers')",
    "COPY t TO '/tmp/x'",
    "SELECT 1 -- ",
    "",
    ";",
    "SELECT $1",
    "SELECT 1) TO PROGRAM 'true' --",
]


@pytest.mark.parametrize("query", WRITES)
def test_no_query_writes_or_reaches_out_of_its_parentheses(query, session: PostgresConnection, reader, admin, namespace) -> None:
    """The table holds its row afterwards, and no second statement has run."""
    admin.execute(f"CREATE TABLE {namespace}.t AS SELECT 1 AS id")
    admin.execute(f"CREATE SEQUENCE {namespace}.numbers")
    text = (
        query.replace(" t", f" {namespace}.t", 1)
        .replace("'numbers'", f"'{namespace}.numbers'")
        .replace("other", f"{namespace}.other")
    )

    if query == "SELECT 1 -- ":
        assert reader.query(session, text).num_rows == 1
    else:
        with pytest.raises(JivsbenchError):
            reader.query(session, text)

    assert admin.execute(f"SELECT count(*), to_regclass('{namespace}.other') FROM {namespace}.t").fetchone() == (1, None)


def test_what_slips_through_a_read_only_transaction_is_rolled_back(session: PostgresConnection, admin) -> None:
    """Before version 16 lo_create counts as reading; the transaction is never committed, so nothing stays."""
    before = admin.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone()
    with contextlib.suppress(JivsbenchError):
        list(session.read(part_of(session, "SELECT lo_create(0) AS made")))
    session.reset()

    assert admin.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone() == before


def test_a_query_that_ends_in_semicolon_or_comment_is_read(session: PostgresConnection, reader) -> None:
    """Both are what people paste."""
    assert reader.query(session, "SELECT 1 AS a, 'x;--' AS b ;\n").to_pylist() == [{"a": 1, "b": "x;--"}]
    assert reader.query(session, "SELECT 1 AS a -- one").to_pylist() == [{"a": 1}]


def test_two_columns_of_one_name_are_refused(session: PostgresConnection, reader) -> None:
    """An output could hold only one of them."""
    with pytest.raises(ExtractionError, match="two columns called 'a'"):
        reader.query(session, "SELECT 1 AS a, 2 AS a")


def test_a_query_has_columns_filters_and_a_limit_too(session: PostgresConnection, reader) -> None:
    """As a table has."""
    request = ExtractionRequest(
        "test", query="SELECT g AS a, g * 2 AS b FROM generate_series(1, 9) g", columns=("b",), row_limit=2
    )

    assert reader.read(session, request)["b"].to_pylist() == [2, 4]


def cancel_halfway(session: PostgresConnection, query: str, reads: str) -> float:
    """Cancel a query 0.3 s after its start; how long after the cancel its reader got the error."""
    partition, asked_s = part_of(session, query), []

    def cancel() -> None:
        asked_s.append(time.monotonic())
        session.cancel()

    timer = threading.Timer(0.3, cancel)
    timer.start()
    with pytest.raises(CancelledJobError):
        for _ in getattr(session, reads)(partition):
            pass
    ended_s = time.monotonic()
    timer.join()
    return ended_s - asked_s[0]


def stops_working(admin: psycopg.Connection, pid: int, within_s: float) -> bool:
    """Whether the server itself says that this session runs no query. It may say so a moment after its client heard of it."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        found = admin.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()
        if found is None or found[0] != "active":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("reads", ["read", "read_rows"])
@pytest.mark.parametrize("query", [SLEEP, ENDLESS])
def test_cancel_ends_a_query_within_a_second(query: str, reads: str, open_session, admin) -> None:
    """The reader gets an error, and the server works for it no longer: each time, and on a busy machine in time once in three."""
    took_s: list[float] = []
    while len(took_s) < 3 and min(took_s, default=1.0) >= 1.0:
        session = open_session()
        pid = session._wire.driver.info.backend_pid
        took_s.append(cancel_halfway(session, query, reads))
        assert stops_working(admin, pid, within_s=10.0)

    assert min(took_s) < 1.0
    assert max(took_s) < 10.0


def test_a_query_ends_at_its_time_limit(open_session) -> None:
    """As DeadlineError, a quarter of a second late at most; the session is good for the next borrower."""
    session = open_session(limits=replace(LIMITS, query_timeout_s=0.5))
    partition = part_of(session, SLEEP)

    def read() -> float:
        started = time.monotonic()
        with pytest.raises(DeadlineError, match="time limit"):
            list(session.read(partition))
        took_s = time.monotonic() - started
        session.reset()
        return took_s

    assert fastest(read, 0.75) < 0.75
    assert session.is_alive()


@pytest.mark.parametrize("reads", ["read", "read_rows"])
def test_a_reader_that_outlives_its_session_does_not_touch_the_next_borrower(reads: str, session: PostgresConnection) -> None:
    """Half read, forgotten, closed while somebody else reads."""
    forgotten = getattr(session, reads)(part_of(session, ENDLESS))
    next(forgotten)
    session.reset()
    partition = part_of(session, "SELECT g AS id FROM generate_series(1, 100000) g")
    batches = session.read(partition)
    first = next(batches)

    forgotten.close()

    rows = first.num_rows + sum(batch.num_rows for batch in batches)
    assert rows == session.fingerprint(partition).row_count == 100_000


@pytest.mark.parametrize("reads", ["read", "read_rows"])
def test_a_reader_closed_halfway_leaves_a_usable_session(reads: str, session: PostgresConnection) -> None:
    """Within a second, although the server had a billion rows to send."""
    batches = getattr(session, reads)(part_of(session, ENDLESS))
    next(batches)
    started = time.monotonic()
    batches.close()
    session.reset()

    assert time.monotonic() - started < 1.0
    assert session.is_alive()


def test_all_sessions_of_a_snapshot_see_the_same_rows(open_session, reader, admin, namespace) -> None:
    """Rows written after the first session began are seen by none that joined it."""
    admin.execute(f"CREATE TABLE {namespace}.t AS SELECT g AS id FROM generate_series(1, 10) g")
    first, second, fresh = open_session(), open_session(), open_session()
    request = reader.request("t")
    snapshot = first.begin()
    admin.execute(f"DELETE FROM {namespace}.t WHERE id < 5")

    counts = []
    for session, name in ((first, ""), (second, snapshot), (fresh, None)):
        if name != "":
            session.begin(name)
        partition = session.partitions(request, session.schema(request), 1)[0]
        counts.append((session.fingerprint(partition).row_count, pa.Table.from_batches(session.read(partition)).num_rows))

    assert counts == [(10, 10), (10, 10), (6, 6)]


def test_a_snapshot_that_is_gone_cannot_be_joined(open_session) -> None:
    """A late stream must fail, never read another state."""
    first, second = open_session(), open_session()
    snapshot = first.begin()
    first.reset()

    with pytest.raises(ExtractionError):
        second.begin(snapshot)
    with pytest.raises(ExtractionError):
        open_session().begin("'; SELECT 1; --")


def test_facts_say_whether_the_role_may_write(
    source: DataSource, session: PostgresConnection, admin, connector, namespace
) -> None:
    """The owner may; a role without grants may not, and one INSERT privilege is enough."""
    role, password = f"role_{namespace}", "pw"
    admin.execute(f"CREATE TABLE {namespace}.t (id int)")
    admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    url = psycopg.conninfo.conninfo_to_dict(source.url.reveal())
    as_role = replace(source, url=type(source.url)(f"postgresql://{role}:{password}@{url['host']}:{url['port']}/{url['dbname']}"))
    try:
        found = []
        for grant in ("SELECT 1", f"GRANT USAGE ON SCHEMA {namespace} TO {role}", f"GRANT INSERT ON {namespace}.t TO {role}"):
            admin.execute(grant)
            with contextlib.closing(connector.connect(as_role, LIMITS)) as reader:
                found.append(reader.test().may_write)
                with pytest.raises(AccessDeniedError):
                    list(reader.read(part_of(reader, f"SELECT * FROM {namespace}.t")))
    finally:
        admin.execute(f"DROP OWNED BY {role}")
        admin.execute(f"DROP ROLE {role}")

    assert found == [False, False, True]
    assert session.test().may_write
    assert session.test().product == "PostgreSQL"


def test_ddl_in_progress_is_not_waited_for_longer_than_two_seconds(session: PostgresConnection, reader, admin, namespace) -> None:
    """A reader in the queue behind ALTER TABLE would hold up everybody behind it."""
    admin.execute(f"CREATE TABLE {namespace}.t (id int)")
    session.begin()
    request = reader.request("t")
    partition = session.partitions(request, session.schema(request), 1)[0]
    with admin.transaction():
        admin.execute(f"LOCK TABLE {namespace}.t")
        started = time.monotonic()
        with pytest.raises(DeadlineError, match="lock"):
            list(session.read(partition))

    assert 1.5 < time.monotonic() - started < 3.0
