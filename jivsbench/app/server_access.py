"""How the monitor reaches the servers behind the targets: through the plugins, as the user that the targets read as."""

from typing import Final

from jivsbench.api import CacheClient, Connection, ReadLimits
from jivsbench.app.servers import Workbench
from jivsbench.load.server_probe import ServerAccess

_LIMIT_S: Final = 2.0
_PREFIX: Final = "jivsbench:monitor:"


def build_server_access(bench: Workbench) -> ServerAccess:
    """Access to the source and the cache of a workbench; nothing is opened yet."""
    servers, registry = bench.servers, bench.registry

    def open_source() -> Connection:
        limits = ReadLimits(connect_timeout_s=_LIMIT_S, query_timeout_s=_LIMIT_S)
        return registry.connector(servers.source.connector).connect(servers.source, limits)

    def open_cache() -> CacheClient:
        return registry.cache(servers.cache_name).open(servers.cache_url, _PREFIX, _LIMIT_S)

    return ServerAccess(open_source, open_cache if servers.cache_url is not None else None)
