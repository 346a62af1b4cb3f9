"""The servers that a use case works with: those the user names, embedded ones for the rest."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Final

from jivsbench.app.progress import Listener, Step
from jivsbench.config import Settings
from jivsbench.model.record import EMBEDDED_SOURCE
from jivsbench.model.secret import Secret, format_url_without_secret
from jivsbench.model.source import DataSource
from jivsbench.plugins import Registry

SOURCE_NAME: Final = "main"


@dataclass(frozen=True, slots=True)
class Servers:
    """Where rows come from and where metadata is cached. `owner` may write test data; None when nobody said who may."""

    source: DataSource
    owner: DataSource
    cache_name: str
    cache_url: Secret | None
    source_is_embedded: bool
    cache_is_embedded: bool

    @property
    def source_label(self) -> str:
        """The source without its secrets."""
        return EMBEDDED_SOURCE if self.source_is_embedded else format_url_without_secret(self.source.url)

    @property
    def cache_label(self) -> str:
        """The cache without its secrets."""
        if self.cache_is_embedded:
            return "embedded Valkey"
        return format_url_without_secret(self.cache_url) if self.cache_url else self.cache_name


def named_source(settings: Settings, registry: Registry) -> DataSource | None:
    """The source of the settings, with the connector that its URL asks for when none is named; None without a source."""
    if settings.source is None:
        return None
    connector = settings.source.connector or registry.connector_for_url(settings.source.url).name
    return replace(settings.source, connector=connector)


@contextmanager
def open_source(settings: Settings, registry: Registry, listener: Listener) -> Iterator[tuple[DataSource, DataSource, bool]]:
    """The source to read, the same source as its owner, and whether it is embedded."""
    named = named_source(settings, registry)
    if named is not None:
        yield named, named, False
        return
    from jivsbench.embedded import start_postgres

    listener(Step("starting an embedded PostgreSQL", expected_s=2))
    with start_postgres() as server:
        yield DataSource(SOURCE_NAME, "postgres", server.reader_url), DataSource(SOURCE_NAME, "postgres", server.owner_url), True


@dataclass(frozen=True, slots=True)
class Workbench:
    """What every use case with servers works with."""

    settings: Settings
    registry: Registry
    servers: Servers
    listener: Listener


@contextmanager
def open_servers(settings: Settings, registry: Registry, listener: Listener) -> Iterator[Servers]:
    """Source and cache, embedded where the settings name none; gone at the end of the block."""
    with ExitStack() as stack:
        source, owner, source_is_embedded = stack.enter_context(open_source(settings, registry, listener))
        if settings.cache_url is not None:
            cache = registry.cache_for_url(settings.cache_url)
            yield Servers(source, owner, cache.name, settings.cache_url, source_is_embedded, cache_is_embedded=False)
            return
        from jivsbench.embedded import start_valkey

        listener(Step("starting an embedded Valkey", expected_s=1))
        server = stack.enter_context(start_valkey())
        yield Servers(source, owner, "redis", server.url, source_is_embedded, cache_is_embedded=True)
