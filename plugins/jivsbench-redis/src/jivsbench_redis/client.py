"""An open Redis cache: bounded in time, never an exception, never an answer that was invalidated."""

import re
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, cast

import redis
from redis.connection import ConnectionInterface

from jivsbench.model.statistics import CacheStatistics
from jivsbench_redis.breaker import NOTHING, Admission, Breaker, Invalidations

_SCAN_KEYS: Final = 1000
_SPECIAL: Final = re.compile(r"([\\*?\[\]])")
_OUT_OF_REACH: Final = (redis.ConnectionError, redis.TimeoutError, OSError)


class RedisCacheClient:
    """Every key lies under one prefix. One server round trip a call; after a failure none for a pause."""

    def __init__(self, pool: redis.ConnectionPool, prefix: str, pause_s: float, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._idle: deque[ConnectionInterface] = deque()
        self._prefix = prefix
        self._breaker = Breaker(pause_s, clock)
        self._lock = threading.Lock()
        self._is_closed = False
        self._hits = self._misses = self._errors = self._writes = self._deletes = 0

    def get(self, key: str) -> bytes | None:
        """The stored bytes, or None when there are none or the cache is out of reach."""
        if not self._is_admitted(NOTHING):
            self._count(misses=1, errors=1)
            return None
        try:
            value = cast("bytes | None", self._ask("GET", self._prefix + key))
        except _OUT_OF_REACH:
            self._breaker.trip()
            self._count(misses=1, errors=1)
            return None
        except redis.RedisError:
            # The server answered, with an error: this key is of no use, the others may be.
            self._count(misses=1, errors=1)
            return None
        if value is None:
            self._count(misses=1)
        else:
            self._count(hits=1)
        return value

    def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """Store bytes for at most `ttl_s` seconds."""
        ttl_ms = int(ttl_s * 1000)
        if ttl_ms <= 0:
            self.delete(key)
            return
        # What was stored before is wrong from now on, whether the new value arrives or not.
        outdated = Invalidations(keys=frozenset({key}))
        if not self._is_admitted(outdated):
            self._count(errors=1)
            return
        try:
            self._ask("SET", self._prefix + key, value, "PX", ttl_ms)
        except _OUT_OF_REACH:
            self._breaker.trip(outdated)
            self._count(errors=1)
        except redis.RedisError:
            # Out of memory, for one: the server refuses new values and keeps the old one, which must go.
            self._count(errors=1)
            self.delete(key)
        else:
            self._count(writes=1)

    def delete(self, key: str) -> None:
        """Forget one key, at once or before the next answer."""
        self._invalidate(Invalidations(keys=frozenset({key})))

    def delete_prefix(self, prefix: str) -> int:
        """Forget every key that starts with `prefix`, at once or before the next answer. Returns how many went at once."""
        return self._invalidate(Invalidations(prefixes=frozenset({prefix})))

    def statistics(self) -> CacheStatistics:
        """Totals since it was opened."""
        with self._lock:
            return CacheStatistics(self._hits, self._misses, self._errors, self._writes, self._deletes)

    def close(self) -> None:
        """Close the connections; every later look-up is a miss."""
        self._is_closed = True
        self._drop_idle()

    def _ask(self, *command: str | bytes | int) -> object:
        """One command, straight on a connection: through the client's usual layers it takes more than twice the CPU.

        A connection that was closed while it was idle is found only now; the command is then sent once more on a new one.
        """
        try:
            return self._ask_on(self._idle.pop(), command)
        except IndexError:
            pass
        except redis.TimeoutError:
            raise
        except (redis.ConnectionError, OSError):
            self._drop_idle()
        return self._ask_on(self._pool.make_connection(), command)

    def _ask_on(self, connection: ConnectionInterface, command: tuple[str | bytes | int, ...]) -> object:
        try:
            connection.send_command(*command)  # type: ignore[no-untyped-call]
            answer = connection.read_response()
        except redis.ResponseError:
            self._keep(connection)
            raise
        except BaseException:
            _disconnect(connection)
            raise
        self._keep(connection)
        return answer

    def _keep(self, connection: ConnectionInterface) -> None:
        self._idle.append(connection)
        if self._is_closed:
            self._drop_idle()

    def _drop_idle(self) -> None:
        # Other threads take from it too.
        with suppress(IndexError):
            while True:
                _disconnect(self._idle.pop())

    def _is_admitted(self, invalidates: Invalidations) -> bool:
        if self._is_closed:
            return False
        admission = self._breaker.admit(invalidates)
        return admission is Admission.CALL or (admission is Admission.PROBE and self._is_back(invalidates))

    def _is_back(self, invalidates: Invalidations) -> bool:
        """Probe: the cache answers, and has forgotten everything that was invalidated while it was away."""
        pending = invalidates
        try:
            # The answer to this comes after the server has read what calls that timed out had sent before.
            self._ask("PING")
            while pending := self._breaker.take_or_close():
                self._count(deletes=self._forget(pending))
        except (redis.RedisError, OSError):
            self._breaker.fail_probe(pending.join(invalidates))
            return False
        except BaseException:
            self._breaker.fail_probe(pending.join(invalidates))
            raise
        return True

    def _invalidate(self, invalidates: Invalidations) -> int:
        if not self._is_admitted(invalidates):
            self._count(errors=1)
            return 0
        try:
            forgotten = self._forget(invalidates)
        except (redis.RedisError, OSError):
            # Whatever the reason, the server may still hold what must not be read again.
            self._breaker.trip(invalidates)
            self._count(errors=1)
            return 0
        self._count(deletes=forgotten)
        return forgotten

    def _forget(self, invalidates: Invalidations) -> int:
        forgotten = 0
        if invalidates.keys:
            forgotten += cast("int", self._ask("UNLINK", *(self._prefix + key for key in invalidates.keys)))
        for prefix in invalidates.prefixes:
            pattern = _SPECIAL.sub(r"\\\1", self._prefix + prefix) + "*"
            cursor = -1
            while cursor:
                found = self._ask("SCAN", max(cursor, 0), "MATCH", pattern, "COUNT", _SCAN_KEYS)
                cursor_text, keys = cast("tuple[bytes, list[bytes]]", found)
                cursor = int(cursor_text)
                if keys:
                    forgotten += cast("int", self._ask("UNLINK", *keys))
        return forgotten

    def _count(self, *, hits: int = 0, misses: int = 0, errors: int = 0, writes: int = 0, deletes: int = 0) -> None:
        with self._lock:
            self._hits += hits
            self._misses += misses
            self._errors += errors
            self._writes += writes
            self._deletes += deletes


def _disconnect(connection: ConnectionInterface) -> None:
    connection.disconnect()  # type: ignore[no-untyped-call]
