"""When a pool may try to connect: one attempt at a time, with a pause that grows while the server does not answer."""

import random
import threading
import time

from jivsbench.api import Connection, Connector, ReadLimits
from jivsbench.errors import (
    AccessDeniedError,
    DestinationError,
    ExtractionError,
    JivsbenchError,
    MissingObjectError,
    SourceUnreachableError,
)
from jivsbench.extract.foreign import log_foreign_error
from jivsbench.model.source import DataSource

_SLOW_CONNECT_S = 0.5
_MAX_CONNECTING = 3
_FIRST_BACKOFF_S = 0.1
_MAX_BACKOFF_S = 0.6
"""With jitter and connecting, whoever waits has a connection within a second after the server is back."""
_JITTER = 0.2


class ConnectAttempts:
    """The attempts of one pool that are under way, and how the last ones ended. Used under the pool's lock.

    A second and a third attempt join only when the first takes long: a burst of borrowers is mostly served by
    connections that come back, and a server that is down must not be stormed. After failures one attempt pauses for all.
    """

    __slots__ = (
        "_demand",
        "_earliest_s",
        "_failures",
        "_is_ended",
        "_is_pausing",
        "_last_error",
        "_last_error_at_s",
        "_retry_at_s",
        "_started_at_s",
        "count",
    )

    def __init__(self) -> None:
        self.count = 0
        self._last_error: JivsbenchError | None = None
        self._last_error_at_s = 0.0
        self._is_ended = threading.Event()
        # Somebody has come to borrow since the last failure.
        self._demand = threading.Event()
        self._is_pausing = False
        self._failures = 0
        self._started_at_s = 0.0
        self._earliest_s = 0.0
        self._retry_at_s = 0.0

    def may_start(self, now_s: float) -> bool:
        """True when another attempt may begin for a borrower who waits."""
        if self._is_ended.is_set():
            return False
        if self.count == 0:
            return True
        return self.count < _MAX_CONNECTING and self._is_slow(now_s)

    def supply(self, now_s: float) -> int:
        """How many connections may be expected. After failures one that takes long may be lost: it is not counted on."""
        return self.count - (self._failures > 0 and self._is_slow(now_s))

    def may_refill(self, now_s: float) -> bool:
        """True when another attempt may begin although nobody waits."""
        return self.count == 0 and now_s >= self._retry_at_s and not self._is_ended.is_set()

    def start(self, now_s: float) -> float:
        """Another attempt begins. Returns how long it must wait first: demand cuts the pause short, but never below 0.1 s."""
        self.count += 1
        self._started_at_s = now_s
        pause_s = max(self._earliest_s - now_s, 0.0)
        self._is_pausing = self._is_pausing or pause_s > 0.0
        return pause_s

    def hurry(self) -> None:
        """Somebody has come to borrow: a pause that is under way ends as soon as 0.1 s have passed since the last failure."""
        self._demand.set()

    def wait(self, pause_s: float) -> None:
        """Without the lock: the pause before an attempt."""
        if pause_s <= 0.0:
            return
        if self._demand.wait(pause_s):
            self._is_ended.wait(max(self._earliest_s - time.monotonic(), 0.0))
        self._started_at_s = time.monotonic()
        self._is_pausing = False

    def end(self) -> None:
        """No attempt may begin any more, and none pauses any longer."""
        self._is_ended.set()
        self._demand.set()

    def succeeded(self) -> None:
        """An attempt ended with a connection."""
        self.count -= 1
        self._failures = 0
        self._earliest_s = self._retry_at_s = 0.0

    def failed(self, error: JivsbenchError, now_s: float) -> None:
        """An attempt ended with an error."""
        self._last_error, self._last_error_at_s = error, now_s
        backoff_s = min(_FIRST_BACKOFF_S * 2.0 ** min(self._failures, 10), _MAX_BACKOFF_S)
        jitter = random.uniform(1.0, 1.0 + _JITTER)  # noqa: S311 - spreads retries, protects nothing
        self._failures += 1
        self._earliest_s = now_s + _FIRST_BACKOFF_S * jitter
        self._retry_at_s = now_s + backoff_s * jitter
        if not self._is_ended.is_set():
            self._demand.clear()

    def plan_pause(self, now_s: float) -> float | None:
        """How long a failed attempt waits before it is repeated: 0.1 to 0.7 s. None when another one pauses already."""
        if self._is_pausing:
            return None
        self._is_pausing = True
        return self._retry_at_s - now_s

    def failure_since(self, since_s: float) -> JivsbenchError | None:
        """Why nothing could be opened since then: the last failure, when it came since then or nothing was opened after it."""
        return self._last_error if self._failures or self._last_error_at_s >= since_s else None

    def _is_slow(self, now_s: float) -> bool:
        return self.count > 0 and not self._is_pausing and now_s - self._started_at_s > _SLOW_CONNECT_S

    def gave_up(self) -> None:
        """Nobody waits any more: the attempt is not repeated."""
        self.count -= 1


def is_final(error: JivsbenchError) -> bool:
    """True when trying again would not help, and could lock an account."""
    return isinstance(error, AccessDeniedError | DestinationError | MissingObjectError | ExtractionError)


def is_busy(error: JivsbenchError) -> bool:
    """True when a server is there and takes no session now: it starts, or every slot is taken."""
    return isinstance(error, SourceUnreachableError) and error.is_busy


def connect(connector: Connector, source: DataSource, limits: ReadLimits) -> Connection:
    """Open a connection; whatever the connector raises becomes a JivsbenchError."""
    try:
        return connector.connect(source, limits)
    except JivsbenchError:
        raise
    except Exception as problem:
        kind = log_foreign_error(f"connector {connector.name} opening source {source.name}", problem)
        raise ExtractionError(
            f"connector {connector.name} could not open source {source.name}: it raised {kind}; the log says where"
        ) from problem
