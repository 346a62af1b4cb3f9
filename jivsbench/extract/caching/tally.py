"""Counts what look-ups of metadata met."""

import threading
import time
from typing import Final

from jivsbench.model.statistics import LookupStatistics, MissKind

_LEAST_KEPT: Final = 1000


class LookupTally:
    """Counters of one metadata cache, for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hits = self._loads = self._shared_loads = self._early_refreshes = self._repeated_loads = 0
        self._lives_until_s: dict[str, float] = {}
        """Entries that were loaded, and until when the cache was to have them at least."""
        self._kept_at_most = _LEAST_KEPT
        self._misses = dict.fromkeys(MissKind, 0)

    def hit(self) -> None:
        """An entry was found and read."""
        with self._lock:
            self._hits += 1

    def missed(self, kind: MissKind) -> None:
        """Nothing was found that could be read."""
        with self._lock:
            self._misses[kind] += 1

    def loading(self, name: str, least_s: float) -> None:
        """A source or schema is loaded for the cache, which then has it for `least_s`; again, when it was to have it still."""
        now_s = time.monotonic()
        with self._lock:
            self._loads += 1
            self._repeated_loads += now_s < self._lives_until_s.get(name, now_s)
            self._lives_until_s[name] = now_s + least_s
            if len(self._lives_until_s) > self._kept_at_most:
                self._lives_until_s = {other: end_s for other, end_s in self._lives_until_s.items() if end_s > now_s}
                self._kept_at_most = max(_LEAST_KEPT, 2 * len(self._lives_until_s))

    def ended(self, name: str) -> None:
        """That entry is there no longer, or never was: its next load is due."""
        with self._lock:
            self._lives_until_s.pop(name, None)

    def ended_all(self, prefix: str) -> None:
        """The same of every entry whose name begins so."""
        with self._lock:
            for name in [name for name in self._lives_until_s if name.startswith(prefix)]:
                del self._lives_until_s[name]

    def shared(self) -> None:
        """A look-up that missed has got what another one loaded."""
        with self._lock:
            self._shared_loads += 1

    def refreshed(self) -> None:
        """An entry is loaded anew before its end."""
        with self._lock:
            self._early_refreshes += 1

    def report(self) -> LookupStatistics:
        """All counters at this moment."""
        with self._lock:
            return LookupStatistics(
                hits=self._hits,
                misses=tuple(self._misses.items()),
                loads=self._loads,
                shared_loads=self._shared_loads,
                early_refreshes=self._early_refreshes,
                repeated_loads=self._repeated_loads,
            )
