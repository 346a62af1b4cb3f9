"""The queue of jobs and those who wait for their end."""

import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.errors import ExtractionError, JobStateError, QueueFullError, ShuttingDownError
from jivsbench.extract.jobs.failures import describe_failure, explain_failure, find_secret_parts, flatten
from jivsbench.extract.jobs.waiters import Waiters
from jivsbench.extract.jobs.work_queue import WorkQueue
from jivsbench.model.secret import Secret


def test_a_full_queue_refuses() -> None:
    """The limit counts jobs that wait; one that a worker has taken makes room."""
    queue = WorkQueue(2)
    queue.submit("a")
    queue.submit("b")

    with pytest.raises(QueueFullError, match="2 jobs wait already"):
        queue.submit("c")
    assert queue.take() == "a"
    queue.submit("c")
    assert len(queue) == 2


def test_a_job_is_held_once() -> None:
    """Waiting or running, it is not taken in again; once done, the store decides."""
    queue = WorkQueue(5)
    queue.submit("a")
    with pytest.raises(JobStateError):
        queue.submit("a")
    queue.take()
    with pytest.raises(JobStateError):
        queue.submit("a")
    assert queue.holds("a")
    assert queue.is_running("a")

    queue.done("a")
    assert not queue.holds("a")
    queue.submit("a")


def test_closing_waits_for_what_is_held_and_no_longer_than_told() -> None:
    """It returns as soon as the last job is done, else after the time, with what is left."""
    queue = WorkQueue(5)
    queue.submit("a")
    queue.submit("b")
    queue.take()

    started_s = time.monotonic()
    assert queue.close(0.05) == (("b",), ("a",))
    assert 0.04 < time.monotonic() - started_s < 1.0
    with pytest.raises(ShuttingDownError):
        queue.submit("c")

    queue.take()
    threading.Timer(0.05, lambda: (queue.done("a"), queue.done("b"))).start()
    started_s = time.monotonic()
    assert queue.close(5.0) == ((), ())
    assert time.monotonic() - started_s < 2.0


def test_everyone_who_waits_is_called_once() -> None:
    """All waiters of one job, no waiter of another, none that has gone."""
    waiters, called = Waiters(), []
    calls = [lambda number=number: called.append(number) for number in range(3)]
    for call in calls:
        assert waiters.add("a", call)
    waiters.add("b", lambda: called.append("b"))
    waiters.remove("a", calls[1])
    waiters.remove("x", calls[0])

    waiters.wake("a")
    waiters.wake("a")
    assert called == [0, 2]
    waiters.close()
    assert called == [0, 2, "b"]
    assert not waiters.add("a", calls[0])


def test_a_failure_tells_no_secret_and_no_foreign_text() -> None:
    """Our own message without the source's password in any form; of a foreign error its class alone."""
    secret = Secret("postgresql://ann:p%40ss%20w@db/shop")
    ours = describe_failure(
        ExtractionError("server said: p@ss w, p%40ss%20w and postgresql://ann:p%40ss%20w@db/shop\nend"), secret
    )
    foreign = describe_failure(KeyError("row value 4711"))

    assert (ours.slug, ours.message) == ("extraction", "server said: ***, *** and ***\\nend")
    assert foreign.slug == "internal"
    assert "KeyError" in foreign.message
    assert "4711" not in foreign.message
    assert find_secret_parts(Secret("http://[broken")) == ("http://[broken",)


@pytest.mark.parametrize(
    ("url", "text", "told"),
    [
        (
            "postgresql://ann:pw@db.example:5433/shop",
            "db.example:5433/shop refuses user 'ann': check it",
            "the source's server refuses user '***': check it",
        ),
        ("mysql://ann:pw@10.0.0.7/shop", "no server answers at 10.0.0.7:3306", "no server answers at the source's server"),
        (
            "postgresql://ann@[::1]:5432/shop",
            "::1:5432/shop did not read table 'shop'",
            "the source's server did not read table 'shop'",
        ),
        ("sqlite:////srv/data/shop.db", "/srv/data/shop.db has no table 'x'", "the source's server has no table 'x'"),
        ("postgresql://ann@db/shop", "table 'dbx' has no column 'an'", "table 'dbx' has no column 'an'"),
        ("http://[broken", "a URL that cannot be read", "a URL that cannot be read"),
        (
            "postgresql://ann@/shop?host=db.example",
            "db.example:5432/shop refuses user 'ann'",
            "the source's server refuses user '***'",
        ),
        ("postgresql://ann@x/shop?HOST=one.test,two.test:6000", "two.test:6000 is silent", "the source's server is silent"),
        ("postgresql:///shop?hostaddr=10.0.0.7&port=6001", "10.0.0.7 has no port 6001", "the source's server has no port ***"),
        ("postgresql://db:6002/shop", 'connect to "db" port=6002 failed', 'connect to "the source\'s server" port=*** failed'),
        ("postgresql://ann@/shop?host=/run/pg", "/run/pg:5432/shop is silent", "the source's server is silent"),
        ("postgresql:///shop?host=/run/pg", "no socket '/run/pg/.s.PGSQL.5432'", "no socket 'the source's server'"),
        ("mysql://ann@/shop?unix_socket=%2Frun%2Fmy.sock", "/run/my.sock/shop is silent", "the source's server is silent"),
        ("mysql://ann@/shop?socket=/run/my.sock", "(via /run/my.sock)", "(via the source's server)"),
        ("postgresql://%2Frun%2Fpg/shop", "/run/pg:5432 is silent", "the source's server is silent"),
        ("postgresql:///?service=billing", 'service "billing" not found', 'service "the source\'s server" not found'),
        ("postgresql://[2001:DB8::7]:5432/shop", "[2001:db8::7]:5432 is silent", "the source's server is silent"),
        (
            "postgresql://[2001:db8:0:0:0:0:0:7]/shop",
            "2001:db8::7 and 2001:0db8:0000:0000:0000:0000:0000:0007 are silent",
            "the source's server and the source's server are silent",
        ),
        (
            "postgresql://[fe80::1%25eth0]/shop",
            "no route to fe80::1%eth0, port 5432",
            "no route to the source's server, port 5432",
        ),
        ("sqlite:///shop.db", "workshop.db has no table", "workshop.db has no table"),
        ("sqlite:///shop.db", "shop.db has no table", "the source's server has no table"),
        ("files:///data", "/data/a.csv: the data in it are damaged", "the source's server: the data in it are damaged"),
        ("postgresql:///shop?host=db.test", "shop: no driver is there", "the source's server: no driver is there"),
        ("postgresql:///shop?host=/run/pg&user=ann", "refuses user 'ann'", "refuses user '***'"),
        (
            "mssql+pyodbc://?odbc_connect=SERVER%3Dtcp%3Adb.test%2C1433%3BUID%3Dann%3BPWD%3Dpw",
            "tcp:db.test,1433 refuses user 'ann'",
            "the source's server refuses user '***'",
        ),
        (
            "mssql+pyodbc://?odbc_connect=SERVER%253Ddb.test%253BUID%253Dann",
            "db.test refuses user 'ann'",
            "the source's server refuses user '***'",
        ),
        (
            "mssql+pyodbc://ann@db.test\\SQL1/shop",
            "no way to db.test or to DB.test\\SQL1,1433",
            "no way to the source's server or to the source's server",
        ),
        (
            "postgresql://ann:pw@one.test:5432,two.test:5433/shop",
            "two.test:5433/shop refuses user 'ann' of one.test, port 5432",
            "the source's server refuses user '***' of the source's server, port ***",
        ),
        ("postgresql://ann:pw@db.test:99999/shop", "db.test refuses user 'ann'", "the source's server refuses user '***'"),
    ],
)
def test_whoever_extracts_is_told_no_part_of_the_url_and_the_log_is_told_the_place(url: str, text: str, told: str) -> None:
    """Host, port, database, path and user belong to the source's owner; names of tables and columns stay."""
    error = ExtractionError(text)

    assert describe_failure(error, Secret(url)).message == told
    assert explain_failure(error, Secret(url)).message == text


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("postgresql://db/shop?password=hunter%202", "hunter 2"),
        ("postgresql://db/shop?sslpassword=hunter2", "hunter2"),
        ("rest+https://api.test/v1?api_key=k3y-t0k3n", "k3y-t0k3n"),
        ("rest+https://api.test/v1?access_token=k3y-t0k3n", "k3y-t0k3n"),
        ("mssql+pyodbc://?odbc_connect=SERVER%3Ddb.test%3BPWD%3Dhunter2", "hunter2"),
        ("pg://?dsn=host%3Ddb.test+password%3Dhunter2", "hunter2"),
        ("postgresql://ann:hunter2@one.test:5432,two.test:5433/shop", "hunter2"),
        ("postgresql://ann:hunter2@db.test:99999/shop", "hunter2"),
        ("sqlalchemy+postgresql://ann:12/ssw0rd@db/shop", "12/ssw0rd"),
        ("sqlalchemy+mysql://ann:12?ssw%2F0rd@db/shop?a=b@c", "12?ssw/0rd"),
        ("redis://:9/secret@part@cache:6379/0", "9/secret@part"),
    ],
)
def test_a_password_is_one_wherever_in_a_url_it_stands(url: str, password: str) -> None:
    """Neither the caller nor the log is told it."""
    error = ExtractionError(f"the server said: {password} is wrong")

    assert describe_failure(error, Secret(url)).message == "the server said: *** is wrong"
    assert explain_failure(error, Secret(url)).message == "the server said: *** is wrong"


@given(st.text())
def test_a_message_is_one_printable_line(text) -> None:
    """Whatever goes in, nothing that comes out can end a line, move a cursor or turn text around."""
    flat = flatten(text)

    assert flat.isprintable()
    assert len(flat.splitlines()) <= 1
    assert flatten(flat) == flat


@pytest.mark.parametrize(
    "text", [f"{'x' * 490}/srv/private/outputs", f"{'x' * 490} db.example.test", "/srv/private/outputs" * 40]
)
def test_a_long_message_is_cut_after_places_are_hidden(text: str) -> None:
    """Cut before, the rest of a place would not be known as one; the log's line is cut as well."""
    error, url = ExtractionError(text), Secret("postgresql://db.example.test/shop")

    told = describe_failure(error, url, Path("/srv/private/outputs")).message

    assert "/srv" not in told
    assert "db.ex" not in told
    assert max(len(told), len(explain_failure(error, url).message)) <= 500
