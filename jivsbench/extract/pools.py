"""A pool of connections to one data source.

Who decides, decides under the lock; who waits, waits outside it. Connecting and validating happen in short-lived
threads of the pool, so a borrower's deadline holds even when the server does not answer, and a borrower takes whatever
comes first: a new connection, a validated one, or one that another job returns. A burst of borrowers therefore opens
few connections, one after the other, while the returned ones serve the queue.
"""

import random
import threading
import time
from collections.abc import Callable
from functools import partial

from jivsbench.api import Connector, ReadLimits
from jivsbench.errors import JivsbenchError
from jivsbench.extract.capacity import Capacity, nothing_to_close
from jivsbench.extract.connecting import ConnectAttempts, connect, is_busy, is_final
from jivsbench.extract.foreign import close_connection
from jivsbench.extract.idle import IdleStack, PooledConnection, close_all
from jivsbench.extract.leases import Lease, Waiter, copy_error, end_queries
from jivsbench.extract.lending import Lender
from jivsbench.extract.totals import build_timeout_error, log_leaks
from jivsbench.model.profile import PoolLimits
from jivsbench.model.source import DataSource
from jivsbench.model.statistics import PoolStatistics

_LIFETIME_JITTER = 0.1
"""Connections opened together must not all end together."""


class ConnectionPool(Lender[Lease]):
    """Connections of one source, borrowed and returned. Built by `PoolSet`, which also calls `maintain`."""

    def __init__(
        self, connector: Connector, source: DataSource, limits: PoolLimits, read: ReadLimits, capacity: Capacity
    ) -> None:
        self._idle = IdleStack()
        self._validating: dict[PooledConnection, float] = {}
        self._attempts = ConnectAttempts()
        super().__init__(connector, source, limits, read, capacity)

    @property
    def size(self) -> int:
        """Connections open or being opened."""
        return len(self._idle) + len(self._validating) + len(self._leases) + self._attempts.count

    def borrow(self, job_id: str, timeout_s: float) -> Lease:
        """A connection that lives, within `timeout_s`, in the order of asking.

        Raises PoolTimeoutError when none became free, and the connector's own error when connecting failed.
        """
        started_s = time.monotonic()
        with self._lock:
            self._require_open(job_id)
            pooled = None if self._waiters else self._idle.pop_fresh(started_s)
            if pooled is not None:
                return self._lend(pooled, job_id)
            waiter = self._queue(job_id)
            self._attempts.hurry()
        return self._wait(waiter, started_s, timeout_s)

    def take_back(self, lease: Lease, *, is_clean: bool) -> None:
        """Reset the connection and hand it to the next borrower; close it when it cannot be reset."""
        pooled = lease.slot
        assert isinstance(pooled, PooledConnection)
        is_usable = is_clean and pooled.is_reset()
        now_s = time.monotonic()
        with self._lock:
            self._leases.discard(lease)
            self.totals.resets_failed += is_clean and not is_usable
            starved = self._capacity.starved_beside(self)
            is_outdated = lease.is_revoked or self._is_closed or now_s >= pooled.expires_at_s or starved is not None
            is_kept = is_usable and not is_outdated
            if is_kept:
                self._hand_over(pooled, now_s)
            else:
                self._forget()
        if not is_kept:
            close_connection(pooled.connection)
        if starved is not None:
            starved.claim()
        self._capacity.serve()
        if self._waiters:
            self.claim()

    def claim(self) -> None:
        """Start what the waiting borrowers need: validate idle connections first, then connect."""
        now_s = time.monotonic()
        doomed: list[PooledConnection] = []
        tasks: list[Callable[[], None]] = []
        with self._lock:
            while self._idle and self._lacks_supply(now_s):
                pooled = self._idle.pop_newest()
                if now_s >= pooled.expires_at_s:
                    self._forget()
                    doomed.append(pooled)
                else:
                    self._validating[pooled] = now_s
                    tasks.append(partial(self._validate, pooled))
            tasks.extend(self._connect_tasks(now_s))
        close_all(doomed)
        self._start(tasks)

    def idle_since_s(self) -> float | None:
        """Under the lock: since when the oldest idle connection has been idle."""
        return self._idle.oldest_since_s()

    def pop_idle(self) -> Callable[[], None]:
        """Under the lock: give up the connection idle longest; the caller closes it outside."""
        pooled = self._idle.pop_oldest()
        self._forget()
        return partial(close_connection, pooled.connection)

    def maintain(self, now_s: float) -> None:
        """Close what is too old, abandon validations that hang, report leaks, refill to `min_idle`."""
        with self._lock:
            doomed = self._idle.pop_expired(now_s, self._limits.idle_timeout_s, self._limits.min_idle)
            hung = [p for p, since_s in self._validating.items() if now_s - since_s > self._limits.validation_timeout_s]
            doomed += self._idle.pop_unproven(now_s) if hung else []
            for pooled in hung:
                # Its thread still waits for the server and closes it when that ends.
                del self._validating[pooled]
            self._forget(len(doomed) + len(hung))
            leaked = self._count_leaks(now_s)
            refill = self._refill_tasks(now_s)
        close_all(doomed)
        self._start(refill)
        log_leaks(self._source.name, leaked, now_s)
        self.claim()

    def statistics(self) -> PoolStatistics:
        """Counters at this moment; a connection being validated counts as idle."""
        with self._lock:
            idle = len(self._idle) + len(self._validating)
            active, waiting = len(self._leases), len(self._waiters)
            return self.totals.report(self._source.name, self._limits.max_size, active=active, idle=idle, waiting=waiting)

    def close(self) -> None:
        """Close idle connections now; end what borrowed ones do, and close them when they come back."""
        with self._lock:
            if self._is_closed:
                return
            leases = self._end_lending()
            self._attempts.end()
            doomed = self._idle.clear()
            # A connection that is being validated is closed by the thread that asks it.
            self._forget(len(doomed) + len(self._validating))
            self._validating.clear()
        close_all(doomed)
        end_queries(leases)
        self._capacity.serve()

    def _lend(self, pooled: PooledConnection, job_id: str) -> Lease:
        lease = Lease(self, pooled.connection, job_id, pooled)
        self._leases.add(lease)
        self.totals.borrowed += 1
        return lease

    def _hand_over(self, pooled: PooledConnection, now_s: float, opened_from_s: float | None = None) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            lease = self._lend(pooled, waiter.job_id)
            if opened_from_s is not None:
                lease.connect_s = now_s - max(opened_from_s, waiter.since_s)
            if waiter.offer(lease):
                return
            self._leases.discard(lease)
        self._idle.push(pooled, now_s)

    def _forget(self, count: int = 1) -> None:
        self.totals.closed += count
        self._capacity.release(count)

    def _build_timeout_error(self, waiter: Waiter[Lease], timeout_s: float) -> JivsbenchError:
        failure = self._attempts.failure_since(waiter.since_s)
        if failure is not None:
            return copy_error(failure)
        return build_timeout_error(self._source.name, waiter.job_id, timeout_s, self._leases, "pool.max_size")

    def _lacks_supply(self, now_s: float) -> bool:
        return len(self._waiters) > len(self._validating) + self._attempts.supply(now_s)

    def _connect_tasks(self, now_s: float) -> list[Callable[[], None]]:
        is_wanted = self._lacks_supply(now_s) and self.size < self._limits.max_size
        if not (is_wanted and self._attempts.may_start(now_s)):
            self._capacity.withdraw(self)
            return []
        close_evicted = self._capacity.take(self)
        if close_evicted is None:
            return []
        return [partial(self._connect, close_evicted, self._attempts.start(now_s))]

    def _refill_tasks(self, now_s: float) -> list[Callable[[], None]]:
        spare = len(self._idle) + len(self._validating) + self._attempts.count
        is_wanted = not (self._is_closed or self._waiters) and spare < self._limits.min_idle and self.size < self._limits.max_size
        if not (is_wanted and self._attempts.may_refill(now_s) and self._capacity.take_spare()):
            return []
        return [partial(self._connect, nothing_to_close, self._attempts.start(now_s))]

    def _start(self, tasks: list[Callable[[], None]]) -> None:
        for task in tasks:
            threading.Thread(target=task, name=f"pool-{self._source.name}", daemon=True).start()

    def _connect(self, close_evicted: Callable[[], None], first_pause_s: float) -> None:
        close_evicted()
        pause_s: float | None = first_pause_s
        while pause_s is not None:
            self._attempts.wait(pause_s)
            pause_s = self._attempt()
        self._capacity.serve()
        self.claim()

    def _attempt(self) -> float | None:
        """Connect once. None when that is the end of it, else how long to wait before the next attempt."""
        started_s = time.monotonic()
        try:
            connection = connect(self._connector, self._source, self._read_limits)
        except JivsbenchError as error:
            with self._lock:
                return self._after_failure(error)
        now_s = time.monotonic()
        lifetime_s = self._limits.max_lifetime_s * random.uniform(1.0 - _LIFETIME_JITTER, 1.0)  # noqa: S311 - spreads renewals
        pooled = PooledConnection(connection, now_s + lifetime_s, now_s)
        with self._lock:
            self._attempts.succeeded()
            self.totals.opened += 1
            is_kept = not self._is_closed
            if is_kept:
                self._hand_over(pooled, now_s, opened_from_s=started_s)
            else:
                self._forget()
        if not is_kept:
            close_connection(connection)
        return None

    def _after_failure(self, error: JivsbenchError) -> float | None:
        now_s = time.monotonic()
        self._attempts.failed(error, now_s)
        self.totals.connects_failed += 1
        # A source that never answered is most likely misconfigured: its users want to know now, not after the timeout.
        if is_final(error) or not (self.totals.opened or is_busy(error)):
            for waiter in self._waiters:
                waiter.offer(error)
            self._waiters.clear()
        pause_s = self._attempts.plan_pause(now_s) if self._waiters and not self._is_closed else None
        if pause_s is None:
            self._attempts.gave_up()
            self._capacity.release()
        return pause_s

    def _validate(self, pooled: PooledConnection) -> None:
        is_alive = pooled.is_alive()
        now_s = time.monotonic()
        doomed = [pooled]
        with self._lock:
            is_ours = self._validating.pop(pooled, None) is not None
            if is_ours and is_alive:
                doomed = []
                self._hand_over(pooled, now_s)
            elif is_ours:
                doomed += self._idle.pop_unproven(now_s)
                self._forget(len(doomed))
        close_all(doomed)
        self._capacity.serve()
        self.claim()
