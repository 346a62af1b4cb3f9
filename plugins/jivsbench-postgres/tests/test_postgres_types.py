"""Every server type is read as docs/types.md says, and what does not fit follows the policy."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import inf, isnan
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest

from jivsbench.errors import TypePolicyError
from jivsbench.model.source import TypePolicy
from jivsbench.model.table import ExtractionRequest
from jivsbench.model.transform import DropColumns, Mask, Masking, Rename, Transform
from jivsbench_postgres.connection import PostgresConnection

MOMENT = pa.timestamp("us", "UTC")
EXACT = [
    ("boolean", pa.bool_(), {"true": True, "false": False}),
    ("smallint", pa.int16(), {"-32768": -32768, "32767": 32767}),
    ("integer", pa.int32(), {"-2147483648": -2147483648, "0": 0}),
    ("bigint", pa.int64(), {"-9223372036854775808": -(2**63), "9223372036854775807": 2**63 - 1}),
    ("oid", pa.int64(), {"4294967295": 4294967295}),
    ("real", pa.float32(), {"1.5": 1.5, "-Infinity": -inf}),
    ("double precision", pa.float64(), {"0.1": 0.1, "5e-324": 5e-324, "1.7976931348623157e308": 1.7976931348623157e308}),
    ("double precision", pa.float64(), {"Infinity": inf, "-Infinity": -inf}),
    ("numeric(10,2)", pa.decimal128(10, 2), {"99999999.99": Decimal("99999999.99"), "-0.01": Decimal("-0.01")}),
    ("numeric(38,0)", pa.decimal128(38, 0), {"9" * 38: Decimal("9" * 38)}),
    ("numeric(38,38)", pa.decimal128(38, 38), {"0." + "1" * 38: Decimal("0." + "1" * 38)}),
    ("numeric", pa.string(), {"1e50": "1" + "0" * 50, "1.10": "1.10", "NaN": "NaN"}),
    ("numeric(39,2)", pa.string(), {"1": "1.00"}),
    ("numeric(1000,0)", pa.string(), {"1" * 900: "1" * 900}),
    ("text", pa.string(), {"NULL": "NULL", "\\N": "\\N", "\\.": "\\.", "a\nb\r\nc": "a\nb\r\nc", '"': '"', " x ": " x "}),
    ("text", pa.string(), {"\ufeffmark": "\ufeffmark", "🦀\u202e\u0301": "🦀\u202e\u0301", ",": ",", "\x01\x7f": "\x01\x7f"}),
    ("varchar(5)", pa.string(), {"abcde": "abcde"}),
    ("char(5)", pa.string(), {"ab": "ab   "}),
    ('"char"', pa.string(), {"x": "x"}),
    ("name", pa.string(), {"pg": "pg"}),
    ("uuid", pa.string(), {"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}),
    ("json", pa.string(), {'{"a": 1,  "a": 1e400}': '{"a": 1,  "a": 1e400}'}),
    ("jsonb", pa.string(), {'{"a":1e40, "b":"\\u20ac\\n"}': '{"a": 1' + "0" * 40 + ', "b": "€\\n"}'}),
    ("date", pa.date32(), {"0001-01-01": date(1, 1, 1), "9999-12-31": date(9999, 12, 31), "1582-10-10": date(1582, 10, 10)}),
    ("time", pa.time64("us"), {"00:00": time(0, 0), "23:59:59.999999": time(23, 59, 59, 999999)}),
    ("time(0)", pa.time64("us"), {"12:30": time(12, 30)}),
    ("timestamp", pa.timestamp("us"), {"0001-01-01 00:00:00": datetime(1, 1, 1)}),  # noqa: DTZ001 - a timestamp without zone
    ("timestamp", pa.timestamp("us"), {"9999-12-31 23:59:59.999999": datetime.max}),  # noqa: DTZ901 - the same
    ("timestamp(3)", pa.timestamp("us"), {"2020-02-29 01:02:03.456": datetime(2020, 2, 29, 1, 2, 3, 456000)}),  # noqa: DTZ001 - the same
    ("timestamptz", MOMENT, {"2020-01-01 00:00:00+05:30": datetime(2019, 12, 31, 18, 30, tzinfo=UTC)}),
    ("timestamptz", MOMENT, {"1850-01-01 00:00:00 Europe/Paris": datetime(1849, 12, 31, 23, 50, 39, tzinfo=UTC)}),
    ("bytea", pa.binary(), {"\\x": b"", "\\x00ff5c0a": b"\x00\xff\\\n"}),
    ("interval", pa.string(), {"11767034 years": "11767034 years", "1 day -00:00:01": "1 day -00:00:01"}),
    ("timetz", pa.string(), {"12:00:00+15:59:59": "12:00:00+15:59:59"}),
    ("inet", pa.string(), {"192.168.0.1": "192.168.0.1"}),
    ("cidr", pa.string(), {"10.0.0.0/8": "10.0.0.0/8"}),
    ("macaddr", pa.string(), {"08:00:2b:01:02:03": "08:00:2b:01:02:03"}),
    ("bit(3)", pa.string(), {"101": "101"}),
    ("money", pa.string(), {}),
    ("integer[]", pa.string(), {"[0:1]={1,NULL}": "[0:1]={1,NULL}", "{}": "{}"}),
    ("text[]", pa.string(), {'{"a,b",NULL,"NULL",""}': '{"a,b",NULL,"NULL",""}'}),
    ("int4range", pa.string(), {"[1,5)": "[1,5)", "empty": "empty"}),
    ("point", pa.string(), {"(1,2)": "(1,2)"}),
    ("tsvector", pa.string(), {"a:1 b:2": "'a':1 'b':2"}),
    ("mood", pa.string(), {"sad": "sad"}),
    ("pair", pa.string(), {'(1,"a ""b"", c")': '(1,"a ""b"", c")', "(,)": "(,)"}),
    ("positive", pa.int32(), {"7": 7}),
]  # fmt: skip
UNFIT = [
    ("date", "infinity"),
    ("date", "-infinity"),
    ("date", "0044-03-15 BC"),
    ("date", "10000-01-01"),
    ("date", "5874897-12-31"),
    ("time", "24:00:00"),
    ("timestamp", "infinity"),
    ("timestamp", "0001-01-01 00:00:00 BC"),
    ("timestamp", "294276-12-31 23:59:59"),
    ("timestamptz", "-infinity"),
    ("timestamptz", "10000-01-01 00:00:00+00"),
    ("timestamptz", "0044-03-15 12:00:00+00 BC"),
    ("numeric(10,2)", "NaN"),
]


@pytest.fixture
def url(any_url: str) -> str:
    """The types are tested on both servers."""
    return any_url


@pytest.fixture
def make_table(admin: psycopg.Connection, namespace: str) -> Callable[..., None]:
    """Creates a table `t` with a column `v` of a type, holding values given as text."""
    admin.execute(f"CREATE TYPE {namespace}.mood AS ENUM ('sad', 'ok')")
    admin.execute(f"CREATE TYPE {namespace}.pair AS (a int, b text)")
    admin.execute(f"CREATE DOMAIN {namespace}.positive AS int CHECK (value > 0)")
    admin.execute(f"SET search_path = {namespace}")

    def make(server_type: str, *values: str | None) -> None:
        admin.execute(f"CREATE TABLE t (id int, v {server_type})")
        for number, value in enumerate(values):
            admin.execute(f"INSERT INTO t VALUES ({number}, %s::text::{server_type})", [value])

    return make


@pytest.mark.parametrize(("server_type", "arrow_type", "values"), EXACT, ids=[f"{row[0]}-{i}" for i, row in enumerate(EXACT)])
def test_values_of_a_type_are_read_exactly(
    *, make_table, session: PostgresConnection, reader, server_type, arrow_type, values
) -> None:
    """Alone in its row and beside others, with NULL apart."""
    make_table(server_type, *values, None)

    alone = reader.read(session, reader.request("t", columns=("v",)))
    beside = reader.read(session, reader.request("t", columns=("v", "id")))

    expected = [*values.values(), None]
    assert alone.schema.field("v").type == arrow_type
    assert alone["v"].to_pylist() == expected
    assert beside["v"].to_pylist() == alone["v"].to_pylist()
    assert beside["id"].to_pylist() == list(range(len(expected)))


@pytest.mark.parametrize("server_type", ["real", "double precision"])
def test_not_a_number_and_negative_zero_are_kept(make_table, session: PostgresConnection, reader, server_type) -> None:
    """NaN stays NaN, not NULL; the sign of zero stays too."""
    make_table(server_type, "NaN", "-0", "1")

    values = reader.read(session, reader.request("t"))["v"].to_pylist()

    assert isnan(values[0])
    assert str(values[1]) == "-0.0"


def test_the_empty_text_and_null_stay_apart(make_table, session: PostgresConnection, reader) -> None:
    """In a row of its own each, where one is an empty line and the other two quotes."""
    make_table("text", None, "", None, "x", "")

    rows = reader.read(session, reader.request("t", columns=("v",)))

    assert rows["v"].to_pylist() == [None, "", None, "x", ""]


@pytest.mark.parametrize(("server_type", "value"), UNFIT)
def test_a_value_that_does_not_fit_is_refused_by_default(
    make_table, session: PostgresConnection, reader, server_type, value
) -> None:
    """The message names table and column, and not the value."""
    make_table(server_type, value, None)

    with pytest.raises(TypePolicyError, match=r"\.t'.*'v'") as caught:
        reader.read(session, reader.request("t"))

    assert value not in str(caught.value)


@pytest.mark.parametrize(("server_type", "value"), UNFIT)
def test_a_value_that_does_not_fit_is_read_as_text(make_table, open_session, reader, server_type, value) -> None:
    """Under the policy `text` such a column is a string: the server's own text."""
    make_table(server_type, value, None)

    rows = reader.read(open_session(TypePolicy.TEXT), reader.request("t"))

    assert rows.schema.field("v").type == pa.string()
    assert rows["v"].to_pylist() == [value, None]


@pytest.mark.parametrize(("server_type", "value"), UNFIT)
def test_a_value_that_does_not_fit_is_read_as_null(*, make_table, open_session, reader, admin, server_type, value) -> None:
    """Under the policy `null`: that value alone, in a NOT NULL column too; its neighbours and equal texts elsewhere stay."""
    plain = {"date": "2020-01-01", "time": "01:00:00", "numeric(10,2)": "1.00"}.get(server_type, "2020-01-01 00:00:00")
    make_table(server_type, value, plain)
    admin.execute("ALTER TABLE t ALTER v SET NOT NULL, ADD text text DEFAULT 'infinity', ADD nan text DEFAULT 'NaN'")

    rows = reader.read(open_session(TypePolicy.NULL), reader.request("t"))

    assert rows.schema.field("v").nullable
    assert [found is None for found in rows["v"].to_pylist()] == [True, False]
    assert rows.select(["text", "nan"]).to_pylist() == [{"text": "infinity", "nan": "NaN"}] * 2


def test_types_that_always_fit_keep_their_type_under_every_policy(make_table, open_session, reader) -> None:
    """`text` touches dates, times and decimals alone."""
    make_table("bigint", "1")

    types = {policy: reader.read(open_session(policy), reader.request("t")).schema.field("v").type for policy in TypePolicy}

    assert set(types.values()) == {pa.int64()}


def test_a_server_in_another_time_zone_and_date_style_is_read_the_same(
    make_table, session: PostgresConnection, reader, admin
) -> None:
    """The session has settings of its own, whatever the database's defaults are."""
    make_table("timestamptz", "2020-07-01 12:00:00+00")
    database = admin.info.dbname
    admin.execute(f"ALTER DATABASE {database} SET timezone = 'Asia/Kolkata'")
    admin.execute(f"ALTER DATABASE {database} SET datestyle = 'German'")
    try:
        rows = reader.read(session, reader.request("t"))
    finally:
        admin.execute(f"ALTER DATABASE {database} RESET timezone")
        admin.execute(f"ALTER DATABASE {database} RESET datestyle")

    assert rows["v"].to_pylist() == [datetime(2020, 7, 1, 12, tzinfo=UTC)]


def test_the_documented_table_names_every_tested_type() -> None:
    """A type that these tests know stands in docs/types.md; arrays, enums, domains and composites stand there as kinds."""
    text = (Path(__file__).parents[3] / "docs" / "types.md").read_text()
    names = {row[0].split("(")[0] for row in EXACT} - {"mood", "pair", "positive", "integer[]", "text[]"}

    assert {name for name in names if f"`{name}" not in text} == set()


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("PRIMARY KEY (id)", "in the row with id = 70001 "),
        ("PRIMARY KEY (part, id)", "in the row with part = 2020-02-02, id = 70001 "),
        ("PRIMARY KEY (email)", "in row 70001 of those read "),
        ("PRIMARY KEY (id, v)", "in row 70001 of those read "),
        ("UNIQUE (id)", "in row 70001 of those read "),
    ],
)
def test_a_refusal_says_which_row_it_was(
    *, admin, namespace: str, session: PostgresConnection, reader, key: str, told: str
) -> None:
    """By its primary key when that is numbers, dates or UUIDs; a name or an address is not shown, and neither is the value."""
    admin.execute(
        f"CREATE TABLE {namespace}.keyed AS SELECT date '2020-02-02' AS part, g AS id, 'ann' || g || '@example.org' AS email,"
        " CASE g WHEN 70001 THEN '-infinity' ELSE '2020-01-01' END::date AS v FROM generate_series(1, 90000) AS g"
    )
    admin.execute(f"ALTER TABLE {namespace}.keyed ADD {key}")

    with pytest.raises(TypePolicyError, match=f"'{namespace}.keyed': column 'v' .*{told}") as caught:
        reader.read(session, reader.request("keyed"))

    assert "infinity" not in str(caught.value)
    assert "@" not in str(caught.value)


@pytest.mark.parametrize(
    "transforms",
    [
        (Mask("ssn", Masking.REDACT),),
        (Rename("ssn", "key"), Rename("v", "ssn"), Mask("key", Masking.DIGEST)),
        (DropColumns(("ssn",)),),
    ],
)
def test_a_masked_key_is_not_shown(
    *, admin, namespace: str, session: PostgresConnection, reader, transforms: tuple[Transform, ...]
) -> None:
    """Whoever may not see it in the output is not told it by the job's error; another transform hides nothing."""
    admin.execute(f"CREATE TABLE {namespace}.people (ssn int PRIMARY KEY, v date)")
    admin.execute(f"INSERT INTO {namespace}.people VALUES (1, '2020-01-01'), (123456789, 'infinity')")
    for chosen, told in ((transforms, "in row 2 of those read"), ((Mask("v", Masking.REDACT),), "ssn = 123456789")):
        with pytest.raises(TypePolicyError, match=told) as caught:
            reader.read(session, replace(reader.request("people"), transforms=chosen))

        assert ("123456789" in str(caught.value)) == (chosen is not transforms)


def test_a_refusal_without_the_key_among_the_columns_counts_rows(
    admin, namespace: str, session: PostgresConnection, reader
) -> None:
    """And the session can be used again."""
    admin.execute(f"CREATE TABLE {namespace}.keyed (id int PRIMARY KEY, v date)")
    admin.execute(f"INSERT INTO {namespace}.keyed VALUES (7, '2020-01-01'), (8, 'infinity')")

    for request in (reader.request("keyed", columns=("v",)), ExtractionRequest("test", query=f"TABLE {namespace}.keyed")):
        with pytest.raises(TypePolicyError, match="in row 2 of those read"):
            reader.read(session, request)
    assert reader.read(session, reader.request("keyed", columns=("id",)))["id"].to_pylist() == [7, 8]


def test_a_table_of_as_many_columns_as_there_can_be(admin, namespace: str, session: PostgresConnection, reader) -> None:
    """1,600 columns: more than one function takes arguments, and with four figures each more than one SELECT yields."""
    kinds = ("int", "text", "real", "boolean")
    columns = ", ".join(f"c{number} {kinds[number % 4]} DEFAULT '{number % 2}'" for number in range(1600))
    admin.execute(f"CREATE TABLE {namespace}.wide ({columns})")
    admin.execute(f"INSERT INTO {namespace}.wide DEFAULT VALUES")

    assert reader.read(session, reader.request("wide")).num_columns == 1600
