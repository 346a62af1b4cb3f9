"""Every type of the server: exact, or refused under the policy."""

import itertools
import struct
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jivsbench.errors import TypePolicyError
from jivsbench.model.fingerprint import fingerprint_column
from jivsbench.model.source import TypePolicy
from tests.mysql_database import Execute, Opener, part_of, query, read, table

pytestmark = pytest.mark.real_server

BIG = Decimal("99999999.999999999999999999999999999999")
EXACT = [
    ("TINYINT", pa.int8(), ["-128", "127"], [-128, 127]),
    ("TINYINT(1)", pa.int8(), ["0", "1", "7"], [0, 1, 7]),
    ("TINYINT UNSIGNED", pa.uint8(), ["255"], [255]),
    ("SMALLINT", pa.int16(), ["-32768"], [-32768]),
    ("SMALLINT UNSIGNED", pa.uint16(), ["65535"], [65535]),
    ("MEDIUMINT", pa.int32(), ["-8388608"], [-8388608]),
    ("MEDIUMINT UNSIGNED", pa.uint32(), ["16777215"], [16777215]),
    ("INT", pa.int32(), ["-2147483648"], [-(2**31)]),
    ("INT UNSIGNED", pa.uint32(), ["4294967295"], [2**32 - 1]),
    ("INT(10) ZEROFILL", pa.uint32(), ["42"], [42]),
    ("BIGINT", pa.int64(), ["-9223372036854775808"], [-(2**63)]),
    ("BIGINT UNSIGNED", pa.uint64(), ["18446744073709551615", "9223372036854775808"], [2**64 - 1, 2**63]),
    ("YEAR", pa.int16(), ["1901", "2155", "0"], [1901, 2155, 0]),
    ("BIT(1)", pa.bool_(), ["0", "1"], [False, True]),
    ("BIT(8)", pa.uint64(), ["b'10000000'", "10"], [128, 10]),
    ("BIT(64)", pa.uint64(), ["18446744073709551615"], [2**64 - 1]),
    ("DECIMAL(12,2)", pa.decimal128(12, 2), ["-9999999999.99", "0"], [Decimal("-9999999999.99"), Decimal("0.00")]),
    ("DECIMAL(12,2) ZEROFILL", pa.decimal128(12, 2), ["1.5"], [Decimal("1.50")]),
    ("DECIMAL(38,30)", pa.decimal128(38, 30), [str(BIG)], [BIG]),
    ("DECIMAL(30,30)", pa.decimal128(30, 30), ["0." + "1" * 30], [Decimal("0." + "1" * 30)]),
    ("DECIMAL(65,30)", pa.string(), ["9" * 35 + "." + "9" * 30], ["9" * 35 + "." + "9" * 30]),
    (
        "FLOAT",
        pa.float32(),
        ["0.1", "16777217", "3.4e38"],
        [struct.unpack("f", struct.pack("f", x))[0] for x in (0.1, 16777216.0, 3.4e38)],
    ),
    ("FLOAT(7,3)", pa.float32(), ["1234.567"], [struct.unpack("f", struct.pack("f", 1234.567))[0]]),
    (
        "DOUBLE",
        pa.float64(),
        ["0.1", "1.7976931348623157e308", "5e-324", "123456789.12345679"],
        [0.1, 1.7976931348623157e308, 5e-324, 123456789.12345679],
    ),
    ("DOUBLE(20,3)", pa.float64(), ["12345678901234567.125"], [12345678901234568.0]),
    (
        "DATE",
        pa.date32(),
        ["'1000-01-01'", "'9999-12-31'", "'0001-01-01'"],
        [date(1000, 1, 1), date(9999, 12, 31), date(1, 1, 1)],
    ),
    ("TIME", pa.time64("us"), ["'00:00:00'", "'23:59:59'"], [time(0), time(23, 59, 59)]),
    ("TIME(6)", pa.time64("us"), ["'23:59:59.999999'"], [time(23, 59, 59, 999999)]),
    ("DATETIME", pa.timestamp("us"), ["'9999-12-31 23:59:59'"], [datetime(9999, 12, 31, 23, 59, 59)]),  # noqa: DTZ001 - the type has no zone
    ("DATETIME(6)", pa.timestamp("us"), ["'1000-01-01 00:00:00.000001'"], [datetime(1000, 1, 1, 0, 0, 0, 1)]),  # noqa: DTZ001 - as above
    ("DATETIME(3)", pa.timestamp("us"), ["'2020-02-29 12:00:00.123'"], [datetime(2020, 2, 29, 12, 0, 0, 123000)]),  # noqa: DTZ001 - as above
    (
        "TIMESTAMP(6) NULL",
        pa.timestamp("us", "UTC"),
        ["'2038-01-19 03:14:07.999999'"],
        [datetime(2038, 1, 19, 3, 14, 7, 999999, UTC)],
    ),
    ("CHAR(5)", pa.string(), ["'a  '", "''", "'NULL'"], ["a", "", "NULL"]),
    ("VARCHAR(20)", pa.string(), ["'a  '", "''", "'日本語 🦀'"], ["a  ", "", "日本語 🦀"]),
    ("VARCHAR(20) CHARACTER SET latin1", pa.string(), ["'Ärger €'"], ["Ärger €"]),
    ("VARCHAR(20) CHARACTER SET utf8mb3", pa.string(), ["'Ärger €'"], ["Ärger €"]),
    ("VARCHAR(20) CHARACTER SET utf16", pa.string(), ["'🦀'"], ["🦀"]),
    ("VARCHAR(20) CHARACTER SET sjis", pa.string(), ["'日本'"], ["日本"]),
    ("LONGTEXT", pa.string(), ["'a\\tb\\nc'", "repeat('x', 300)", "repeat('é', 40000)"], ["a\tb\nc", "x" * 300, "é" * 40000]),
    ("ENUM('a','b c','')", pa.string(), ["'b c'", "'nothing of these'"], ["b c", ""]),
    ("SET('a','b')", pa.string(), ["'a,b'", "''"], ["a,b", ""]),
    ("JSON", pa.string(), ["""'{"a": [1, null, "é"]}'"""], ['{"a": [1, null, "é"]}']),
    ("BINARY(4)", pa.binary(), ["X'0001'"], [b"\x00\x01\x00\x00"]),
    ("VARBINARY(9)", pa.binary(), ["X'00FF0A27'", "''"], [b"\x00\xff\n'", b""]),
    ("LONGBLOB", pa.binary(), ["X'FBFCFDFEFF'", "repeat(X'00', 70000)"], [b"\xfb\xfc\xfd\xfe\xff", bytes(70000)]),
    ("POINT", pa.binary(), ["ST_GeomFromText('POINT(1 2)')"], [struct.pack("<IBIdd", 0, 1, 1, 1.0, 2.0)]),
]
UNFIT = [
    ("DATE", "0000-00-00"),
    ("DATE", "2020-00-00"),
    ("DATE", "2020-02-00"),
    ("DATETIME(6)", "0000-00-00 00:00:00.000000"),
    ("TIMESTAMP NULL", "0000-00-00 00:00:00"),
    ("TIME", "24:00:00"),
    ("TIME", "-00:00:01"),
    ("TIME(6)", "838:59:58.999999"),
    ("TIME(6)", "-838:59:59.000000"),
]


@pytest.mark.parametrize(("declared", "arrow_type", "literals", "expected"), EXACT, ids=[row[0] for row in EXACT])
def test_values_are_read_exactly(
    *, execute: Execute, open_session: Opener, declared: str, arrow_type: pa.DataType, literals: list[str], expected: list
) -> None:
    """NULL apart from everything else; the server's own figures are those of what was read."""
    execute(f"CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v {declared})")
    for literal in [*literals, "NULL"]:
        execute(f"INSERT INTO t (v) VALUES ({literal})")
    session = open_session()
    session.begin()

    rows = read(session, table("t"))

    assert rows.schema.field("v").type == arrow_type
    assert rows.sort_by("id")["v"].to_pylist() == [*expected, None]
    figures = session.fingerprint_columns(part_of(session, table("t")))[1]
    assert figures == fingerprint_column("v", rows["v"])


@pytest.mark.parametrize(("declared", "text"), UNFIT)
def test_a_value_that_does_not_fit_follows_the_policy(execute: Execute, open_session: Opener, declared: str, text: str) -> None:
    """Refused with table and column and no value; or the server's text; or NULL, alone."""
    execute(f"CREATE TABLE t (id INT PRIMARY KEY, v {declared})")
    execute(f"INSERT INTO t VALUES (1, '{text}'), (2, NULL)")
    assert execute("SELECT CAST(v AS CHAR) FROM t WHERE id = 1") == [(text,)]

    with pytest.raises(TypePolicyError, match=r"table 't': column 'v'") as caught:
        read(open_session(), table("t"))

    assert text not in str(caught.value)
    as_text, as_null = open_session(TypePolicy.TEXT), open_session(TypePolicy.NULL)
    assert read(as_text, table("t"))["v"].to_pylist() == [text, None]
    assert read(as_null, table("t"))["v"].to_pylist() == [None, None]
    assert as_text.fingerprint_columns(part_of(as_text, table("t")))[1].total == len(text)
    assert as_null.fingerprint_columns(part_of(as_null, table("t")))[1].null_count is None


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=20, max_size=100))
def test_every_float_is_read_bit_for_bit(execute: Execute, open_session: Opener, numbers: list[float]) -> None:
    """A float of four bytes as the server keeps it; of the two zeros it knows one, to which Python's addition leads too."""
    execute("CREATE OR REPLACE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v DOUBLE, f FLOAT)")
    largest = struct.unpack("f", b"\xff\xff\x7f\x7f")[0]
    singles = [struct.unpack("f", struct.pack("f", max(-largest, min(largest, number))))[0] for number in numbers]
    rows = list(zip(numbers, singles, strict=True))
    execute("INSERT INTO t (v, f) VALUES " + ", ".join(["(%s, %s)"] * len(rows)), *itertools.chain(*rows))

    found = read(open_session(), table("t")).sort_by("id")

    assert list(map(float.hex, found["v"].to_pylist())) == [float.hex(number + 0.0) for number in numbers]
    assert list(map(float.hex, found["f"].to_pylist())) == [float.hex(single + 0.0) for single in singles]


def test_columns_of_a_query_have_their_types(open_session: Opener) -> None:
    """As the server describes them, without running the query."""
    rows = read(
        open_session(),
        query(
            "SELECT 1 AS i, 1.50 AS d, 1e0 AS f, 'é' AS t, X'00ff' AS b, DATE'2020-02-29' AS day,"
            " TIMESTAMP'2020-02-29 01:02:03.5' AS moment, NULL AS n, b'101' AS bits, 'a' || 'b' AS joined -- end"
        ),
    )

    assert rows.to_pylist() == [
        {
            "i": 1,
            "d": Decimal("1.50"),
            "f": 1.0,
            "t": "é",
            "b": b"\x00\xff",
            "day": date(2020, 2, 29),
            "moment": datetime(2020, 2, 29, 1, 2, 3, 500000),  # noqa: DTZ001 - the type has no zone
            "n": None,
            "bits": b"\x05",
            "joined": "ab",
        }
    ]


def test_a_timestamp_is_read_in_utc(execute: Execute, open_session: Opener) -> None:
    """Whatever zone it was written in."""
    execute("CREATE TABLE t (v TIMESTAMP NULL)")
    execute("SET time_zone = '+05:30'")
    execute("INSERT INTO t VALUES ('2020-01-01 05:30:00')")

    assert read(open_session(), table("t"))["v"].to_pylist() == [datetime(2020, 1, 1, tzinfo=UTC)]
