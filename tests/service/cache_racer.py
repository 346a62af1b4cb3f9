"""One of several processes that miss the same cache entry at the same time. Run by test_cache_faults.py."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from jivsbench.extract.caching.load_lock import LoadLock
from jivsbench.extract.jobs.values import SourceRecord
from jivsbench.extract.metadata_cache import MetadataCache
from jivsbench.model.profile import CacheTimes
from jivsbench.model.secret import Secret
from jivsbench.model.source import TypePolicy
from jivsbench_redis.cache import RedisCache

KEY = bytes(32)
AT = datetime(2026, 1, 1, tzinfo=UTC)
SOURCE = SourceRecord(1, "shop", "fake", TypePolicy.ERROR, None, is_declared=True, revision=1, created_at=AT, updated_at=AT)


def race(url: str, prefix: str, loads: Path, load_s: float, *, can_lock: bool) -> float:
    """Look up once; how long it took. Each load is a line of the file."""
    if not can_lock:
        LoadLock.take = lambda _self, _name: True
    # A generous limit for each call: eight processes share the machine, and a breaker would hide what is tested.
    cache = MetadataCache(RedisCache().open(Secret(f"{url}?socket_timeout=5"), prefix, 10.0), CacheTimes(), key=KEY)

    def load() -> SourceRecord:
        with loads.open("a") as file:
            file.write("load\n")
        time.sleep(load_s)
        return SOURCE

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    started_s = time.monotonic()
    assert cache.data_source("shop", load) == SOURCE
    return time.monotonic() - started_s


if __name__ == "__main__":
    asked = json.loads(sys.stdin.readline())
    took_s = race(asked["url"], asked["prefix"], Path(asked["loads"]), asked["load_s"], can_lock=asked["can_lock"])
    sys.stdout.write(f"{took_s}\n")
