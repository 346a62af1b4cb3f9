"""The tests that every connector passes.

A plugin author subclasses `ConnectorContract` in a file of tests:

    class TestAcme(ConnectorContract):
        slow_query = "SELECT count(*) FROM generate_series(1, 100000000000)"

        @pytest.fixture
        def connector(self):
            return AcmeConnector()

        @pytest.fixture
        def source(self):
            return DataSource("acme", "acme", Secret("acme://localhost/test"))

A connector that cannot load tables overrides the fixture `loaded` too, and puts `build_contract_table()` there itself.
"""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Final
from urllib.parse import urlsplit

import pyarrow as pa
import pytest

from jivsbench.api.protocols import Connection, Connector, ReadLimits, SchemaVersionTeller, TableLoader
from jivsbench.errors import JivsbenchError, MissingObjectError, OutputError, SourceUnreachableError
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, TableName
from jivsbench.testing.contract_table import LoadedTable, build_contract_table, new_table_name
from jivsbench.testing.reading_contract import ReadingContract, read_all

LIMITS: Final = ReadLimits(connect_timeout_s=5.0, query_timeout_s=30.0, batch_rows=250)
_PASSWORD: Final = "s3cr3t-of-the-contract"  # noqa: S105 - must not appear in a message
_CANCEL_WITHIN_S: Final = 2.0


class ConnectorContract(ReadingContract):
    """Give the fixtures `connector` and `source`; see the module's example."""

    slow_query: ClassVar[str | None] = None
    """A query of the source's own dialect that runs for at least half a minute; needed when it knows SQL."""

    @pytest.fixture
    def connector(self) -> Connector:
        """The connector under test."""
        raise NotImplementedError("give a fixture `connector` that returns the connector under test")

    @pytest.fixture
    def source(self) -> DataSource:
        """A source that it can open, with a user who may create tables."""
        raise NotImplementedError("give a fixture `source` that returns a DataSource that the connector can open")

    @pytest.fixture
    def unreachable(self, source: DataSource) -> Iterator[DataSource]:
        """The same kind of source, where nobody answers; by default a closed port, or a path that does not exist."""
        url = source.url.reveal()
        if not urlsplit(url).hostname:
            yield replace(source, url=Secret(url + "-does/not/exist"))
            return
        with socket.socket() as taken:
            # Bound and never listening: the port refuses, and nobody else can take it meanwhile.
            taken.bind(("127.0.0.1", 0))
            scheme, path = urlsplit(url).scheme, urlsplit(url).path
            yield replace(source, url=Secret(f"{scheme}://ann:{_PASSWORD}@127.0.0.1:{taken.getsockname()[1]}{path}"))

    @pytest.fixture
    def loaded(self, connector: Connector, source: DataSource) -> Iterator[LoadedTable]:
        """A table of awkward values in the source, gone after the test."""
        if not isinstance(connector, TableLoader):
            pytest.fail("this connector is no TableLoader: override the fixture `loaded` and put build_contract_table() there")
        name, rows = new_table_name(), build_contract_table()
        connector.load_table(source, name, rows.schema, iter(rows.to_batches(500)), ["name"])
        yield LoadedTable(name, rows)
        connector.drop_table(source, name)

    @pytest.fixture
    def request_all(self, source: DataSource, loaded: LoadedTable) -> ExtractionRequest:
        """A request for the whole table."""
        return ExtractionRequest(source.name, loaded.name)

    @pytest.fixture
    def connection(self, connector: Connector, source: DataSource, loaded: LoadedTable) -> Iterator[Connection]:  # noqa: ARG002 - the table must outlive the session
        """An open session."""
        connection = connector.connect(source, LIMITS)
        yield connection
        connection.close()

    @pytest.fixture
    def session(self, connection: Connection) -> Connection:
        """An open session with one consistent view."""
        connection.begin()
        return connection

    def test_its_name_and_schemes_can_be_written_in_a_file(self, connector: Connector) -> None:
        """A name without blanks, schemes in lower case."""
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*", connector.name)
        assert connector.schemes
        assert all(re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme) for scheme in connector.schemes)
        assert isinstance(connector.dialect, str)

    def test_an_unreachable_source_is_said_in_time_and_without_its_password(
        self, connector: Connector, unreachable: DataSource
    ) -> None:
        """The error comes within the timeout and shows no part of the password."""
        started = time.monotonic()

        with pytest.raises((SourceUnreachableError, MissingObjectError)) as caught:
            connector.connect(unreachable, replace(LIMITS, connect_timeout_s=2.0)).test()

        assert time.monotonic() - started < 3.0  # noqa: PLR2004 - the timeout and a second for a slow machine
        assert _PASSWORD not in str(caught.value)

    def test_a_session_says_who_the_server_is(self, connection: Connection) -> None:
        """Product and version are for the report of a run."""
        facts = connection.test()

        assert facts.product
        assert facts.version

    def test_the_loaded_table_is_among_the_tables(self, connection: Connection, loaded: LoadedTable) -> None:
        """By its own name, whatever namespace the source adds."""
        assert loaded.name.name in {table.name for table in connection.tables()}

    def test_an_unknown_table_is_named(self, session: Connection, source: DataSource) -> None:
        """MissingObjectError says which table."""
        with pytest.raises(MissingObjectError, match="no_such_table"):
            session.schema(ExtractionRequest(source.name, TableName("no_such_table")))

    def test_an_unknown_column_is_named(self, session: Connection, request_all: ExtractionRequest) -> None:
        """MissingObjectError says which column."""
        with pytest.raises(MissingObjectError, match="no_such_column"):
            session.schema(replace(request_all, columns=("id", "no_such_column")))

    def test_a_session_can_be_used_again_after_reset(
        self, connection: Connection, request_all: ExtractionRequest, loaded: LoadedTable
    ) -> None:
        """Pools hand the same session to one user after the other, also after one of them failed."""
        for _ in range(2):
            connection.begin()
            assert read_all(connection, request_all).num_rows == loaded.rows.num_rows
            with pytest.raises(MissingObjectError):
                connection.schema(replace(request_all, columns=("no_such_column",)))
            connection.reset()

        assert connection.is_alive()

    def test_a_half_read_session_can_be_reset(
        self, connection: Connection, request_all: ExtractionRequest, loaded: LoadedTable
    ) -> None:
        """A user who stops in the middle leaves nothing behind."""
        reader = _read_one_batch(connection, request_all)
        reader.close()  # type: ignore[attr-defined]
        connection.reset()
        connection.begin()

        assert read_all(connection, request_all).num_rows == loaded.rows.num_rows

    def test_a_forgotten_reader_does_not_disturb_the_next_borrower(
        self, connection: Connection, request_all: ExtractionRequest, loaded: LoadedTable
    ) -> None:
        """Half read and never closed; asked for more when the session is another's, it takes none of their rows."""
        forgotten = _read_one_batch(connection, request_all)
        connection.reset()
        connection.begin()
        (partition,) = connection.partitions(request_all, connection.schema(request_all), 1)
        reader = connection.read(partition)
        rows = next(reader).num_rows
        with contextlib.suppress(JivsbenchError):
            next(forgotten, None)
        forgotten.close()  # type: ignore[attr-defined]

        assert rows + sum(batch.num_rows for batch in reader) == loaded.rows.num_rows

    def test_a_shared_view_can_be_joined(
        self,
        connector: Connector,
        source: DataSource,
        connection: Connection,
        request_all: ExtractionRequest,
        loaded: LoadedTable,
    ) -> None:
        """A name that `begin` returns is good for another session, which reads the same rows."""
        snapshot = connection.begin()
        other = connector.connect(source, LIMITS)
        try:
            joined = other.begin(snapshot)
            rows = read_all(other, request_all).num_rows
        finally:
            other.close()

        assert rows == loaded.rows.num_rows
        assert snapshot is None or joined is None or isinstance(joined, str)

    def test_cancel_while_idle_does_nothing(
        self, session: Connection, request_all: ExtractionRequest, loaded: LoadedTable
    ) -> None:
        """A cancel that comes too late must not hit the next query."""
        session.cancel()

        assert read_all(session, request_all).num_rows == loaded.rows.num_rows

    def test_cancel_in_the_middle_of_a_read_ends_it(
        self, connection: Connection, request_all: ExtractionRequest, loaded: LoadedTable
    ) -> None:
        """The rest comes or an error does, at once; after `reset` the session is as good as new."""
        reader = _read_one_batch(connection, request_all)
        connection.cancel()
        started = time.monotonic()
        try:
            for _ in reader:
                pass
        except JivsbenchError:
            pass
        assert time.monotonic() - started < _CANCEL_WITHIN_S

        connection.reset()
        connection.begin()
        assert read_all(connection, request_all).num_rows == loaded.rows.num_rows

    def test_cancel_ends_a_running_query(self, connector: Connector, session: Connection, source: DataSource) -> None:
        """From another thread, while the server still works and no row has come."""
        if not connector.dialect:
            pytest.skip("this source knows no SQL")
        assert self.slow_query, "give `slow_query`, a query that runs for at least half a minute"
        request = ExtractionRequest(source.name, query=self.slow_query)
        schema = session.schema(request)
        (partition,) = session.partitions(request, schema, 1)
        cancelled_at: list[float] = []

        def cancel() -> None:
            cancelled_at.append(time.monotonic())
            session.cancel()

        timer = threading.Timer(0.3, cancel)
        timer.start()
        with pytest.raises(JivsbenchError):
            list(session.read(partition))
        ended_at = time.monotonic()
        timer.join()

        assert cancelled_at, "the slow query ended before it was cancelled: choose a slower one"
        assert ended_at - cancelled_at[0] < _CANCEL_WITHIN_S

    def test_a_session_cannot_write(
        self, connector: Connector, connection: Connection, request_all: ExtractionRequest, loaded: LoadedTable
    ) -> None:
        """Even a user who may write gets a session that does not."""
        if not connector.dialect:
            pytest.skip("this source knows no SQL")
        connection.begin()
        with pytest.raises(JivsbenchError):
            read_all(connection, ExtractionRequest(request_all.source, query=f"DELETE FROM {loaded.name}"))  # noqa: S608 - an attack
        connection.reset()
        connection.begin()

        assert read_all(connection, request_all).num_rows == loaded.rows.num_rows

    def test_closing_twice_is_fine(self, connection: Connection) -> None:
        """A closed session is not alive, and says so without raising."""
        assert connection.is_alive()
        connection.close()
        connection.close()

        assert not connection.is_alive()

    def test_a_table_is_loaded_once(self, connector: Connector, source: DataSource, loaded: LoadedTable) -> None:
        """Loading over a table is refused, and leaves it whole. Only for connectors that load."""
        if not isinstance(connector, TableLoader):
            pytest.skip("this connector does not load tables")
        with pytest.raises(OutputError, match=re.escape(loaded.name.name)):
            connector.load_table(source, loaded.name, loaded.rows.schema, iter(loaded.rows.slice(0, 1).to_batches()), [])

        connection = connector.connect(source, LIMITS)
        rows = read_all(connection, ExtractionRequest(source.name, loaded.name)).num_rows
        connection.close()
        assert rows == loaded.rows.num_rows

    def test_a_schemas_version_is_that_of_its_columns(
        self, connector: Connector, source: DataSource, connection: Connection, request_all: ExtractionRequest
    ) -> None:
        """The same in every session while the table stays; another when it comes back with another column, or another type."""
        if not isinstance(connection, SchemaVersionTeller) or not isinstance(connector, TableLoader):
            pytest.skip("this connector tells no versions of schemas, or does not load tables")
        assert request_all.table is not None
        one_column = replace(request_all, columns=("id",))
        told = [_tell_versions(connection, request_all, one_column) for _ in range(2)]
        for other in ({"id": [1]}, {"id": [1], "name": [1]}, {"id": ["a"], "name": [1]}):
            connector.drop_table(source, request_all.table)
            rows = pa.RecordBatch.from_pydict(other)
            connector.load_table(source, request_all.table, rows.schema, iter([rows]), [])
            told.append(_tell_versions(connection, request_all, one_column))

        assert told[0] == told[1]
        assert None in told[0] or all(len(set(versions)) == len(told) - 1 for versions in zip(*told, strict=True))

    def test_a_table_is_dropped_once(self, connector: Connector, source: DataSource, loaded: LoadedTable) -> None:
        """True when there was a table, False when there was none."""
        if not isinstance(connector, TableLoader):
            pytest.skip("this connector does not load tables")

        assert [connector.drop_table(source, loaded.name) for _ in range(2)] == [True, False]


def _tell_versions(connection: Connection, *requests: ExtractionRequest) -> tuple[str | None, ...]:
    """What a job would be told of each request: in a transaction of its own."""
    assert isinstance(connection, SchemaVersionTeller)
    connection.begin()
    try:
        return tuple(connection.schema_version(request) for request in requests)
    finally:
        connection.reset()


def _read_one_batch(connection: Connection, request: ExtractionRequest) -> Iterator[pa.RecordBatch]:
    """A reader in the middle of its work."""
    connection.begin()
    (partition,) = connection.partitions(request, connection.schema(request), 1)
    reader = connection.read(partition)
    next(reader)
    return reader
