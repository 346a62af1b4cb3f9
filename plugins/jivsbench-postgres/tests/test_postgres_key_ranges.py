"""Key ranges are disjoint, cover the table exactly, and mean the same rows in a later transaction, whatever the key is."""

from collections import Counter
from itertools import pairwise

import psycopg
import pytest

from jivsbench.errors import ResumeError
from jivsbench.model.table import ExtractionRequest, Filter, Operator
from jivsbench_postgres.connection import PostgresConnection

ROWS = 300


@pytest.fixture
def url(any_url: str) -> str:
    """Key ranges are tested on both servers."""
    return any_url


def read_parts(session: PostgresConnection, request: ExtractionRequest, partition_rows: int) -> list[list[str]]:
    """The column `mark` of every part, each part read in a transaction of its own."""
    session.begin()
    split = session.split_by_key(request, partition_rows)
    assert split is not None
    session.reset()
    found = []
    for index in range(len(split.bounds) + 1 + (split.has_null_part and len(split.bounds) > 0)):
        session.begin()
        schema = session.schema(request)
        part = session.key_partitions(request, schema, split)[index]
        found.append([mark for batch in session.read(part) for mark in batch["mark"].to_pylist()])
        assert session.fingerprint(part).row_count == len(found[-1])
        session.reset()
    return found


KEYS = {
    "bigint": ("k bigint", "g * 1000003 - 150000000"),
    "limits": ("k bigint", "CASE g % 3 WHEN 0 THEN -9223372036854775808 + g WHEN 1 THEN g ELSE 9223372036854775807 - g END"),
    "skew": ("k int", "CASE WHEN g < 290 THEN g ELSE g * 7000000 END"),
    "text": ("k text", "(ARRAY['ä', 'Z', 'z', '''', '\\', ' ', 'é', '{}', '%s'])[g % 9 + 1] || g"),
    "text collated": ('k text COLLATE "C"', "md5(g::text)"),
    "char": ("k char(9)", "'x' || g"),
    "uuid": ("k uuid", "md5(g::text)::uuid"),
    "date": ("k date", "'2000-01-01'::date + g * (CASE WHEN g % 2 = 0 THEN 1 ELSE -1 END)"),
    "infinite": (
        "k timestamptz",
        "CASE WHEN g = 1 THEN 'infinity' WHEN g = 2 THEN '-infinity' ELSE now() - g * interval '7 h' END",
    ),
    "float": ("k float8", "CASE WHEN g = 1 THEN 'NaN' WHEN g = 2 THEN '-Infinity' ELSE 0.1 * g END"),
    "numeric": ("k numeric", "g / 7.0"),
    "bytea": ("k bytea", "decode(md5(g::text), 'hex')"),
    "array": ("k int[]", "ARRAY[g % 5, g]"),
    "bool": ("k boolean, l int", "g % 2 = 0, g"),
    "composite": ("k int, l text, m date", "g % 3, md5((g % 10)::text), '2000-01-01'::date + g"),
}


@pytest.mark.parametrize("kind", KEYS)
def test_the_parts_of_any_key_are_together_the_table(kind, session, reader, admin, namespace) -> None:
    """Each row once; equal parts, however the values are spread, and though the key itself is not read."""
    columns, values = KEYS[kind]
    names = ", ".join(column.split()[0] for column in columns.split(", "))
    admin.execute(f"CREATE TABLE {namespace}.t ({columns}, mark text, PRIMARY KEY ({names}))")
    admin.execute(f"INSERT INTO {namespace}.t SELECT {values}, 'm' || g FROM generate_series(1, {ROWS}) g ORDER BY md5(g::text)")

    parts = read_parts(session, reader.request("t", columns=("mark",)), 37)

    assert Counter(mark for part in parts for mark in part) == Counter(f"m{g}" for g in range(1, ROWS + 1))
    assert [len(part) for part in parts] == [37] * 8 + [ROWS - 8 * 37]


def test_rows_without_a_key_have_a_part_of_their_own(session, reader, admin, namespace) -> None:
    """NULL in any column of a unique index, also after a first column that compares."""
    admin.execute(f"CREATE TABLE {namespace}.t (k int, l text, mark text, UNIQUE (k, l))")
    admin.execute(
        f"INSERT INTO {namespace}.t SELECT nullif(g % 4, 0), nullif('l' || g % 5, 'l0'), 'm' || g FROM generate_series(1, 40) g "
        "ON CONFLICT DO NOTHING"
    )
    admin.execute(f"INSERT INTO {namespace}.t VALUES (NULL, NULL, 'none'), (1, NULL, 'half'), (1, NULL, 'half')")
    expected = Counter(row[0] for row in admin.execute(f"SELECT mark FROM {namespace}.t"))

    parts = read_parts(session, reader.request("t"), 5)

    assert Counter(mark for part in parts for mark in part) == expected
    assert {"none", "half"} <= set(parts[-1])


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_tables_smaller_than_a_part_are_one(rows, session, reader, admin, namespace) -> None:
    """Also an empty one."""
    admin.execute(f"CREATE TABLE {namespace}.t (k int PRIMARY KEY, mark text)")
    admin.execute(f"INSERT INTO {namespace}.t SELECT g, 'm' FROM generate_series(1, {rows}) g")

    assert [len(part) for part in read_parts(session, reader.request("t"), 2)] == [rows]


def test_a_filter_is_split_too(session, reader, admin, namespace) -> None:
    """Its own rows are counted, not the table's."""
    admin.execute(f"CREATE TABLE {namespace}.t (k int PRIMARY KEY, mark text)")
    admin.execute(f"INSERT INTO {namespace}.t SELECT g, 'm' || g FROM generate_series(1, 100) g")
    request = reader.request("t", Filter("k", Operator.GREATER, (80,)))

    assert [len(part) for part in read_parts(session, request, 8)] == [8, 8, 4]


def test_names_are_only_names(session, reader, admin, namespace) -> None:
    """Quotes, braces and the names that the query itself uses."""
    admin.execute(
        f'CREATE TABLE {namespace}.t (number int, k0 int, "a""{{}} %s" int, mark text, PRIMARY KEY (k0, number, "a""{{}} %s"))'
    )
    admin.execute(f"INSERT INTO {namespace}.t SELECT g % 2, g % 3, g, 'm' || g FROM generate_series(1, 20) g")

    assert [len(part) for part in read_parts(session, reader.request("t"), 6)] == [6, 6, 6, 2]


@pytest.mark.parametrize("kind", ["no key", "partial", "expression", "parent", "view", "limit", "query"])
def test_what_has_no_key_is_not_split(kind, session, reader, admin, namespace) -> None:
    """An index over some rows, or over something computed, tells no rows apart; nor does a parent's those of its children."""
    admin.execute(f"CREATE TABLE {namespace}.t (k int, mark text)")
    if kind in ("parent", "limit"):
        admin.execute(f"ALTER TABLE {namespace}.t ADD PRIMARY KEY (k)")
    if kind == "parent":
        admin.execute(f"CREATE TABLE {namespace}.child () INHERITS ({namespace}.t)")
    if kind == "partial":
        admin.execute(f"CREATE UNIQUE INDEX ON {namespace}.t (k) WHERE k > 0")
    if kind == "expression":
        admin.execute(f"CREATE UNIQUE INDEX ON {namespace}.t ((k + 1))")
    request = reader.request("t")
    if kind == "view":
        admin.execute(f"CREATE VIEW {namespace}.v AS SELECT * FROM {namespace}.t")
        request = reader.request("v")
    if kind == "limit":
        request = ExtractionRequest("test", request.table, row_limit=5)
    if kind == "query":
        request = ExtractionRequest("test", query="SELECT 1 AS mark")
    session.begin()

    assert session.split_by_key(request, 10) is None


def test_a_partitioned_table_is_split_by_its_key(session, reader, admin, namespace) -> None:
    """Its key tells the rows of all its partitions apart."""
    admin.execute(f"CREATE TABLE {namespace}.t (k int PRIMARY KEY, mark text) PARTITION BY HASH (k)")
    for rest in range(2):
        admin.execute(
            f"CREATE TABLE {namespace}.t{rest} PARTITION OF {namespace}.t FOR VALUES WITH (MODULUS 2, REMAINDER {rest})"
        )
    admin.execute(f"INSERT INTO {namespace}.t SELECT g, 'm' || g FROM generate_series(1, 50) g")

    assert [len(part) for part in read_parts(session, reader.request("t"), 20)] == [20, 20, 10]


def test_rows_stay_in_their_part_while_the_table_is_rewritten(session, reader, admin, namespace) -> None:
    """Updates, deletes, inserts and VACUUM FULL between the parts: each row that was there all the time comes once.

    The twin: page ranges, read in the same way, lose rows or give them twice.
    """
    admin.execute(f"CREATE TABLE {namespace}.t (k int PRIMARY KEY, mark text)")
    admin.execute(f"INSERT INTO {namespace}.t SELECT g, 'm' || g FROM generate_series(1, 2000) g ORDER BY md5(g::text)")
    request = reader.request("t")
    session.begin()
    schema, split = session.schema(request), session.split_by_key(request, 500)
    assert split is not None
    session.reset()
    found: Counter[int] = Counter()
    by_page: Counter[int] = Counter()
    pages = [(0, 3), (3, 6), (6, 9), (9, 10**6)]
    for index, (first, last) in enumerate(pages):
        session.begin()
        part = session.key_partitions(request, schema, split)[index]
        found.update(k for batch in session.read(part) for k in batch["k"].to_pylist())
        session.reset()
        rows = admin.execute(f"SELECT k FROM {namespace}.t WHERE ctid >= '({first},0)' AND ctid < '({last},0)'").fetchall()
        by_page.update(k for (k,) in rows)
        admin.execute(f"DELETE FROM {namespace}.t WHERE k % 10 = {index}")
        admin.execute(f"UPDATE {namespace}.t SET mark = mark || '!' WHERE k % 3 = 0")
        admin.execute(f"VACUUM FULL {namespace}.t")
        admin.execute(
            f"INSERT INTO {namespace}.t SELECT g, 'new' FROM generate_series({3000 + index * 10}, {3009 + index * 10}) g"
        )
    stable = [k for k in range(1, 2001) if k % 10 > 3]

    assert {k: found[k] for k in stable} == dict.fromkeys(stable, 1)
    assert max(found.values()) == 1
    assert {k: by_page[k] for k in stable} != dict.fromkeys(stable, 1)


@pytest.mark.parametrize("change", ["made anew", "other type", "other key", "no key"])
def test_a_table_that_is_another_is_not_continued(change, session, reader, admin, namespace) -> None:
    """Bounds mean nothing in it."""
    admin.execute(f"CREATE TABLE {namespace}.t (k int PRIMARY KEY, l int NOT NULL, mark text)")
    request = reader.request("t")
    session.begin()
    split = session.split_by_key(request, 10)
    assert split is not None
    session.reset()
    for statement in {
        "made anew": ["DROP TABLE {t}", "CREATE TABLE {t} (k int PRIMARY KEY, l int NOT NULL, mark text)"],
        "other type": ["ALTER TABLE {t} ALTER COLUMN k TYPE bigint"],
        "other key": ["ALTER TABLE {t} DROP CONSTRAINT t_pkey", "ALTER TABLE {t} ADD PRIMARY KEY (l)"],
        "no key": ["ALTER TABLE {t} DROP CONSTRAINT t_pkey"],
    }[change]:
        admin.execute(statement.format(t=f"{namespace}.t"))
    session.begin()

    with pytest.raises(ResumeError, match="start again in a new folder"):
        session.key_partitions(request, session.schema(request), split)


def test_bounds_are_found_along_the_index(session, reader, admin: psycopg.Connection, namespace) -> None:
    """Strictly ascending, and no more of them than rows allow."""
    admin.execute(f"CREATE TABLE {namespace}.t (k int PRIMARY KEY, mark text)")
    admin.execute(f"INSERT INTO {namespace}.t SELECT g, 'm' FROM generate_series(1, 1000) g")
    session.begin()
    split = session.split_by_key(reader.request("t"), 1)
    assert split is not None

    bounds = [int(bound[0]) for bound in split.bounds]
    assert len(bounds) == 999
    assert all(low < high for low, high in pairwise(bounds))
