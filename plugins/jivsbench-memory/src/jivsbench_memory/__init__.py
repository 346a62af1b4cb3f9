"""A cache in the process's own memory, for jivsbench."""

from collections.abc import Iterable

from jivsbench.api import Cache, hookimpl


@hookimpl
def jivsbench_register_caches() -> Iterable[Cache]:
    """The cache `memory`."""
    from jivsbench_memory.cache import MemoryCache

    return [MemoryCache()]
