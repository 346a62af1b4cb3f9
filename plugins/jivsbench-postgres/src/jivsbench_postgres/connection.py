"""One read-only session with a PostgreSQL server."""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence

import psycopg
import pyarrow as pa

from jivsbench.api import ReadLimits
from jivsbench.errors import ExtractionError, JivsbenchError, MissingObjectError, TypePolicyError
from jivsbench.model.activity import ServerActivity
from jivsbench.model.fingerprint import ColumnFingerprint
from jivsbench.model.job import ReadTimes
from jivsbench.model.privilege import ExcessPrivilege
from jivsbench.model.row_fingerprint import RowFingerprint
from jivsbench.model.source import DataSource, ServerFacts
from jivsbench.model.table import (
    Column,
    Consistency,
    ExtractionRequest,
    Fingerprint,
    KeySplit,
    Partition,
    TableName,
    TableSchema,
    Watermark,
)
from jivsbench_postgres import (
    catalogue,
    figures,
    key_ranges,
    partitioning,
    privileges,
    row_hashes,
    snapshots,
    statements,
    watermarks,
)
from jivsbench_postgres.activity import read_activity
from jivsbench_postgres.decoding import Decoder
from jivsbench_postgres.exchange import ResultColumn, Statement
from jivsbench_postgres.failures import QUERY_CANCELED, build_server_error
from jivsbench_postgres.refusals import UnfitValueError, build_refusal
from jivsbench_postgres.wire import Wire

_BEGIN = Statement(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
_EXPORT = Statement(b"SELECT pg_catalog.pg_export_snapshot()")
_ROLLBACK = Statement(b"ROLLBACK")
_DISCARD = Statement(b"DISCARD ALL")
_GRACE_S = 5.0
"""How much longer than the server's own limit a silence may last: then the server is not slow, but gone."""


class PostgresConnection:
    """A session with one PostgreSQL server: rows leave it by COPY and become Arrow batches."""

    def __init__(self, wire: Wire, source: DataSource, limits: ReadLimits) -> None:
        self._wire = wire
        self._source = source
        self._limits = limits
        self._short_s = limits.connect_timeout_s
        self._long_s = limits.query_timeout_s + _GRACE_S
        # A cancel that is under way when the session is given back must not hit the next borrower's query.
        self._cancel_lock = threading.Lock()
        self._is_borrowed = False
        self._rows: object | None = None
        self._times = ReadTimes()

    def test(self) -> ServerFacts:
        """Ask the server who it is."""
        return catalogue.read_facts(self._wire, self._short_s)

    def excess_privileges(self) -> tuple[ExcessPrivilege, ...]:
        """What the session's user may do besides reading."""
        return privileges.find_excess(self._wire, self._short_s)

    def is_alive(self) -> bool:
        """One round trip with an empty statement."""
        return self._wire.ping(self._short_s)

    def tables(self) -> tuple[TableName, ...]:
        """Tables and views this session can see, without the system catalogue."""
        return catalogue.list_tables(self._wire, self._long_s)

    def begin(self, snapshot: str | None = None) -> str | None:
        """Start a REPEATABLE READ, READ ONLY transaction and return its snapshot's name; or join one. One round trip."""
        with self._cancel_lock:
            self._is_borrowed = True
        if snapshot is None:
            rows = self._wire.run([_BEGIN, _EXPORT], doing="begin a transaction", patience_s=self._short_s)[1]
            return rows[0][0]
        join = Statement(b"SET TRANSACTION SNAPSHOT " + statements.quote_literal(snapshot, self._wire.driver))
        self._wire.run([_BEGIN, join], doing="join a snapshot", patience_s=self._short_s)
        return snapshot

    def schema(self, request: ExtractionRequest) -> TableSchema:
        """Columns that the request yields, in order. Raises MissingObjectError with the nearest name."""
        if request.table is not None:
            of = f"table {str(request.table)!r}"
            columns = catalogue.read_table_columns(self._wire, request.table, self._source.type_policy, self._long_s)
        else:
            of = "the query"
            columns = self._query_columns(request)
        wanted = catalogue.select_columns(columns, request.columns, of)
        catalogue.select_columns(columns, [condition.column for condition in request.filters], of)
        _check_columns(wanted.columns, of)
        return wanted

    def schema_version(self, request: ExtractionRequest) -> str | None:
        """The table's columns as the catalogue numbers them, or what the server says that the query yields."""
        if request.table is None:
            return repr(self._describe(request))
        try:
            table = statements.quote_table(request.table).as_bytes(self._wire.driver)
        except MissingObjectError:
            return None
        return catalogue.read_table_version(self._wire, table, str(request.table), self._long_s)

    def partitions(self, request: ExtractionRequest, schema: TableSchema, streams: int) -> tuple[Partition, ...]:
        """Page ranges for a whole table of more than 50,000 rows, else one part."""
        if streams < 2 or request.table is None or not partitioning.can_split(request, self._wire.server_version):  # noqa: PLR2004
            return (Partition(0, request, schema),)
        table = statements.quote_table(request.table).as_bytes(self._wire.driver)
        size = catalogue.measure_table(self._wire, table, str(request.table), self._long_s)
        predicates = partitioning.split_pages(size, streams)
        if len(predicates) > 1:
            size = catalogue.measure_table(self._wire, table, str(request.table), self._long_s, keeps_pages=True)
            density = catalogue.sample_density(self._wire, table, size.pages, str(request.table), self._long_s)
            predicates = partitioning.split_pages(size, streams, density)
        return tuple(Partition(index, request, schema, predicate) for index, predicate in enumerate(predicates))

    def split_by_key(self, request: ExtractionRequest, partition_rows: int) -> KeySplit | None:
        """Bounds along the table's key; None when it has none."""
        return key_ranges.split_by_key(self._wire, request, partition_rows, self._long_s)

    def key_partitions(self, request: ExtractionRequest, schema: TableSchema, split: KeySplit) -> tuple[Partition, ...]:
        """The parts of a split, after a look whether the table is still the one that was split."""
        key_ranges.check_split(split, key_ranges.read_key(self._wire, request, self._long_s), str(request.table))
        predicates = key_ranges.build_predicates(split, self._wire.driver)
        return tuple(Partition(index, request, schema, predicate) for index, predicate in enumerate(predicates))

    def watermark(self, request: ExtractionRequest, column: str, overlap: int | None) -> Watermark:
        """Where the next increment begins, by the oldest transaction that is open now, or by the newest value and an overlap."""
        return watermarks.read_watermark(self._wire, request, column, overlap, self._long_s)

    def read(self, partition: Partition) -> Iterator[pa.RecordBatch]:
        """Stream a partition by COPY, about a mebibyte at a time."""
        self._check_query(partition)
        copy = statements.build_copy(partition, self._wire.driver)
        name = _name_of(partition.request)
        decoder = Decoder(partition.schema, self._source.type_policy, self._limits.batch_rows)
        # In a table of one column an empty line is a row.
        may_blank = len(partition.schema.columns) > 1
        rows_before = 0
        started_ns = time.perf_counter_ns()
        for block in self._wire.copy_out(copy, may_blank=may_blank, doing=f"read {name}", patience_s=self._long_s):
            if not rows_before:
                self._book(execute_ns=max((self._wire.answered_ns or started_ns) - started_ns, 0))
            try:
                yield from self._time_decoding(decoder.decode(block), is_first=not rows_before)
            except UnfitValueError as unfit:
                raise build_refusal(name, partition.schema, unfit, self._find_key(partition), rows_before) from None
            rows_before += block.row_count

    def activity(self, *, with_statements: bool) -> ServerActivity:
        """Sessions of this database, what the own ones wait for, and totals of the own statements."""
        return read_activity(self._wire, self._short_s, with_statements=with_statements)

    def take_read_times(self) -> ReadTimes:
        """Until the server's first answer, unless the line is encrypted: libpq tells nothing of it. And for decoding."""
        times, self._times = self._times, ReadTimes()
        return times

    def read_rows(self, partition: Partition) -> Iterator[tuple[object, ...]]:
        """Stream a partition row by row through a named cursor of the driver's usual fetch size."""
        self._check_query(partition)
        select = statements.build_select(partition, self._wire.driver)
        name = _name_of(partition.request)
        cursor = self._wire.driver.cursor("jivsbench_rows")
        self._rows = cursor
        try:
            cursor.execute(select)
            for row in cursor:
                yield row
                # A cancel between two fetches finds the server idle and ends nothing there.
                if self._wire.was_cancelled:
                    raise build_server_error(self._wire.place, f"read {name}", QUERY_CANCELED, was_cancelled=True)
        except psycopg.DataError as error:
            if error.sqlstate is None:
                raise TypePolicyError(
                    f"{name} holds a value that Python cannot hold: read it with batching, or leave the column out"
                ) from None
            raise self._server_error(f"read {name}", error) from None
        except psycopg.Error as error:
            raise self._server_error(f"read {name}", error) from None
        finally:
            # A reader that is thrown away long after the session went to the next borrower must not touch it.
            if self._rows is cursor:
                self._rows = None
                with contextlib.suppress(psycopg.Error):
                    cursor.close()
            else:
                psycopg.Cursor.close(cursor)

    def fingerprint(self, partition: Partition) -> Fingerprint:
        """Rows of the partition, counted by the server under the same snapshot, which must still see all of them."""
        name = _name_of(partition.request)
        count = Statement(statements.build_count(partition, self._wire.driver))
        look = snapshots.build_look(partition.request, self._wire.driver)
        rows, looked = self._wire.run([count, look], doing=f"count {name}", patience_s=self._long_s)
        snapshots.check_look(looked, name)
        return Fingerprint(int(rows[0][0] or 0))

    def fingerprint_columns(self, partition: Partition) -> tuple[ColumnFingerprint, ...]:
        """Figures of every column, computed by the server under the same snapshot."""
        doing = f"compute the figures of {_name_of(partition.request)}"
        found: list[ColumnFingerprint] = []
        for part in figures.cut_columns(partition):
            query = figures.build_figures(part, self._wire.driver, self._source.type_policy, is_utf8=self._wire.is_utf8)
            found += figures.read_figures(part, self._wire.fetch(query, doing=doing, patience_s=self._long_s)[0])
        return tuple(found)

    def fingerprint_rows(self, partition: Partition) -> RowFingerprint:
        """The fingerprint of every row, computed by the server under the same snapshot."""
        query = row_hashes.build_row_hashes(partition, self._wire.driver, self._source.type_policy, is_utf8=self._wire.is_utf8)
        doing = f"compute the fingerprints of {_name_of(partition.request)}"
        return row_hashes.read_row_hashes(self._wire.fetch(query, doing=doing, patience_s=self._long_s)[0])

    def consistency(self, request: ExtractionRequest) -> Consistency:  # noqa: ARG002 - the session knows what it has read
        """One snapshot, unless a foreign table was read: its rows are of another server."""
        return Consistency.NONE if snapshots.has_read_foreign_rows(self._wire, self._short_s) else Consistency.ONE_SNAPSHOT

    def cancel(self) -> None:
        """End the running query on the server, from any thread; at most a second. Does nothing for an idle session."""
        with self._cancel_lock:
            if self._is_borrowed and (self._rows is not None or not self._wire.is_idle):
                self._wire.cancel()

    def reset(self) -> None:
        """Roll back and return every setting, lock, temporary table, cursor and prepared statement to a fresh session's."""
        with self._cancel_lock:
            self._is_borrowed = False
            self._wire.was_cancelled = False
        self._rows = None
        self._wire.abandon()
        # Separate statements of one round trip: DISCARD ALL refuses to share a transaction. It costs 0.02 ms, so no guess is
        # made at what the last user may have left.
        self._wire.run([_ROLLBACK, _DISCARD], doing="reset the session", patience_s=self._short_s)

    def close(self) -> None:
        """End the session."""
        with self._cancel_lock:
            self._is_borrowed = False
        self._wire.close()

    def _time_decoding(self, batches: Iterator[pa.RecordBatch], *, is_first: bool) -> Iterator[pa.RecordBatch]:
        """The batches as they come; the time that it takes to make each is booked."""
        while True:
            started_ns = time.perf_counter_ns()
            batch = next(batches, None)
            duration_ns = time.perf_counter_ns() - started_ns
            self._book(first_decode_ns=duration_ns) if is_first else self._book(decode_ns=duration_ns)
            if batch is None:
                return
            yield batch
            is_first = False

    def _book(self, *, execute_ns: int = 0, first_decode_ns: int = 0, decode_ns: int = 0) -> None:
        known = self._times
        self._times = ReadTimes(
            known.execute_ns + execute_ns, known.first_decode_ns + first_decode_ns, known.decode_ns + decode_ns
        )

    def _find_key(self, partition: Partition) -> tuple[tuple[str, str], ...]:
        """The table's primary key, for a message; empty when it is masked. Ends what is being read, with its transaction."""
        table = partition.request.table
        if table is None:
            return ()
        self._wire.abandon()
        try:
            self._wire.run([_ROLLBACK], doing="end a transaction", patience_s=self._short_s)
            key = catalogue.read_key(self._wire, statements.quote_table(table).as_bytes(self._wire.driver), self._short_s)
        except JivsbenchError:
            # The value that does not fit is what the user is to hear of.
            return ()
        return () if partition.hidden_columns.intersection(name for name, _kind in key) else key

    def _query_columns(self, request: ExtractionRequest) -> tuple[Column, ...]:
        return catalogue.read_query_columns(self._wire, self._describe(request), self._source.type_policy, self._long_s)

    def _describe(self, request: ExtractionRequest) -> list[ResultColumn]:
        query = statements.clean_query(request).encode()
        return self._wire.describe(query, doing="understand the query", patience_s=self._long_s)

    def _check_query(self, partition: Partition) -> None:
        """Have the server parse a query by itself before it is put into parentheses. Also finds that it changed meanwhile."""
        if partition.request.query is None:
            return
        described = self._describe(partition.request)
        missing = {column.name for column in partition.schema.columns} - {column.name for column in described}
        if missing:
            raise ExtractionError("the query yields other columns now than when it was planned: start the extraction again")

    def _server_error(self, doing: str, error: psycopg.Error) -> Exception:
        if self._wire.driver.broken:
            self._wire.close()
        return build_server_error(self._wire.place, doing, error.sqlstate, was_cancelled=self._wire.was_cancelled)


def _name_of(request: ExtractionRequest) -> str:
    return f"table {str(request.table)!r}" if request.table is not None else "the query"


def _check_columns(columns: Sequence[Column], of: str) -> None:
    if not columns:
        raise ExtractionError(f"{of} has no columns: there is nothing to extract")
    names = [column.name for column in columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ExtractionError(f"{of} yields two columns called {twice!r}: give each a name of its own, with AS in a query")
