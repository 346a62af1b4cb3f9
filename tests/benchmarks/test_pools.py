"""What borrowing costs, against opening a connection. Run with `make bench`; skipped elsewhere."""

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
    statistics = pools.statistics()[0]
    pools.close()

    assert statistics.active == 0
    assert statistics.borrowed_total > 0


def test_a_pool_borrows_ten_times_faster_than_a_connection_opens(benchmark, embedded_postgres_url: str):
    """The ratio itself, on one machine in one run: at least 5, most often above 10."""
    import timeit

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
