"""What the server tells of its sessions, to a user with PROCESS and to one without."""

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest

from jivsbench.api import ActivityTeller
from jivsbench.model.activity import WaitCount
from tests.mysql_database import Execute, Opener, connect_admin

pytestmark = pytest.mark.real_server


@pytest.fixture
def plain_url(url: str, execute: Execute) -> Iterator[str]:
    """URL of a user who may read the database, and nothing else."""
    name = url.rpartition("/")[2][-24:]
    execute(f"CREATE USER '{name}'@'%%' IDENTIFIED BY 'plain-password'")
    execute(f"GRANT SELECT ON {url.rpartition('/')[2]}.* TO '{name}'@'%%'")
    yield f"mysql://{name}:plain-password@{url.partition('://')[2].rpartition('@')[2]}"
    execute(f"DROP USER '{name}'@'%%'")


@contextlib.contextmanager
def sleeping(url: str) -> Iterator[None]:
    """A session that sleeps on the server meanwhile."""
    with contextlib.closing(connect_admin(url)) as session:
        thread = threading.Thread(target=lambda: session.cursor().execute("SELECT sleep(1.5)"))
        thread.start()
        time.sleep(0.5)
        yield
        thread.join()


def test_sessions_and_what_they_wait_for_are_counted(url: str, open_session: Opener, execute: Execute) -> None:
    """Of the own sessions one sleeps on the server, one is idle (the fixture's); the asking one is not among them."""
    connection = open_session()
    assert execute("SELECT 1") == [(1,)]

    with sleeping(url):
        found = connection.activity(with_statements=False)

    assert isinstance(connection, ActivityTeller)
    assert (found.sessions, found.own_sessions) == (2, 2)
    assert found.waits == (WaitCount("waiting", "User sleep", 1),)
    assert found.not_granted == ()


def test_a_user_without_process_is_told_of_its_own_sessions_alone(plain_url: str, open_session: Opener) -> None:
    """How many others there are is not known, and never taken for none; the grant that would show it is named."""
    connection = open_session(url=plain_url)
    with sleeping(plain_url):
        found = connection.activity(with_statements=True)

    assert (found.sessions, found.own_sessions) == (None, 1)
    assert found.not_granted == (
        "how many sessions other users have: grant PROCESS to this user",
        "totals of statements: this connector reads none from MySQL or MariaDB",
    )
