"""A source without a pool: every job opens a connection and closes it. What the `pool` switch turns off.

It passes through the same seam and the same total limit as a pool, and nothing in it is slowed: the connection is
opened in the job's own thread, as code without a pool does.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from jivsbench.api import Connector, ReadLimits
from jivsbench.errors import JivsbenchError
from jivsbench.extract.capacity import Capacity
from jivsbench.extract.connecting import connect
from jivsbench.extract.foreign import close_connection
from jivsbench.extract.leases import Lease, Waiter, end_queries
from jivsbench.extract.lending import Lender
from jivsbench.extract.totals import build_timeout_error, log_leaks
from jivsbench.model.profile import PoolLimits
from jivsbench.model.source import DataSource
from jivsbench.model.statistics import PoolStatistics


class UnpooledSource(Lender[Callable[[], None]]):
    """Connections of one source, opened for a job and closed after it."""

    def __init__(
        self, connector: Connector, source: DataSource, limits: PoolLimits, read: ReadLimits, capacity: Capacity
    ) -> None:
        self._opening = 0
        super().__init__(connector, source, limits, read, capacity)

    @property
    def size(self) -> int:
        """Connections open or being opened."""
        return len(self._leases) + self._opening

    def borrow(self, job_id: str, timeout_s: float) -> Lease:
        """A new connection within `timeout_s`. Raises PoolTimeoutError when the total limit is reached for that long."""
        started_s = time.monotonic()
        with self._lock:
            self._require_open(job_id)
            waiter = self._queue(job_id)
        close_evicted = self._wait(waiter, started_s, timeout_s)
        close_evicted()
        return self._open(job_id, timeout_s - (time.monotonic() - started_s))

    def take_back(self, lease: Lease, *, is_clean: bool) -> None:  # noqa: ARG002 - clean or not, it is closed
        """Close the connection."""
        close_connection(lease.connection)
        with self._lock:
            self._leases.discard(lease)
            self.totals.closed += 1
            self._capacity.release()
        self._capacity.serve()

    def claim(self) -> None:
        """Let waiting jobs connect as far as the total limit has room."""
        with self._lock:
            while self._waiters:
                grant = self._capacity.take(self)
                if grant is None:
                    return
                self._opening += 1
                self._waiters.popleft().offer(grant)
            self._capacity.withdraw(self)

    def idle_since_s(self) -> float | None:
        """Nothing is ever idle here."""
        return None

    def pop_idle(self) -> Callable[[], None]:
        """Never called: nothing is idle."""
        raise AssertionError("a source without a pool has no idle connection")

    def maintain(self, now_s: float) -> None:
        """Report leaks."""
        with self._lock:
            leaked = self._count_leaks(now_s)
        log_leaks(self._source.name, leaked, now_s)
        self.claim()

    def statistics(self) -> PoolStatistics:
        """Counters at this moment. `max_size` is the total limit: there is no other."""
        with self._lock:
            active, waiting = self.size, len(self._waiters)
            return self.totals.report(self._source.name, self._capacity.total_max, active=active, idle=0, waiting=waiting)

    def close(self) -> None:
        """End what borrowed connections do; they are closed when they come back."""
        with self._lock:
            if self._is_closed:
                return
            leases = self._end_lending()
        end_queries(leases)

    def _build_timeout_error(self, waiter: Waiter[Callable[[], None]], timeout_s: float) -> JivsbenchError:
        return build_timeout_error(self._source.name, waiter.job_id, timeout_s, self._leases, "pool.total_max")

    def _open(self, job_id: str, remaining_s: float) -> Lease:
        started_s = time.monotonic()
        timeout_s = max(min(self._read_limits.connect_timeout_s, remaining_s), 0.1)
        try:
            connection = connect(self._connector, self._source, replace(self._read_limits, connect_timeout_s=timeout_s))
        except BaseException:
            with self._lock:
                self._opening -= 1
                self.totals.connects_failed += 1
                self._capacity.release()
            self._capacity.serve()
            raise
        lease = Lease(self, connection, job_id)
        lease.connect_s = time.monotonic() - started_s
        with self._lock:
            self._opening -= 1
            self.totals.opened += 1
            self.totals.borrowed += 1
            self._leases.add(lease)
            # The source may have been closed while the connection was opened: its user finds out at its next step.
            lease.is_revoked = self._is_closed
        return lease
