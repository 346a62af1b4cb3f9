"""What every connector must read: each row once, each value as it is, whatever the request asks."""

import contextlib
import itertools
import time
from enum import Enum
from typing import ClassVar, Final

import pyarrow as pa
import pytest

from jivsbench.api.protocols import ColumnFingerprinter, Connection, KeyPartitioner, RowFingerprinter, RowReader
from jivsbench.errors import JivsbenchError
from jivsbench.model.fingerprint import fingerprint_column
from jivsbench.model.row_fingerprint import fingerprint_rows, join_row_fingerprints
from jivsbench.model.table import ExtractionRequest, Filter, Operator, Partition, TableSchema
from jivsbench.testing.contract_table import HOSTILE_TEXTS, LoadedTable, normalize, select

_KEY_PART_ROWS = 300
FILTERS: Final = (
    Filter("id", Operator.EQUAL, (7,)),
    Filter("id", Operator.NOT_EQUAL, (7,)),
    Filter("id", Operator.LESS, (50,)),
    Filter("id", Operator.LESS_OR_EQUAL, (50,)),
    Filter("id", Operator.GREATER, (1950,)),
    Filter("id", Operator.GREATER_OR_EQUAL, ("1950",)),
    Filter("id", Operator.IN, (1, 2, 3, 5, 8, 999_999)),
    Filter("name", Operator.EQUAL, ("",)),
    Filter("name", Operator.EQUAL, ("row-100",)),
    Filter("name", Operator.NOT_EQUAL, ("row-100",)),
    Filter("name", Operator.LIKE, ("row-1_0%",)),
    Filter("name", Operator.IN, ("", "row-77", "nobody", "it's")),
    Filter("name", Operator.IS_NULL),
    Filter("name", Operator.IS_NOT_NULL),
    Filter("amount", Operator.EQUAL, ("-49920.81",)),
    Filter("amount", Operator.LESS, ("0.00",)),
    Filter("amount", Operator.GREATER_OR_EQUAL, (1000,)),
    Filter("amount", Operator.IS_NULL),
    Filter("ratio", Operator.GREATER, (12.5,)),
    Filter("ratio", Operator.LESS_OR_EQUAL, (-50,)),
    Filter("is_active", Operator.EQUAL, (True,)),
    Filter("is_active", Operator.NOT_EQUAL, (True,)),
    Filter("created_at", Operator.LESS, ("2000-01-31T00:00:00+00:00",)),
    Filter("created_at", Operator.IS_NULL),
)
ODD_FILTERS: Final = (
    Filter("id", Operator.EQUAL, ("1e999999999",)),
    Filter("id", Operator.IN, (10**400,)),
    Filter("amount", Operator.GREATER, ("1e999999999",)),
    Filter("amount", Operator.EQUAL, ("1e-999999999",)),
    Filter("ratio", Operator.LESS, (float("nan"),)),
    Filter("name", Operator.EQUAL, ("\0",)),
    Filter("name", Operator.IN, ("\ud800",)),
    Filter("name", Operator.LIKE, ("\ud800%",)),
    Filter("created_at", Operator.EQUAL, ("9999-12-31T23:59:59-14:00",)),
)
"""Values that drivers choke on."""
_ODD_FILTERS_WITHIN_S: Final = 20.0
"""For nine queries on a slow machine; to write out a number of a billion digits takes longer, or all memory."""


class Counts(Enum):
    """When a source can say how many rows there are without reading them."""

    ALWAYS = "always"
    WITHOUT_FILTERS = "without filters"
    NEVER = "never"


def _name_filter(condition: Filter) -> str:
    return "-".join([condition.column, condition.operator.name.lower(), *map(str, condition.values[:1])])


class ReadingContract:
    """Tests of `schema`, `partitions`, `read`, `fingerprint` and `read_rows`. A part of ConnectorContract."""

    counts: ClassVar[Counts] = Counts.ALWAYS
    """What the source can count without reading the rows; where it cannot, its fingerprint must say so."""

    def test_the_schema_has_the_columns_in_order(
        self, session: Connection, request_all: ExtractionRequest, loaded: LoadedTable
    ) -> None:
        """All columns without a choice, the chosen ones in the order of the choice."""
        assert [column.name for column in session.schema(request_all).columns] == loaded.rows.column_names

        chosen = ExtractionRequest(request_all.source, request_all.table, columns=("ratio", "id"))
        assert [column.name for column in session.schema(chosen).columns] == ["ratio", "id"]

    def test_every_value_is_read_as_it_was_loaded(
        self, session: Connection, request_all: ExtractionRequest, loaded: LoadedTable
    ) -> None:
        """NULL and the empty text stay apart; decimals, times and every script come back as they are."""
        rows = normalize(read_all(session, request_all), loaded.rows)
        expected = normalize(loaded.rows, loaded.rows)

        for name in expected.column_names:
            assert rows[name].to_pylist() == expected[name].to_pylist(), f"the column {name!r} differs"

    def test_every_batch_has_exactly_the_schema(self, session: Connection, request_all: ExtractionRequest) -> None:
        """A sink may write the first batch's schema and rely on it."""
        schema = session.schema(request_all)
        (partition,) = session.partitions(request_all, schema, 1)
        expected = partition.schema.to_arrow()

        batches = list(session.read(partition))

        assert batches, "a table with rows gave no batch"
        assert all(batch.schema.equals(expected) for batch in batches)

    def test_chosen_columns_are_read_in_their_order(
        self, session: Connection, request_all: ExtractionRequest, loaded: LoadedTable
    ) -> None:
        """The rows are the same, with fewer columns."""
        rows = read_all(session, ExtractionRequest(request_all.source, request_all.table, columns=("amount", "id")))

        assert rows.column_names == ["amount", "id"]
        assert sorted(rows["id"].to_pylist()) == loaded.rows["id"].to_pylist()

    @pytest.mark.parametrize("condition", FILTERS, ids=_name_filter)
    def test_a_filter_compares_in_the_columns_own_type(
        self, session: Connection, request_all: ExtractionRequest, loaded: LoadedTable, condition: Filter
    ) -> None:
        """Every operator, on every type it makes sense for; a comparison with NULL never matches."""
        assert self.read_ids(session, request_all, (condition,)) == select(loaded.rows, (condition,))

    def test_filters_are_joined_by_and(self, session: Connection, request_all: ExtractionRequest, loaded: LoadedTable) -> None:
        """A row must match all of them."""
        filters = (
            Filter("id", Operator.GREATER, (100,)),
            Filter("amount", Operator.LESS, (0,)),
            Filter("is_active", Operator.EQUAL, (True,)),
        )

        assert self.read_ids(session, request_all, filters) == select(loaded.rows, filters)

    @pytest.mark.parametrize("operator", [Operator.EQUAL, Operator.NOT_EQUAL, Operator.IN])
    def test_a_hostile_value_is_only_a_value(
        self, session: Connection, request_all: ExtractionRequest, loaded: LoadedTable, operator: Operator
    ) -> None:
        """The row that really holds that text is found, and no other; the table is still there afterwards."""
        for text in HOSTILE_TEXTS:
            condition = Filter("name", operator, (text,))
            assert self.read_ids(session, request_all, (condition,)) == select(loaded.rows, (condition,)), text

        assert len(self.read_ids(session, request_all, ())) == loaded.rows.num_rows

    def test_a_value_of_another_type_matches_nothing(self, session: Connection, request_all: ExtractionRequest) -> None:
        """Text against a number is an error or no match; never all rows."""
        condition = Filter("id", Operator.EQUAL, ("1 OR 1=1",))

        try:
            found = self.read_ids(session, request_all, (condition,))
        except JivsbenchError:
            found = []

        assert found == []

    def test_an_odd_value_is_refused_or_compared_at_once(
        self, connection: Connection, request_all: ExtractionRequest, loaded: LoadedTable
    ) -> None:
        """Half a character, a number of a billion digits: an error of this project or a comparison, and the session goes on."""
        started = time.monotonic()
        for condition in ODD_FILTERS:
            connection.begin()
            with contextlib.suppress(JivsbenchError):
                self.read_ids(connection, request_all, (condition,))
            connection.reset()
        seconds = time.monotonic() - started

        connection.begin()
        assert self.read_ids(connection, request_all, ()) == loaded.rows["id"].to_pylist()
        assert seconds < _ODD_FILTERS_WITHIN_S

    @pytest.mark.parametrize("limit", [1, 10, 1_000_000])
    @pytest.mark.parametrize("streams", [1, 4])
    def test_the_row_limit_holds_over_all_partitions(
        self, session: Connection, request_all: ExtractionRequest, loaded: LoadedTable, limit: int, streams: int
    ) -> None:
        """As many rows as asked for, or all there are; none twice."""
        request = ExtractionRequest(request_all.source, request_all.table, row_limit=limit)
        schema = session.schema(request)

        ids = list(
            itertools.chain(*(self.read_partition_ids(session, part) for part in session.partitions(request, schema, streams)))
        )

        assert len(ids) == len(set(ids)) == min(limit, loaded.rows.num_rows)

    @pytest.mark.parametrize("streams", [1, 2, 4, 7])
    @pytest.mark.parametrize("filters", [(), FILTERS[2:3], FILTERS[7:8]], ids=["whole", "some", "few"])
    def test_partitions_are_disjoint_and_together_the_request(
        self,
        session: Connection,
        request_all: ExtractionRequest,
        loaded: LoadedTable,
        streams: int,
        filters: tuple[Filter, ...],
    ) -> None:
        """Each row in exactly one part, and no more parts than streams."""
        request = ExtractionRequest(request_all.source, request_all.table, filters=filters)
        partitions = session.partitions(request, session.schema(request), streams)
        ids = list(itertools.chain(*(self.read_partition_ids(session, part) for part in partitions)))

        assert 1 <= len(partitions) <= streams
        assert len({part.index for part in partitions}) == len(partitions)
        assert sorted(ids) == select(loaded.rows, filters)

    @pytest.mark.parametrize("filters", [(), (Filter("id", Operator.GREATER, (1000,)),)])
    def test_parts_by_key_are_the_same_in_a_later_transaction(
        self, session: Connection, request_all: ExtractionRequest, loaded: LoadedTable, filters: tuple[Filter, ...]
    ) -> None:
        """Each row in exactly one part, none larger than was asked for. Only for connections that have this ability."""
        if not isinstance(session, KeyPartitioner):
            pytest.skip("this connection splits nothing by key")
        request = ExtractionRequest(request_all.source, request_all.table, filters=filters)
        split = session.split_by_key(request, _KEY_PART_ROWS)
        assert split is not None
        ids: list[int] = []
        for index in range(len(session.key_partitions(request, session.schema(request), split))):
            session.reset()
            session.begin()
            part = self.read_partition_ids(session, session.key_partitions(request, session.schema(request), split)[index])
            assert len(part) <= _KEY_PART_ROWS
            ids.extend(part)

        assert sorted(ids) == select(loaded.rows, filters)

    @pytest.mark.parametrize("streams", [1, 3])
    @pytest.mark.parametrize("row_limit", [None, 15])
    @pytest.mark.parametrize("filters", [(), FILTERS[5:6]], ids=["whole", "some"])
    def test_the_fingerprint_counts_what_is_read(
        self,
        session: Connection,
        request_all: ExtractionRequest,
        streams: int,
        row_limit: int | None,
        filters: tuple[Filter, ...],
    ) -> None:
        """Partition by partition: verification compares the two. A source that cannot count says None, and never a guess."""
        request = ExtractionRequest(request_all.source, request_all.table, filters=filters, row_limit=row_limit)
        can_count = self.counts is Counts.ALWAYS or (self.counts is Counts.WITHOUT_FILTERS and not filters)

        for partition in session.partitions(request, session.schema(request), streams):
            read = len(self.read_partition_ids(session, partition))
            assert session.fingerprint(partition).row_count == (read if can_count else None)

    def test_the_figures_of_columns_are_those_of_what_is_read(self, session: Connection, request_all: ExtractionRequest) -> None:
        """NULLs, sums and extremes, exact or not given. Only for connections that have this ability."""
        if not isinstance(session, ColumnFingerprinter):
            pytest.skip("this connection computes no figures of columns")
        schema = session.schema(request_all)

        for partition in session.partitions(request_all, schema, 3):
            rows = pa.Table.from_batches(session.read(partition), schema.to_arrow())
            found = session.fingerprint_columns(partition)
            assert [column.name for column in found] == rows.column_names
            for column in found:
                read = fingerprint_column(column.name, rows.column(column.name))
                assert column.null_count in (None, read.null_count)
                assert column.total is None or column == read

    @pytest.mark.parametrize("filters", [(), FILTERS[5:6]])
    def test_the_fingerprints_of_rows_are_those_of_what_is_read(
        self, session: Connection, request_all: ExtractionRequest, filters: tuple[Filter, ...]
    ) -> None:
        """Every row of every partition. Only for connections that have this ability."""
        if not isinstance(session, RowFingerprinter):
            pytest.skip("this connection computes no fingerprints of rows")
        request = ExtractionRequest(request_all.source, request_all.table, filters=filters)

        for partition in session.partitions(request, session.schema(request), 3):
            read = join_row_fingerprints(fingerprint_rows(batch) for batch in session.read(partition))
            assert session.fingerprint_rows(partition) == read

    def test_a_row_reader_gives_the_same_rows(
        self, session: Connection, request_all: ExtractionRequest, loaded: LoadedTable
    ) -> None:
        """Row by row is slower, not different. Only for connections that have this ability."""
        if not isinstance(session, RowReader):
            pytest.skip("this connection does not read row by row")
        schema = session.schema(request_all)
        (partition,) = session.partitions(request_all, schema, 1)

        rows = sorted((row[0], row[1]) for row in session.read_rows(partition))

        assert rows == list(zip(loaded.rows["id"].to_pylist(), loaded.rows["name"].to_pylist(), strict=True))

    def read_ids(self, session: Connection, request_all: ExtractionRequest, filters: tuple[Filter, ...]) -> list[int]:
        """Ids that a filtered request gives, sorted."""
        rows = read_all(session, ExtractionRequest(request_all.source, request_all.table, filters=filters))
        return sorted(rows["id"].to_pylist())

    def read_partition_ids(self, session: Connection, partition: Partition) -> list[int]:
        """Ids that one partition gives."""
        return list(itertools.chain(*(batch.column("id").to_pylist() for batch in session.read(partition))))


def read_all(session: Connection, request: ExtractionRequest) -> pa.Table:
    """Everything that a request gives, in one partition after the other."""
    schema: TableSchema = session.schema(request)
    partitions = session.partitions(request, schema, 1)
    return pa.Table.from_batches(itertools.chain(*(session.read(part) for part in partitions)), schema.to_arrow())
