"""Many processes miss the same entry: a lock in the cache lets one load it. It ends by itself when its holder dies."""

from typing import Final

from jivsbench.api import CacheClient, EntryAdder

LOCK_TTL_S: Final = 2.0
_SUFFIX: Final = "#load"


class LoadLock:
    """Locks on entries, each under the entry's own name and a suffix, so that what forgets the entry forgets its lock.

    Where a cache cannot lock, or is out of reach, everybody may load. A holder that is slower than the lock lasts may give back
    another's; the price is one more load.
    """

    def __init__(self, client: CacheClient, ttl_s: float) -> None:
        self._client = client
        self._adder = client if isinstance(client, EntryAdder) else None
        self.ttl_s = ttl_s

    def take(self, name: str) -> bool:
        """True for the one who may load."""
        return self._adder is None or self._adder.add(name + _SUFFIX, b"1", self.ttl_s)

    def is_still_taken(self, name: str) -> bool:
        """By its holder: False when the entry was forgotten since, so that what was loaded may be out of date."""
        return self._adder is None or not self._adder.add(name + _SUFFIX, b"1", self.ttl_s)

    def give_back(self, name: str) -> None:
        """Let the next one load at once. Also on every change of the entry."""
        if self._adder is not None:
            self._client.delete(name + _SUFFIX)
