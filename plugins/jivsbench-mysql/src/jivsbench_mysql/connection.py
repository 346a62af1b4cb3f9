"""One read-only session with a MySQL or MariaDB server."""

import threading
from collections.abc import Iterator, Mapping

import pyarrow as pa

from jivsbench.api import ReadLimits
from jivsbench.errors import ExtractionError
from jivsbench.model.activity import ServerActivity
from jivsbench.model.fingerprint import ColumnFingerprint
from jivsbench.model.privilege import ExcessPrivilege
from jivsbench.model.source import DataSource, ServerFacts
from jivsbench.model.table import (
    Column,
    Consistency,
    ExtractionRequest,
    Fingerprint,
    Partition,
    TableName,
    TableSchema,
)
from jivsbench_mysql import activity, catalogue, figures, partitioning, privileges, statements
from jivsbench_mysql.decoding import Decoder
from jivsbench_mysql.driver import Description
from jivsbench_mysql.wire import Wire

_BEGIN = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
_GRACE_S = 5.0
"""How much longer than the server's own limit a silence may last: then the server is not slow, but gone."""


class MysqlConnection:
    """A session with one server: rows leave it as text and become Arrow batches column by column."""

    def __init__(self, wire: Wire, source: DataSource, limits: ReadLimits) -> None:
        self._wire = wire
        self._source = source
        self._limits = limits
        self._short_s = limits.connect_timeout_s
        self._long_s = limits.query_timeout_s + _GRACE_S
        # A cancel that is under way when the session is given back must not hit the next borrower's query.
        self._cancel_lock = threading.Lock()
        self._is_borrowed = True

    def test(self) -> ServerFacts:
        """Ask the server who it is."""
        return catalogue.read_facts(self._wire, self._short_s)

    def excess_privileges(self) -> tuple[ExcessPrivilege, ...]:
        """What the session's user may do besides reading."""
        return privileges.find_excess(self._wire, self._short_s)

    def activity(self, *, with_statements: bool) -> ServerActivity:
        """Sessions of this database, and what the own ones wait for."""
        return activity.read_activity(self._wire, self._short_s, with_statements=with_statements)

    def is_alive(self) -> bool:
        """One round trip of the protocol's own."""
        return self._wire.ping(self._short_s)

    def tables(self) -> tuple[TableName, ...]:
        """Tables and views this session can see, without the system schemas."""
        return catalogue.list_tables(self._wire, self._long_s)

    def begin(self, snapshot: str | None = None) -> str | None:
        """Start a REPEATABLE READ, READ ONLY transaction with a snapshot. The server cannot share it: returns None."""
        if snapshot is not None:
            raise ExtractionError("a MySQL session cannot join another one's view: read with one stream")
        with self._cancel_lock:
            self._is_borrowed = True
        self._wire.run(_BEGIN, doing="begin a transaction", patience_s=self._short_s)
        return None

    def schema(self, request: ExtractionRequest) -> TableSchema:
        """Columns that the request yields, in order. Raises MissingObjectError with the nearest name."""
        columns = self._columns(request)
        wanted = catalogue.select_columns(columns, request.columns, _name_of(request))
        catalogue.select_columns(columns, list({condition.column for condition in request.filters}), _name_of(request))
        return wanted

    def schema_version(self, request: ExtractionRequest) -> str:
        """The columns themselves: the server has no cheaper word that also knows of invisible ones."""
        return repr(self._columns(request))

    def partitions(self, request: ExtractionRequest, schema: TableSchema, streams: int) -> tuple[Partition, ...]:
        """Ranges of a key for a whole table of more than 50,000 rows, else one part."""
        predicates = self._split(request, streams) or ("",)
        return tuple(Partition(index, request, schema, predicate) for index, predicate in enumerate(predicates))

    def read(self, partition: Partition) -> Iterator[pa.RecordBatch]:
        """Stream a partition, about a mebibyte at a time."""
        name = _name_of(partition.request)
        select = statements.build_select(partition, self._check_partition(partition))
        decoder = Decoder(partition.schema, name, self._source.type_policy, self._limits.batch_rows)
        for block in self._wire.read_blocks(select, doing=f"read {name}", patience_s=self._long_s):
            yield from decoder.decode(block)

    def read_rows(self, partition: Partition) -> Iterator[tuple[object, ...]]:
        """Stream a partition row by row through the driver's unbuffered cursor."""
        columns = ", ".join(statements.quote_name(column.name) for column in partition.schema.columns)
        select = statements.build_part(partition, columns, self._check_partition(partition))
        yield from self._wire.read_rows(select, doing=f"read {_name_of(partition.request)}", patience_s=self._long_s)

    def fingerprint(self, partition: Partition) -> Fingerprint:
        """Rows of the partition, counted by the server under the same snapshot."""
        count = statements.build_count(partition, self._check_partition(partition))
        rows = self._wire.run(count, doing=f"count {_name_of(partition.request)}", patience_s=self._long_s)
        return Fingerprint(int(rows[0][0]))

    def fingerprint_columns(self, partition: Partition) -> tuple[ColumnFingerprint, ...]:
        """Figures of every column, computed by the server under the same snapshot."""
        query = figures.build_figures(partition, self._check_partition(partition), self._source.type_policy)
        doing = f"compute the figures of {_name_of(partition.request)}"
        return figures.read_figures(partition, self._wire.run(query, doing=doing, patience_s=self._long_s)[0])

    def consistency(self, request: ExtractionRequest) -> Consistency:
        """One snapshot, unless a table of an engine without them (MyISAM, Aria, MEMORY, ...) was read or may have been."""
        if catalogue.keeps_snapshots(self._wire, request.table, self._long_s):
            return Consistency.ONE_SNAPSHOT
        return Consistency.NONE

    def cancel(self) -> None:
        """End the running query on the server, from any thread; about a second at most. Does nothing for an idle session."""
        with self._cancel_lock:
            if self._is_borrowed and not self._wire.is_idle:
                self._wire.kill_query()

    def reset(self) -> None:
        """Roll back and return every setting, lock, temporary table and prepared statement to a fresh session's."""
        with self._cancel_lock:
            self._is_borrowed = False
        self._wire.abandon(self._short_s)
        self._wire.reset(self._short_s)

    def close(self) -> None:
        """End the session."""
        with self._cancel_lock:
            self._is_borrowed = False
        self._wire.close()

    def _columns(self, request: ExtractionRequest) -> tuple[Column, ...]:
        """Every column that the request could name."""
        policy = self._source.type_policy
        if request.table is not None:
            return catalogue.read_table_columns(self._wire, request.table, policy, self._long_s)
        return catalogue.build_query_columns(self._describe(request).columns, policy)

    def _describe(self, request: ExtractionRequest) -> Description:
        """Have the server parse a query by itself, so that it cannot reach out of the parentheses it is put into."""
        query = statements.clean_query(request)
        described = self._wire.describe(query, doing="understand the query", patience_s=self._long_s)
        if described.placeholders or not described.columns:
            raise ExtractionError("the query yields no rows, or has places for values: send one SELECT without '?'")
        return described

    def _check_partition(self, partition: Partition) -> Mapping[str, Column]:
        """The columns that the filters name; asks for none when there are no filters."""
        request = partition.request
        if request.table is not None and not request.filters:
            return {}
        columns = {column.name: column for column in self._columns(request)}
        if request.query is not None and {column.name for column in partition.schema.columns} - set(columns):
            raise ExtractionError("the query yields other columns now than when it was planned: start the extraction again")
        return columns

    def _split(self, request: ExtractionRequest, streams: int) -> tuple[str, ...]:
        """Predicates over a key; empty when splitting does not pay."""
        if streams < 2 or request.table is None or not partitioning.can_split(request):  # noqa: PLR2004
            return ()
        rows = catalogue.count_roughly(self._wire, request.table, self._long_s) or 0
        parts = partitioning.count_parts(rows, streams)
        columns = catalogue.read_table_columns(self._wire, request.table, self._source.type_policy, self._long_s)
        key = catalogue.find_key(self._wire, request.table, columns, self._long_s) if parts > 1 else None
        if key is None:
            return ()
        ranges = parts - key.is_nullable
        sample = partitioning.build_sample(request.table, key, rows, ranges)
        bounds = self._wire.run(sample, doing=f"sample the keys of table {str(request.table)!r}", patience_s=self._long_s)
        return partitioning.build_ranges(key, partitioning.choose_bounds(bounds, ranges))


def _name_of(request: ExtractionRequest) -> str:
    return f"table {str(request.table)!r}" if request.table is not None else "the query"
