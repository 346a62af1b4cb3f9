"""Metadata through the cache: read aside, written after the store, forgotten on every change.

An entry is JSON under a MAC (`caching.sealing`); whatever was not sealed by this service for exactly this place, or does not
fit its type, is a miss of a named kind. Nothing is ever unpickled. No rows, no filter values, no URLs enter it.
What a reader finds late never hurts: final jobs and statistics do not change any more, a job that was not final counts
only as long as the caller knows that it still is, and data sources and schemas are not stored when they were changed
while they were read. A schema is found under what its source tells of its version in the job that asks.
Sources and schemas are loaded by one caller for all who want them (`caching.loading`). A job and its statistics are one row
of the job store each, found by key: a lock would cost as much, and nobody may be told a state from before the question.
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from pydantic import TypeAdapter

from jivsbench.api import CacheClient
from jivsbench.errors import ExtractionError
from jivsbench.extract.caching.loading import LoadingShelf
from jivsbench.extract.caching.sealing import KEY_BYTES, Seal
from jivsbench.extract.caching.shelves import CacheTools, ContentFormat, Shelf, Value
from jivsbench.extract.caching.tally import LookupTally
from jivsbench.extract.jobs.values import JobRecord, JobStatistics, SourceRecord
from jivsbench.model.profile import CacheTimes
from jivsbench.model.source import DataSource
from jivsbench.model.statistics import LookupStatistics
from jivsbench.model.table import Column, ExtractionRequest, TableSchema


class MetadataCache:
    """The metadata of one service in one cache, for many threads. Without a client (switch `cache` off) every look-up loads.

    `key` seals the entries. Without one a random key is made, and no entry is read by another process or after a restart.
    """

    def __init__(
        self,
        client: CacheClient | None,
        times: CacheTimes,
        *,
        key: bytes | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._times = times
        self._tally = LookupTally()
        if client is not None:
            tools = CacheTools(client, Seal(key or secrets.token_bytes(KEY_BYTES)), self._tally, clock)
            self._sources = LoadingShelf(tools, "source", _format_of(SourceRecord), times.data_source_s)
            self._schemas = LoadingShelf(tools, "schema", ContentFormat(_dump_schema, _parse_schema), times.schema_s)
            self._jobs = Shelf(tools, "job", _format_of(JobRecord))
            self._job_statistics = Shelf(tools, "statistics", _format_of(JobStatistics))

    def look_ups(self) -> LookupStatistics:
        """What look-ups met so far; all zero without a client."""
        return self._tally.report()

    def data_source(self, name: str, load: Callable[[], SourceRecord | None]) -> SourceRecord | None:
        """What is known of a source; one that does not exist is asked for every time. `load` may be called by another thread."""
        if self._client is None:
            return load()
        return self._sources.look_up(name, load, subject=name, is_threadsafe=True)

    def forget_data_source(self, name: str) -> None:
        """A source was changed or removed: forget it and every schema that was read from it."""
        if self._client is not None:
            self._sources.forget(name)
            self.forget_schemas(name)

    def forget_schemas(self, source: str) -> None:
        """The tables of a source may have changed."""
        if self._client is not None:
            self._schemas.forget_all(source)

    def job(
        self, job_id: str, load: Callable[[], JobRecord | None], *, is_current: Callable[[JobRecord], bool]
    ) -> JobRecord | None:
        """One job. `is_current` says whether an entry that is not final still holds; if not, the job is loaded."""
        if self._client is None:
            return load()
        found = self._jobs.find(job_id)
        if found is not None and (found.value.state.is_final or is_current(found.value)):
            return found.value
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
        found = self._job_statistics.find(job_id)
        if found is not None:
            return found.value
        loaded = load()
        if loaded is not None:
            self.remember_statistics(job_id, loaded)
        return loaded

    def remember_statistics(self, job_id: str, statistics: JobStatistics) -> None:
        """Put statistics there as they were just stored; they never change."""
        if self._client is not None:
            self._job_statistics.put(job_id, statistics, self._times.statistics_s)

    def schema(
        self,
        source: DataSource,
        request: ExtractionRequest,
        load: Callable[[], TableSchema],
        tell_version: Callable[[], str | None],
    ) -> TableSchema:
        """The schema that a request yields: a `SchemaLookup` for the extractor."""
        version = tell_version() if self._client is not None else None
        if version is None:
            return load()

        def load_that_version() -> TableSchema:
            loaded = load()
            if tell_version() != version:
                raise ExtractionError(f"a table of source {source.name} changed while its columns were read: start again")
            return loaded

        key = f"{source.name}:{_digest_shape(source, request, version)}"
        # It is read on the caller's own connection, which no other thread may use.
        found = self._schemas.look_up(key, load_that_version, subject=source.name, is_threadsafe=False)
        return found or load()


def _digest_shape(source: DataSource, request: ExtractionRequest, version: str) -> str:
    """What a schema depends on. A digest: a query's text is nothing for a cache key.

    Of filters that is the columns' names: whoever tells the schema refuses a filter on what is no column of the table, and a
    schema that is found here must have been told for the same names.
    """
    namespace, table = (request.table.namespace, request.table.name) if request.table else (None, None)
    filtered = sorted({condition.column for condition in request.filters})
    shape = [source.connector, source.type_policy.value, namespace, table, request.query, request.columns, filtered, version]
    return hashlib.sha256(json.dumps(shape).encode()).hexdigest()


def _format_of(kind: type[Value]) -> ContentFormat[Value]:
    adapter = TypeAdapter(kind)
    return ContentFormat(adapter.dump_json, adapter.validate_json)


@dataclass(frozen=True, slots=True)
class _StoredSchema:
    arrow: str
    server_types: tuple[str, ...]


_STORED_SCHEMA: Final = TypeAdapter(_StoredSchema)


def _dump_schema(schema: TableSchema) -> bytes:
    arrow = schema.to_arrow().serialize().to_pybytes()
    server_types = tuple(column.server_type for column in schema.columns)
    return _STORED_SCHEMA.dump_json(_StoredSchema(base64.b64encode(arrow).decode(), server_types))


def _parse_schema(content: bytes) -> TableSchema:
    stored = _STORED_SCHEMA.validate_json(content)
    try:
        arrow = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(stored.arrow, validate=True)))
    except (OSError, pa.ArrowException) as exc:
        raise ValueError("the stored schema is not one of Arrow's") from exc
    pairs = zip(arrow, stored.server_types, strict=True)
    return TableSchema(tuple(Column(field.name, server_type, field.type, field.nullable) for field, server_type in pairs))
