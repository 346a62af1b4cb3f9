"""A bounded store of bytes: the least recently used entry leaves first, and none is handed out after its time."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from jivsbench.model.statistics import CacheStatistics


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one client keeps. Bytes count keys and values, not what Python spends on them."""

    max_entries: int
    max_bytes: int


DEFAULT_BOUNDS: Final = Bounds(max_entries=10_000, max_bytes=64 * 1024 * 1024)


@dataclass(frozen=True, slots=True)
class _Entry:
    value: bytes
    expires_at_s: float
    size_bytes: int


class MemoryCacheClient:
    """An open memory cache. Every method may be called from any thread; one lock is held for the length of a dict look-up."""

    def __init__(self, prefix: str, bounds: Bounds, clock: Callable[[], float]) -> None:
        self._prefix = prefix
        self._bounds = bounds
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._size_bytes = 0
        self._is_closed = False
        self._hits = self._misses = self._errors = self._writes = self._deletes = 0

    def get(self, key: str) -> bytes | None:
        """The stored bytes, or None when there are none, they are too old, or the client is closed."""
        key = self._prefix + key
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and entry.expires_at_s > self._clock():
                self._entries.move_to_end(key)
                self._hits += 1
                return entry.value
            if entry is not None:
                self._forget(key)
            self._misses += 1
            self._errors += self._is_closed
            return None

    def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """Store bytes for at most `ttl_s` seconds. A value larger than all there is room for is not stored."""
        with self._lock:
            self._store(self._prefix + key, value, ttl_s)

    def add(self, key: str, value: bytes, ttl_s: float) -> bool:
        """Store bytes unless the key holds some that are still good; then False."""
        key = self._prefix + key
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and entry.expires_at_s > self._clock():
                return False
            self._store(key, value, ttl_s)
            return True

    def delete(self, key: str) -> None:
        """Forget one key."""
        with self._lock:
            self._deletes += self._forget(self._prefix + key)

    def delete_prefix(self, prefix: str) -> int:
        """Forget every key that starts with `prefix`. Returns how many."""
        prefix = self._prefix + prefix
        with self._lock:
            found = [key for key in self._entries if key.startswith(prefix)]
            for key in found:
                self._forget(key)
            self._deletes += len(found)
            return len(found)

    def statistics(self) -> CacheStatistics:
        """Totals since it was opened."""
        with self._lock:
            return CacheStatistics(self._hits, self._misses, self._errors, self._writes, self._deletes)

    def close(self) -> None:
        """Forget everything; every later look-up is a miss."""
        with self._lock:
            self._is_closed = True
            self._entries.clear()
            self._size_bytes = 0

    def _store(self, key: str, value: bytes, ttl_s: float) -> None:
        if self._is_closed:
            self._errors += 1
            return
        # The old value goes in any case: it is no longer the right one.
        self._forget(key)
        entry = _Entry(value, self._clock() + ttl_s, len(key.encode("utf-8", "surrogatepass")) + len(value))
        if ttl_s <= 0 or entry.size_bytes > self._bounds.max_bytes:
            return
        self._entries[key] = entry
        self._size_bytes += entry.size_bytes
        self._writes += 1
        while len(self._entries) > self._bounds.max_entries or self._size_bytes > self._bounds.max_bytes:
            self._forget(next(iter(self._entries)))

    def _forget(self, key: str) -> bool:
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        self._size_bytes -= entry.size_bytes
        return True
