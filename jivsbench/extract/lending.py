"""What every source of connections keeps: who has borrowed, who waits, and what is counted.

How a connection comes to be is not its business: a pool keeps connections, a source without a pool opens one for each job.
"""

import time
from abc import abstractmethod
from collections import deque
from typing import Generic

from jivsbench.api import Connector, ReadLimits
from jivsbench.errors import JivsbenchError
from jivsbench.extract.capacity import Capacity
from jivsbench.extract.leases import ConnectionSource, Granted, Lease, Waiter
from jivsbench.extract.totals import PoolTotals, build_closed_error, find_leaks
from jivsbench.model.profile import PoolLimits
from jivsbench.model.source import DataSource


class Lender(ConnectionSource, Generic[Granted]):
    """The leases and the queue of one data source. What a waiter is granted - a lease, or leave to connect - is the subclass's.

    `_require_open`, `_queue`, `_leave`, `_count_leaks` and `_end_lending` are called under the lock, `_wait` outside it.
    """

    def __init__(
        self, connector: Connector, source: DataSource, limits: PoolLimits, read: ReadLimits, capacity: Capacity
    ) -> None:
        self._connector = connector
        self._source = source
        self._limits = limits
        self._read_limits = read
        self._capacity = capacity
        self._lock = capacity.lock
        self._leases: set[Lease] = set()
        self._waiters: deque[Waiter[Granted]] = deque()
        self._is_closed = False
        self.totals = PoolTotals()
        with self._lock:
            capacity.register(self)

    def end_wait(self, job_id: str, error: JivsbenchError) -> None:
        """Let the borrowers that wait for this job leave with the error."""
        with self._lock:
            for waiter in [w for w in self._waiters if w.job_id == job_id]:
                self._leave(waiter)
                waiter.offer(error)

    @abstractmethod
    def _build_timeout_error(self, waiter: Waiter[Granted], timeout_s: float) -> JivsbenchError:
        """Why this waiter got nothing."""

    def _require_open(self, job_id: str) -> None:
        if self._is_closed:
            raise build_closed_error(self._source.name, job_id)

    def _queue(self, job_id: str) -> Waiter[Granted]:
        waiter: Waiter[Granted] = Waiter(job_id)
        self._waiters.append(waiter)
        return waiter

    def _wait(self, waiter: Waiter[Granted], started_s: float, timeout_s: float) -> Granted:
        self.claim()
        is_settled = waiter.wait(timeout_s)
        with self._lock:
            self.totals.wait_ns += int((time.monotonic() - started_s) * 1e9)
            if not is_settled and waiter.withdraw():
                self._leave(waiter)
                self.totals.timeouts += 1
                raise self._build_timeout_error(waiter, timeout_s)
        return waiter.result()

    def _leave(self, waiter: Waiter[Granted]) -> None:
        self._waiters.remove(waiter)
        if not self._waiters:
            self._capacity.withdraw(self)

    def _count_leaks(self, now_s: float) -> list[Lease]:
        leaked = find_leaks(self._leases, now_s, self._limits.leak_report_s)
        self.totals.leaks += len(leaked)
        return leaked

    def _end_lending(self) -> tuple[Lease, ...]:
        """Nobody borrows from here any more. The leases that are out: their queries are to be ended, outside the lock."""
        self._is_closed = True
        for waiter in self._waiters:
            waiter.offer(build_closed_error(self._source.name, waiter.job_id))
        self._waiters.clear()
        leases = tuple(self._leases)
        for lease in leases:
            lease.is_revoked = True
        self._capacity.unregister(self)
        return leases
