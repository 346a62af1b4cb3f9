"""All pools together: the total limit, changed credentials, the thread that maintains them."""

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jivsbench.api import ReadLimits
from jivsbench.errors import ExtractionError, PoolTimeoutError, UnknownNameError
from jivsbench.extract.capacity import Capacity
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.pool_set import PoolSet
from jivsbench.extract.pools import ConnectionPool
from jivsbench.extract.unpooled import UnpooledSource
from jivsbench.model.profile import LEGACY, PoolLimits
from tests.unit.extract_fakes import (
    REQUEST,
    FakeConnection,
    FakeConnector,
    FakeServer,
    build_pool,
    build_profile,
    build_source,
    wait_until,
)


def build_set(server: FakeServer, limits: PoolLimits | None = None, **more: object) -> PoolSet:
    """Pools over one fake server."""
    return PoolSet({"fake": FakeConnector(server)}, build_profile(pool=limits), **more)


def test_the_total_limit_holds_over_all_pools():
    """Three pools of up to ten each never have more than four connections open together."""
    server = FakeServer(connect_s=0.001)
    pools = build_set(server, PoolLimits(max_size=10, min_idle=0, total_max=4))
    sources = [build_source(name) for name in ("a", "b", "c")]

    def use(number: int) -> None:
        lease = pools.borrow(sources[number % 3], f"job{number}")
        time.sleep(0.001)
        lease.give_back()

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(use, range(240)))
    pools.close()

    assert server.most_open <= 4
    assert server.open_now == 0


def test_an_idle_connection_of_another_pool_gives_way():
    """It is closed before the new one is opened."""
    server = FakeServer()
    capacity = Capacity(1)
    first, second = build_pool(server, capacity=capacity, name="a"), build_pool(server, capacity=capacity, name="b")
    first.borrow("x", 1.0).give_back()

    lease = second.borrow("y", 1.0)

    assert server.connections[0].is_closed
    assert lease.connection is server.connections[1]
    assert server.most_open == 1


def test_a_pool_without_any_connection_is_not_starved_by_a_busy_one():
    """The busy pool's next free connection is closed for it, although others wait for it there."""
    server = FakeServer()
    capacity = Capacity(1)
    busy, starved = build_pool(server, capacity=capacity, name="a"), build_pool(server, capacity=capacity, name="b")
    lease = busy.borrow("x", 1.0)
    with ThreadPoolExecutor() as threads:
        waiting_here = threads.submit(busy.borrow, "y", 5.0)
        assert wait_until(lambda: busy.statistics().waiting == 1)
        waiting_there = threads.submit(starved.borrow, "z", 5.0)
        assert wait_until(lambda: starved.statistics().waiting == 1)

        lease.give_back()
        taken = waiting_there.result(2.0)
        taken.give_back()
        waiting_here.result(2.0).give_back()

    assert server.most_open == 1


def test_room_that_a_failed_connect_gives_back_is_used():
    """The total count does not leak when connecting fails."""
    server = FakeServer(connect_error=lambda: ValueError("no"))
    pools = build_set(server, PoolLimits(min_idle=0, total_max=1))
    for number in range(3):
        with pytest.raises(ExtractionError):
            pools.borrow(build_source(), f"job{number}")
    server.connect_error = None

    pools.borrow(build_source("other"), "last", 1.0).give_back()
    pools.close()

    assert server.open_now == 0


def test_changed_credentials_close_the_old_pool_within_a_second():
    """Idle connections of the old password close at once; a query that runs on one is ended."""
    server = FakeServer()
    pools = build_set(server)
    held = pools.borrow(build_source(password="first"), "a")
    pools.borrow(build_source(password="first"), "b").give_back()

    lease = pools.borrow(build_source(password="second"), "c")
    was_ended = held.connection.cancelled.wait(1.0)
    held.give_back()
    lease.give_back()

    assert was_ended
    assert [c.is_closed for c in server.connections] == [True, True, False]
    assert [":first@" in url for url in server.urls] == [True, True, False]
    pools.close()


def test_a_forgotten_source_has_no_pool_left():
    """Its idle connections are closed, its figures are gone."""
    server = FakeServer()
    pools = build_set(server)
    pools.borrow(build_source(), "a").give_back()

    pools.forget("shop")
    pools.forget("never heard of")

    assert server.open_now == 0
    assert pools.statistics() == ()
    pools.close()


def test_the_password_is_not_kept_as_a_key():
    """What identifies a pool is a keyed digest, different in every process."""
    first, second = build_set(FakeServer()), build_set(FakeServer())

    digests = {pools._digest(build_source()) for pools in (first, second)}

    assert len(digests) == 2
    assert not any(b"first" in digest for digest in digests)


def test_one_thread_maintains_all_pools_and_ends():
    """It refills `min_idle` by itself, and is gone after `close`."""
    others = set(threading.enumerate())
    server = FakeServer()
    pools = build_set(server, PoolLimits(min_idle=2), maintain_every_s=0.01)
    for name in ("a", "b"):
        pools.borrow(build_source(name), "x").give_back()

    assert wait_until(lambda: server.open_now == 4)
    assert [t.name for t in threading.enumerate() if t not in others and t.name.startswith("pool-")] == ["pool-maintenance"]
    pools.close()

    assert wait_until(lambda: not any(t not in others and t.name.startswith("pool-") for t in threading.enumerate()))
    assert server.open_now == 0


def test_nothing_is_lent_after_closing():
    """A job that comes too late is told so."""
    pools = build_set(FakeServer())
    pools.close()

    with pytest.raises(ExtractionError, match="while the service stops"):
        pools.borrow(build_source(), "late")


def test_a_connector_that_is_not_loaded_is_named():
    """With the ones that are."""
    pools = PoolSet({}, build_profile())

    with pytest.raises(UnknownNameError, match="no connector is called 'fake'"):
        pools.borrow(build_source(), "a")


def test_without_the_pool_switch_every_job_opens_and_closes_a_connection():
    """The legacy form, under the same total limit."""
    server = FakeServer(connect_s=0.001)
    pools = PoolSet({"fake": FakeConnector(server)}, build_profile(LEGACY, pool=PoolLimits(total_max=3)))

    def use(number: int) -> None:
        pools.borrow(build_source(), f"job{number}").give_back()

    with ThreadPoolExecutor(10) as threads:
        list(threads.map(use, range(50)))
    statistics = pools.statistics()[0]
    pools.close()

    assert len(server.connections) == 50
    assert server.most_open <= 3
    assert server.open_now == 0
    assert (statistics.opened_total, statistics.closed_total, statistics.active) == (50, 50, 0)


def test_without_a_pool_the_total_limit_is_waited_for_and_timed():
    """The wait ends with the error that names the limit in the way."""
    pools = PoolSet({"fake": FakeConnector()}, build_profile(LEGACY, pool=PoolLimits(total_max=1, borrow_timeout_s=0.2)))
    lease = pools.borrow(build_source(), "holder")

    with pytest.raises(PoolTimeoutError, match=r"pool\.total_max"):
        pools.borrow(build_source(), "late")

    lease.give_back()
    pools.borrow(build_source(), "next").give_back()
    pools.close()


def test_without_a_pool_changed_credentials_end_the_running_query():
    """The switch changes how connections are opened, not who may use them."""
    server = FakeServer()
    pools = PoolSet({"fake": FakeConnector(server)}, build_profile(LEGACY))
    held = pools.borrow(build_source(), "a")

    pools.forget("shop")

    assert held.connection.cancelled.wait(1.0)
    assert held.is_revoked
    held.give_back()
    assert server.open_now == 0


class BrokenEnd(FakeConnection):
    """A session whose plugin breaks its promise: to close it raises."""

    fault = "a secret row value"

    def close(self) -> None:
        super().close()
        raise KeyError(self.fault)


@pytest.mark.parametrize("has_pool", [True, False])
def test_a_connection_that_cannot_be_closed_holds_no_room(*, has_pool: bool, caplog: pytest.LogCaptureFixture):
    """Returned unclean, and then once more: each gives its place back, and the job that returned it goes on."""
    server, capacity = FakeServer(), Capacity(1)
    kind = ConnectionPool if has_pool else UnpooledSource
    source = kind(FakeConnector(server, BrokenEnd), build_source(), PoolLimits(min_idle=0), ReadLimits(), capacity)

    for _ in range(3):
        source.borrow("job", 1.0).discard()

    assert capacity.used == 0
    assert source.size == 0
    assert "KeyError" in caplog.text
    assert BrokenEnd.fault not in caplog.text


def test_a_connection_that_has_to_give_way_and_cannot_be_closed_stops_no_pool():
    """The other pool gets its room, and connects."""
    capacity = Capacity(1)
    first = ConnectionPool(FakeConnector(FakeServer(), BrokenEnd), build_source(), PoolLimits(min_idle=0), ReadLimits(), capacity)
    second = build_pool(FakeServer(), capacity=capacity, name="other")
    first.borrow("job", 1.0).give_back()

    for _ in range(2):
        second.borrow("job", 1.0).discard()
    first.close()
    assert second.borrow("job", 1.0).is_held


def test_a_job_is_complete_though_its_connection_cannot_be_closed(tmp_path: Path):
    """Its output is verified and committed: what the plugin does then changes nothing of it."""
    connector = FakeConnector(FakeServer(rows=10), BrokenEnd)
    profile = build_profile(LEGACY)
    with contextlib.closing(
        Extractor(connectors={"fake": connector}, guards=(), profile=profile, output_dir=tmp_path / "out")
    ) as extractor:
        result = extractor.extract("job", build_source(), REQUEST)

    assert result.rows_written == 10
    assert (tmp_path / "out" / "job" / "manifest.json").is_file()
