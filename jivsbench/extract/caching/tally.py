"""Counts what look-ups of metadata met."""

import threading

from jivsbench.model.statistics import LookupStatistics, MissKind


class LookupTally:
    """Counters of one metadata cache, for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hits = self._loads = self._shared_loads = self._early_refreshes = 0
        self._misses = dict.fromkeys(MissKind, 0)

    def hit(self) -> None:
        """An entry was found and read."""
        with self._lock:
            self._hits += 1

    def missed(self, kind: MissKind) -> None:
        """Nothing was found that could be read."""
        with self._lock:
            self._misses[kind] += 1

    def loaded(self) -> None:
        """A source or schema is loaded for the cache."""
        with self._lock:
            self._loads += 1

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
            )
