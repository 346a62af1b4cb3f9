"""Awkward values of every kind: each arrives exactly, as the server says by another way, or is refused. None changes."""

import struct
from collections.abc import Iterator
from datetime import datetime
from math import isnan

import psycopg
import pyarrow as pa
import pytest

from jivsbench.errors import TypePolicyError
from jivsbench.model.source import TypePolicy

DEEP = "[" * 3000 + "]" * 3000
ODD_TEXTS = (
    *("", " ", "NULL", "\\N", "\\", "\\\\", "\\.", "\\t", "a\tb", "a\nb", "a\r\nb", "\x0b\x0c\x08\x07\x7f", '"', "'", ",", "{}"),
    *(
        "🦀",
        "\U0001d518\U0001d52b",
        "\u202eright to left\u202c",
        "e\u0301",
        "é",
        "\ufeff",
        "\u2028",
        "\ud7ff\ue000\uffff",
        "\U0010ffff",
        "\u01c4",
    ),
)
FITTING = [
    *(("text", text) for text in ODD_TEXTS),
    *(("varchar(9)", text) for text in ("", "\\N", "🦀")),
    *(("char(3)", text) for text in ("", "a", "é")),
    *(("double precision", text) for text in ("NaN", "Infinity", "-Infinity", "-0", "5e-324", "2.2250738585072011e-308")),
    *(("real", text) for text in ("NaN", "-0", "1e-45", "3.4028235e38", "16777217")),
    *(("numeric", text) for text in ("NaN", "9" * 131072, "0." + "1" * 16383, "1e-16383", "-0.00", "1.10")),
    *(("numeric(38,38)", text) for text in ("0." + "9" * 38, "-1e-38")),
    *(("numeric(5,2)", text) for text in ("-0.00", "999.99", "-0.01")),
    *(("numeric(2,-3)", text) for text in ("99000", "-1499")),
    *(("numeric(3,5)", text) for text in ("0.00999",)),
    *(("smallint", text) for text in ("-32768", "32767")),
    *(("bigint", text) for text in ("-9223372036854775808", "9223372036854775807")),
    *(("date", text) for text in ("0001-01-01", "1582-10-10", "1900-02-28", "9999-12-31")),
    *(("time", text) for text in ("00:00", "23:59:59.999999", "12:00:00.1")),
    *(("timestamp", text) for text in ("0001-01-01 00:00", "1969-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999")),
    *(("timestamptz", text) for text in ("0001-01-01 00:00Z", "2016-12-31 23:59:60Z", "2020-07-01 12:00 Asia/Kathmandu")),
    *(("timetz", text) for text in ("12:00:00+15:59:59", "24:00:00-15:59:59", "00:00:00.000001+00:00:01")),
    *(("interval", text) for text in ("178000000 years", "-178000000 years", "1 mon -1 day +00:00:00.000001", "-00:00:01")),
    *(("boolean", text) for text in ("t", "f")),
    *(("bytea", text) for text in ("\\x", "\\x00", "\\x005c0a0dff", "\\x5c4e")),
    *(("json", text) for text in ('{"a":1,  "a":2}', "1e400", '"\\u0000"', '"\\ud83e\\udd80"', DEEP, "{ }")),
    *(("jsonb", text) for text in ('{"b":1, "a":2, "a":3}', "1e400", "-0.0", "1.10", '"\\t"', DEEP)),
    *(("integer[]", text) for text in ("{}", "{NULL}", "[-1:0][3:3]={{1},{NULL}}")),
    *(("text[]", text) for text in ('{"",NULL,"NULL","a,b","\\"","\\\\","{}"}', '{"a\tb","a\nb"}')),
    *(("varchar(5)[]", text) for text in ("{}", '{NULL,"","b c"}')),
    *(("char(3)[]", text) for text in ('{"",a}',)),
    *(("numeric(10,2)[]", text) for text in ("{}", "{1.00,NULL,-0.01}", "{NaN}")),
    *(("numeric(10,2)[][]", text) for text in ("{{1.00,2.00},{3.00,NULL}}",)),
    *(("date[]", text) for text in ("{2020-02-29,infinity}",)),
    *(("time(3)[]", text) for text in ("{12:00:00.125,24:00:00}",)),
    *(("timestamp(3)[]", text) for text in ('{"2020-02-29 01:02:03.456",infinity}',)),
    *(("timestamptz(3)[]", text) for text in ('{"2020-02-29 01:02:03.456+00",NULL}',)),
    *(("bit(3)[]", text) for text in ("{101,NULL}",)),
    *(("bit varying(3)[]", text) for text in ('{1,""}',)),
    *(("interval(0)[]", text) for text in ('{"1 day 00:00:01"}',)),
    *(("prices", text) for text in ("{1.50,NULL}",)),
    *(("mood[]", text) for text in ('{sad,"quite ok"}',)),
    *(("int4range", text) for text in ("empty", "(,)", "[1,1]", "(,5)")),
    *(("numrange", text) for text in ("[1.10,NaN]", "(-Infinity,Infinity)")),
    *(("tstzrange", text) for text in ('["2020-01-01Z",infinity)',)),
    *(("int4multirange", text) for text in ("{}", "{[1,2],[5,)}")),
    *(("inet", text) for text in ("::", "::ffff:1.2.3.4/96", "10.1.2.3/8", "255.255.255.255")),
    *(("cidr", text) for text in ("10.0.0.0/8", "2001:db8::/32")),
    *(("macaddr", text) for text in ("08002b010203",)),
    *(("macaddr8", text) for text in ("08002bfffe010203",)),
    *(("bit(5)", text) for text in ("10101",)),
    *(("bit varying(9)", text) for text in ("", "1")),
    *(("mood", text) for text in ("sad", "quite ok")),
    *(("pair", text) for text in ("(,)", '(1,"")', '(-1,"a ""b"", (c) \\\\")')),
    *(("positive", text) for text in ("1", "2147483647")),
    *(("twice", text) for text in ("2",)),
    *(("xml", text) for text in ("<a/>", "<a>\n&lt;\t</a>")),
    *(("tsvector", text) for text in ("'a b':1A,2 'it''s':3",)),
    *(("tsquery", text) for text in ("'a' & !'b'",)),
    *(("money", text) for text in ("-92233720368547758.08", "0.005")),
    *(("oid", text) for text in ("0", "4294967295")),
    *(("regclass", text) for text in ("pg_class",)),
    *(("uuid", text) for text in ("00000000-0000-0000-0000-000000000000", "{FFFFFFFF-ffff-ffff-ffff-ffffffffffff}")),
    *(("point", text) for text in ("(-0,NaN)", "(1e-300,Infinity)")),
    *(("path", text) for text in ("[(0,0),(1,1)]",)),
    *(("pg_lsn", text) for text in ("FFFFFFFF/FFFFFFFF",)),
    *(("name", text) for text in ("", "é")),
    *(('"char"', text) for text in ("x", "")),
]
UNFIT = [
    *(("date", text) for text in ("infinity", "-infinity", "0001-12-31 BC", "4714-11-24 BC", "10000-01-01", "5874897-12-31")),
    *(("time", text) for text in ("24:00:00", "23:59:60")),
    *(("timestamp", text) for text in ("infinity", "-infinity", "0001-12-31 23:59:59.999999 BC", "294276-12-31 23:59:59.999999")),
    *(("timestamptz", text) for text in ("infinity", "-infinity", "4714-11-24 00:00:00+00 BC", "294276-12-31 23:59:59.999999Z")),
    *(("numeric(5,2)", text) for text in ("NaN",)),
    *(("numeric(38,0)", text) for text in ("NaN",)),
]


@pytest.fixture(params=["embedded", pytest.param("real", marks=[pytest.mark.real_server, pytest.mark.nightly])])
def url(request: pytest.FixtureRequest) -> str:
    """On both servers, one of them at night."""
    return str(request.getfixturevalue(f"{request.param}_postgres_url"))


@pytest.fixture
def home(url: str) -> Iterator[psycopg.Connection]:
    """A session of the owner in a schema with a type of each kind that users make."""
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as admin:
        admin.execute("DROP SCHEMA IF EXISTS awkward CASCADE")
        admin.execute("CREATE SCHEMA awkward")
        admin.execute("SET search_path = awkward")
        admin.execute("SET timezone = 'UTC'")
        admin.execute("CREATE TYPE mood AS ENUM ('sad', 'quite ok')")
        admin.execute("CREATE TYPE pair AS (a int, b text)")
        admin.execute("CREATE DOMAIN positive AS int CHECK (value > 0)")
        admin.execute("CREATE DOMAIN prices AS numeric(5,2)[]")
        admin.execute("CREATE DOMAIN twice AS positive CHECK (value % 2 = 0)")
        yield admin
        admin.execute("DROP SCHEMA awkward CASCADE")


@pytest.fixture
def store(home: psycopg.Connection):
    """Stores a value of a type beside a NULL, and returns what the server itself writes for it."""

    def run(server_type: str, value: str) -> str:
        home.execute("DROP TABLE IF EXISTS t")
        home.execute(f"CREATE TABLE t (id int PRIMARY KEY, v {server_type})")
        try:
            home.execute(f"INSERT INTO t SELECT 1, %s::text::{server_type} UNION ALL SELECT 2, NULL", [value])
        except psycopg.errors.FeatureNotSupported:
            pytest.skip(f"this server was built without {server_type}")
        # By libpq's own text results: neither COPY nor a cast, which writes some types differently.
        result = home.execute("SELECT v FROM t WHERE id = 1").pgresult
        assert result is not None
        text = result.get_value(0, 0)
        assert text is not None
        return text.decode()

    return run


def to_server_text(value: object, arrow_type: pa.DataType) -> str:
    """An Arrow value as the server would write it; floats apart."""
    if pa.types.is_boolean(arrow_type):
        return "t" if value else "f"
    if pa.types.is_binary(arrow_type):
        return f"\\x{value.hex()}"  # type: ignore[attr-defined]
    if pa.types.is_decimal(arrow_type):
        return f"{value:f}"
    if pa.types.is_time(arrow_type) or pa.types.is_timestamp(arrow_type):
        naive = value.replace(tzinfo=None)  # type: ignore[attr-defined]
        text = naive.isoformat(" ") if isinstance(naive, datetime) else naive.isoformat()
        return (text.rstrip("0").rstrip(".") if "." in text else text) + ("+00" if getattr(arrow_type, "tz", None) else "")
    return str(value)


def is_exact(value: object, arrow_type: pa.DataType, text: str) -> bool:
    """The value is the one that the text stands for, to the last bit."""
    if not pa.types.is_floating(arrow_type):
        return to_server_text(value, arrow_type) == text
    assert isinstance(value, float)
    form = ">f" if arrow_type == pa.float32() else ">d"
    return (isnan(value) and text == "NaN") or struct.pack(form, value) == struct.pack(form, float(text))


@pytest.fixture
def read(open_session, reader):
    """Reads the table under a policy; the server's fingerprints must agree."""
    reader.namespace = "awkward"

    def run(policy: TypePolicy) -> tuple[pa.DataType, list[object]]:
        rows = reader.read(open_session(policy), reader.request("t"))
        return rows.schema.field("v").type, rows["v"].to_pylist()

    return run


@pytest.mark.parametrize(("server_type", "value"), FITTING, ids=[f"{kind}-{i}" for i, (kind, _) in enumerate(FITTING)])
def test_an_awkward_value_arrives_exactly_under_every_policy(store, read, server_type: str, value: str) -> None:
    """And the NULL beside it stays NULL."""
    text = store(server_type, value)

    for policy in TypePolicy:
        arrow_type, values = read(policy)
        assert is_exact(values[0], arrow_type, text), policy
        assert values[1] is None


@pytest.mark.parametrize(("server_type", "value"), UNFIT)
def test_a_value_that_fits_no_arrow_type_follows_the_policy(store, read, server_type: str, value: str) -> None:
    """Refused with its row's key, or the server's own text, or NULL."""
    text = store(server_type, value)

    assert read(TypePolicy.TEXT) == (pa.string(), [text, None])
    assert read(TypePolicy.NULL)[1] == [None, None]
    with pytest.raises(TypePolicyError, match=r"'awkward\.t': column 'v' .* in the row with id = 1 "):
        read(TypePolicy.ERROR)


def test_more_than_sixty_awkward_values_are_tried() -> None:
    """So that nobody thins them out unnoticed."""
    assert len(FITTING) + len(UNFIT) > 60


def test_the_server_holds_no_nul_in_a_text(home: psycopg.Connection) -> None:
    """Which is why nothing here needs to read one."""
    with pytest.raises(psycopg.errors.ProgramLimitExceeded):
        home.execute("SELECT chr(0)")
    with pytest.raises(psycopg.errors.UntranslatableCharacter):
        home.execute("""SELECT '"\\u0000"'::jsonb""")
