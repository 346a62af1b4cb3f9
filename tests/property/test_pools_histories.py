"""Random histories of borrowing, returning, breaking and closing: what a pool promises holds after every step."""

import time

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from jivsbench.errors import PoolTimeoutError
from jivsbench.extract.capacity import Capacity
from jivsbench.extract.leases import Lease
from jivsbench.extract.pools import ConnectionPool
from jivsbench.model.profile import PoolLimits
from tests.unit.extract_fakes import FakeServer, build_pool

NO_WAIT_S = 0.02


class PoolHistories(RuleBasedStateMachine):
    """Two pools under one total limit, used by one thread, so that every step's outcome is known."""

    leases = Bundle("leases")

    @initialize(max_size=st.integers(1, 3), total=st.integers(1, 4), min_idle=st.integers(0, 2))
    def build(self, max_size: int, total: int, min_idle: int) -> None:
        limits = PoolLimits(max_size=max_size, min_idle=min_idle, idle_timeout_s=60.0, max_lifetime_s=600.0)
        self.capacity = Capacity(total)
        self.limits = limits
        self.servers = [FakeServer(), FakeServer()]
        self.pools = [build_pool(s, limits, self.capacity, f"source{n}") for n, s in enumerate(self.servers)]
        self.held: dict[Lease, int] = {}

    def held_by(self, number: int) -> int:
        return sum(n == number for n in self.held.values())

    @rule(target=leases, number=st.integers(0, 1))
    def borrow(self, number: int) -> object:
        """Granted exactly when this pool and the total have room besides what is borrowed: idle ones give way."""
        has_room = self.held_by(number) < self.limits.max_size and len(self.held) < self.capacity.total_max
        try:
            lease = self.pools[number].borrow("job", 2.0 if has_room else NO_WAIT_S)
        except PoolTimeoutError:
            assert not has_room
            return multiple()
        assert has_room
        assert not lease.connection.is_closed
        assert not lease.connection.is_broken
        assert lease.connection not in [other.connection for other in self.held]
        self.held[lease] = number
        return lease

    @rule(lease=consumes(leases), is_broken=st.booleans())
    def give_back(self, *, lease: Lease, is_broken: bool) -> None:
        lease.connection.is_broken = is_broken
        lease.give_back()
        del self.held[lease]
        assert lease.connection.is_closed or not is_broken

    @rule(lease=consumes(leases))
    def discard(self, lease: Lease) -> None:
        lease.discard()
        lease.give_back()
        del self.held[lease]
        assert lease.connection.is_closed

    @rule(lease=consumes(leases))
    def cancel_then_give_back(self, lease: Lease) -> None:
        assert lease.end_query()
        lease.give_back()
        del self.held[lease]
        assert lease.connection.is_closed

    @rule(number=st.integers(0, 1), later_s=st.sampled_from([0.0, 61.0, 601.0]))
    def maintain(self, number: int, later_s: float) -> None:
        self.pools[number].maintain(time.monotonic() + later_s)
        self.settle()

    @rule(number=st.integers(0, 1), is_broken=st.booleans())
    def age_idle(self, number: int, *, is_broken: bool) -> None:
        """Idle for so long that each is asked before it is lent again; those that broke meanwhile must not be."""
        for pooled in self.pools[number]._idle._stack:
            pooled.idle_since_s -= 10.0
            pooled.connection.is_broken |= is_broken

    def settle(self) -> None:
        """Refilling happens in a thread of its own."""
        give_up_at_s = time.monotonic() + 2.0
        while any(p._attempts.count or p._validating for p in self.pools) and time.monotonic() < give_up_at_s:
            time.sleep(0.0005)

    @invariant()
    def counters_are_true(self) -> None:
        """Open connections are what the servers see, and every limit holds."""
        self.settle()
        for number, (pool, server) in enumerate(zip(self.pools, self.servers, strict=True)):
            seen = pool.statistics()
            assert seen.active == self.held_by(number)
            assert seen.active + seen.idle == server.open_now == seen.opened_total - seen.closed_total
            assert server.most_open <= self.limits.max_size
            assert seen.waiting == 0
        assert self.capacity.used == sum(s.open_now for s in self.servers) <= self.capacity.total_max

    def teardown(self) -> None:
        for pool in getattr(self, "pools", ()):
            close_pool(pool)
        for lease in getattr(self, "held", ()):
            lease.give_back()
        if hasattr(self, "servers"):
            assert sum(s.open_now for s in self.servers) == 0
            assert self.capacity.used == 0


def close_pool(pool: ConnectionPool) -> None:
    """Close it twice: the second time does nothing."""
    pool.close()
    pool.close()


_EXAMPLES = max(25, settings().max_examples // 4)
PoolHistories.TestCase.settings = settings(max_examples=_EXAMPLES, stateful_step_count=25, deadline=None)
TestPoolHistories = PoolHistories.TestCase
