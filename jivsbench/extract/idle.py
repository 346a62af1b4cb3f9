"""The connections of a pool that nobody uses: last in, first out, so that the fewest stay busy and the rest can end."""

from collections import deque
from dataclasses import dataclass

from jivsbench.api import Connection
from jivsbench.extract.foreign import close_connection

VALIDATE_AFTER_S = 0.5
"""A connection idle for longer is asked whether it lives before it is handed out."""


@dataclass(slots=True, eq=False)
class PooledConnection:
    """One open connection and its clock."""

    connection: Connection
    expires_at_s: float
    idle_since_s: float

    def is_alive(self) -> bool:
        """One round trip. A plugin that breaks its promise never to raise has no live connection either."""
        try:
            return self.connection.is_alive()
        except Exception:  # noqa: BLE001 - see above
            return False

    def is_reset(self) -> bool:
        """Reset it for the next borrower; False when that fails, whatever the reason."""
        try:
            self.connection.reset()
        except Exception:  # noqa: BLE001 - a connection that cannot be reset is closed and counted by the caller
            return False
        return True


class IdleStack:
    """Idle connections, the oldest first. Used under the pool's lock."""

    __slots__ = ("_stack",)

    def __init__(self) -> None:
        self._stack: deque[PooledConnection] = deque()

    def __len__(self) -> int:
        return len(self._stack)

    def push(self, pooled: PooledConnection, now_s: float) -> None:
        """Keep a connection that was just used."""
        pooled.idle_since_s = now_s
        self._stack.append(pooled)

    def pop_fresh(self, now_s: float) -> PooledConnection | None:
        """The last used connection, if it was used a moment ago and has not expired."""
        if not self._stack:
            return None
        last = self._stack[-1]
        if now_s - last.idle_since_s > VALIDATE_AFTER_S or now_s >= last.expires_at_s:
            return None
        return self._stack.pop()

    def pop_newest(self) -> PooledConnection:
        """The last used connection, whatever its age."""
        return self._stack.pop()

    def pop_oldest(self) -> PooledConnection:
        """The connection idle longest."""
        return self._stack.popleft()

    def oldest_since_s(self) -> float | None:
        """Since when the oldest one has been idle; None when there is none."""
        return self._stack[0].idle_since_s if self._stack else None

    def pop_unproven(self, now_s: float) -> list[PooledConnection]:
        """All that would need a validation: when one of them is found dead, the others most likely are."""
        doomed = [p for p in self._stack if now_s - p.idle_since_s > VALIDATE_AFTER_S]
        self._remove(doomed)
        return doomed

    def pop_expired(self, now_s: float, idle_timeout_s: float, min_idle: int) -> list[PooledConnection]:
        """All past their lifetime, and those idle for too long beyond the `min_idle` that are kept."""
        doomed = [p for p in self._stack if now_s >= p.expires_at_s]
        self._remove(doomed)
        while len(self._stack) > min_idle and now_s - self._stack[0].idle_since_s > idle_timeout_s:
            doomed.append(self._stack.popleft())
        return doomed

    def clear(self) -> list[PooledConnection]:
        """All of them."""
        doomed = list(self._stack)
        self._stack.clear()
        return doomed

    def _remove(self, doomed: list[PooledConnection]) -> None:
        if doomed:
            gone = set(doomed)
            self._stack = deque(p for p in self._stack if p not in gone)


def close_all(doomed: list[PooledConnection]) -> None:
    """Close connections that left the pool; never under the lock."""
    for pooled in doomed:
        close_connection(pooled.connection)
