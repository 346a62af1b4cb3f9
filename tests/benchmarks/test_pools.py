"""What borrowing costs, against opening a connection. Run with `make bench`; skipped elsewhere."""

import statistics
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from jivsbench.api import ReadLimits
from jivsbench.extract.pool_set import PoolSet
from jivsbench.model.profile import LEGACY, OPTIMIZED
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from tests.unit.extract_fakes import FakeConnector, build_profile, build_source

pytest.importorskip("pytest_benchmark")


def borrow_and_return(pools: PoolSet, source: DataSource) -> None:
    """What a job does with the pool."""
    pools.borrow(source, "job").give_back()


def test_borrowing_from_a_pool_costs_microseconds(benchmark):
    """The pool's own work, over connections that cost nothing: under 100 us even on a busy machine."""
    pools = PoolSet({"fake": FakeConnector()}, build_profile())
    source = build_source()

    benchmark(borrow_and_return, pools, source)
    pools.close()

    assert benchmark.stats.stats.median < 100e-6


@pytest.mark.parametrize("profile", [OPTIMIZED, LEGACY], ids=["pooled", "unpooled"])
def test_a_real_connection_borrowed_or_opened(benchmark, embedded_postgres_url: str, profile):
    """The gain of the `pool` switch: compare the medians of the two; both include the reset or the close."""
    from jivsbench_postgres.connector import PostgresConnector

    connector = PostgresConnector()
    source = DataSource("bench", "postgres", Secret(embedded_postgres_url))
    pools = PoolSet({"postgres": connector}, build_profile(profile))

    benchmark(borrow_and_return, pools, source)
    counted = pools.statistics()[0]
    pools.close()

    assert counted.active == 0
    assert counted.borrowed_total > 0


def test_a_pool_borrows_ten_times_faster_than_a_connection_opens(benchmark, embedded_postgres_url: str):
    """The ratio itself, on one machine in one run: at least 5, most often above 10."""
    from jivsbench_postgres.connector import PostgresConnector

    connector = PostgresConnector()
    source = DataSource("bench", "postgres", Secret(embedded_postgres_url))
    pools = PoolSet({"postgres": connector}, build_profile())
    benchmark(borrow_and_return, pools, source)
    opening_s = min(timeit.repeat(lambda: connector.connect(source, ReadLimits()).close(), number=1, repeat=20))
    pools.close()

    ratio = opening_s / benchmark.stats.stats.min
    benchmark.extra_info["opening_to_borrowing"] = round(ratio, 1)
    assert ratio >= 5


@contextmanager
def queue_pool(url: str | None) -> Iterator[Callable[[], None]]:
    """Borrow and return with SQLAlchemy's QueuePool: over connections that cost nothing, or cleared by DISCARD ALL."""
    import psycopg
    from sqlalchemy import event
    from sqlalchemy.pool import QueuePool

    if url is None:
        pool = QueuePool(lambda: FakeConnector().connect(build_source(), ReadLimits()), reset_on_return=None)
    else:
        pool = QueuePool(lambda: psycopg.connect(url, autocommit=True), reset_on_return=None)

        @event.listens_for(pool, "reset")
        def clear(connection, _record, _state) -> None:
            connection.execute("DISCARD ALL", prepare=False)

    yield lambda: pool.connect().close()
    pool.dispose()


@contextmanager
def psycopg_pool(url: str, *, clears: bool) -> Iterator[Callable[[], None]]:
    """Borrow and return with psycopg_pool: as it is, or cleared by DISCARD ALL."""
    clear = (lambda connection: connection.execute("DISCARD ALL", prepare=False)) if clears else None
    build = pytest.importorskip("psycopg_pool").ConnectionPool
    with build(url, min_size=1, open=True, kwargs={"autocommit": True}, reset=clear) as pool:
        yield lambda: pool.putconn(pool.getconn())


def ratio(ours: Callable[[], object], peer: Callable[[], object], number: int) -> float:
    """Our time by the peer's: the median over rounds in turns, so that the machine's moods meet both."""
    rounds = [(timeit.timeit(ours, number=number), timeit.timeit(peer, number=number)) for _ in range(21)]
    return round(statistics.median(ours_s / peer_s for ours_s, peer_s in rounds), 2)


@pytest.mark.benchmark(group="pools: the pool's own work")
def test_a_pool_s_own_work_beside_its_peers(benchmark, embedded_postgres_url: str):
    """Over connections that cost nothing (psycopg_pool: real ones, which it does not touch): at most three times a peer's."""
    pools = PoolSet({"fake": FakeConnector()}, build_profile())
    source = build_source()
    benchmark(borrow_and_return, pools, source)
    with psycopg_pool(embedded_postgres_url, clears=False) as first, queue_pool(None) as second:
        ratios = [ratio(lambda: borrow_and_return(pools, source), peer, 500) for peer in (first, second)]
    pools.close()

    benchmark.extra_info |= dict(zip(("to psycopg_pool", "to QueuePool"), ratios, strict=True))
    assert max(ratios) <= 3


@pytest.mark.benchmark(group="pools: with a cleared session")
def test_borrowing_a_cleared_session_beside_the_peers(benchmark, embedded_postgres_url: str):
    """Real sessions: ROLLBACK and DISCARD ALL here, DISCARD ALL alone there, one round trip each: at most twice a peer's."""
    from jivsbench_postgres.connector import PostgresConnector

    source = DataSource("bench", "postgres", Secret(embedded_postgres_url))
    pools = PoolSet({"postgres": PostgresConnector()}, build_profile())
    benchmark(borrow_and_return, pools, source)
    with psycopg_pool(embedded_postgres_url, clears=True) as first, queue_pool(embedded_postgres_url) as second:
        ratios = [ratio(lambda: borrow_and_return(pools, source), peer, 50) for peer in (first, second)]
    pools.close()

    benchmark.extra_info |= dict(zip(("to psycopg_pool", "to QueuePool"), ratios, strict=True))
    assert max(ratios) <= 2
