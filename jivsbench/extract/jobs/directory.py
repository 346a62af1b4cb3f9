"""Finds the data source behind a name: facts through the cache, the URL from this process's memory or the private store."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from jivsbench.errors import UnknownNameError
from jivsbench.extract.jobs.failures import build_unknown_source
from jivsbench.extract.jobs.sources import SourceStore
from jivsbench.extract.jobs.values import SourceRecord
from jivsbench.extract.metadata_cache import MetadataCache
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource


@dataclass(frozen=True, slots=True)
class OpenedSource:
    """A source as it was when its URL was last read. What may be read is decided by this copy, never by the cache's."""

    record: SourceRecord
    source: DataSource


class SourceDirectory:
    """Data sources by name, for many threads."""

    def __init__(self, store: SourceStore, cache: MetadataCache) -> None:
        self._store = store
        self._cache = cache
        self._lock = threading.Lock()
        self._declared_urls: dict[str, Secret] = {}
        self._opened: dict[str, OpenedSource] = {}
        self._changes = 0

    def declare(self, sources: Sequence[DataSource]) -> None:
        """Take the sources that were given at start; their URLs stay in memory."""
        for source in sources:
            self._store.declare(source)
            self._remember_url(source.name, source.url)

    def list_sources(self) -> tuple[SourceRecord, ...]:
        """Every source, by name."""
        return self._store.list_sources()

    def find(self, name: str) -> SourceRecord:
        """What is known of a source, without its URL. Raises UnknownNameError with the nearest name."""
        record = self._cache.data_source(name, lambda: self._store.find(name))
        if record is None:
            raise self._unknown(name)
        return record

    def open(self, name: str) -> OpenedSource:
        """A source with the URL that opens it. Raises UnknownNameError."""
        changes = self._changes
        record = self.find(name)
        opened = self._opened.get(name)
        if opened and (opened.record.id, opened.record.revision) == (record.id, record.revision):
            return opened
        # The cache may be shared: whoever writes to it can at most send us here, to the store.
        stored = self._store.find(name)
        if stored is None:
            self._cache.forget_data_source(name)
            raise self._unknown(name)
        return self._open(stored, changes)

    def is_current(self, opened: OpenedSource) -> bool:
        """False once the source was changed or removed after it was opened like this, as far as this process knows."""
        latest = self._opened.get(opened.record.name)
        return latest is not None and (latest.record.id, latest.record.revision) == (opened.record.id, opened.record.revision)

    def add(self, source: DataSource) -> SourceRecord:
        """Store a new source. Raises DuplicateNameError."""
        record = self._store.add(source)
        self._forget(source.name)
        return record

    def replace(self, source: DataSource) -> SourceRecord:
        """Change a source; a declared one stays declared. Raises UnknownNameError."""
        is_declared = source.name in self._declared_urls
        record = self._store.replace(source, is_declared=is_declared)
        if record is not None and is_declared:
            self._remember_url(source.name, source.url)
        self._forget(source.name)
        if record is None:
            raise self._unknown(source.name)
        return record

    def remove(self, name: str) -> None:
        """Remove a source. Raises UnknownNameError."""
        is_removed = self._store.remove(name)
        with self._lock:
            self._declared_urls.pop(name, None)
        self._forget(name)
        if not is_removed:
            raise self._unknown(name)

    def _unknown(self, name: str) -> UnknownNameError:
        return build_unknown_source(name, (known.name for known in self._store.list_sources()))

    def _open(self, record: SourceRecord, changes: int) -> OpenedSource:
        url = self._store.read_url(record.id) or self._declared_urls.get(record.name)
        if url is None:
            raise UnknownNameError(f"data source {record.name!r} has no URL in this service: send it again")
        source = DataSource(record.name, record.connector, url, record.type_policy, record.tables)
        opened = OpenedSource(record, source)
        with self._lock:
            # What was changed while it was read must not stand there as the latest.
            if self._changes == changes:
                self._opened[record.name] = opened
        return opened

    def _remember_url(self, name: str, url: Secret) -> None:
        with self._lock:
            self._declared_urls[name] = url

    def _forget(self, name: str) -> None:
        with self._lock:
            self._changes += 1
            self._opened.pop(name, None)
        self._cache.forget_data_source(name)
