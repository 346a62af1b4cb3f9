"""When a pool may try to connect: one attempt at a time, with a pause that grows while the server does not answer."""

import random
import threading

from jivsbench.api import Connection, Connector, ReadLimits
from jivsbench.errors import AccessDeniedError, ExtractionError, JivsbenchError, MissingObjectError
from jivsbench.extract.foreign import log_foreign_error
from jivsbench.model.source import DataSource

_SLOW_CONNECT_S = 0.5
_MAX_CONNECTING = 3
_FIRST_BACKOFF_S = 0.1
_MAX_BACKOFF_S = 0.8
_JITTER = 0.2


class ConnectAttempts:
    """The attempts of one pool that are under way, and how the last ones ended. Used under the pool's lock.

    A second and a third attempt join only when the first takes long: a burst of borrowers is mostly served by
    connections that come back, and a server that is down must not be stormed.
    """

    __slots__ = ("_failures", "_retry_at_s", "_started_at_s", "count", "last_error", "last_error_at_s", "stop")

    def __init__(self) -> None:
        self.count = 0
        self.last_error: JivsbenchError | None = None
        self.last_error_at_s = 0.0
        self.stop = threading.Event()
        self._failures = 0
        self._started_at_s = 0.0
        self._retry_at_s = 0.0

    def may_start(self, now_s: float) -> bool:
        """True when another attempt may begin for a borrower who waits."""
        if self.stop.is_set():
            return False
        if self.count == 0:
            return True
        return self._failures == 0 and self.count < _MAX_CONNECTING and now_s - self._started_at_s > _SLOW_CONNECT_S

    def may_refill(self, now_s: float) -> bool:
        """True when another attempt may begin although nobody waits."""
        return self.count == 0 and now_s >= self._retry_at_s and not self.stop.is_set()

    def start(self, now_s: float) -> float:
        """Another attempt begins. Returns how long it must wait first: demand cuts the pause short, but never below 0.1 s."""
        self.count += 1
        self._started_at_s = now_s
        return max(self.last_error_at_s + _FIRST_BACKOFF_S - now_s, 0.0) if self._failures else 0.0

    def succeeded(self) -> None:
        """An attempt ended with a connection."""
        self.count -= 1
        self._failures = 0
        self._retry_at_s = 0.0

    def failed(self, error: JivsbenchError, now_s: float) -> float:
        """An attempt ended with an error. Returns how long to wait before the next: at most 1 s, at least 0.1 s."""
        self.last_error, self.last_error_at_s = error, now_s
        backoff_s = min(_FIRST_BACKOFF_S * 2.0 ** min(self._failures, 10), _MAX_BACKOFF_S)
        backoff_s *= random.uniform(1.0, 1.0 + _JITTER)  # noqa: S311 - spreads retries, protects nothing
        self._failures += 1
        self._retry_at_s = now_s + backoff_s
        return backoff_s

    def gave_up(self) -> None:
        """Nobody waits any more: the attempt is not repeated."""
        self.count -= 1


def is_final(error: JivsbenchError) -> bool:
    """True when trying again would not help, and could lock an account."""
    return isinstance(error, AccessDeniedError | MissingObjectError | ExtractionError)


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
