"""One read-only session with a server of any dialect."""

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

import pyarrow as pa
import sqlalchemy
from sqlalchemy import exc

from jivsbench.api import ReadLimits
from jivsbench.errors import (
    CancelledJobError,
    DeadlineError,
    ExtractionError,
    JivsbenchError,
    MissingObjectError,
    SourceUnreachableError,
)
from jivsbench.model.source import DataSource, ServerFacts
from jivsbench.model.table import Consistency, ExtractionRequest, Fingerprint, Partition, TableName, TableSchema
from jivsbench_sqlalchemy import cancelling, statements, views
from jivsbench_sqlalchemy.address import Address
from jivsbench_sqlalchemy.columns import SelectedColumn, build_query_column, build_table_column
from jivsbench_sqlalchemy.engines import MYSQL_FAMILY, limit_statements
from jivsbench_sqlalchemy.failures import build_connect_error, build_server_error
from jivsbench_sqlalchemy.values import build_array


class SqlAlchemyConnection:
    """A session whose rows are fetched in batches by the driver and become Arrow arrays value by value: the slow way."""

    def __init__(self, engine: sqlalchemy.Engine, address: Address, source: DataSource, limits: ReadLimits) -> None:
        self._engine = engine
        self._address = address
        self._source = source
        self._limits = limits
        self._connection: sqlalchemy.Connection | None = None
        self._driver_connection: Any = None
        self._session_id: int | None = None
        self._has_view = False
        self._must_reopen = False
        # A cancel that is under way when a query ends must not hit the next one.
        self._lock = threading.RLock()
        self._running: object | None = None
        self._unfinished: sqlalchemy.CursorResult[Any] | None = None
        self._stopped_by: type[JivsbenchError] | None = None

    def open(self) -> None:
        """Log in. Raises SourceUnreachableError, AccessDeniedError or MissingObjectError."""
        address = self._address
        try:
            self._connection = self._engine.connect()
            self._driver_connection = self._connection.connection.driver_connection
            limit_statements(address.driver.name if address.driver else "", self._driver_connection, self._limits)
            views.prepare_session(self._connection, address.dialect)
            self._session_id = cancelling.read_session_id(self._connection, address)
            self._connection.rollback()
        except (exc.SQLAlchemyError, OSError, ValueError) as error:
            raise build_connect_error(error, address.place, address.user) from None

    def test(self) -> ServerFacts:
        """Name the product. What the account may write is not known here: each server tells it in another way."""
        with self._run("say who it is") as connection:
            version = getattr(connection.dialect, "server_version_info", None) or ()
        product = f"{self._address.dialect.name} (by SQLAlchemy, slower than a native connector)"
        return ServerFacts(
            product=product,
            version=".".join(map(str, version)) or "of unknown version",
            user=self._address.user,
            database=self._address.url.database or "",
            may_write=None,
        )

    def is_alive(self) -> bool:
        """One round trip by the dialect's own ping."""
        if self._connection is None or self._connection.closed or self._connection.invalidated:
            return False
        raw: Any = self._connection.connection.dbapi_connection
        try:
            is_alive = bool(self._connection.dialect.do_ping(raw))
            # Some drivers begin a transaction for it, of which SQLAlchemy knows nothing.
            if not self._connection.in_transaction():
                raw.rollback()
        except Exception:  # noqa: BLE001 - drivers raise what they like on a dead connection
            return False
        return is_alive

    def tables(self) -> tuple[TableName, ...]:
        """Tables and views of the session's default schema."""
        with self._run("list its tables") as connection:
            return tuple(TableName(name) for name in sorted(_list_tables(sqlalchemy.inspect(connection), None)))

    def begin(self, snapshot: str | None = None) -> str | None:
        """Start a transaction, with one view where the dialect has such a thing. It cannot be shared: returns None."""
        if snapshot is not None:
            raise ExtractionError("a session of SQLAlchemy cannot join another one's view: read with one stream")
        with self._run("begin a transaction") as connection:
            self._has_view = views.begin_view(connection, self._address.dialect)
        return None

    def schema(self, request: ExtractionRequest) -> TableSchema:
        """Columns that the request yields, in order. Raises MissingObjectError with the nearest name."""
        known = self._columns(request)
        for name in (*request.columns, *(condition.column for condition in request.filters)):
            if name not in known:
                raise MissingObjectError(f"{_name_of(request)} has no column {name!r}: {_suggest(name, known)}")
        return TableSchema(tuple(known[name].column for name in request.columns or known))

    def partitions(self, request: ExtractionRequest, schema: TableSchema, streams: int) -> tuple[Partition, ...]:  # noqa: ARG002
        """One part: a second session could not see the same view."""
        return (Partition(0, request, schema),)

    def read(self, partition: Partition) -> Iterator[pa.RecordBatch]:
        """Stream a partition, `batch_rows` rows at a time, by a cursor of the server where the driver has them."""
        name, schema = _name_of(partition.request), partition.schema.to_arrow()
        naive_is_utc = self._address.dialect.name in MYSQL_FAMILY
        for rows in self._fetch_batches(partition):
            arrays = [
                build_array(values, column, name, self._source.type_policy, naive_is_utc=naive_is_utc)
                for values, column in zip(zip(*rows, strict=True), partition.schema.columns, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def read_rows(self, partition: Partition) -> Iterator[tuple[object, ...]]:
        """Stream a partition row by row, as the driver gives the values."""
        for rows in self._fetch_batches(partition):
            yield from map(tuple, rows)

    def fingerprint(self, partition: Partition) -> Fingerprint:
        """Rows of the partition, counted in the same transaction, whose view must still see all of them."""
        count = statements.build_count(partition, self._columns(partition.request))
        with self._run(f"count {_name_of(partition.request)}") as connection:
            found = Fingerprint(int(connection.execute(count).scalar_one()))
            if self._has_view and views.has_lost_rows(connection, self._address.dialect):
                raise ExtractionError(
                    f"{_name_of(partition.request)} was written anew (by ALTER TABLE, TRUNCATE, VACUUM FULL, CLUSTER or REFRESH) "
                    "after the snapshot was taken, which may not see its rows: start the extraction again"
                )
            return found

    def consistency(self, request: ExtractionRequest) -> Consistency:
        """One snapshot where the dialect has them and the table keeps them, else none."""
        with self._run("tell its isolation") as connection:
            return views.tell_consistency(connection, self._address.dialect, request, has_view=self._has_view)

    def cancel(self) -> None:
        """End the running query from any thread, where the driver can; else it ends before its next batch."""
        self._stop(CancelledJobError, self._running)

    def reset(self) -> None:
        """Roll back. After a query or an unfinished read the session is opened anew, for nobody knows what was left in it."""
        self._has_view = False
        if self._unfinished is not None:
            self._abandon(self._unfinished)
        if self._must_reopen or self._connection is None:
            self._drop()
            self.open()
            self._must_reopen = False
            return
        with self._run("roll back") as connection:
            connection.rollback()

    def close(self) -> None:
        """End the session. Never raises; may be called twice."""
        with self._lock:
            self._drop()
        self._engine.dispose()

    def _drop(self) -> None:
        connection, self._connection, self._driver_connection = self._connection, None, None
        if connection is not None:
            # Invalidated, not returned: some drivers read an unfinished result to its end before they roll back.
            with contextlib.suppress(Exception):
                connection.invalidate()
            with contextlib.suppress(Exception):
                connection.close()

    def _fetch_batches(self, partition: Partition) -> Iterator[Sequence[Sequence[Any]]]:
        request = partition.request
        columns = self._columns(request)
        now = tuple(columns[column.name].column for column in partition.schema.columns if column.name in columns)
        if now != partition.schema.columns:
            raise ExtractionError(f"{_name_of(request)} has other columns than when it was planned: start the extraction again")
        select = statements.build_select(partition, columns)
        doing = f"read {_name_of(request)}"
        with self._run(doing) as connection:
            result = self._unfinished = connection.execute(select, execution_options={"yield_per": self._limits.batch_rows})
            try:
                for rows in result.partitions():
                    self._raise_if_stopped(doing)
                    yield rows
                    self._raise_if_forgotten(result, doing)
                    self._raise_if_stopped(doing)
                self._unfinished = None
            except BaseException:
                self._abandon(result)
                raise

    def _abandon(self, result: sqlalchemy.CursorResult[Any]) -> None:
        """Let go of an unfinished result. MySQL's drivers read it to its end, so the server is asked to end it soon."""
        if self._unfinished is not result:
            # It went with the session that it was read by: what runs now is somebody else's.
            return
        self._unfinished, self._must_reopen = None, True
        if self._address.dialect.name in MYSQL_FAMILY:
            cancelling.end_query(self._engine, self._address, self._driver_connection, self._session_id)
        with contextlib.suppress(Exception):
            result.close()

    @contextlib.contextmanager
    def _run(self, doing: str) -> Iterator[sqlalchemy.Connection]:
        """The session while a statement runs: its errors become this project's, and its time is limited."""
        if self._connection is None:
            raise SourceUnreachableError(f"{self._address.place} was asked to {doing} on a closed connection: open another")
        mine = object()
        with self._lock:
            self._running, self._stopped_by = mine, None
        timer = threading.Timer(self._limits.query_timeout_s, self._stop, (DeadlineError, mine))
        timer.daemon = True
        timer.start()
        try:
            yield self._connection
            # Some servers end a query that is killed with a result, and it is a wrong one.
            self._raise_if_stopped(doing)
        except JivsbenchError:
            raise
        except Exception as error:
            self._must_reopen = True
            self._raise_if_stopped(doing)
            if not isinstance(error, exc.SQLAlchemyError | ValueError | OverflowError | OSError):
                raise
            raise build_server_error(error, self._address.place, doing) from None
        finally:
            timer.cancel()
            with self._lock:
                # A reader that is thrown away long after the session went to another must not touch it.
                if self._running is mine:
                    self._running = None

    def _stop(self, reason: type[JivsbenchError], running: object) -> None:
        with self._lock:
            if running is None or self._running is not running or self._connection is None:
                return
            self._stopped_by = self._stopped_by or reason
            cancelling.end_query(self._engine, self._address, self._driver_connection, self._session_id)

    def _raise_if_forgotten(self, result: sqlalchemy.CursorResult[Any], doing: str) -> None:
        if self._unfinished is not result:
            raise ExtractionError(f"{self._address.place} did not {doing}: its session went to another reader")

    def _raise_if_stopped(self, doing: str) -> None:
        asked = f"{self._address.place} did not {doing}"
        if self._stopped_by is CancelledJobError:
            raise CancelledJobError(f"{asked}: the query was cancelled on request")
        if self._stopped_by is not None:
            raise DeadlineError(f"{asked}: the query ran longer than query_timeout_s; raise it or ask for less")

    def _columns(self, request: ExtractionRequest) -> dict[str, SelectedColumn]:
        """Columns of the table or query by name, in order, as the server describes them now."""
        if request.table is None:
            self._must_reopen = True
            return self._query_columns(request)
        table = request.table
        with self._run(f"describe {_name_of(request)}") as connection:
            inspector = sqlalchemy.inspect(connection)
            if self._is_system_table(table) or not inspector.has_table(table.name, schema=table.namespace):
                hint = _suggest(table.name, _list_tables(inspector, table.namespace))
                raise MissingObjectError(f"{self._address.place} has no table {str(table)!r} that can be extracted: {hint}")
            reflected = inspector.get_columns(table.name, schema=table.namespace)
        built = (build_table_column(dict(column), self._address.dialect, self._source.type_policy) for column in reflected)
        return {selected.column.name: selected for selected in built}

    def _is_system_table(self, table: TableName) -> bool:
        return self._address.dialect.name == "sqlite" and table.name.lower().startswith("sqlite_")

    def _query_columns(self, request: ExtractionRequest) -> dict[str, SelectedColumn]:
        probe = statements.build_columns_probe(request)
        with self._run("understand the query") as connection:
            names = list(connection.execute(probe).keys())
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ExtractionError(f"the query yields two columns called {twice!r}: give each a name of its own, with AS")
        return {name: build_query_column(name) for name in names}


def _list_tables(inspector: sqlalchemy.Inspector, namespace: str | None) -> list[str]:
    names = [*inspector.get_table_names(schema=namespace), *inspector.get_view_names(schema=namespace)]
    with contextlib.suppress(NotImplementedError):
        names += inspector.get_materialized_view_names(schema=namespace)
    return names


def _name_of(request: ExtractionRequest) -> str:
    return f"table {str(request.table)!r}" if request.table is not None else "the query"


def _suggest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names[:20]) or 'none'}"
