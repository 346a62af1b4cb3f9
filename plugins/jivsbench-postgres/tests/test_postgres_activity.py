"""What the server tells an ordinary user of its sessions, waits and statements."""

import threading
from contextlib import closing

import psycopg
import pytest

from jivsbench.api import ActivityTeller, ReadLimits
from jivsbench.embedded import start_postgres
from jivsbench.model.source import DataSource
from jivsbench_postgres.connector import PostgresConnector
from tests.unit.extract_fakes import wait_until


@pytest.fixture(scope="module")
def server():
    """A server of our own, so that nobody else's statements are counted."""
    with start_postgres() as running:
        yield running


def open_reader(server):
    """A session of the reader, who is no superuser and has not been granted pg_monitor."""
    return PostgresConnector().connect(DataSource("pg", "postgres", server.reader_url), ReadLimits())


def test_sessions_and_what_they_wait_for_are_counted(server) -> None:
    """A planted session that sleeps on the server is one of two own sessions, and waits for a timer."""
    sleeper = psycopg.connect(server.reader_url.reveal(), autocommit=True)
    thread = threading.Thread(target=lambda: sleeper.execute("SELECT pg_sleep(1.5)"))
    idle = psycopg.connect(server.reader_url.reveal(), autocommit=True)
    thread.start()
    try:
        with closing(open_reader(server)) as connection:
            assert wait_until(lambda: connection.activity(with_statements=False).waits)
            found = connection.activity(with_statements=False)
    finally:
        thread.join()
        sleeper.close()
        idle.close()

    assert isinstance(connection, ActivityTeller)
    assert (found.own_sessions, [(wait.kind, wait.event, wait.sessions) for wait in found.waits]) == (
        2,
        [("Timeout", "PgSleep", 1)],
    )
    assert found.statements == ()


def test_sessions_of_others_are_counted_and_named_as_hidden(server) -> None:
    """The owner's session is seen to exist; what it does is not told, and what to grant is."""
    with psycopg.connect(server.owner_url.reveal()), closing(open_reader(server)) as connection:
        # Sessions of the test before may be ending.
        assert wait_until(lambda: connection.activity(with_statements=False).sessions == 1)
        found = connection.activity(with_statements=False)

    assert (found.sessions, found.own_sessions) == (1, 0)
    assert found.not_granted == ("what sessions of other users do: grant pg_monitor to this user",)


def test_totals_of_the_own_statements_hold_no_value(server) -> None:
    """What ran between two looks is counted by its first word and the server's number; no text, no other user's."""
    with closing(open_reader(server)) as connection:
        before = connection.activity(with_statements=True)
        with psycopg.connect(server.reader_url.reveal(), autocommit=True) as other:
            for _ in range(5):
                other.execute("SELECT 'a-secret-value' || generate_series(1, 3)")
        after = connection.activity(with_statements=True)

    known = {one.statement for one in before.statements}
    (added,) = [one for one in after.statements if one.statement not in known and one.rows]
    assert added.statement.startswith("SELECT ")
    assert (added.calls, added.rows) == (5, 15)
    assert added.duration_ms > 0
    assert "secret" not in str(after)


def test_a_database_without_the_extension_says_so(server) -> None:
    """The monitor goes on without totals."""
    with psycopg.connect(server.owner_url.reveal(), autocommit=True) as owner:
        owner.execute("DROP EXTENSION pg_stat_statements")
        try:
            with closing(open_reader(server)) as connection:
                found = connection.activity(with_statements=True)
        finally:
            owner.execute("CREATE EXTENSION pg_stat_statements")

    assert found.statements == ()
    assert "CREATE EXTENSION pg_stat_statements" in found.not_granted[-1]
