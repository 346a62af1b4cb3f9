"""What a pool hands out, and how a borrower waits for it.

A pool decides under its lock and waits outside it. So a waiter is an object of its own: it is offered a lease (or an
error) under the lock, says whether it accepted, and wakes its thread, which sleeps outside.
"""

import copy
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from jivsbench.api import Connection
from jivsbench.errors import ExtractionError, JivsbenchError
from jivsbench.model.statistics import PoolStatistics

Granted = TypeVar("Granted")

_END_QUERIES_EVERY_S = 0.2
_END_QUERIES_FOR_S = 30.0

_log = logging.getLogger(__name__)


class LeaseOwner(Protocol):
    """Takes back what it lent."""

    def take_back(self, lease: "Lease", *, is_clean: bool) -> None:
        """Reset and keep the connection when `is_clean`, else close it."""
        ...


class Lease:
    """One connection in the hands of one job, until `give_back` or `discard`. The second of those calls does nothing."""

    __slots__ = ("_guard", "_owner", "borrowed_at_s", "connect_s", "connection", "is_reported", "is_revoked", "job_id", "slot")

    def __init__(self, owner: LeaseOwner, connection: Connection, job_id: str, slot: object = None) -> None:
        self._owner: LeaseOwner | None = owner
        # A cancel that is on its way must not reach the next borrower's query: it holds this, and so the return waits for it.
        self._guard = threading.Lock()
        self.connection = connection
        self.job_id = job_id
        self.slot = slot
        self.borrowed_at_s = time.monotonic()
        self.connect_s = 0.0
        """How much of its borrower's wait was the opening of this connection."""
        self.is_reported = False
        self.is_revoked = False
        """True once the pool was closed or the query was ended: no further query may run on this connection."""

    @property
    def is_held(self) -> bool:
        """True until the connection was returned or discarded."""
        return self._owner is not None

    def give_back(self) -> None:
        """Return the connection for the next borrower; a revoked one is closed."""
        self._end(is_clean=True)

    def discard(self) -> None:
        """Close the connection: it was cancelled or is broken."""
        self._end(is_clean=False)

    def end_query(self) -> bool:
        """From any thread: end the query that runs now; the connection is closed on its return. False when it is back already."""
        with self._guard:
            if self._owner is None:
                return False
            self.is_revoked = True
            try:
                self.connection.cancel()
            except Exception as problem:  # noqa: BLE001 - a plugin's fault must not stop whoever ends other queries
                _log.warning("job %s: its query could not be cancelled (%s)", self.job_id, type(problem).__name__)
            return True

    def _end(self, *, is_clean: bool) -> None:
        with self._guard:
            owner, self._owner = self._owner, None
        if owner is not None:
            owner.take_back(self, is_clean=is_clean and not self.is_revoked)


def end_queries(leases: Sequence[Lease]) -> None:
    """End the queries of these leases, and go on until all are returned: a cancel between two queries ends neither.

    Works in a thread of its own, because a cancel opens a connection and may wait for a server that does not answer.
    """

    def work() -> None:
        give_up_at_s = time.monotonic() + _END_QUERIES_FOR_S
        held = list(leases)
        while held and time.monotonic() < give_up_at_s:
            held = [lease for lease in held if lease.end_query()]
            time.sleep(_END_QUERIES_EVERY_S)

    if leases:
        threading.Thread(target=work, name="end-queries", daemon=True).start()


class Waiter(Generic[Granted]):
    """One thread that waits for its turn. `offer` and `withdraw` are called under the pool's lock, `wait` outside it."""

    __slots__ = ("_bell", "_outcome", "is_settled", "job_id", "since_s")

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self.since_s = time.monotonic()
        self.is_settled = False
        self._outcome: Granted | JivsbenchError | None = None
        # A lock is the cheapest thing a thread can sleep on with a timeout; an Event builds three of them.
        self._bell = threading.Lock()
        self._bell.acquire()

    def offer(self, outcome: Granted | JivsbenchError) -> bool:
        """Hand over a grant, or the error that ends the wait. False when the waiter has left: offer it to the next."""
        if self.is_settled:
            return False
        self.is_settled = True
        self._outcome = outcome
        self._bell.release()
        return True

    def withdraw(self) -> bool:
        """Leave. False when something was accepted meanwhile, which `result` then gives."""
        if self.is_settled:
            return False
        self.is_settled = True
        return True

    def wait(self, timeout_s: float) -> bool:
        """Sleep until an offer was accepted; False when the time is up."""
        return self._bell.acquire(timeout=max(timeout_s, 0.0))

    def result(self) -> Granted:
        """What was accepted; raises it when it is an error."""
        outcome = self._outcome
        if isinstance(outcome, JivsbenchError):
            # Not from the error itself: it may get this copy as its own cause, when it is what the job is told in the end.
            raise copy_error(outcome) from outcome.__cause__
        if outcome is None:
            raise ExtractionError(f"job {self.job_id} was woken without a connection: report this as a bug")
        return outcome


class ConnectionSource(Protocol):
    """Lends connections of one data source: a pool, or a source without one."""

    @property
    def size(self) -> int:
        """Connections it holds or opens now, leased ones included."""
        ...

    def borrow(self, job_id: str, timeout_s: float) -> Lease:
        """A connection within `timeout_s`. Raises PoolTimeoutError, or the connector's error when it cannot connect."""
        ...

    def end_wait(self, job_id: str, error: JivsbenchError) -> None:
        """Let every borrower that waits for this job leave with the error."""
        ...

    def claim(self) -> None:
        """Room under the total limit may have become free: use it if it is still wanted. Called without the lock."""
        ...

    def pop_idle(self) -> Callable[[], None]:
        """Under the lock, when `idle_since_s` is not None: give up that connection. Returns how to close it, outside."""
        ...

    def idle_since_s(self) -> float | None:
        """Under the lock: since when the connection that `pop_idle` would give has been idle."""
        ...

    def maintain(self, now_s: float) -> None:
        """Close what is too old, report leaks, refill. Called a few times a second by one thread."""
        ...

    def statistics(self) -> PoolStatistics:
        """Counters at this moment."""
        ...

    def close(self) -> None:
        """Close idle connections at once; cancel borrowed ones and close them when they come back."""
        ...


def copy_error(error: JivsbenchError) -> JivsbenchError:
    """The same error as a new object: one object raised in several threads would mix their tracebacks."""
    return copy.copy(error)
