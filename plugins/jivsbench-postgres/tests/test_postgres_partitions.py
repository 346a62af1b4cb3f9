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
    predicates = split_pages(size, streams)

    assert sum(_holds(predicate, page) for predicate in predicates) == 1
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


KEYS = {
    "integer": ("id int PRIMARY KEY", "g"),
    "bigint limits": (
        "id bigint PRIMARY KEY",
        "CASE g WHEN 1 THEN -9223372036854775808 WHEN 2 THEN 9223372036854775807 ELSE g END",
    ),
    "text": ("id text PRIMARY KEY", "md5(g::text)"),
    "uuid": ("id uuid PRIMARY KEY", "md5(g::text)::uuid"),
    "date": ("id date", "date '2000-01-01' + g % 5000"),
    "composite": ("id int, part text, PRIMARY KEY (id, part)", "g / 3, (g % 3)::text"),
    "no key": ("id int", "g % 7"),
    "NULL keys": ("id int", "nullif(g % 2, 1)"),
    "99 % skew": ("id int", "CASE WHEN g % 100 = 0 THEN g ELSE 0 END"),
    "one value": ("id int", "1"),
    "reversed": ("id int PRIMARY KEY", "60000 - g"),
}


@pytest.mark.parametrize("key", KEYS)
def test_whatever_the_key_every_row_is_in_one_part(key: str, session: PostgresConnection, reader, admin, namespace) -> None:
    """60,000 numbered rows: the union of the parts is the table, no row is in two, the largest has at most twice the mean."""
    columns, values = KEYS[key]
    admin.execute(f"CREATE TABLE {namespace}.keyed (row_number int NOT NULL, {columns}, pad text)")
    admin.execute(f"INSERT INTO {namespace}.keyed SELECT g, {values}, 'x' FROM generate_series(1, 60000) g")
    admin.execute(f"ANALYZE {namespace}.keyed")
    request = reader.request("keyed")
    session.begin()
    schema = session.schema(request)
    for streams in (2, 16):
        parts = session.partitions(request, schema, streams)
        numbers = [[n for batch in session.read(part) for n in batch["row_number"].to_pylist()] for part in parts]

        assert 1 < len(parts) <= streams
        assert sorted(n for part in numbers for n in part) == list(range(1, 60_001))
        assert max(map(len, numbers)) <= 2 * 60_000 / len(parts)


@pytest.mark.parametrize("kept", ["id > 300000", "id <= 100000", "id BETWEEN 180000 AND 290000", "id % 4 = 0"])
def test_a_table_with_many_dead_pages_is_shared_out_by_its_rows(
    kept: str, session: PostgresConnection, reader, admin, namespace
) -> None:
    """Most of 400,000 rows were deleted, at one end, on both sides, or everywhere: each part still has at most twice the mean."""
    admin.execute(f"CREATE TABLE {namespace}.bloated (id int, pad text) WITH (autovacuum_enabled = off)")
    admin.execute(f"INSERT INTO {namespace}.bloated SELECT g, repeat('x', 60) FROM generate_series(1, 400000) g")
    admin.execute(f"DELETE FROM {namespace}.bloated WHERE NOT ({kept})")
    admin.execute(f"VACUUM (ANALYZE, TRUNCATE off) {namespace}.bloated")
    request = reader.request("bloated")
    session.begin()
    parts = session.partitions(request, session.schema(request), 4)

    numbers = [[n for batch in session.read(part) for n in batch["id"].to_pylist()] for part in parts]
    total = sum(map(len, numbers))

    assert len(parts) > 1
    assert sorted(n for part in numbers for n in part) == [
        n for (n,) in admin.execute(f"SELECT id FROM {namespace}.bloated ORDER BY 1")
    ]
    assert max(map(len, numbers)) <= 2 * total / len(parts)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_fewer_rows_than_streams_are_one_part(rows: int, session: PostgresConnection, reader, admin, namespace) -> None:
    """Nothing to share out."""
    admin.execute(f"CREATE TABLE {namespace}.tiny AS SELECT g AS id FROM generate_series(1, {rows}) g")
    request = reader.request("tiny")
    session.begin()

    (part,) = session.partitions(request, session.schema(request), 16)

    assert session.fingerprint(part).row_count == rows


DENSITIES = st.lists(st.integers(0, 1000), min_size=16, max_size=16)


@given(pages=st.integers(256, 10**7), streams=st.integers(2, 16), density=DENSITIES, page=st.integers(0, 2 * 10**7))
def test_every_page_is_in_one_range_whatever_a_sample_says(pages: int, streams: int, density: list[int], page: int) -> None:
    """A sample moves bounds; it never opens a gap, and never makes more parts."""
    size = TableSize(is_heap=True, pages=pages, rows_per_page=300.0)
    predicates = split_pages(size, streams, density)

    assert sum(_holds(predicate, page) for predicate in predicates) == 1
    assert len(predicates) <= streams


@given(streams=st.integers(2, 8), density=DENSITIES.filter(any))
def test_no_part_holds_more_than_twice_its_share_of_a_sample(streams: int, density: list[int]) -> None:
    """Where rows lie as the sample says, the largest part has at most twice the mean."""
    pages = 16_000
    predicates = split_pages(TableSize(is_heap=True, pages=pages, rows_per_page=300.0), streams, density)
    rows = [sum(density[page * 16 // pages] for page in range(0, pages, 10) if _holds(p, page)) for p in predicates]

    assert max(rows) <= 2 * sum(rows) / len(predicates)


def _holds(predicate: str, page: int) -> bool:
    for condition in filter(None, predicate.split(" AND ")):
        bound = int(condition.split("'(")[1].split(",")[0])
        if (page >= bound) is ("<" in condition):
            return False
    return True
