"""A connector over Arrow tables in memory: everything a test needs of a source, without a server."""

import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

import pyarrow as pa

from jivsbench.api.protocols import ReadLimits
from jivsbench.errors import ExtractionError, MissingObjectError, OutputError, SourceUnreachableError
from jivsbench.model.filtering import apply_filters
from jivsbench.model.source import DataSource, ServerFacts
from jivsbench.model.table import Column, ExtractionRequest, Fingerprint, Partition, TableName, TableSchema

UNREACHABLE_HOST = "unreachable"


class FakeConnector:
    """Reads `tables`, by name. A URL whose host is `unreachable` opens nothing; `batch_pause_s` makes every batch slow."""

    name = "fake"
    schemes = ("fake",)
    dialect = ""

    def __init__(self, tables: Mapping[str, pa.Table] | None = None, *, batch_pause_s: float = 0.0) -> None:
        self.tables = dict(tables or {})
        self.batch_pause_s = batch_pause_s
        self.snapshots: dict[str, dict[str, pa.Table]] = {}
        self.opened = 0
        self.closed = 0
        self._numbers = itertools.count(1)

    def connect(self, source: DataSource, limits: ReadLimits) -> "FakeConnection":
        """Open a session. Raises SourceUnreachableError for the host `unreachable`."""
        if urlsplit(source.url.reveal()).hostname == UNREACHABLE_HOST:
            raise SourceUnreachableError(f"the fake source at {UNREACHABLE_HOST} never answers: name another host")
        self.opened += 1
        return FakeConnection(self, limits)

    def new_snapshot(self) -> str:
        """Freeze the tables as they are; returns the name of the view."""
        name = f"fake-{next(self._numbers)}"
        self.snapshots[name] = dict(self.tables)
        return name

    def load_table(
        self,
        source: DataSource,  # noqa: ARG002 - the protocol's; this connector has one source
        table: TableName,
        schema: pa.Schema,
        batches: Iterator[pa.RecordBatch],
        indexes: Sequence[str],  # noqa: ARG002 - memory needs no index
    ) -> int:
        """Keep the rows. Raises OutputError when the table exists already."""
        if str(table) in self.tables:
            raise OutputError(f"the table {table} exists already: drop it first")
        loaded = pa.Table.from_batches(batches, schema)
        self.tables[str(table)] = loaded
        return int(loaded.num_rows)

    def drop_table(self, source: DataSource, table: TableName) -> bool:  # noqa: ARG002 - the protocol's
        """Forget the rows; False when there were none."""
        return self.tables.pop(str(table), None) is not None


class FakeConnection:
    """One session: its own view of the tables between `begin` and `reset`."""

    def __init__(self, connector: FakeConnector, limits: ReadLimits) -> None:
        self._connector = connector
        self._limits = limits
        self._view: dict[str, pa.Table] | None = None
        self._is_closed = False
        self._is_cancelled = threading.Event()
        self._is_reading = False

    def test(self) -> ServerFacts:
        """A product that nobody sells."""
        return ServerFacts("Fake", "1", "nobody", "memory", may_write=False)

    def is_alive(self) -> bool:
        """True until it is closed."""
        return not self._is_closed

    def tables(self) -> tuple[TableName, ...]:
        """Every table, sorted."""
        return tuple(TableName(name) for name in sorted(self._tables()))

    def begin(self, snapshot: str | None = None) -> str | None:
        """Freeze a view, or join one."""
        if snapshot is not None and snapshot not in self._connector.snapshots:
            raise ExtractionError(f"no snapshot is called {snapshot!r}: it has ended")
        name = snapshot or self._connector.new_snapshot()
        self._view = self._connector.snapshots[name]
        return name

    def schema(self, request: ExtractionRequest) -> TableSchema:
        """Columns of the request. Raises MissingObjectError naming table or column."""
        table = self._find(request)
        for column in (*request.columns, *(condition.column for condition in request.filters)):
            if column not in table.column_names:
                raise MissingObjectError(f"the table {request.table} has no column {column!r}: choose one that exists")
        fields = [table.schema.field(name) for name in request.columns or table.column_names]
        return TableSchema(tuple(Column(field.name, str(field.type), field.type, field.nullable) for field in fields))

    def schema_version(self, request: ExtractionRequest) -> str:
        """The columns themselves."""
        return repr(self._find(request).schema)

    def partitions(self, request: ExtractionRequest, schema: TableSchema, streams: int) -> tuple[Partition, ...]:
        """Ranges of row numbers."""
        rows = self._select(request).num_rows
        parts = max(1, min(streams, rows))
        bounds = [rows * part // parts for part in range(parts + 1)]
        return tuple(
            Partition(index, request, schema, f"{start}:{stop}") for index, (start, stop) in enumerate(itertools.pairwise(bounds))
        )

    def read(self, partition: Partition) -> Iterator[pa.RecordBatch]:
        """Batches of `batch_rows`. Raises ExtractionError when it is cancelled."""
        self._is_cancelled.clear()
        self._is_reading = True
        try:
            rows = self._slice(partition).select([column.name for column in partition.schema.columns])
            for batch in rows.cast(partition.schema.to_arrow()).to_batches(self._limits.batch_rows):
                if self._is_cancelled.wait(self._connector.batch_pause_s) or self._is_closed:
                    raise ExtractionError("the fake source ended the read: it was cancelled")
                yield batch
        finally:
            self._is_reading = False

    def read_rows(self, partition: Partition) -> Iterator[tuple[object, ...]]:
        """The same rows, one at a time."""
        for batch in self.read(partition):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    def fingerprint(self, partition: Partition) -> Fingerprint:
        """How many rows the partition holds."""
        return Fingerprint(row_count=self._slice(partition).num_rows)

    def cancel(self) -> None:
        """End the running read; nothing when there is none."""
        if self._is_reading:
            self._is_cancelled.set()

    def reset(self) -> None:
        """Give the view back."""
        if self._is_closed:
            raise ExtractionError("the fake session is closed: open another")
        self._view = None
        self._is_cancelled.clear()

    def close(self) -> None:
        """End the session."""
        if not self._is_closed:
            self._connector.closed += 1
        self._is_closed = True

    def _tables(self) -> dict[str, pa.Table]:
        return self._connector.tables if self._view is None else self._view

    def _find(self, request: ExtractionRequest) -> pa.Table:
        if request.table is None:
            raise ExtractionError("the fake source knows no SQL: ask for a table")
        try:
            return self._tables()[str(request.table)]
        except KeyError as exc:
            raise MissingObjectError(f"there is no table {request.table}: choose one that exists") from exc

    def _select(self, request: ExtractionRequest) -> pa.Table:
        rows = apply_filters(self._find(request), request.filters)
        return rows if request.row_limit is None else rows.slice(0, request.row_limit)

    def _slice(self, partition: Partition) -> pa.Table:
        rows = self._select(partition.request)
        if not partition.predicate:
            return rows
        start, _, stop = partition.predicate.partition(":")
        return rows.slice(int(start), int(stop) - int(start))
