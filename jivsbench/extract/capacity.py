"""The limit over all sources together, so that many pools cannot exceed what the servers allow."""

import threading
from collections.abc import Callable

from jivsbench.extract.leases import ConnectionSource


def nothing_to_close() -> None:
    """What a grant that evicted nobody has to close."""


class Capacity:
    """Counts open connections of all sources. Every method but `serve` is called under `lock`, which all sources share.

    One lock for all keeps eviction (one pool gives way to another) free of lock order; what happens under it is a few
    list operations, never a system call.
    """

    def __init__(self, total_max: int) -> None:
        self.lock = threading.Lock()
        self.total_max = total_max
        self.used = 0
        self._sources: list[ConnectionSource] = []
        # A dict keeps the order in which they asked.
        self._starving: dict[ConnectionSource, None] = {}

    def register(self, source: ConnectionSource) -> None:
        """Let its idle connections be evicted for others."""
        self._sources.append(source)

    def unregister(self, source: ConnectionSource) -> None:
        """Forget a closed source; what it still has out keeps counting until it comes back."""
        self._sources.remove(source)
        self._starving.pop(source, None)

    def take(self, claimant: ConnectionSource) -> Callable[[], None] | None:
        """One more connection, or None when all are in use; then the claimant is told when that changes.

        The grant must be called, without the lock, before connecting: it closes the connection that had to give way.
        """
        close = nothing_to_close if self.used < self.total_max else self._evict_for(claimant)
        if close is None:
            self._starving[claimant] = None
            return None
        self.used += 1
        self._starving.pop(claimant, None)
        return close

    def take_spare(self) -> bool:
        """One more connection if nobody has to give way or waits for it: for refilling, not for a borrower."""
        if self._starving or self.used >= self.total_max:
            return False
        self.used += 1
        return True

    def release(self, count: int = 1) -> None:
        """Connections that are no longer open. Call `serve` afterwards, outside the lock."""
        self.used -= count

    def serve(self) -> None:
        """Without the lock: let those who lack room try again, the longest waiting first. Call it after a `release`."""
        with self.lock:
            starving = tuple(self._starving)
        for claimant in starving:
            claimant.claim()

    def withdraw(self, claimant: ConnectionSource) -> None:
        """Nobody waits there any more."""
        self._starving.pop(claimant, None)

    def starved_beside(self, source: ConnectionSource) -> ConnectionSource | None:
        """Another source that has waiters and no connection at all: this one's next free connection is closed for it."""
        return next((c for c in self._starving if c is not source and c.size == 0), None)

    def _evict_for(self, claimant: ConnectionSource) -> Callable[[], None] | None:
        others = [(since, s) for s in self._sources if s is not claimant and (since := s.idle_since_s()) is not None]
        if not others:
            return None
        _, victim = min(others, key=lambda pair: pair[0])
        return victim.pop_idle()
