"""A cache whose server is gone."""

import threading

from jivsbench.model.statistics import CacheStatistics


class FailingCacheClient:
    """Keeps the protocol's promise in its worst hour: never raises, every look-up is a miss, every call is an error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lookups = 0
        self._errors = 0

    def get(self, key: str) -> bytes | None:  # noqa: ARG002 - the protocol's; nothing is there under any key
        """None, always."""
        self._fail(lookups=1)
        return None

    def set(self, key: str, value: bytes, ttl_s: float) -> None:  # noqa: ARG002 - nothing is stored
        """Store nothing."""
        self._fail()

    def add(self, key: str, value: bytes, ttl_s: float) -> bool:  # noqa: ARG002 - nothing is stored
        """True: nobody else can be found out."""
        self._fail()
        return True

    def delete(self, key: str) -> None:  # noqa: ARG002 - nothing is stored
        """Forget nothing."""
        self._fail()

    def delete_prefix(self, prefix: str) -> int:  # noqa: ARG002 - nothing is stored
        """Forget nothing."""
        self._fail()
        return 0

    def statistics(self) -> CacheStatistics:
        """No hits; one error a call."""
        with self._lock:
            return CacheStatistics(0, self._lookups, self._errors, writes=0, deletes=0, failed_lookups=self._lookups)

    def close(self) -> None:
        """Nothing is open."""

    def _fail(self, lookups: int = 0) -> None:
        with self._lock:
            self._lookups += lookups
            self._errors += 1
