"""The contract of a connection pool, against a fake server with real threads."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from jivsbench.errors import AccessDeniedError, CancelledJobError, ExtractionError, PoolTimeoutError, SourceUnreachableError
from jivsbench.extract import idle
from jivsbench.extract.pools import ConnectionPool
from jivsbench.model.profile import PoolLimits
from tests.machine import fastest
from tests.unit.extract_fakes import FakeServer, build_pool, wait_until


def use(pool: ConnectionPool, job_id: str, hold_s: float = 0.0, timeout_s: float = 5.0) -> float:
    """Borrow, hold, return; how long the borrowing took, in seconds."""
    started_s = time.monotonic()
    lease = pool.borrow(job_id, timeout_s)
    waited_s = time.monotonic() - started_s
    time.sleep(hold_s)
    lease.give_back()
    return waited_s


def make_idle(pool: ConnectionPool, count: int) -> None:
    """Fill the pool with idle connections."""
    for lease in [pool.borrow("fill", 5.0) for _ in range(count)]:
        lease.give_back()


def age(pool: ConnectionPool, seconds: float) -> None:
    """Pretend that every idle connection was used so much longer ago."""
    for pooled in pool._idle._stack:
        pooled.idle_since_s -= seconds


def test_a_returned_connection_is_reset_and_lent_again():
    """The second borrower gets the first one's connection, after a reset."""
    server = FakeServer()
    pool = build_pool(server)

    first = pool.borrow("a", 1.0)
    first.give_back()
    second = pool.borrow("b", 1.0)

    assert second.connection is first.connection
    assert server.connections[0].resets == 1
    assert pool.statistics().borrowed_total == 2


def test_returning_twice_does_nothing_more():
    """A lease ends once; a later `discard` must not close what another job has borrowed."""
    server = FakeServer()
    pool = build_pool(server)
    lease = pool.borrow("a", 1.0)

    lease.give_back()
    lease.discard()

    assert pool.statistics().idle == 1
    assert not server.connections[0].is_closed


def test_a_borrower_waits_no_longer_than_its_timeout():
    """With every connection in use, the wait ends within 10 % and a little, with an error that names who holds them."""
    pool = build_pool(FakeServer(), PoolLimits(max_size=1, min_idle=0))
    pool.borrow("holder", 1.0)

    def wait() -> float:
        started_s = time.monotonic()
        with pytest.raises(PoolTimeoutError, match=r"job late waited .* one by job holder .* raise pool\.max_size"):
            pool.borrow("late", 0.5)
        waits_s.append(time.monotonic() - started_s)
        return waits_s[-1]

    waits_s: list[float] = []
    assert fastest(wait, 0.6) < 0.6
    assert min(waits_s) >= 0.5
    assert pool.statistics().timeouts_total == len(waits_s)
    assert pool.statistics().waiting == 0


def test_the_timeout_holds_while_connecting_hangs():
    """A server that does not answer costs the borrower its timeout, not the driver's."""

    def wait() -> float:
        server = FakeServer(hang=threading.Event())
        pool = build_pool(server)
        started_s = time.monotonic()
        with pytest.raises(PoolTimeoutError, match="none could be opened"):
            pool.borrow("a", 0.3)
        waited_s = time.monotonic() - started_s
        server.hang.set()
        return waited_s

    assert fastest(wait, 0.38) < 0.38


def test_connecting_holds_no_lock():
    """While one connection is being opened, a returned one is lent and counters are read."""
    server = FakeServer()
    pool = build_pool(server)
    lease = pool.borrow("a", 1.0)
    server.hang = threading.Event()
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(use, pool, "b")
        assert wait_until(lambda: server.attempts == 2)

        lease.give_back()
        waited_s = waiting.result(1.0)
        server.hang.set()

    assert waited_s < 1.0
    assert pool.statistics().waiting == 0


def test_waiters_are_served_in_the_order_of_asking():
    """First asked, first served."""
    pool = build_pool(FakeServer(), PoolLimits(max_size=1, min_idle=0))
    lease = pool.borrow("holder", 1.0)
    served: list[int] = []

    def ask(number: int) -> None:
        taken = pool.borrow(f"job{number}", 5.0)
        served.append(number)
        taken.give_back()

    threads = []
    for number in range(8):
        threads.append(threading.Thread(target=ask, args=(number,)))
        threads[-1].start()
        assert wait_until(lambda expected=number + 1: pool.statistics().waiting == expected)
    lease.give_back()
    for thread in threads:
        thread.join()

    assert served == list(range(8))


def test_a_burst_of_fifty_does_not_open_fifty():
    """50 borrowers, 5 idle connections, connecting takes 0.4 s, a query 2 ms: at most one more connection is opened."""
    server = FakeServer()
    pool = build_pool(server, PoolLimits(max_size=50, min_idle=0))
    make_idle(pool, 5)
    server.connect_s = 0.4

    with ThreadPoolExecutor(50) as threads:
        waits_s = sorted(threads.map(lambda n: use(pool, f"job{n}", 0.002), range(50)))
    assert wait_until(lambda: pool._attempts.count == 0)

    assert server.open_now <= 6
    # Nobody but one waited for it.
    assert waits_s[48] < server.connect_s


def test_no_more_than_max_size_are_ever_open():
    """40 threads share 4 connections."""
    server = FakeServer(connect_s=0.001)
    pool = build_pool(server, PoolLimits(max_size=4, min_idle=0))

    with ThreadPoolExecutor(40) as threads:
        list(threads.map(lambda n: use(pool, f"job{n}", 0.001), range(400)))

    assert server.most_open <= 4
    assert pool.statistics().borrowed_total == 400
    assert pool.statistics().active == 0


def test_a_connection_that_broke_while_idle_is_replaced():
    """It is asked before it is lent, closed, and a new one takes its place."""
    server = FakeServer()
    pool = build_pool(server)
    make_idle(pool, 1)
    server.connections[0].is_broken = True
    age(pool, 10.0)

    lease = pool.borrow("a", 1.0)

    assert lease.connection is server.connections[1]
    assert server.connections[0].is_closed
    assert pool.statistics().closed_total == 1


def test_one_dead_connection_condemns_those_idle_as_long():
    """After a server restart the pool does not ask ten dead connections one after the other."""
    server = FakeServer()
    pool = build_pool(server)
    make_idle(pool, 5)
    for connection in server.connections:
        connection.is_broken = True
    age(pool, 10.0)

    pool.borrow("a", 1.0)

    assert all(c.is_closed for c in server.connections[:5])
    assert server.open_now == 1


def test_a_connection_used_a_moment_ago_is_not_asked_again(monkeypatch):
    """Validation costs a round trip, so it is spared within half a second."""
    server = FakeServer(hang=threading.Event(), hang_in="alive")
    pool = build_pool(server)
    make_idle(pool, 1)

    assert use(pool, "a") < 0.2

    monkeypatch.setattr(idle, "VALIDATE_AFTER_S", -1.0)
    with pytest.raises(PoolTimeoutError):
        build_pool_with_hung_validation(server).borrow("b", 0.2)
    server.hang.set()


def build_pool_with_hung_validation(server: FakeServer) -> ConnectionPool:
    """A pool of one whose idle connection must be asked, and does not answer."""
    pool = build_pool(server, PoolLimits(max_size=1, min_idle=0))
    make_idle(pool, 1)
    return pool


def test_a_validation_that_hangs_is_abandoned():
    """After `validation_timeout_s` the connection is given up and another is opened."""
    server = FakeServer(hang=threading.Event(), hang_in="alive")
    pool = build_pool(server, PoolLimits(max_size=1, min_idle=0, validation_timeout_s=0.05))
    make_idle(pool, 1)
    age(pool, 10.0)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(pool.borrow, "a", 2.0)

        def keep() -> bool:
            pool.maintain(time.monotonic())
            return waiting.done()

        assert wait_until(keep)
        lease = waiting.result(1.0)
        server.hang.set()

    assert lease.connection is server.connections[1]
    assert wait_until(lambda: server.connections[0].is_closed)


def test_a_connection_that_cannot_be_reset_is_closed_and_counted():
    """What the last user left in a session never reaches the next."""
    server = FakeServer(refuse_reset=True)
    pool = build_pool(server)

    use(pool, "a")

    assert server.connections[0].is_closed
    assert pool.totals.resets_failed == 1
    assert pool.statistics().idle == 0


def test_min_idle_is_refilled():
    """Maintenance opens what is missing, one connection a round."""
    server = FakeServer()
    pool = build_pool(server, PoolLimits(min_idle=3))
    use(pool, "a")

    def refill() -> bool:
        pool.maintain(time.monotonic())
        return pool.statistics().idle == 3

    assert wait_until(refill)
    assert server.open_now == 3


def test_idle_connections_beyond_min_idle_end_after_the_idle_timeout():
    """Those idle longest go; `min_idle` stay."""
    server = FakeServer()
    pool = build_pool(server, PoolLimits(min_idle=2, idle_timeout_s=60))
    make_idle(pool, 5)

    pool.maintain(time.monotonic() + 61)

    assert server.open_now == 2
    assert pool.statistics().closed_total == 3


def test_a_connection_past_its_lifetime_is_closed_on_return():
    """A lifetime of nothing means that every job gets a new connection."""
    server = FakeServer()
    pool = build_pool(server, PoolLimits(min_idle=0, max_lifetime_s=0.0))

    use(pool, "a")
    use(pool, "b")

    assert [c.is_closed for c in server.connections] == [True, True]


def test_idle_connections_past_their_lifetime_are_closed_by_maintenance():
    """Also those that `min_idle` would keep; lifetimes differ by up to a tenth."""
    server = FakeServer()
    pool = build_pool(server, PoolLimits(min_idle=2, max_lifetime_s=600))
    make_idle(pool, 4)
    lifetimes_s = [p.expires_at_s - time.monotonic() for p in pool._idle._stack]

    pool.maintain(time.monotonic() + 601)

    assert [c.is_closed for c in server.connections[:4]] == [True] * 4
    assert all(530 < s <= 600 for s in lifetimes_s)
    assert len({round(s, 3) for s in lifetimes_s}) > 1


def test_a_lease_held_for_too_long_is_reported_once(caplog):
    """One warning, with the job that holds it, and one count."""
    pool = build_pool(FakeServer(), PoolLimits(min_idle=0, leak_report_s=60))
    lease = pool.borrow("slow-job", 1.0)

    with caplog.at_level(logging.WARNING):
        pool.maintain(time.monotonic() + 30)
        pool.maintain(time.monotonic() + 61)
        pool.maintain(time.monotonic() + 90)

    assert [r.getMessage() for r in caplog.records] == ["job slow-job has held a connection to source shop for 61 s"]
    assert pool.statistics().leaks_total == 1
    lease.give_back()


def test_a_wrong_password_is_told_at_once_and_tried_once():
    """Trying again could lock the account."""
    server = FakeServer(connect_error=lambda: AccessDeniedError("the server refuses user ann"))
    pool = build_pool(server)

    started_s = time.monotonic()
    with pytest.raises(AccessDeniedError, match="refuses user ann"):
        pool.borrow("a", 5.0)

    assert time.monotonic() - started_s < 1.0
    assert server.attempts == 1
    assert pool._capacity.used == 0


def test_a_server_that_was_there_is_tried_again_until_the_deadline():
    """A short outage is waited out, with at most ten attempts a second."""
    server = FakeServer()
    pool = build_pool(server, PoolLimits(min_idle=0))
    pool.borrow("first", 1.0).discard()
    server.connect_error = lambda: SourceUnreachableError("db:1 refused the connection")
    with ThreadPoolExecutor() as threads:
        waiting = [threads.submit(use, pool, f"job{n}") for n in range(10)]
        time.sleep(1.0)
        attempts = server.attempts - 1
        server.connect_error = None
        waits_s = [w.result(5.0) for w in waiting]

    assert 2 <= attempts <= 10
    assert max(waits_s) < 2.0


def test_a_new_borrower_cuts_the_pause_short():
    """After a long outage the pauses are long; who comes then is served as soon as the server is there, not after the pause."""
    server = FakeServer()
    pool = build_pool(server, PoolLimits(min_idle=0))
    pool.borrow("first", 1.0).discard()
    server.connect_error = lambda: SourceUnreachableError("db:1 refused the connection")
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(use, pool, "long there")
        assert wait_until(lambda: pool._attempts._failures >= 5)
        pool._attempts._demand.clear()
        server.connect_error = None
        threads.submit(use, pool, "just come").result(5.0)
        waited_s = waiting.result(5.0)

    assert waited_s < 5.0
    assert pool.statistics().connects_failed_total >= 5


def test_many_borrowers_do_not_storm_a_server_that_is_down():
    """However many come and go, at most ten attempts a second reach it."""
    server = FakeServer()
    pool = build_pool(server, PoolLimits(min_idle=0))
    pool.borrow("first", 1.0).discard()
    server.connect_error = lambda: SourceUnreachableError("db:1 refused the connection")

    def ask(number: int) -> None:
        with pytest.raises(SourceUnreachableError):
            pool.borrow(f"job{number}", 0.05 + number % 7 / 100)

    started_s = time.monotonic()
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(ask, range(400)))
    took_s = time.monotonic() - started_s

    assert server.attempts - 1 <= took_s * 10 + 1


def test_an_attempt_that_hangs_after_an_outage_keeps_nobody_from_the_next():
    """One attempt is lost in the network; half a second later another one is made, although attempts have failed before."""
    server = FakeServer()
    pool = build_pool(server, PoolLimits(min_idle=0))
    pool.borrow("first", 1.0).discard()
    server.connect_error = lambda: SourceUnreachableError("db:1 refused the connection")
    with pytest.raises(SourceUnreachableError):
        pool.borrow("a", 0.2)
    lost = server.hang = threading.Event()
    server.connect_error = None
    attempts = server.attempts
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(use, pool, "b")
        assert wait_until(lambda: server.attempts > attempts)
        server.hang = None
        time.sleep(0.6)
        pool.maintain(time.monotonic())

        assert waiting.result(2.0) < 2.0
        lost.set()


def test_a_new_source_that_is_busy_is_asked_again():
    """It answered, so it is there: unlike one that never did, it is worth waiting for."""
    server = FakeServer(connect_error=lambda: SourceUnreachableError("db:1 takes no session now", is_busy=True))
    pool = build_pool(server)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(use, pool, "a")
        assert wait_until(lambda: server.attempts >= 3)
        server.connect_error = None

        assert waiting.result(5.0) > 0.2


def test_an_outage_longer_than_the_timeout_is_told_as_such():
    """The borrower learns why nothing could be opened, not just that it waited."""
    server = FakeServer()
    pool = build_pool(server)
    pool.borrow("first", 1.0).discard()
    server.connect_error = lambda: SourceUnreachableError("db:1 refused the connection")

    with pytest.raises(SourceUnreachableError, match="refused the connection"):
        pool.borrow("a", 0.3)
    pool.close()

    assert pool.statistics().timeouts_total == 1


def test_what_a_connector_raises_beside_the_known_errors_is_wrapped_without_its_text():
    """A driver's own error can hold the URL; only its class is told."""
    server = FakeServer(connect_error=lambda: ValueError("fake://ann:first@db"))
    pool = build_pool(server)

    with pytest.raises(ExtractionError, match=r"connector fake .* raised ValueError") as caught:
        pool.borrow("a", 1.0)

    assert "first@" not in str(caught.value)


def test_closing_closes_idle_connections_and_ends_borrowed_ones():
    """Idle ones close now; a borrowed one is cancelled, and closed when it comes back."""
    server = FakeServer()
    pool = build_pool(server)
    make_idle(pool, 2)
    lease = pool.borrow("a", 1.0)

    pool.close()
    was_cancelled = lease.connection.cancelled.wait(1.0)
    open_before_return = server.open_now
    lease.give_back()

    assert was_cancelled
    assert open_before_return == 1
    assert server.open_now == 0
    with pytest.raises(ExtractionError, match="changed or removed"):
        pool.borrow("b", 1.0)


def test_closing_wakes_those_who_wait():
    """They leave at once, with an error that says why."""
    pool = build_pool(FakeServer(), PoolLimits(max_size=1, min_idle=0))
    pool.borrow("holder", 1.0)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(pool.borrow, "b", 10.0)
        assert wait_until(lambda: pool.statistics().waiting == 1)
        pool.close()

        with pytest.raises(ExtractionError, match="changed or removed"):
            waiting.result(1.0)


def test_a_job_that_is_stopped_stops_waiting():
    """Only its own wait ends."""
    pool = build_pool(FakeServer(), PoolLimits(max_size=1, min_idle=0))
    lease = pool.borrow("holder", 1.0)
    with ThreadPoolExecutor() as threads:
        stopped = threads.submit(pool.borrow, "b", 10.0)
        assert wait_until(lambda: pool.statistics().waiting == 1)
        other = threads.submit(use, pool, "c")
        assert wait_until(lambda: pool.statistics().waiting == 2)

        pool.end_wait("b", CancelledJobError("job b was stopped"))
        with pytest.raises(CancelledJobError):
            stopped.result(1.0)
        lease.give_back()

        assert other.result(1.0) > 0


def test_a_cancel_never_reaches_the_next_borrower():
    """A connection whose query was ended is closed on its return, even when the cancel came too late."""
    server = FakeServer()
    pool = build_pool(server)
    lease = pool.borrow("a", 1.0)

    assert lease.end_query()
    lease.give_back()
    assert not lease.end_query()

    assert server.connections[0].is_closed
    assert pool.borrow("b", 1.0).connection is server.connections[1]
