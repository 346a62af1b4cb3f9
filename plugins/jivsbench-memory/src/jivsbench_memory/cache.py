"""The cache `memory`: what is opened, with which bounds."""

import time
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

from jivsbench.api import CacheClient
from jivsbench.errors import ConfigError
from jivsbench.model.secret import Secret
from jivsbench.model.whole_numbers import MOST_DIGITS, parse_whole_number
from jivsbench_memory.client import DEFAULT_BOUNDS, Bounds, MemoryCacheClient


class MemoryCache:
    """Opens caches in this process. Each client has a store of its own: nothing is shared, nothing outlives `close`."""

    name = "memory"
    schemes = ("memory",)

    def __init__(self, *, bounds: Bounds = DEFAULT_BOUNDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._bounds = bounds
        self._clock = clock

    def open(self, url: Secret | None, prefix: str, timeout_s: float) -> CacheClient:  # noqa: ARG002 - the protocol's; memory answers at once
        """A new, empty client. `memory://?max_entries=1000&max_bytes=1000000` sets its bounds; no URL is needed."""
        return MemoryCacheClient(prefix, _read_bounds(url, self._bounds) if url else self._bounds, self._clock)


def _read_bounds(url: Secret, default: Bounds) -> Bounds:
    limits = {"max_entries": default.max_entries, "max_bytes": default.max_bytes}
    for name, text in parse_qsl(urlsplit(url.reveal()).query, keep_blank_values=True):
        if name not in limits:
            raise ConfigError(f"the memory cache has no setting {name!r}: write memory://?max_entries=1000&max_bytes=1000000")
        limit = parse_whole_number(text)
        if not limit:
            raise ConfigError(
                f"the memory cache's {name} is a whole number above 0, of at most {MOST_DIGITS} digits: write memory://?{name}=1000"
            )
        limits[name] = limit
    return Bounds(limits["max_entries"], limits["max_bytes"])
