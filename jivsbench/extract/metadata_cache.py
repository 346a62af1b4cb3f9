"""Metadata through the cache: read aside, written after the store, forgotten on every change.

An entry is JSON behind a header with the format's version and its own key; whatever does not begin with exactly that
header, or does not fit its type, is a miss. Nothing is ever unpickled. No rows, no filter values, no URLs enter it.
What a reader finds late never hurts: final jobs and statistics do not change any more, a job that was not final counts
only as long as the caller knows that it still is, and data sources and schemas are not stored when they were changed
while they were read.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from jivsbench.api import CacheClient
from jivsbench.extract.jobs.values import JobRecord, JobStatistics, SourceRecord
from jivsbench.model.profile import CacheTimes
from jivsbench.model.source import DataSource
from jivsbench.model.table import Column, ExtractionRequest, TableSchema

_VERSION: Final = 1
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _StoredSchema:
    arrow: str
    server_types: tuple[str, ...]


_SOURCE: Final = TypeAdapter(SourceRecord)
_JOB: Final = TypeAdapter(JobRecord)
_STATISTICS: Final = TypeAdapter(JobStatistics)
_SCHEMA: Final = TypeAdapter(_StoredSchema)


@dataclass(frozen=True, slots=True)
class _Shelf(Generic[_T]):
    """One kind of entry in the cache."""

    client: CacheClient
    kind: str
    content: TypeAdapter[_T]

    def get(self, key: str) -> _T | None:
        raw = self.client.get(f"{self.kind}:{key}")
        header = self._header(key)
        if raw is None or not raw.startswith(header) or not raw.endswith(b"}"):
            return None
        try:
            return self.content.validate_json(raw[len(header) : -1])
        except ValidationError:
            return None

    def put(self, key: str, value: _T, ttl_s: float) -> None:
        self.client.set(f"{self.kind}:{key}", self._header(key) + self.content.dump_json(value) + b"}", ttl_s)

    def delete(self, key: str) -> None:
        self.client.delete(f"{self.kind}:{key}")

    def _header(self, key: str) -> bytes:
        return f'{{"version":{_VERSION},"key":{json.dumps(f"{self.kind}:{key}")},"value":'.encode()


class MetadataCache:
    """The metadata of one service in one cache, for many threads. Without a client (switch `cache` off) every look-up loads."""

    def __init__(self, client: CacheClient | None, times: CacheTimes) -> None:
        self._client = client
        self._times = times
        self._changes = _ChangeCounter()
        if client is not None:
            self._sources = _Shelf(client, "source", _SOURCE)
            self._jobs = _Shelf(client, "job", _JOB)
            self._statistics = _Shelf(client, "statistics", _STATISTICS)
            self._schemas = _Shelf(client, "schema", _SCHEMA)

    def data_source(self, name: str, load: Callable[[], SourceRecord | None]) -> SourceRecord | None:
        """What is known of a source; one that does not exist is asked for every time."""
        if self._client is None:
            return load()
        found = self._sources.get(name)
        if found is not None:
            return found
        before = self._changes.count(name)
        loaded = load()
        if loaded is not None and self._changes.count(name) == before:
            self._sources.put(name, loaded, self._times.data_source_s)
        return loaded

    def forget_data_source(self, name: str) -> None:
        """A source was changed or removed: forget it and every schema that was read from it."""
        self._changes.note(name)
        if self._client is not None:
            self._sources.delete(name)
            self.forget_schemas(name)

    def forget_schemas(self, source: str) -> None:
        """The tables of a source may have changed."""
        if self._client is not None:
            self._client.delete_prefix(f"schema:{source}:")

    def job(
        self, job_id: str, load: Callable[[], JobRecord | None], *, is_current: Callable[[JobRecord], bool]
    ) -> JobRecord | None:
        """One job. `is_current` says whether an entry that is not final still holds; if not, the job is loaded."""
        if self._client is None:
            return load()
        found = self._jobs.get(job_id)
        if found is not None and (found.state.is_final or is_current(found)):
            return found
        loaded = load()
        if loaded is not None:
            self.remember_job(loaded)
        return loaded

    def remember_job(self, job: JobRecord) -> None:
        """Put a job there as it was just stored."""
        if self._client is not None:
            self._jobs.put(job.id, job, self._times.statistics_s if job.state.is_final else self._times.running_job_s)

    def forget_job(self, job_id: str) -> None:
        """A job was changed by a writer that does not hold its new record."""
        if self._client is not None:
            self._jobs.delete(job_id)

    def statistics(self, job_id: str, load: Callable[[], JobStatistics | None]) -> JobStatistics | None:
        """What a job did; a job without statistics is asked for every time."""
        if self._client is None:
            return load()
        found = self._statistics.get(job_id)
        if found is not None:
            return found
        loaded = load()
        if loaded is not None:
            self.remember_statistics(job_id, loaded)
        return loaded

    def remember_statistics(self, job_id: str, statistics: JobStatistics) -> None:
        """Put statistics there as they were just stored; they never change."""
        if self._client is not None:
            self._statistics.put(job_id, statistics, self._times.statistics_s)

    def schema(self, source: DataSource, request: ExtractionRequest, load: Callable[[], TableSchema]) -> TableSchema:
        """The schema that a request yields: a `SchemaLookup` for the extractor."""
        if self._client is None:
            return load()
        key = f"{source.name}:{_digest_shape(source, request)}"
        found = self._schemas.get(key)
        if found is not None and (schema := _decode_schema(found)) is not None:
            return schema
        before = self._changes.count(source.name)
        loaded = load()
        if self._changes.count(source.name) == before:
            self._schemas.put(key, _encode_schema(loaded), self._times.schema_s)
        return loaded


class _ChangeCounter:
    """How often each source has been changed by this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    def note(self, name: str) -> None:
        with self._lock:
            self._counts[name] = self._counts.get(name, 0) + 1

    def count(self, name: str) -> int:
        return self._counts.get(name, 0)


def _digest_shape(source: DataSource, request: ExtractionRequest) -> str:
    """What a schema depends on, and filters are not part of it. A digest: a query's text is nothing for a cache key."""
    namespace, table = (request.table.namespace, request.table.name) if request.table else (None, None)
    shape = [source.connector, source.type_policy.value, namespace, table, request.query, *request.columns]
    return hashlib.sha256(json.dumps(shape).encode()).hexdigest()


def _encode_schema(schema: TableSchema) -> _StoredSchema:
    arrow = schema.to_arrow().serialize().to_pybytes()
    return _StoredSchema(base64.b64encode(arrow).decode(), tuple(column.server_type for column in schema.columns))


def _decode_schema(stored: _StoredSchema) -> TableSchema | None:
    try:
        arrow = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(stored.arrow, validate=True)))
    except (ValueError, OSError, pa.ArrowException):
        return None
    if len(arrow) != len(stored.server_types):
        return None
    pairs = zip(arrow, stored.server_types, strict=True)
    return TableSchema(tuple(Column(field.name, server_type, field.type, field.nullable) for field, server_type in pairs))
