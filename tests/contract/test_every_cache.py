"""Every cache that is installed passes the contract; one without a place to run it fails this file."""

import pytest

from jivsbench.api import Cache
from jivsbench.model.secret import Secret
from jivsbench.testing.cache_contract import CacheContract
from tests.contract.installed import registry

COVERED = {"memory": "TestMemory", "redis": "TestRedisOnValkey"}


def find_cache(name: str) -> Cache:
    """The installed cache of that name."""
    return registry().cache(name)


def test_every_installed_cache_has_its_contract() -> None:
    """A new cache must be added here, with a server to run it on."""
    installed = {found.name for found in registry().caches}

    assert installed == set(COVERED)
    assert all(issubclass(globals()[name], CacheContract) for name in COVERED.values())


class TestMemory(CacheContract):
    @pytest.fixture
    def cache(self) -> Cache:
        return find_cache("memory")


class TestRedisOnValkey(CacheContract):
    @pytest.fixture
    def cache(self) -> Cache:
        return find_cache("redis")

    @pytest.fixture
    def url(self, embedded_valkey_url: str) -> Secret:
        return Secret(embedded_valkey_url)


@pytest.mark.real_server
class TestRedisOnRedis(TestRedisOnValkey):
    @pytest.fixture
    def url(self, real_redis_url: str) -> Secret:
        return Secret(real_redis_url)
