"""Redis and Valkey cache for jivsbench."""

from collections.abc import Iterable

from jivsbench.api import Cache, hookimpl


@hookimpl
def jivsbench_register_caches() -> Iterable[Cache]:
    """The cache `redis`, which opens Valkey too."""
    from jivsbench_redis.cache import RedisCache

    return [RedisCache()]
