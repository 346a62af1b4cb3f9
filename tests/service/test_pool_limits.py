"""How many sessions a real PostgreSQL sees: in a spike, under the cap over all pools, after a change of credentials."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from jivsbench.errors import JivsbenchError
from jivsbench.extract import connecting
from jivsbench.extract.leases import Lease
from jivsbench.extract.pool_set import PoolSet
from jivsbench.extract.pools import ConnectionPool
from jivsbench.model.profile import PoolLimits
from tests.service.pool_sources import CountingConnector, build_pool, build_source, count_sessions, fill, pid_of
from tests.unit.extract_fakes import build_profile, wait_until

# The core that runs here is covered by quicker tests, and tracing it would change the times that are measured.
pytestmark = pytest.mark.no_cover


class EagerAttempts(connecting.ConnectAttempts):
    """Planted bug: another attempt may always begin."""

    def may_start(self, now_s: float) -> bool:  # noqa: ARG002 - the bug
        return True


class ConnectsForEachWaiter(ConnectionPool):
    """Planted bug: a connection is opened for everybody who waits, as if none would come back."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self._attempts = EagerAttempts()

    def _connect_tasks(self, now_s: float) -> list[Callable[[], None]]:
        tasks: list[Callable[[], None]] = []
        while more := super()._connect_tasks(now_s):
            tasks += more
        return tasks


def spike(pool: ConnectionPool, connector: CountingConnector) -> list[float]:
    """Fifty borrow at once, five idle connections are there, connecting takes 0.4 s, a query 2 ms; sorted waits."""
    fill(pool, 5)
    connector.delay_s = 0.4
    start = threading.Barrier(50)

    def use(number: int) -> float:
        start.wait()
        started_s = time.monotonic()
        lease = pool.borrow(f"job{number}", 10.0)
        waited_s = time.monotonic() - started_s
        lease.connection._wire.fetch(b"SELECT pg_sleep(0.002)", doing="sleep", patience_s=5.0)
        lease.give_back()
        return waited_s

    with ThreadPoolExecutor(50) as threads:
        waits_s = sorted(threads.map(use, range(50)))
    assert wait_until(lambda: pool._attempts.count == 0)
    return waits_s


def test_a_spike_opens_no_connection_for_each_who_waits(embedded_postgres_url: str, admin: psycopg.Connection) -> None:
    """All fifty are served, and the pool ends with at most six connections, as the server itself sees."""
    connector = CountingConnector()
    source = build_source(embedded_postgres_url)
    own = match_later_sessions(admin)
    pool = build_pool(source, PoolLimits(max_size=50, min_idle=0), connector=connector)
    waits_s = spike(pool, connector)
    seen = count_sessions(admin, own)
    pool.close()

    assert len(waits_s) == 50
    assert seen <= 6
    assert pool.statistics().opened_total <= 6


def test_a_pool_that_connects_for_each_waiter_is_caught(embedded_postgres_url: str) -> None:
    """The test above can fail."""
    connector = CountingConnector()
    pool = build_pool(
        build_source(embedded_postgres_url), PoolLimits(max_size=50, min_idle=0), kind=ConnectsForEachWaiter, connector=connector
    )
    spike(pool, connector)
    opened = pool.statistics().opened_total
    pool.close()

    assert opened > 6


def match_later_sessions(admin: psycopg.Connection) -> str:
    """A condition on sessions that none of now meets: those of other tests may be ending, and one that goes must hide none."""
    others = admin.execute("SELECT pid FROM pg_stat_activity").fetchall()
    return f"backend_type = 'client backend' AND pid NOT IN ({', '.join(str(pid) for (pid,) in others)})"


def most_sessions(pools: PoolSet, url: str, admin: psycopg.Connection) -> list[int]:
    """Twelve threads borrow from three sources on one server: how many sessions the server saw at each look, sorted."""
    own = match_later_sessions(admin)
    sources = [build_source(url, name=name) for name in ("a", "b", "c")]
    is_over, seen = threading.Event(), []

    def watch() -> None:
        while not is_over.is_set():
            seen.append(count_sessions(admin, own))

    def use(number: int) -> None:
        lease = pools.borrow(sources[number % 3], f"job{number}", 20.0)
        lease.connection._wire.fetch(b"SELECT pg_sleep(0.005)", doing="sleep", patience_s=5.0)
        lease.give_back()

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(use, range(120)))
    is_over.set()
    watcher.join()
    pools.close()
    return sorted(seen)


CAPPED = PoolLimits(max_size=10, min_idle=0, total_max=4)


def test_the_cap_over_all_pools_holds_on_the_server(embedded_postgres_url: str, admin: psycopg.Connection) -> None:
    """Four connections in all, though each source might have ten, as the server itself sees."""
    pools = PoolSet({"postgres": CountingConnector()}, build_profile(pool=CAPPED))
    seen = most_sessions(pools, embedded_postgres_url, admin)

    # A session that was closed a moment ago may still be on the server's list while the next one is there already.
    assert 1 <= seen[-1] <= 5
    assert seen[len(seen) * 9 // 10] <= 4


def test_pools_without_a_common_cap_are_caught(embedded_postgres_url: str, admin: psycopg.Connection) -> None:
    """The test above can fail: with a cap that counts nothing the server sees more."""
    pools = PoolSet({"postgres": CountingConnector()}, build_profile(pool=CAPPED))
    pools._capacity.total_max = 1000
    seen = most_sessions(pools, embedded_postgres_url, admin)

    assert seen[-1] > 5


def rotate(pools: PoolSet, clerk: str, admin: psycopg.Connection) -> float:
    """Change the password under an idle and a busy session: seconds until the server has neither, 2 when it has one then."""
    admin.execute("ALTER ROLE clerk CONNECTION LIMIT 10")
    idle, busy = pools.borrow(build_source(clerk), "idle"), pools.borrow(build_source(clerk), "busy")
    old = (pid_of(idle.connection), pid_of(busy.connection))
    idle.give_back()
    admin.execute("ALTER ROLE clerk PASSWORD 'second'")
    with ThreadPoolExecutor() as threads:
        query = threads.submit(sleep_and_return, busy)
        assert wait_until(lambda: count_sessions(admin, f"pid = {old[1]} AND state = 'active'") == 1)
        changed_at_s = time.monotonic()
        lease = pools.borrow(build_source(clerk.replace("first", "second")), "new")
        wait_until(lambda: count_sessions(admin, f"pid IN {old}") == 0, 2.0)
        took_s = time.monotonic() - changed_at_s
        lease.give_back()
        busy.end_query()
        assert isinstance(query.exception(10.0), JivsbenchError)
    pools.close()
    return took_s


def sleep_and_return(lease: Lease) -> None:
    """A long query of a job, which gives its connection back however it ends."""
    try:
        lease.connection.begin()
        lease.connection._wire.fetch(b"SELECT pg_sleep(30)", doing="sleep", patience_s=40.0)
    finally:
        lease.give_back()


def test_changed_credentials_end_every_old_session_within_a_second(clerk: str, admin: psycopg.Connection) -> None:
    """Idle or in the middle of a query, as the server sees it; new borrowers use the new password at once."""
    took_s = rotate(PoolSet({"postgres": CountingConnector()}, build_profile()), clerk, admin)

    assert took_s <= 1.0


def test_pools_that_keep_old_credentials_are_caught(clerk: str, admin: psycopg.Connection, monkeypatch) -> None:
    """The test above can fail: an old pool that is not closed keeps its sessions."""
    close = ConnectionPool.close
    monkeypatch.setattr(ConnectionPool, "close", lambda _: None)
    pools = PoolSet({"postgres": CountingConnector()}, build_profile())
    old: list[ConnectionPool] = []
    build = pools._build
    monkeypatch.setattr(pools, "_build", lambda source: old.append(build(source)) or old[-1])
    monkeypatch.setattr(PoolSet, "close", lambda _: None)
    took_s = rotate(pools, clerk, admin)
    monkeypatch.undo()
    for pool in old:
        close(pool)
    pools.close()

    assert took_s > 1.0
