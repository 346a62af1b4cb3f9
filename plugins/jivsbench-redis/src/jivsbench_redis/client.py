"""An open Redis cache: bounded in time, never an exception, never an answer that was invalidated."""

import re
import threading
from collections.abc import Callable
from typing import Final, cast

import redis

from jivsbench.model.activity import CacheActivity
from jivsbench.model.statistics import CacheStatistics
from jivsbench_redis.breaker import NOTHING, Admission, Breaker, Invalidations
from jivsbench_redis.lines import Lines

_SCAN_KEYS: Final = 1000
_SPECIAL: Final = re.compile(r"([\\*?\[\]])")
_OUT_OF_REACH: Final = (redis.ConnectionError, redis.TimeoutError, OSError)


class RedisCacheClient:
    """Every key lies under one prefix. One server round trip a call; after a failure none for a pause."""

    def __init__(self, pool: redis.ConnectionPool, prefix: str, pause_s: float, clock: Callable[[], float]) -> None:
        self._lines = Lines(pool)
        self._prefix = prefix
        self._breaker = Breaker(pause_s, clock)
        self._lock = threading.Lock()
        self._is_closed = False
        self._hits = self._misses = self._errors = self._writes = self._deletes = self._refused = self._failed_lookups = 0

    def get(self, key: str) -> bytes | None:
        """The stored bytes, or None when there are none or the cache is out of reach."""
        if not self._is_admitted(NOTHING):
            self._count_failed_lookup()
            return None
        try:
            value = cast("bytes | None", self._lines.ask("GET", self._prefix + key))
        except _OUT_OF_REACH:
            self._breaker.trip()
            self._count_failed_lookup()
            return None
        except redis.RedisError:
            # The server answered, with an error: this key is of no use, the others may be.
            self._count_failed_lookup(refused=1)
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
            self._lines.ask("SET", self._prefix + key, value, "PX", ttl_ms)
        except _OUT_OF_REACH:
            self._breaker.trip(outdated)
            self._count(errors=1)
        except redis.RedisError:
            # Out of memory, for one: the server refuses new values and keeps the old one, which must go.
            self._count(errors=1, refused=1)
            self.delete(key)
        else:
            self._count(writes=1)

    def add(self, key: str, value: bytes, ttl_s: float) -> bool:
        """Store bytes unless the key holds some; then False. True also when the cache is out of reach or refuses."""
        ttl_ms = int(ttl_s * 1000)
        added = Invalidations(keys=frozenset({key}))
        if ttl_ms <= 0:
            return True
        if not self._is_admitted(NOTHING):
            self._count(errors=1)
            return True
        try:
            is_added = self._lines.ask("SET", self._prefix + key, value, "PX", ttl_ms, "NX") is not None
        except _OUT_OF_REACH:
            # It may have been stored all the same.
            self._breaker.trip(added)
            self._count(errors=1)
            return True
        except redis.RedisError:
            self._count(errors=1, refused=1)
            return True
        self._count(writes=is_added)
        return is_added

    def delete(self, key: str) -> None:
        """Forget one key, at once or before the next answer."""
        self._invalidate(Invalidations(keys=frozenset({key})))

    def delete_prefix(self, prefix: str) -> int:
        """Forget every key that starts with `prefix`, at once or before the next answer. Returns how many went at once."""
        return self._invalidate(Invalidations(prefixes=frozenset({prefix})))

    def statistics(self) -> CacheStatistics:
        """Totals since it was opened."""
        with self._lock:
            return CacheStatistics(
                self._hits, self._misses, self._errors, self._writes, self._deletes, self._refused, self._failed_lookups
            )

    def activity(self) -> CacheActivity | None:
        """What INFO says; None when the server is out of reach, or does not let this user ask."""
        if not self._is_admitted(NOTHING):
            return None
        try:
            text = cast("bytes", self._lines.ask("INFO")).decode("ascii", "replace")
        except (redis.RedisError, OSError):
            # Nothing that the cache is for depends on it: neither a trip nor an error is counted.
            return None
        facts = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        names = ("used_memory", "keyspace_hits", "keyspace_misses", "evicted_keys", "connected_clients")
        if not all(facts.get(name, "").strip().isdigit() for name in names):
            return None
        return CacheActivity(*(int(facts[name]) for name in names))

    def close(self) -> None:
        """Close the connections; every later look-up is a miss."""
        self._is_closed = True
        self._lines.close()

    def _is_admitted(self, invalidates: Invalidations) -> bool:
        if self._is_closed:
            return False
        admission = self._breaker.admit(invalidates)
        if admission is Admission.PROBE:
            # Aside: a server that is still silent costs a probe its time, and no caller.
            threading.Thread(target=self._probe, name="cache-probe", daemon=True).start()
        return admission is Admission.CALL

    def _probe(self) -> None:
        """See whether the cache answers, and let it forget everything that was invalidated while it was away."""
        pending = NOTHING
        try:
            self._lines.ask("PING")
            while pending := self._breaker.take_or_close():
                self._lines.end_late()
                self._count(deletes=self._forget(pending))
        except (redis.RedisError, OSError):
            self._breaker.fail_probe(pending)
        except BaseException:
            self._breaker.fail_probe(pending)
            raise

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
            forgotten += cast("int", self._lines.ask("UNLINK", *(self._prefix + key for key in invalidates.keys)))
        for prefix in invalidates.prefixes:
            pattern = _SPECIAL.sub(r"\\\1", self._prefix + prefix) + "*"
            cursor = -1
            while cursor:
                found = self._lines.ask("SCAN", max(cursor, 0), "MATCH", pattern, "COUNT", _SCAN_KEYS)
                cursor_text, keys = cast("tuple[bytes, list[bytes]]", found)
                cursor = int(cursor_text)
                if keys:
                    forgotten += cast("int", self._lines.ask("UNLINK", *keys))
        return forgotten

    def _count_failed_lookup(self, *, refused: int = 0) -> None:
        with self._lock:
            self._misses += 1
            self._errors += 1
            self._failed_lookups += 1
            self._refused += refused

    def _count(
        self, *, hits: int = 0, misses: int = 0, errors: int = 0, writes: int = 0, deletes: int = 0, refused: int = 0
    ) -> None:
        with self._lock:
            self._hits += hits
            self._misses += misses
            self._errors += errors
            self._writes += writes
            self._deletes += deletes
            self._refused += refused
