"""Page ranges are disjoint, cover the table exactly, and stand still while they are read."""

import subprocess
import sys
import threading

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.model.table import Filter, Operator
from jivsbench_postgres.catalogue import TableSize
from jivsbench_postgres.connection import PostgresConnection
from jivsbench_postgres.partitioning import MIN_ROWS_PER_PART, MIN_ROWS_TO_SPLIT, split_pages

ROWS = 120_000


@pytest.fixture
def url(any_url: str) -> str:
    """Partitions are tested on both servers."""
    return any_url


@pytest.fixture
def large(admin, namespace) -> str:
    """A table of 120,000 rows, some of them deleted and rewritten."""
    admin.execute(f"CREATE TABLE {namespace}.large AS SELECT g AS id, repeat('x', 50) AS pad FROM generate_series(1, {ROWS}) g")
    admin.execute(f"ALTER TABLE {namespace}.large ADD PRIMARY KEY (id)")
    admin.execute(f"UPDATE {namespace}.large SET pad = 'y' WHERE id % 10 = 0")
    admin.execute(f"ANALYZE {namespace}.large")
    return "large"


def test_the_parts_of_a_table_are_together_the_table(large, open_session, reader, admin, namespace) -> None:
    """Each id once, read by sessions that joined one snapshot while another one writes."""
    first = open_session()
    snapshot = first.begin()
    request = reader.request(large)
    parts = first.partitions(request, first.schema(request), 4)
    admin.execute(f"INSERT INTO {namespace}.large SELECT g, 'new' FROM generate_series(200001, 210000) g")
    admin.execute(f"DELETE FROM {namespace}.large WHERE id <= 1000")
    admin.execute(f"VACUUM {namespace}.large")
    tables = []
    for part in parts:
        session = open_session()
        session.begin(snapshot)
        tables.append(pa.Table.from_batches(session.read(part), part.schema.to_arrow()))
        assert session.fingerprint(part).row_count == tables[-1].num_rows

    ids = sorted(pa.concat_tables(tables)["id"].to_pylist())

    assert len(parts) == 4
    assert ids == list(range(1, ROWS + 1))
    assert max(t.num_rows for t in tables) < 2 * min(t.num_rows for t in tables)


def test_the_table_is_not_rewritten_while_its_pages_are_shared_out(
    large, session: PostgresConnection, reader, url, namespace
) -> None:
    """VACUUM FULL waits until the first session is done: else it would move rows between ranges."""
    import psycopg

    session.begin()
    request = reader.request(large)
    session.partitions(request, session.schema(request), 4)
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SET lock_timeout = '300ms'")

        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute(f"VACUUM FULL {namespace}.large")
        session.reset()
        other.execute(f"VACUUM FULL {namespace}.large")


@pytest.mark.parametrize("kind", ["filter", "limit", "small", "view", "partitioned", "one stream"])
def test_what_is_not_a_large_whole_table_is_one_part(
    *, kind, large, session: PostgresConnection, reader, admin, namespace
) -> None:
    """A second stream would cost more than it saves, or pages say nothing about the rows."""
    admin.execute(f"CREATE TABLE {namespace}.small (id int)")
    admin.execute(f"CREATE VIEW {namespace}.view AS SELECT * FROM {namespace}.large")
    admin.execute(f"CREATE TABLE {namespace}.partitioned (id int) PARTITION BY RANGE (id)")
    request = reader.request(kind if kind in ("small", "view", "partitioned") else large)
    if kind == "filter":
        request = reader.request(large, Filter("id", Operator.GREATER, (0,)))
    if kind == "limit":
        request = type(request)("test", request.table, row_limit=ROWS)
    session.begin()

    parts = session.partitions(request, session.schema(request), 1 if kind == "one stream" else 4)

    assert [part.predicate for part in parts] == [""]


def test_a_partitioned_table_and_a_view_are_read_whole(session: PostgresConnection, reader, admin, namespace) -> None:
    """Children and all."""
    admin.execute(f"CREATE TABLE {namespace}.p (id int) PARTITION BY LIST (id)")
    admin.execute(f"CREATE TABLE {namespace}.p1 PARTITION OF {namespace}.p FOR VALUES IN (1)")
    admin.execute(f"CREATE TABLE {namespace}.p2 PARTITION OF {namespace}.p DEFAULT")
    admin.execute(f"INSERT INTO {namespace}.p VALUES (1), (2), (NULL)")
    admin.execute(f"CREATE MATERIALIZED VIEW {namespace}.m AS SELECT * FROM {namespace}.p")

    assert reader.read(session, reader.request("p")).num_rows == 3
    assert reader.read(session, reader.request("m")).num_rows == 3


def test_a_table_with_children_is_read_with_them(session: PostgresConnection, reader, admin, namespace) -> None:
    """Inheritance: SELECT sees the children's rows, so a parent is never shared out by its own pages."""
    admin.execute(f"CREATE TABLE {namespace}.parent AS SELECT g AS id, repeat('x', 50) AS pad FROM generate_series(1, 60000) g")
    admin.execute(f"CREATE TABLE {namespace}.child () INHERITS ({namespace}.parent)")
    admin.execute(f"INSERT INTO {namespace}.child SELECT g, 'c' FROM generate_series(60001, 130000) g")
    admin.execute(f"ANALYZE {namespace}.parent")
    session.begin()
    request = reader.request("parent")

    parts = session.partitions(request, session.schema(request), 4)
    ids = [i for part in parts for batch in session.read(part) for i in batch["id"].to_pylist()]

    assert sorted(ids) == list(range(1, 130_001))


SIZES = st.builds(TableSize, st.booleans(), st.integers(0, 10**7), st.one_of(st.none(), st.floats(0, 300)))


@given(size=SIZES, streams=st.integers(1, 16), page=st.integers(0, 2 * 10**7))
def test_every_page_is_in_exactly_one_range(size: TableSize, streams: int, page: int) -> None:
    """Also pages that came after the count."""

    def holds(predicate: str) -> bool:
        for condition in filter(None, predicate.split(" AND ")):
            bound = int(condition.split("'(")[1].split(",")[0])
            if (page >= bound) is ("<" in condition):
                return False
        return True

    predicates = split_pages(size, streams)

    assert sum(holds(predicate) for predicate in predicates) == 1
    assert len(predicates) <= streams


def test_a_table_is_split_only_when_it_pays() -> None:
    """More than 50,000 rows, and 25,000 for each stream."""
    sizes = (0, MIN_ROWS_TO_SPLIT, 60_000, 3 * MIN_ROWS_PER_PART, 10**6)

    parts = [len(split_pages(TableSize(is_heap=True, pages=rows // 50, rows_per_page=50.0), 4)) for rows in sizes]

    assert parts == [1, 1, 2, 3, 4]


MEMORY = """
import resource, sys
from jivsbench.api import ReadLimits
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest
from jivsbench_postgres.connector import PostgresConnector

def read(rows):
    query = f"SELECT generate_series(1, {rows}) AS id, repeat(md5(random()::text), 14) AS pad"
    session.begin()
    request = ExtractionRequest("m", query=query)
    partition = session.partitions(request, session.schema(request), 1)[0]
    assert sum(batch.num_rows for batch in session.read(partition)) == rows
    session.reset()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

source = DataSource("m", "postgres", Secret(sys.stdin.readline().strip()))
session = PostgresConnector().connect(source, ReadLimits(query_timeout_s=60))
print(read(30_000), read(300_000))
session.close()
"""


def test_memory_stays_flat_however_many_rows_come(url) -> None:
    """300,000 rows of 450 bytes (135 MB) take no more than 30,000, give or take 8 MiB."""
    found = subprocess.run([sys.executable, "-c", MEMORY], input=url + "\n", capture_output=True, text=True, check=True)
    small_kib, large_kib = map(int, found.stdout.split())

    assert large_kib - small_kib < 8 * 1024


def test_two_threads_read_two_parts_at_once(large, open_session, reader) -> None:
    """Each session belongs to one thread; together they read everything."""
    first, second = open_session(), open_session()
    snapshot = first.begin()
    second.begin(snapshot)
    request = reader.request(large)
    parts = first.partitions(request, first.schema(request), 2)
    counts: list[int] = []

    def read(session: PostgresConnection, part) -> None:
        counts.append(sum(batch.num_rows for batch in session.read(part)))

    threads = [threading.Thread(target=read, args=pair) for pair in zip((first, second), parts, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(counts) == ROWS
