"""The server's fingerprints of rows are those of what is read, for any values of any type, and of nothing else."""

import datetime as dt
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jivsbench.api import ReadLimits
from jivsbench.model.row_fingerprint import fingerprint_rows, join_row_fingerprints
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource, TypePolicy
from jivsbench_postgres.connection import PostgresConnection
from jivsbench_postgres.connector import PostgresConnector

LIMITS = ReadLimits()
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8) | st.sampled_from(
    ["", ",", "1,", "\\N", "\\", "\t\n\r", "NULL", "{}", '"', "e\u0301", "\u202e", "🦀", "\ufeff"]
)


def decimals(digits: int, scale: int) -> st.SearchStrategy[str]:
    """Texts of decimals that fit into so many digits."""
    most = 10**digits - 1
    return st.integers(-most, most).map(lambda whole: format(Decimal(f"{whole}E-{scale}"), "f"))


def quoted(value: str | None) -> str:
    """An element of an array or a row."""
    return "NULL" if value is None else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


DATES = st.dates(dt.date(1, 1, 1)).map(str)
MOMENTS = st.datetimes().map(str)
FITTING: dict[str, st.SearchStrategy[str]] = {
    "boolean": st.sampled_from("tf"),
    "smallint": st.integers(-(2**15), 2**15 - 1).map(str),
    "integer": st.integers(-(2**31), 2**31 - 1).map(str),
    "bigint": st.integers(-(2**63), 2**63 - 1).map(str),
    "oid": st.integers(0, 2**32 - 1).map(str),
    "real": st.floats(width=32).map(repr),
    "double precision": st.floats().map(repr),
    "numeric(5,0)": decimals(5, 0),
    "numeric(12,2)": decimals(12, 2),
    "numeric(38,38)": decimals(38, 38),
    "numeric": decimals(50, 20) | st.sampled_from(["NaN", "1e200", "-0.0", "1.10"]),
    "text": TEXT,
    "varchar(20)": TEXT,
    "char(9)": TEXT,
    "bytea": st.binary(max_size=9).map(lambda data: "\\x" + data.hex()),
    "date": DATES,
    "time": st.times().map(str),
    "timestamp": MOMENTS,
    "timestamptz": MOMENTS.map(lambda moment: moment + "Z"),
    "uuid": st.uuids().map(str),
    "json": st.dictionaries(TEXT, TEXT | st.floats(allow_nan=False, allow_infinity=False), max_size=2).map(json.dumps),
    "interval": st.timedeltas(dt.timedelta(-9999), dt.timedelta(9999)).map(lambda d: f"{d.days} days {d.seconds} seconds"),
    "text[]": st.lists(st.none() | TEXT, max_size=3).map(lambda items: "{" + ",".join(map(quoted, items)) + "}"),
    "int4range": st.sampled_from(["empty", "[1,5)", "(,)", "[,3]"]),
    "pair": st.tuples(st.sampled_from(["", "1"]), TEXT).map(lambda pair: f"({pair[0]},{quoted(pair[1])})"),
}
UNFIT = {
    "numeric(12,2)": ["NaN"],
    "date": ["infinity", "-infinity", "0044-03-15 BC", "10000-01-01", "5874897-12-31"],
    "time": ["24:00:00"],
    "timestamp": ["infinity", "-infinity", "0001-12-31 23:59:59.999999 BC", "10000-01-01", "294276-12-31 23:59:59.999999"],
    "timestamptz": ["infinity", "-infinity", "0001-12-31 23:59:59.999999Z BC", "10000-01-01Z", "294276-12-31 23:59:59.999999Z"],
}


@pytest.fixture
def fill(admin: psycopg.Connection, namespace: str) -> Callable[[list[tuple[str | None, ...]]], None]:
    """Puts rows of texts into a table with a column of every type."""
    admin.execute(f"SET search_path = {namespace}")
    admin.execute("CREATE TYPE pair AS (a int, b text)")
    admin.execute(f"CREATE TABLE t ({', '.join(f'c{number} {kind}' for number, kind in enumerate(FITTING))})")

    def run(rows: list[tuple[str | None, ...]]) -> None:
        admin.execute("TRUNCATE t")
        with admin.cursor().copy("COPY t FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    return run


def rows_of(policy: TypePolicy) -> st.SearchStrategy[list[tuple[str | None, ...]]]:
    """Rows of texts; values that do not fit among them where the policy takes them."""
    kinds = {
        kind: values if policy is TypePolicy.ERROR or kind not in UNFIT else values | st.sampled_from(UNFIT[kind])
        for kind, values in FITTING.items()
    }
    return st.lists(st.tuples(*(st.none() | values for values in kinds.values())), max_size=5)


@pytest.mark.parametrize("policy", TypePolicy)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_the_server_and_what_is_read_agree_for_any_rows(*, fill, open_session, reader, policy, data) -> None:
    """Rows that COPY and Arrow brought here have the texts that the server hashed; reading checks it."""
    rows = data.draw(rows_of(policy))
    fill(rows)
    session = open_session(policy)
    try:
        read = reader.read(session, reader.request("t"))
    finally:
        session.close()

    assert read.num_rows == len(rows)


@pytest.fixture
def pairs(admin: psycopg.Connection, namespace: str) -> Iterator[psycopg.Connection]:
    """A session in the test's schema."""
    admin.execute(f"SET search_path = {namespace}")
    return admin


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("('a', 'bc')", "('ab', 'c')"),
        ("('', NULL)", "(NULL, '')"),
        ("('1,', '')", "('', '1,')"),
        ("('a', 'b'), ('a', 'b')", "('c', 'd'), ('c', 'd')"),
        ("('a', 'b'), ('c', 'd')", "('a', 'd'), ('c', 'b')"),
    ],
)
def test_other_rows_have_another_fingerprint(pairs, session: PostgresConnection, reader, one: str, other: str) -> None:
    """Where a separator, an XOR or figures of columns would see no difference."""
    found = []
    for number, values in enumerate((one, other)):
        pairs.execute(f"CREATE TABLE pairs{number} (a text, b text)")
        pairs.execute(f"INSERT INTO pairs{number} VALUES {values}")
        rows = reader.read(session, reader.request(f"pairs{number}"))
        found.append(join_row_fingerprints(fingerprint_rows(batch) for batch in rows.to_batches()))

    assert found[0] != found[1]


def test_long_rows_are_hashed_whole(pairs, session: PostgresConnection, reader) -> None:
    """Texts and bytes of megabytes."""
    pairs.execute(
        "CREATE TABLE long AS SELECT repeat('é,', 1 << 21) AS a, decode(repeat('00ff', 1 << 20), 'hex') AS b"
        " FROM generate_series(1, 3)"
    )

    assert reader.read(session, reader.request("long")).num_rows == 3


def test_a_server_of_another_encoding_hashes_the_same(admin: psycopg.Connection, source: DataSource, reader) -> None:
    """It keeps é as one byte; its texts are hashed, and their lengths counted, in UTF-8 all the same."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        connection = PostgresConnector().connect(replace(source, url=Secret(_with_database(source, name))), LIMITS)
        try:
            rows = reader.query(connection, "SELECT chr(233) AS a, ARRAY[chr(233), 'x'] AS b, chr(233)::char(3) AS c")
        finally:
            connection.close()
    finally:
        admin.execute(f"DROP DATABASE {name}")

    assert rows.to_pylist() == [{"a": "é", "b": "{é,x}", "c": "é  "}]


def _with_database(source: DataSource, name: str) -> str:
    return urlunsplit(urlsplit(source.url.reveal())._replace(path=f"/{name}"))
