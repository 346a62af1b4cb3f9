"""One read-only session with a SQLite file."""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path

import pyarrow as pa

from jivsbench.api import ReadLimits
from jivsbench.errors import (
    CancelledJobError,
    DeadlineError,
    ExtractionError,
    JivsbenchError,
    MissingObjectError,
    SourceUnreachableError,
    TypePolicyError,
)
from jivsbench.model.fingerprint import ColumnFingerprint
from jivsbench.model.row_fingerprint import RowFingerprint
from jivsbench.model.source import DataSource, ServerFacts
from jivsbench.model.table import Column, ExtractionRequest, Fingerprint, Partition, TableName, TableSchema
from jivsbench_sqlite import figures, statements
from jivsbench_sqlite.arrow_types import build_column
from jivsbench_sqlite.statements import Statement
from jivsbench_sqlite.values import build_array

_STEPS_BETWEEN_LOOKS = 20_000
"""Steps of SQLite's machine between two looks at the clock: well under a millisecond."""
_NOT_A_TEXT = "Could not decode to UTF-8"


class SqliteConnection:
    """A session with one SQLite file: rows are fetched in batches and become Arrow arrays column by column."""

    def __init__(self, database: sqlite3.Connection, path: Path, source: DataSource, limits: ReadLimits) -> None:
        self._database = database
        self._path = path
        self._source = source
        self._limits = limits
        self._deadline = float("inf")
        self._was_cancelled = False
        self._is_open = True
        self._cursors: list[sqlite3.Cursor] = []
        database.set_progress_handler(self._is_over, _STEPS_BETWEEN_LOOKS)

    def test(self) -> ServerFacts:
        """Say which SQLite this is. `may_write` tells whether the file's mode lets this process write."""
        self._fetch(Statement("SELECT count(*) FROM main.sqlite_schema"), "be read")
        may_write = os.access(self._path, os.W_OK)
        return ServerFacts("SQLite", sqlite3.sqlite_version, user="", database=str(self._path), may_write=may_write)

    def is_alive(self) -> bool:
        """Tell whether the file can still be read."""
        if not self._is_open:
            return False
        try:
            self._fetch(Statement("SELECT 1"), "be read")
        except JivsbenchError:
            return False
        return True

    def tables(self) -> tuple[TableName, ...]:
        """Tables and views of the file."""
        return tuple(TableName(name) for name in self._table_names())

    def begin(self, snapshot: str | None = None) -> str | None:
        """Start a read transaction, whose view holds until `reset`. SQLite cannot share it: returns None."""
        if snapshot is not None:
            raise ExtractionError("a SQLite session cannot join another one's view: read with one stream")
        # BEGIN alone takes no view; the first read does.
        self._fetch(Statement("BEGIN"), "begin a transaction")
        self._fetch(Statement("SELECT count(*) FROM main.sqlite_schema"), "be read")
        return None

    def schema(self, request: ExtractionRequest) -> TableSchema:
        """Columns that the request yields, in order. Raises MissingObjectError with the nearest name."""
        known = self._columns(request)
        for name in (*request.columns, *(condition.column for condition in request.filters)):
            if name not in known:
                raise MissingObjectError(f"{_name_of(request)} has no column {name!r}: {_suggest(name, known)}")
        return TableSchema(tuple(known[name] for name in request.columns or known))

    def schema_version(self, request: ExtractionRequest) -> str:  # noqa: ARG002 - a view's columns are those of other tables
        """The statements that would make the file's tables and views as they are now."""
        return repr(self._fetch(Statement("SELECT sql FROM main.sqlite_schema ORDER BY rowid"), "describe its tables"))

    def partitions(self, request: ExtractionRequest, schema: TableSchema, streams: int) -> tuple[Partition, ...]:  # noqa: ARG002
        """One part: a second session could not see the same view."""
        return (Partition(0, request, schema),)

    def read(self, partition: Partition) -> Iterator[pa.RecordBatch]:
        """Stream a partition, `batch_rows` rows at a time."""
        name, schema = _name_of(partition.request), partition.schema.to_arrow()
        rows_before = 0
        with self._open(partition) as cursor:
            while rows := self._advance(cursor, name):
                columns = zip(*rows, strict=True)
                arrays = [
                    build_array(
                        values,
                        column,
                        name,
                        self._source.type_policy,
                        partial(self._name_row, partition, rows, rows_before, column.name),
                    )
                    for values, column in zip(columns, partition.schema.columns, strict=True)
                ]
                rows_before += len(rows)
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def read_rows(self, partition: Partition) -> Iterator[tuple[object, ...]]:
        """Stream a partition row by row, as the driver gives the values."""
        name = _name_of(partition.request)
        with self._open(partition) as cursor:
            while True:
                try:
                    row = next(cursor, None)
                except sqlite3.Error as error:
                    raise self._translate(error, f"read {name}") from None
                if row is None:
                    return
                yield tuple(row)

    def fingerprint(self, partition: Partition) -> Fingerprint:
        """Rows of the partition, counted in the same transaction."""
        count = statements.build_count(partition, self._filter_types(partition.request))
        rows = self._fetch(count, f"count {_name_of(partition.request)}")
        return Fingerprint(int(str(rows[0][0])))

    def fingerprint_columns(self, partition: Partition) -> tuple[ColumnFingerprint, ...]:
        """Figures of every column, from a second query in the same transaction."""
        rows, columns = self.read_rows(partition), partition.schema.columns
        return figures.sum_columns(rows, columns, _name_of(partition.request), self._source.type_policy)

    def fingerprint_rows(self, partition: Partition) -> RowFingerprint:
        """The fingerprint of every row, from a second query in the same transaction."""
        rows, columns = self.read_rows(partition), partition.schema.columns
        return figures.hash_rows(rows, columns, _name_of(partition.request), self._source.type_policy)

    def cancel(self) -> None:
        """End the running query, from any thread. Does nothing when there is none."""
        if self._is_open and self._cursors:
            self._was_cancelled = True
            with contextlib.suppress(sqlite3.Error):
                self._database.interrupt()

    def reset(self) -> None:
        """End every query and the transaction."""
        for cursor in self._cursors:
            cursor.close()
        self._cursors.clear()
        self._was_cancelled = False
        self._deadline = float("inf")
        if self._database.in_transaction:
            self._fetch(Statement("ROLLBACK"), "roll back")

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._is_open = False
        with contextlib.suppress(sqlite3.Error):
            self._database.close()

    def _is_over(self) -> int:
        return int(self._was_cancelled or time.monotonic() > self._deadline)

    @contextlib.contextmanager
    def _open(self, partition: Partition) -> Iterator[sqlite3.Cursor]:
        """A cursor that has begun to read the partition."""
        request = partition.request
        if request.query is not None:
            self._check_query(request)
        select = statements.build_select(partition, self._filter_types(request))
        cursor = self._execute(select, f"read {_name_of(request)}")
        cursor.arraysize = self._limits.batch_rows
        try:
            yield cursor
        finally:
            # After a reset it is closed and gone already.
            if cursor in self._cursors:
                self._cursors.remove(cursor)
                cursor.close()

    def _execute(self, statement: Statement, doing: str) -> sqlite3.Cursor:
        self._deadline = time.monotonic() + self._limits.query_timeout_s
        try:
            cursor = self._database.cursor()
            self._cursors.append(cursor)
            cursor.execute(statement.text, statement.values)
        except (sqlite3.Error, OverflowError) as error:
            self._cursors.pop()
            raise self._translate(error, doing) from None
        return cursor

    def _fetch(self, statement: Statement, doing: str) -> list[tuple[object, ...]]:
        if not self._is_open:
            raise SourceUnreachableError(f"{self._path} was asked to {doing} on a closed connection: open another")
        cursor = self._execute(statement, doing)
        try:
            return cursor.fetchall()
        except sqlite3.Error as error:
            raise self._translate(error, doing) from None
        finally:
            self._cursors.remove(cursor)
            cursor.close()

    def _advance(self, cursor: sqlite3.Cursor, name: str) -> list[tuple[object, ...]]:
        try:
            return cursor.fetchmany()
        except sqlite3.Error as error:
            raise self._translate(error, f"read {name}") from None

    def _translate(self, error: Exception, doing: str) -> JivsbenchError:
        """One of this project's errors. SQLite's own text can hold values, so only its code is kept."""
        code = getattr(error, "sqlite_errorname", type(error).__name__)
        if code == "SQLITE_INTERRUPT":
            if self._was_cancelled:
                return CancelledJobError(f"{self._path} did not {doing}: the query was cancelled on request")
            return DeadlineError(
                f"{self._path} did not {doing}: the query ran longer than query_timeout_s; raise it or ask for less"
            )
        if code in ("SQLITE_BUSY", "SQLITE_LOCKED"):
            return DeadlineError(f"{self._path} did not {doing}: another process is writing to it ({code}); try again later")
        if code in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
            return MissingObjectError(f"{self._path} is no whole SQLite database ({code}): check the path and the file")
        if code.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")):
            return SourceUnreachableError(f"{self._path} did not {doing}: the file cannot be read ({code})")
        if _NOT_A_TEXT in str(error):
            return TypePolicyError(f"{self._path} did not {doing}: it holds a text that is not UTF-8; leave that column out")
        return ExtractionError(
            f"{self._path} did not {doing}: SQLite refused the statement ({code}); check the query and the filters"
        )

    def _table_names(self) -> list[str]:
        listing = (
            "SELECT name FROM main.sqlite_schema WHERE type IN ('table', 'view') AND substr(name, 1, 7) <> 'sqlite_' ORDER BY 1"
        )
        return [str(row[0]) for row in self._fetch(Statement(listing), "list its tables")]

    def _filter_types(self, request: ExtractionRequest) -> dict[str, Column]:
        return self._columns(request) if request.filters else {}

    def _columns(self, request: ExtractionRequest) -> dict[str, Column]:
        if request.table is None:
            return self._query_columns(request)
        statements.quote_table(request.table)
        names = self._table_names()
        if request.table.name not in names:
            hint = _suggest(request.table.name, names)
            raise MissingObjectError(f"{self._path} has no table {request.table.name!r} that can be extracted: {hint}")
        # 1 marks the hidden columns of virtual tables, which SELECT * leaves out too.
        listing = Statement(
            'SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?, ?) WHERE hidden <> 1 ORDER BY cid',
            (request.table.name, "main"),
        )
        found = self._fetch(listing, f"describe {_name_of(request)}")
        # An index makes the key where the column is not the row's own number: of INTEGER PRIMARY KEY DESC, and WITHOUT ROWID.
        indices = Statement("SELECT 1 FROM pragma_index_list(?, ?) WHERE origin = 'pk'", (request.table.name, "main"))
        has_index = bool(self._fetch(indices, f"describe {_name_of(request)}"))
        keys = sum(1 for row in found if row[3])
        columns = {}
        for name, declared, not_null, key in found:
            is_row_id = bool(key) and keys == 1 and str(declared).upper() == "INTEGER" and not has_index
            columns[str(name)] = build_column(
                str(name), str(declared), is_nullable=not not_null, is_row_id=is_row_id, policy=self._source.type_policy
            )
        return columns

    def _name_row(
        self, partition: Partition, rows: Sequence[tuple[object, ...]], rows_before: int, unfit: str, index: int
    ) -> str:
        """A row for a message: by its primary key when that is whole numbers, since a text may be a name or an address.

        A key that is masked is not shown, and neither is one that holds the value itself, which is of the column `unfit`.
        """
        table = partition.request.table
        listing = Statement("SELECT name FROM pragma_table_info(?, 'main') WHERE pk ORDER BY pk", (table.name if table else "",))
        values = {column.name: value for column, value in zip(partition.schema.columns, rows[index], strict=True)}
        key = {str(name): values.get(str(name)) for (name,) in self._fetch(listing, "find the table's key")}
        is_shown = partition.hidden_columns.isdisjoint(key) and unfit not in key
        if key and is_shown and all(type(value) is int for value in key.values()):
            return "the row with " + ", ".join(f"{name} = {value}" for name, value in key.items())
        return f"row {rows_before + index + 1} of those read"

    def _query_columns(self, request: ExtractionRequest) -> dict[str, Column]:
        """Columns of a query: SQLite tells their names alone, so every value is read as text."""
        self._check_query(request)
        text = f"SELECT * FROM (\n{statements.clean_query(request)}\n) LIMIT 0"  # noqa: S608 - checked to be one whole query
        cursor = self._execute(Statement(text), "understand the query")
        names = [str(entry[0]) for entry in cursor.description or ()]
        self._cursors.remove(cursor)
        cursor.close()
        policy = self._source.type_policy
        return {name: build_column(name, "", is_nullable=True, is_row_id=False, policy=policy) for name in names}

    def _check_query(self, request: ExtractionRequest) -> None:
        """Have SQLite parse the query by itself, so that it cannot reach out of the parentheses it is put into."""
        self._fetch(Statement(f"EXPLAIN {statements.clean_query(request)}"), "understand the query")


def _name_of(request: ExtractionRequest) -> str:
    return f"table {str(request.table)!r}" if request.table is not None else "the query"


def _suggest(name: str, known: Sequence[str] | dict[str, Column]) -> str:
    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"it has {', '.join(sorted(known)[:20]) or 'none'}"
