"""What a cache hit costs, from the look-up to the typed value. Run with `make bench`; skipped elsewhere."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from jivsbench.api import CacheClient
from jivsbench.extract.caching.sealing import Entry, Seal
from jivsbench.extract.jobs.values import SourceRecord
from jivsbench.extract.metadata_cache import MetadataCache
from jivsbench.model.profile import CacheTimes
from jivsbench.model.secret import Secret
from jivsbench.model.source import TypePolicy
from jivsbench_memory.cache import MemoryCache
from jivsbench_redis.cache import RedisCache
from jivsbench_redis.client import RedisCacheClient
from tests.benchmarks.test_pools import ratio

KEY = bytes(32)
AT = datetime(2026, 1, 1, tzinfo=UTC)
SOURCE = SourceRecord(1, "shop", "fake", TypePolicy.ERROR, ("a", "b"), is_declared=True, revision=1, created_at=AT, updated_at=AT)


def refuse_to_load() -> SourceRecord:
    """A hit loads nothing."""
    raise AssertionError("this was to be a hit")


@pytest.fixture(params=["memory", "redis"])
def client(request: pytest.FixtureRequest) -> Iterator[CacheClient]:
    """A cache in this process, and a Valkey."""
    if request.param == "memory":
        client = MemoryCache().open(None, "bench:", 1.0)
    else:
        client = RedisCache().open(Secret(f"{request.getfixturevalue('embedded_valkey_url')}?socket_timeout=5"), "bench:", 5.0)
    yield client
    client.delete_prefix("")
    client.close()


@pytest.mark.benchmark(group="cache: one hit")
def test_a_hit(benchmark, client: CacheClient) -> None:
    """One call to the cache, the MAC, the JSON: at most 25 us in memory, and at most three times a bare GET of Valkey."""
    cache = MetadataCache(client, CacheTimes(), key=KEY)
    cache.data_source("shop", lambda: SOURCE)
    benchmark(cache.data_source, "shop", refuse_to_load)
    to_get = ratio(lambda: cache.data_source("shop", refuse_to_load), lambda: client.get("source:shop"), 200)

    benchmark.extra_info["to a bare get"] = to_get
    assert cache.look_ups().hits > 1000
    assert to_get <= 3 if isinstance(client, RedisCacheClient) else benchmark.stats.stats.median <= 25e-6


@pytest.mark.benchmark(group="cache: the seal")
def test_the_seal_is_cheap_beside_the_call(benchmark, embedded_valkey_url: str) -> None:
    """Opening an entry of 300 bytes takes at most a fifth of one GET on this machine."""
    client = RedisCache().open(Secret(f"{embedded_valkey_url}?socket_timeout=5"), "bench:", 5.0)
    seal = Seal(KEY)
    raw = seal.close("source:shop", Entry(b"x" * 300, time.time()))
    benchmark(seal.open, "source:shop", raw)
    client.set("raw", raw, 60)
    to_get = ratio(lambda: seal.open("source:shop", raw), lambda: client.get("raw"), 500)
    client.delete_prefix("")
    client.close()

    benchmark.extra_info["to a bare get"] = to_get
    assert to_get <= 0.2
