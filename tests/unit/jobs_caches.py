"""A cache in a dict, whose entries a test can look at and spoil."""

from jivsbench.model.statistics import CacheStatistics


def tell_version() -> str:
    """The version of a schema that never changes."""
    return "v1"


class DictCache:
    """Keeps what it is given; time does not pass in it."""

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}
        self.times_s: dict[str, float] = {}
        self.hits = 0
        self.misses = 0

    def get(self, key: str) -> bytes | None:
        found = self.entries.get(key)
        self.hits, self.misses = self.hits + (found is not None), self.misses + (found is None)
        return found

    def set(self, key: str, value: bytes, ttl_s: float) -> None:
        self.entries[key], self.times_s[key] = value, ttl_s

    def add(self, key: str, value: bytes, ttl_s: float) -> bool:
        if key in self.entries:
            return False
        self.set(key, value, ttl_s)
        return True

    def delete(self, key: str) -> None:
        self.entries.pop(key, None)

    def delete_prefix(self, prefix: str) -> int:
        found = [key for key in self.entries if key.startswith(prefix)]
        for key in found:
            del self.entries[key]
        return len(found)

    def statistics(self) -> CacheStatistics:
        return CacheStatistics(self.hits, self.misses, 0, len(self.times_s), 0)

    def close(self) -> None:
        self.entries.clear()
