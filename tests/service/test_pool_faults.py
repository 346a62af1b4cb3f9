"""The pool before a real PostgreSQL that is down, silent, full, starting, or killed and back."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg
import pytest

from jivsbench.errors import AccessDeniedError, JivsbenchError, PoolTimeoutError, SourceUnreachableError
from jivsbench.extract import connecting
from jivsbench.extract.leases import ConnectionSource
from jivsbench.extract.pools import ConnectionPool
from jivsbench.extract.unpooled import UnpooledSource
from jivsbench.model.profile import PoolLimits
from jivsbench.testing.tcp_proxy import Fault, TcpProxy
from tests.machine import fastest
from tests.service.pool_sources import CountingConnector, build_pool, build_source, fill
from tests.service.restartable_postgres import RestartablePostgres, restartable_postgres
from tests.unit.extract_fakes import wait_until

# The core that runs here is covered by quicker tests, and tracing it would change the times that are measured.
pytestmark = pytest.mark.no_cover

TIMEOUT_S = 1.0
LIMITS = PoolLimits(max_size=3, min_idle=0, borrow_timeout_s=TIMEOUT_S)
STALE_S = 0.6
"""Long enough for an idle connection to be asked whether it lives before it is lent."""


@pytest.fixture
def proxy(embedded_postgres) -> Iterator[TcpProxy]:
    """Stands between pool and server."""
    with TcpProxy("127.0.0.1", embedded_postgres.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def restartable() -> Iterator[RestartablePostgres]:
    """A server of this module's own."""
    with restartable_postgres() as server:
        yield server


@dataclass
class Attempt:
    """How one call of `borrow` ended."""

    took_s: float
    error: JivsbenchError | None


def attempt(pool: ConnectionSource, timeout_s: float = TIMEOUT_S) -> Attempt:
    """Borrow once, and give back what was lent."""
    started_s = time.monotonic()
    error: JivsbenchError | None = None
    try:
        lease = pool.borrow("job", timeout_s)
    except JivsbenchError as problem:
        error = problem
        took_s = time.monotonic() - started_s
    else:
        took_s = time.monotonic() - started_s
        lease.discard()
    return Attempt(took_s, error)


def best_attempt(pool: ConnectionPool) -> Attempt:
    """The shortest of up to three attempts at the same pool."""
    return shortest(lambda _: pool, TIMEOUT_S * 1.1, closes=False)


def shortest(prepare: Callable[[ExitStack], ConnectionSource], limit_s: float, *, closes: bool = True) -> Attempt:
    """The shortest of up to three attempts: a busy machine may stop any of them, but not all."""
    attempts: list[Attempt] = []
    while len(attempts) < 3 and min((a.took_s for a in attempts), default=limit_s + 1) > limit_s:
        with ExitStack() as stack:
            pool = prepare(stack)
            if closes:
                stack.callback(pool.close)
            attempts.append(attempt(pool))
    return min(attempts, key=lambda a: a.took_s)


STATES = ["down", "down, with idle connections", "silent", "silent, with idle connections", "exhausted"]


@pytest.mark.parametrize("state", STATES)
def test_a_borrower_is_answered_in_time(state: str, proxy: TcpProxy, embedded_postgres_url: str) -> None:
    """A connection or an error within the timeout and a tenth, whatever the server does."""

    def prepare(stack: ExitStack) -> ConnectionPool:
        proxy.set_fault(Fault.NONE)
        pool = build_pool(build_source(embedded_postgres_url, port=proxy.port), LIMITS)
        if "idle" in state:
            fill(pool, 3)
            time.sleep(STALE_S)
        if state == "exhausted":
            for lease in [pool.borrow("holder", 10.0) for _ in range(LIMITS.max_size)]:
                stack.callback(lease.discard)
        else:
            proxy.set_fault(Fault.REFUSE if "down" in state else Fault.HOLD)
        return pool

    ended = shortest(prepare, TIMEOUT_S * 1.1)
    proxy.set_fault(Fault.NONE)

    assert ended.took_s <= TIMEOUT_S * 1.1
    assert isinstance(ended.error, SourceUnreachableError if "down" in state else PoolTimeoutError)


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.HOLD])
def test_without_a_pool_a_borrower_is_answered_in_time(fault: Fault, proxy: TcpProxy, embedded_postgres_url: str) -> None:
    """A job that opens its own connection has the same limit."""

    def prepare(_: ExitStack) -> UnpooledSource:
        return build_pool(build_source(embedded_postgres_url, port=proxy.port), LIMITS, kind=UnpooledSource)

    proxy.set_fault(fault)
    ended = shortest(prepare, TIMEOUT_S * 1.1)
    proxy.set_fault(Fault.NONE)

    assert ended.took_s <= TIMEOUT_S * 1.1
    assert isinstance(ended.error, SourceUnreachableError)


class ConnectsInTheBorrower(ConnectionPool):
    """Planted bug: the borrower itself asks its connections whether they live, and connects."""

    def _start(self, tasks: list[Callable[[], None]]) -> None:
        for task in tasks:
            task()


def test_a_pool_that_connects_in_the_borrower_is_caught(proxy: TcpProxy, embedded_postgres_url: str) -> None:
    """The test above can fail: the question to a silent server outlasts the borrower's time."""
    limits = PoolLimits(max_size=3, min_idle=0, borrow_timeout_s=5.0)
    pool = build_pool(build_source(embedded_postgres_url, port=proxy.port), limits, kind=ConnectsInTheBorrower)
    fill(pool, 1)
    time.sleep(STALE_S)
    proxy.set_fault(Fault.HOLD)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(attempt, pool)
        time.sleep(TIMEOUT_S * 1.1)
        is_late = not waiting.done()
        proxy.set_fault(Fault.NONE)
    pool.close()

    assert is_late


def test_out_of_slots_is_waited_for_and_told(clerk: str) -> None:
    """53300 is asked again at most ten times a second until somebody leaves; else the reason is told, in time."""
    connector = CountingConnector()
    pool = build_pool(build_source(clerk), LIMITS, connector=connector)
    with ThreadPoolExecutor() as threads:
        with psycopg.connect(clerk):
            told = best_attempt(pool)
            attempts = len(connector.attempts_at_s)
            span_s = connector.attempts_at_s[-1] - connector.attempts_at_s[0]
            waiting = threads.submit(attempt, pool, 20.0)
            assert wait_until(lambda: len(connector.attempts_at_s) > attempts)
        served = waiting.result(30.0)
    pool.close()

    assert "every connection slot is taken" in str(told.error)
    assert told.took_s <= TIMEOUT_S * 1.1
    assert 3 <= attempts <= span_s * 10 + 1
    assert served.error is None


def test_a_wrong_password_is_told_at_once_and_not_tried_again(clerk: str) -> None:
    """One attempt for each borrower, whatever the timeout; trying again could lock the account."""
    connector = CountingConnector()
    pool = build_pool(build_source(clerk.replace("first", "wrong")), LIMITS, connector=connector)
    ended = attempt(pool, 30.0)
    time.sleep(0.3)
    pool.close()

    assert isinstance(ended.error, AccessDeniedError)
    assert ended.took_s < 5.0
    assert len(connector.attempts_at_s) == 1


def test_a_server_that_starts_is_waited_for(restartable: RestartablePostgres) -> None:
    """57P03 until it takes sessions: a new pool asks at most ten times a second, and has one within a second after it does."""
    restartable.shut_down()
    restartable.become_standby()
    restartable.start("hot_standby=off")
    connector = CountingConnector()
    pool = build_pool(build_source(restartable.url), LIMITS, connector=connector)
    assert wait_until(lambda: is_starting(restartable.url), 30.0)
    told = best_attempt(pool)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(attempt, pool, 30.0)
        time.sleep(1.0)
        restartable.promote()
        accepts_at_s = restartable.wait_until_it_accepts()
        served = waiting.result(40.0)
        served_at_s = time.monotonic()
    pool.close()

    assert isinstance(told.error, SourceUnreachableError)
    assert told.error.is_busy
    assert told.took_s <= TIMEOUT_S * 1.1
    assert served.error is None
    # A pause is 0.5 s at most, and more than half of one is left when it accepts: this is played once.
    assert served_at_s - accepts_at_s <= 2.0
    span_s = connector.attempts_at_s[-1] - connector.attempts_at_s[0]
    assert len(connector.attempts_at_s) <= span_s * 10 + 1


def is_starting(url: str) -> bool:
    """True when the server answers that it takes no sessions now."""
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect(url, connect_timeout=2)
    return "not accepting connections" in str(caught.value)


def borrow_until(pool: ConnectionPool, is_over: threading.Event, served_at_s: list[float]) -> None:
    """Borrow, ask, give back, again and again; when each round succeeded."""
    while not is_over.is_set():
        try:
            lease = pool.borrow("job", 5.0)
        except JivsbenchError:
            continue
        if lease.connection.is_alive():
            served_at_s.append(time.monotonic())
            lease.give_back()
        else:
            lease.discard()
        time.sleep(0.01)


def recover(restartable: RestartablePostgres, outage_s: float) -> tuple[float, bool]:
    """Kill the server under four borrowers, start it again: seconds from its first session to theirs, and whether none is out."""
    pool = build_pool(build_source(restartable.url), PoolLimits(max_size=4, min_idle=2))
    fill(pool, 4)
    is_over, served_at_s = threading.Event(), []
    with ThreadPoolExecutor() as threads:
        for _ in range(4):
            threads.submit(borrow_until, pool, is_over, served_at_s)
        assert wait_until(lambda: len(served_at_s) > 8)
        restartable.kill()
        killed_at_s = time.monotonic()
        time.sleep(outage_s)
        restartable.start()
        accepts_at_s = restartable.wait_until_it_accepts()
        assert wait_until(lambda: any(at_s > killed_at_s + outage_s for at_s in served_at_s), 20.0)
        is_over.set()
    first_at_s = min(at_s for at_s in served_at_s if at_s > killed_at_s + outage_s)
    pool.close()
    return first_at_s - accepts_at_s, pool.statistics().active == 0


def test_a_server_that_was_killed_is_used_within_a_second(restartable: RestartablePostgres) -> None:
    """Down for three seconds: the first borrower is served at most a second after the server accepts again."""

    def attempt() -> float:
        late_s, is_all_back = recover(restartable, 3.0)
        assert is_all_back
        return late_s

    assert fastest(attempt, 1.0) <= 1.0


@pytest.mark.nightly
def test_a_pool_without_a_cap_on_its_pauses_is_caught(restartable: RestartablePostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: a pause that has grown without an end, and that nobody cuts short, outlasts the outage."""
    monkeypatch.setattr(connecting, "_MAX_BACKOFF_S", 60.0)
    monkeypatch.setattr(connecting.ConnectAttempts, "hurry", lambda _: None)
    # As long as several doublings come to, so that it also outlasts the start of a server on a busy machine.
    monkeypatch.setattr(connecting, "_FIRST_BACKOFF_S", 10.0)
    late_s, _ = recover(restartable, 2.0)

    assert late_s > 1.0
