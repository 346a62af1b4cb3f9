"""The cache `redis`: connects once, says what is wrong, hands out a client that never will."""

import time
from collections.abc import Callable
from typing import Final

from jivsbench.api import CacheClient
from jivsbench.errors import ConfigError
from jivsbench.model.secret import Secret
from jivsbench_redis.address import SCHEMES, parse_address

PAUSE_S: Final = 0.5
"""A cache that is back is used again within this, and the time of one probe."""


class RedisCache:
    """Opens caches on Redis 7 and later, and on Valkey, which speaks the same protocol."""

    name = "redis"
    schemes = SCHEMES

    def __init__(self, *, pause_s: float = PAUSE_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause_s = pause_s
        self._clock = clock

    def open(self, url: Secret | None, prefix: str, timeout_s: float) -> CacheClient:
        """Ask the server for a sign of life within `timeout_s`. Raises CacheUnreachableError and AccessDeniedError."""
        if url is None:
            raise ConfigError("the cache 'redis' needs a URL: write url = \"redis://host:6379/0\" under [cache]")
        # Every command loads the plugin, few open a cache: redis-py takes a tenth of a second to load.
        from jivsbench_redis.opening import open_cache

        return open_cache(parse_address(url), prefix, timeout_s, pause_s=self._pause_s, clock=self._clock)
