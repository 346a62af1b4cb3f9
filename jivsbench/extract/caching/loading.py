"""Entries that are costly to load: one thread of one process loads them, for all who want them.

Nothing here is needed for a hit, and a hit makes one call. On a miss a thread leads and the others of its process follow; the
leader takes a lock in the cache, and the leaders of other processes wait for the entry to appear. Whoever waits, waits for a
bounded time and then loads for itself: a cache never stops a job.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Final

from jivsbench.extract.caching.load_lock import LOCK_TTL_S, LoadLock
from jivsbench.extract.caching.shelves import JITTER, CacheTools, ContentFormat, Found, Shelf, Value
from jivsbench.extract.caching.single_flight import SingleFlight

_POLL_S: Final = 0.02

_LOG = logging.getLogger(__name__)


class LoadingShelf(Shelf[Value]):
    """Entries of one kind that are loaded through here. A value None is not stored: what does not exist is asked for again."""

    def __init__(self, tools: CacheTools, kind: str, content: ContentFormat[Value], ttl_s: float) -> None:
        super().__init__(tools, kind, content)
        self._ttl_s = ttl_s
        self._lock = LoadLock(tools.client, LOCK_TTL_S)
        self._flights: SingleFlight[Value | None] = SingleFlight(LOCK_TTL_S)
        self._changes = _Changes()
        self._refreshes = _Refreshes(LOCK_TTL_S)

    def look_up(self, key: str, load: Callable[[], Value | None], *, subject: str, is_threadsafe: bool) -> Value | None:
        """The value, from the cache or loaded. `subject` is the part of the key that changes are told by.

        When an entry's end is near, one caller refreshes it: aside when `load` is threadsafe, else before its own answer. All
        others get the value as it is, and wait for nobody.
        """
        found = self.find(key)
        if found is None:
            value, is_shared = self._flights.load(self._name(key), lambda: self._load_once(key, load, subject))
            if is_shared:
                self._tools.tally.shared()
            return value
        if found.is_due and self._refreshes.may_start(self._name(key)):
            if not is_threadsafe:
                return self._refresh(key, load, subject, found.value)
            arguments = (key, load, subject, found.value)
            threading.Thread(target=self._refresh_aside, args=arguments, name="cache-refresh", daemon=True).start()
        return found.value

    def forget(self, key: str) -> None:
        """What an entry says has changed; its key is its subject."""
        self._changes.note(key)
        self._flights.forget(self._name(key))
        self._tools.tally.ended(self._name(key))
        self.delete(key)
        self._lock.give_back(self._name(key))

    def forget_all(self, subject: str) -> None:
        """A subject has changed: every entry whose key is `subject:` and more goes, with its lock."""
        self._changes.note(subject)
        prefix = self._name(f"{subject}:")
        self._flights.forget(prefix)
        self._tools.tally.ended_all(prefix)
        self._tools.client.delete_prefix(prefix)

    def _load_once(self, key: str, load: Callable[[], Value | None], subject: str) -> Value | None:
        """Load, unless another process does or just did: then wait for the entry, and take its place when it dies."""
        give_up_at_s = time.monotonic() + 2 * LOCK_TTL_S
        is_taken = self._lock.take(self._name(key))
        while not isinstance(found := self._read(key), Found):
            if is_taken or time.monotonic() > give_up_at_s:
                return self._load(key, load, subject)
            time.sleep(_POLL_S * random.uniform(0.5, 1.5))  # noqa: S311 - spreads those who wait
            is_taken = self._lock.take(self._name(key))
        if is_taken:
            self._lock.give_back(self._name(key))
        self._tools.tally.shared()
        return found.value

    def _load(self, key: str, load: Callable[[], Value | None], subject: str) -> Value | None:
        """By the holder of the lock, which is given back, or by one who has waited for it long enough."""
        before, started_s = self._changes.count(subject), time.monotonic()
        self._tools.tally.loading(self._name(key), self._ttl_s * (1.0 - JITTER))
        is_kept = False
        try:
            value = load()
            took_s = time.monotonic() - started_s
            # A lock that could not last as long as the load says nothing about changes.
            is_kept = value is not None and (took_s >= self._lock.ttl_s or self._lock.is_still_taken(self._name(key)))
            if value is not None and is_kept:
                self._changes.run_unless_changed(subject, before, lambda: self.put(key, value, self._ttl_s, loaded_in_s=took_s))
        finally:
            if not is_kept:
                self._tools.tally.ended(self._name(key))
            self._lock.give_back(self._name(key))
        return value

    def _refresh(self, key: str, load: Callable[[], Value | None], subject: str, old: Value) -> Value | None:
        if not self._lock.take(self._name(key)):
            # Another process is at it.
            return old
        self._tools.tally.refreshed()
        self._tools.tally.ended(self._name(key))
        value = self._load(key, load, subject)
        if value is None:
            self.delete(key)
        return value

    def _refresh_aside(self, key: str, load: Callable[[], Value | None], subject: str, old: Value) -> None:
        try:
            self._refresh(key, load, subject, old)
        except Exception as problem:  # noqa: BLE001 - the entry is good until its end; then a caller meets the problem itself
            _LOG.warning("a cache entry of kind %s could not be refreshed early (%s)", self._kind, type(problem).__name__)


class _Changes:
    """How often each subject has been changed by this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    def note(self, subject: str) -> None:
        with self._lock:
            self._counts[subject] = self._counts.get(subject, 0) + 1

    def count(self, subject: str) -> int:
        return self._counts.get(subject, 0)

    def run_unless_changed(self, subject: str, before: int, store: Callable[[], None]) -> None:
        """Store what was loaded, unless the subject has changed since. A change that comes now waits, and then forgets it."""
        with self._lock:
            if self._counts.get(subject, 0) == before:
                store()


class _Refreshes:
    """One early refresh for each entry and pause, however many callers see that it is due."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._lock = threading.Lock()
        self._ends_s: dict[str, float] = {}

    def may_start(self, name: str) -> bool:
        now_s = time.monotonic()
        with self._lock:
            if now_s < self._ends_s.get(name, 0.0):
                return False
            self._ends_s = {other: end_s for other, end_s in self._ends_s.items() if end_s > now_s}
            self._ends_s[name] = now_s + self._pause_s
            return True
