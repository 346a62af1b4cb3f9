"""The seams between the host and its plugins, as small protocols. An optional ability is a protocol of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pyarrow as pa

from jivsbench.model.activity import CacheActivity, ServerActivity
from jivsbench.model.fingerprint import ColumnFingerprint
from jivsbench.model.job import ReadTimes
from jivsbench.model.privilege import ExcessPrivilege
from jivsbench.model.record import RunRecord
from jivsbench.model.row_fingerprint import RowFingerprint
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource, ServerFacts
from jivsbench.model.statistics import CacheStatistics
from jivsbench.model.summary import Report, Summary, Verdict
from jivsbench.model.table import (
    Consistency,
    ExtractionRequest,
    Fingerprint,
    KeySplit,
    Partition,
    TableName,
    TableSchema,
    Watermark,
)


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Limits on one session's reads."""

    connect_timeout_s: float = 5.0
    query_timeout_s: float = 30.0
    batch_rows: int = 1000


class Connection(Protocol):
    """One read-only session with a source. Used by one thread at a time; only `cancel` may be called from another."""

    def test(self) -> ServerFacts:
        """Ask the server who it is. Raises EnvironmentProblem when it does not answer."""
        ...

    def is_alive(self) -> bool:
        """One cheap round trip: can this session be handed out? Never raises."""
        ...

    def tables(self) -> tuple[TableName, ...]:
        """Tables and views this session can see, without the system catalogue."""
        ...

    def begin(self, snapshot: str | None = None) -> str | None:
        """Start a read-only transaction with one consistent view until `reset`.

        With `snapshot`, join the view that another session's `begin` returned. Returns a name that other
        sessions can join, or None when the source cannot share its view.
        """
        ...

    def schema(self, request: ExtractionRequest) -> TableSchema:
        """Columns that the request yields, in order. Raises MissingObjectError naming table or column."""
        ...

    def partitions(self, request: ExtractionRequest, schema: TableSchema, streams: int) -> tuple[Partition, ...]:
        """Split a request into at most `streams` disjoint parts of about equal rows; one part when splitting does not pay."""
        ...

    def read(self, partition: Partition) -> Iterator[pa.RecordBatch]:
        """Stream a partition as record batches of exactly `partition.schema.to_arrow()`.

        Memory stays bounded however large the partition is. Raises TypePolicyError naming table and column for a
        value that does not fit, and ExtractionError when the server ends the query.
        """
        ...

    def fingerprint(self, partition: Partition) -> Fingerprint:
        """What the source says the partition holds, under the same view as `read`; not by reading it, if there is another way."""
        ...

    def cancel(self) -> None:
        """End the running query on the server, from any thread. Returns at once; does nothing when idle."""
        ...

    def reset(self) -> None:
        """Roll back and clear what the last user left in the session, so that it is like a fresh one. Raises when it cannot."""
        ...

    def close(self) -> None:
        """End the session. Never raises; may be called twice."""
        ...


class Connector(Protocol):
    """Opens sessions with one kind of source. Stateless: the core owns the pools."""

    @property
    def name(self) -> str:
        """Unique name, as written in configuration."""
        ...

    @property
    def schemes(self) -> tuple[str, ...]:
        """URL schemes that it opens, e.g. ("postgresql", "postgres")."""
        ...

    @property
    def dialect(self) -> str:
        """SQL dialect by sqlglot's name, for guards; empty when the source knows no SQL."""
        ...

    def connect(self, source: DataSource, limits: ReadLimits) -> Connection:
        """Open a read-only session. Raises SourceUnreachableError, AccessDeniedError or MissingObjectError within the timeout.

        The message names host and database, never a part of the password. A pool asks again, until its borrowers' deadlines,
        after a SourceUnreachableError with `is_busy`, and after any other one of a source that it has reached before.
        """
        ...


@runtime_checkable
class RowReader(Protocol):
    """Optional ability of a Connection: rows as Python objects, one at a time. Only a profile without `batching` asks for it."""

    def read_rows(self, partition: Partition) -> Iterator[tuple[object, ...]]:
        """Stream a partition row by row; values are those of the driver."""
        ...


@runtime_checkable
class ActivityTeller(Protocol):
    """Optional ability of a Connection: what its server does now. Needs no right that reading a table does not need."""

    def activity(self, *, with_statements: bool) -> ServerActivity:
        """One look, outside a transaction; what the server keeps from this user is named in `not_granted`."""
        ...


@runtime_checkable
class ReadTimer(Protocol):
    """Optional ability of a Connection: what the time of its reads was spent on, so that a slow job says where it went."""

    def take_read_times(self) -> ReadTimes:
        """Of the reads since it was last asked; what it cannot tell is 0."""
        ...


@runtime_checkable
class ColumnFingerprinter(Protocol):
    """Optional ability of a Connection: figures of columns, for verification by columns."""

    def fingerprint_columns(self, partition: Partition) -> tuple[ColumnFingerprint, ...]:
        """What the server says each column of the partition holds, in the order of its schema, under the same view as `read`.

        Figures are those of `jivsbench.model.fingerprint`. Where the server cannot give them exactly, `total`, `least` and
        `greatest` are None and only NULLs are counted.
        """
        ...


@runtime_checkable
class RowFingerprinter(Protocol):
    """Optional ability of a Connection: a fingerprint of every row, for verification by rows."""

    def fingerprint_rows(self, partition: Partition) -> RowFingerprint:
        """What the server says its rows are, under the same view as `read`, from the canonical text of each.

        `jivsbench.model.row_fingerprint` says what that text is. The values must come by another way than through `read`.
        """
        ...


@runtime_checkable
class SchemaVersionTeller(Protocol):
    """Optional ability of a Connection: to tell whether a schema that was read by an earlier job still holds.

    Without it every job asks for its schema. See docs/decisions/0047.
    """

    def schema_version(self, request: ExtractionRequest) -> str | None:
        """A text that is another one as soon as `schema` would tell anything else of this request, under the same view.

        Asked in every job, so it has to be cheap. None: nothing stands for the schema but the schema itself, so it is not kept.
        Names that are not there are left to `schema`, which says so.
        """
        ...


@runtime_checkable
class ConsistencyTeller(Protocol):
    """Optional ability of a Connection to a source without snapshots. Without it, `begin` gives one consistent view."""

    def consistency(self, request: ExtractionRequest) -> Consistency:
        """What was kept while the request was read. Asked after the last row; raises ExtractionError when the source changed."""
        ...


@runtime_checkable
class KeyPartitioner(Protocol):
    """Optional ability of a Connection: partitions by key, which hold the same rows in a later transaction of another session.

    An output that can be resumed after a crash needs them; without, such an output is one partition.
    """

    def split_by_key(self, request: ExtractionRequest, partition_rows: int) -> KeySplit | None:
        """Cut a request into parts of `partition_rows` rows each. None when the table has no key, or the request a limit."""
        ...

    def key_partitions(self, request: ExtractionRequest, schema: TableSchema, split: KeySplit) -> tuple[Partition, ...]:
        """The parts of a split, in order. Raises ResumeError when the table or its key is not the one that was split."""
        ...


@runtime_checkable
class WatermarkTeller(Protocol):
    """Optional ability of a Connection: where an increment ends, so that no row that is committed late is lost."""

    def watermark(self, request: ExtractionRequest, column: str, overlap: int | None) -> Watermark:
        """A value of the column below which no transaction that is open now can commit a row. Asked before `begin`.

        `overlap` (seconds, or numbers) is read again below that; where the source cannot know such a value, it is taken off the
        newest one. Raises UsageError, saying why, when it is None there, and when the column or the table does not do.
        """
        ...


@runtime_checkable
class PrivilegeTeller(Protocol):
    """Optional ability of a Connection: what its user may do besides reading."""

    def excess_privileges(self) -> tuple[ExcessPrivilege, ...]:
        """Each thing too many, with the statement that takes it away; empty for a user who can only read."""
        ...


@runtime_checkable
class TableLoader(Protocol):
    """Optional ability of a Connector: write seeded test data. Uses a session of its own, which may write."""

    def load_table(
        self, source: DataSource, table: TableName, schema: pa.Schema, batches: Iterator[pa.RecordBatch], indexes: Sequence[str]
    ) -> int:
        """Create the table (the first column is the primary key), fill it, index the named columns. Returns rows written.

        All or nothing. Raises OutputError when the table exists already.
        """
        ...

    def drop_table(self, source: DataSource, table: TableName) -> bool:
        """Drop the table; False when there was none."""
        ...


class CacheClient(Protocol):
    """An open cache, used by many threads. Never raises on a cache fault: a failed look-up is a miss and counts as an error."""

    def get(self, key: str) -> bytes | None:
        """The stored bytes, or None."""
        ...

    def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """Store bytes for at most `ttl_s` seconds."""
        ...

    def delete(self, key: str) -> None:
        """Forget one key."""
        ...

    def delete_prefix(self, prefix: str) -> int:
        """Forget every key that starts with `prefix`, taken literally. Returns how many."""
        ...

    def statistics(self) -> CacheStatistics:
        """Totals since it was opened."""
        ...

    def close(self) -> None:
        """Let go of its connections. May be called twice."""
        ...


@runtime_checkable
class EntryAdder(Protocol):
    """Optional ability of a CacheClient: store only where nothing is, so that processes that share a cache load an entry once."""

    def add(self, key: str, value: bytes, ttl_s: float) -> bool:
        """Store bytes for at most `ttl_s` seconds unless the key holds some; of many who add at the same time one succeeds.

        False when the key holds some already. True when they were stored, and also when the cache is out of reach, which
        counts as an error: then nobody else can be found out.
        """
        ...


@runtime_checkable
class CacheActivityTeller(Protocol):
    """Optional ability of a CacheClient whose cache is a server: what the server says of itself."""

    def activity(self) -> CacheActivity | None:
        """One look; None when the server does not answer, or not this user. Never raises."""
        ...


class Cache(Protocol):
    """Opens one kind of cache."""

    @property
    def name(self) -> str:
        """Unique name, as written in configuration."""
        ...

    @property
    def schemes(self) -> tuple[str, ...]:
        """URL schemes that it opens, e.g. ("redis", "rediss", "valkey"); empty when it needs no URL."""
        ...

    def open(self, url: Secret | None, prefix: str, timeout_s: float) -> CacheClient:
        """Open it; every key is stored under `prefix`. Raises CacheUnreachableError when it does not answer in time."""
        ...


@dataclass(frozen=True, slots=True)
class GuardRequest:
    """What a guard sees: the request, the dialect of its source, and the tables that the source's owner allows."""

    request: ExtractionRequest
    dialect: str
    tables: tuple[str, ...] | None


class Guard(Protocol):
    """Looks at every extraction request before a connection is borrowed."""

    @property
    def name(self) -> str:
        """Unique name, as written in configuration."""
        ...

    def review(self, request: GuardRequest) -> None:
        """Return for yes; raise GuardRefusedError, with a reason that repeats no value, for no."""
        ...


class Reporter(Protocol):
    """Renders one file of a run, from the record alone."""

    @property
    def name(self) -> str:
        """Unique name."""
        ...

    @property
    def filename(self) -> str:
        """Name of the file in the run's folder."""
        ...

    def render(self, record: RunRecord, summary: Summary, verdict: Verdict) -> Report:
        """Render; pure: the same input gives the same bytes."""
        ...
