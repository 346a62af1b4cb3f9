"""What one borrower leaves in a session of a real PostgreSQL never reaches the next one."""

from collections.abc import Iterator

import psycopg
import pytest

from jivsbench.extract.pools import ConnectionPool
from jivsbench.model.profile import PoolLimits
from jivsbench_postgres import connection as postgres_connection
from jivsbench_postgres.exchange import Statement
from tests.service.pool_sources import CountingConnector, build_pool, build_source, pid_of
from tests.unit.extract_fakes import wait_until

# The core that runs here is covered by quicker tests.
pytestmark = pytest.mark.no_cover

# Everything that a session can keep, and how it is seen from inside.
STATE = """
SELECT (SELECT json_object_agg(name, setting ORDER BY name)::text FROM pg_settings WHERE source IN ('session', 'client')),
       current_user::text, current_setting('role'), current_setting('search_path'),
       current_setting('TimeZone'), current_setting('statement_timeout'), current_setting('default_transaction_read_only'),
       coalesce(current_setting('my.variable', true), ''),
       (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())::text,
       (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema())::text,
       (SELECT count(*) FROM pg_prepared_statements WHERE name <> '')::text,
       (SELECT count(*) FROM pg_cursors WHERE name <> '')::text,
       (SELECT count(*) FROM pg_listening_channels())::text
"""
LEFT_BEHIND = {
    "open transaction": "BEGIN",
    "failed transaction": "BEGIN; SELECT 1/0",
    "setting": "SET work_mem = '77MB'",
    "local setting": "BEGIN; SET LOCAL work_mem = '77MB'",
    "own variable": "SELECT set_config('my.variable', 'secret', false)",
    "role": "SET ROLE pg_monitor",
    "search path": "SET search_path = pg_temp, pg_catalog",
    "time zone": "SET TIME ZONE 'Asia/Kolkata'",
    "time limit": "SET statement_timeout = 0",
    "write mode": "SET default_transaction_read_only = off",
    "temporary table": "BEGIN READ WRITE; CREATE TEMPORARY TABLE left_behind (a int); COMMIT",
    "prepared statement": "PREPARE left_behind AS SELECT 1",
    "cursor": "DECLARE left_behind CURSOR WITH HOLD FOR SELECT 1",
    "channel": "LISTEN left_behind",
    "advisory lock": "SELECT pg_advisory_lock(4711)",
}
SEEN_AFTER_A_ROLLBACK = set(LEFT_BEHIND) - {"open transaction", "failed transaction", "local setting"}


@pytest.fixture
def pool(embedded_postgres_url: str) -> Iterator[ConnectionPool]:
    """A pool of one, so that the next borrower gets the same session when it is kept."""
    pool = build_pool(build_source(embedded_postgres_url), PoolLimits(max_size=1, min_idle=0))
    yield pool
    pool.close()


def look(pool: ConnectionPool) -> tuple[int, object]:
    """What a borrower finds, and in which session: its state, in a transaction that it can begin."""
    lease = pool.borrow("looks", 10.0)
    wire = lease.connection._wire
    status = wire.driver.info.transaction_status
    rows = [] if status == psycopg.pq.TransactionStatus.INERROR else wire.fetch(STATE.encode(), doing="look", patience_s=5.0)
    found = (pid_of(lease.connection), (status, rows))
    lease.give_back()
    return found


def leave_behind(pool: ConnectionPool, what: str) -> None:
    """A job that spoils its session and gives it back."""
    lease = pool.borrow("spoils", 10.0)
    done = lease.connection._wire.driver.pgconn.exec_(LEFT_BEHIND[what].encode())
    assert (done.status == psycopg.pq.ExecStatus.FATAL_ERROR) == (what == "failed transaction")
    lease.give_back()


@pytest.mark.parametrize("what", LEFT_BEHIND)
def test_nothing_of_the_last_borrower_is_left(pool: ConnectionPool, what: str) -> None:
    """The same session, and as fresh as a new one."""
    fresh_pid, fresh = look(pool)
    leave_behind(pool, what)

    assert look(pool) == (fresh_pid, fresh)
    assert pool.statistics().opened_total == 1


@pytest.mark.parametrize("what", LEFT_BEHIND)
def test_a_return_that_only_rolls_back_is_caught(embedded_postgres_url: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: without DISCARD ALL, all but what ends with a transaction is found by the next borrower."""
    monkeypatch.setattr(postgres_connection, "_DISCARD", Statement(b""))
    pool = build_pool(build_source(embedded_postgres_url), PoolLimits(max_size=1, min_idle=0))
    _, fresh = look(pool)
    leave_behind(pool, what)
    _, found = look(pool)
    pool.close()

    assert (found != fresh) == (what in SEEN_AFTER_A_ROLLBACK)


def test_a_session_that_ended_while_it_was_out_is_not_kept(pool: ConnectionPool, embedded_postgres_url: str) -> None:
    """Returning finds out; the next borrower gets a new session, and the failed reset is counted."""
    lease = pool.borrow("a", 10.0)
    pid = pid_of(lease.connection)
    with psycopg.connect(embedded_postgres_url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s)", [pid])
        assert wait_until(lambda: admin.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone() is None)
    lease.give_back()

    assert pool.statistics().resets_failed_total == 1
    assert look(pool)[0] != pid


def test_half_read_rows_are_not_the_next_borrower_s(embedded_postgres_url: str) -> None:
    """A job that gives its connection back in the middle of a result: the next one reads its own."""
    pool = build_pool(build_source(embedded_postgres_url), PoolLimits(max_size=1, min_idle=0), connector=CountingConnector())
    _, fresh = look(pool)
    lease = pool.borrow("reads", 10.0)
    lease.connection._wire.driver.pgconn.send_query(b"SELECT generate_series(1, 1000000)")
    lease.give_back()

    assert look(pool)[1] == fresh
    pool.close()
