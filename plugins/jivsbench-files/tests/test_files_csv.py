"""CSV: exact or refused with a line; types from the whole file; NULL apart from the empty text."""

import bz2
import csv
import gzip
import io
import lzma
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jivsbench.errors import ConfigError, ExtractionError, TypePolicyError
from jivsbench.model.source import TypePolicy
from jivsbench.model.table import ExtractionRequest, TableName

FOUND = [
    (["true", "False"], pa.bool_(), [True, False]),
    (["0", "-12", "9223372036854775807"], pa.int64(), [0, -12, 9223372036854775807]),
    (["9223372036854775808"], pa.decimal128(38, 0), [Decimal(9223372036854775808)]),
    (["1", "1.5", "-0.25"], pa.decimal128(18, 2), [Decimal("1.00"), Decimal("1.50"), Decimal("-0.25")]),
    (["0.1"], pa.decimal128(18, 1), [Decimal("0.1")]),
    (["1.5", "1e3"], pa.float64(), [1.5, 1000.0]),
    (["1e3", "0.12345678901234567891"], pa.string(), ["1e3", "0.12345678901234567891"]),
    (["12345678901234567891", "1e3"], pa.string(), ["12345678901234567891", "1e3"]),
    (["1e999"], pa.string(), ["1e999"]),
    (["007"], pa.string(), ["007"]),
    (["+1"], pa.string(), ["+1"]),
    (["0x10"], pa.string(), ["0x10"]),
    ([" 1"], pa.string(), [" 1"]),
    (["1,000"], pa.string(), ["1,000"]),
    (["NaN", "1"], pa.string(), ["NaN", "1"]),
    (["2020-02-29"], pa.date32(), [date(2020, 2, 29)]),
    (["2021-02-29"], pa.string(), ["2021-02-29"]),
    (["0000-01-01"], pa.string(), ["0000-01-01"]),
    (["23:59:59.999999"], pa.time64("us"), [time(23, 59, 59, 999999)]),
    (["24:00:00"], pa.string(), ["24:00:00"]),
    (
        ["2020-02-29T23:59:59.5", "2020-03-01 00:00"],
        pa.timestamp("us"),
        [datetime.fromisoformat("2020-02-29 23:59:59.500"), datetime.fromisoformat("2020-03-01")],
    ),
    (["2020-01-01T00:00:00+02:00"], pa.timestamp("us", "UTC"), [datetime(2019, 12, 31, 22, tzinfo=UTC)]),
    (["2020-01-01T00:00:00Z", "2020-01-01T00:00:00"], pa.string(), ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00"]),
    (["2020-01-01T00:00:00.1234567"], pa.string(), ["2020-01-01T00:00:00.1234567"]),
    (["1", "2020-01-01"], pa.string(), ["1", "2020-01-01"]),
    (["9" * 39], pa.string(), ["9" * 39]),
]


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize(("texts", "arrow_type", "values"), FOUND, ids=[row[0][-1][:20] for row in FOUND])
def test_a_type_is_found_in_the_whole_file(*, root, read, texts, arrow_type, values, is_reversed):
    """Whatever the order of the rows; a type only when every value is exactly that."""
    order = -1 if is_reversed else 1
    with (root / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["v", "w"], *([text, "x"] for text in texts[::order]), ["", "x"]])

    rows = read("t.csv")

    assert rows.schema.field("v").type == arrow_type
    assert rows["v"].to_pylist() == [*values[::order], None]


def test_the_last_row_of_many_blocks_decides_like_the_first(root, read):
    """Ten megabytes of integers and one word at their end: a reader that looks at a first block would fail or change."""
    (root / "t.csv").write_text("v,w\n" + "123456,x\n" * 1_200_000 + "word,x\n")

    rows = read("t.csv", streams=3)

    assert rows.schema.field("v").type == pa.string()
    assert (rows.num_rows, rows["v"][-1].as_py()) == (1_200_001, "word")


def test_null_and_the_empty_text_stay_apart(root, read):
    """Nothing is NULL, two quotes are the empty text, and NULL, NA or null are words."""
    (root / "t.csv").write_text('a,b\n,""\nNULL,NA\nnull,"\\N"\n')

    assert read("t.csv").to_pylist() == [{"a": None, "b": ""}, {"a": "NULL", "b": "NA"}, {"a": "null", "b": "\\N"}]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_and_quotes_are_exact(root, read, end):
    """Line ends within quotes are part of the value; the last line needs none; ends may be mixed."""
    (root / "t.csv").write_bytes(f'a,b{end}"x{end}y","say ""hi"""\n"","1,2"\r\nlast,'.encode())

    assert read("t.csv").to_pylist() == [{"a": f"x{end}y", "b": 'say "hi"'}, {"a": "", "b": "1,2"}, {"a": "last", "b": None}]


REFUSED = [
    (b"a,b\n1,2\n3\n", "row 2: there are 1 values for 2 columns"),
    (b"a,b\n1,2\n3,4,5\n", "row 2: there are 3 values for 2 columns"),
    (b"a,b\n1,2\n\n3,4\n", "line 3: the line is empty"),
    (b"a,b\r\n1,2\r\n\r\n3,4\r\n", "line 3: the line is empty"),
    (b"a,b\n\n1,2\n", "line 2: the line is empty"),
    (b'a,b\n1,"x"y\n', "line 2: a quoted value is followed by more text"),
    (b'a,b\n1,2\n3,x"y"\n', "line 3: a quote stands inside a value"),
    (b'a,b\n1,"x\n\n', "line 4: a quoted value does not end"),
    (b'a,b\n1, "x"\n', "line 2: a quote stands inside a value"),
    (b"a,b\n1,2\n3\r4,5\n", "line 3: a carriage return without line feed"),
    (b"a,b\r1,2\r3,4\r", "carriage return without line feed|columns"),
    (b"a,a\n1,2\n", "two columns 'a'"),
    (b"a,b\n1,\xe9\n", "line 2: there are bytes that are no utf-8"),
    (b"a,b\n1,\xc3", "line 2: there are bytes that are no utf-8"),
    ("a,b\n1,é\n".encode("utf-16"), "begins as utf-16"),
    ("a,b\n1,é\n".encode("utf-32"), "begins as utf-32"),
    (b"", "is empty"),
]


@pytest.mark.parametrize(("content", "message"), REFUSED, ids=[row[1][:30] + str(i) for i, row in enumerate(REFUSED)])
def test_what_is_no_csv_is_refused_with_its_place(root, read, content, message):
    """Never guessed, never cut, and no value in the message."""
    (root / "t.csv").write_bytes(content)

    with pytest.raises(ExtractionError, match=message):
        read("t.csv")


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-8-sig", "shift_jis"])
def test_declared_encodings_are_exact(root, read, encoding):
    """Also across blocks of the reader."""
    text = "ｱ" if encoding == "shift_jis" else "é"
    (root / "t.csv").write_bytes(("a,b\n" + f"{text},1\n" * 50_000).encode(encoding))

    rows = read("t.csv", encoding=encoding)

    assert set(rows["a"].to_pylist()) == {text}
    assert (rows.num_rows, rows.column_names) == (50_000, ["a", "b"])


def test_a_byte_order_mark_is_no_part_of_the_first_name(root, read):
    """Also when byte ranges are counted from the file's beginning."""
    (root / "t.csv").write_bytes(b"\xef\xbb\xbf" + b"a,b\n" + b"11111111,2\n" * 900_000)

    rows = read("t.csv", streams=2)

    assert (rows.column_names, rows.num_rows, set(rows["a"].to_pylist())) == (["a", "b"], 900_000, {11111111})


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_first_value_that_begins_like_a_mark_is_kept(root, read, mark):
    """Files with marks, put one after the other, have such values; they are no beginning of a file."""
    (root / "t.csv").write_text(f"{mark}a,b\n\ufeffx,1\n")

    assert read("t.csv").to_pylist() == [{"a": "\ufeffx", "b": 1}]


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_compressed_files_are_read(root, read, suffix):
    """Whole, also of several members; a cut one is refused, and so is a member whose beginning is damaged."""
    pack = {
        ".gz": gzip.compress,
        ".bz2": bz2.compress,
        ".xz": lzma.compress,
        ".zst": lambda raw: pa.compress(raw, "zstd", asbytes=True),
    }
    raw = b"a,b\n" + b"".join(b"%d,x\n" % number for number in range(30_000))
    packed = pack[suffix](raw[:1000]) + pack[suffix](raw[1000:])
    (root / f"t.csv{suffix}").write_bytes(packed)
    (root / f"cut.csv{suffix}").write_bytes(packed[:-10])
    (root / f"loose.csv{suffix}").write_bytes(packed + b"A" + pack[suffix](b"2,x\n")[1:])

    assert read(f"t.csv{suffix}")["a"].to_pylist() == list(range(30_000))
    for name in ("cut", "loose"):
        with pytest.raises(ExtractionError, match=r"cannot be unpacked"):
            read(f"{name}.csv{suffix}")


def test_zeros_between_streams_are_passed_over(root, read):
    """As many as the format allows: tapes and tools fill blocks with them."""
    packed = lzma.compress(b"a\n1\n") + b"\0" * 100_000 + lzma.compress(b"2\n") + b"\0" * 8
    (root / "t.csv.xz").write_bytes(packed)

    assert read("t.csv.xz")["a"].to_pylist() == [1, 2]


def test_tab_and_other_delimiters(root, read):
    """A .tsv has tabs; any ASCII character can be declared."""
    (root / "t.tsv").write_text('a\tb\n1,5\t"x\ty"\n')
    (root / "t.csv").write_text("a;b\n1,5;2\n")

    assert read("t.tsv").to_pylist() == [{"a": "1,5", "b": "x\ty"}]
    assert read("t.csv", delimiter="%3B").to_pylist() == [{"a": "1,5", "b": 2}]


def test_a_file_without_header(root, read):
    """Columns are numbered, or named by the declarations."""
    (root / "t.csv").write_text("1,x\n2,y\n")
    assert read("t.csv", header="no").to_pylist() == [{"column_1": 1, "column_2": "x"}, {"column_1": 2, "column_2": "y"}]

    (root / "t.csv.columns.toml").write_text('[columns]\nid = "int32"\nname = "string"\n')
    rows = read("t.csv", header="no")
    assert rows.schema == pa.schema([("id", pa.int32()), ("name", pa.string())])
    assert rows.num_rows == 2


def test_a_declared_decimal_refuses_what_it_cannot_hold(root, read):
    """17.5 times 10^38 runs over 128 bits, and what is left of it looks like a number that fits."""
    (root / "t.csv").write_text("a\n0.5\n17.5\n")
    (root / "t.csv.columns.toml").write_text('[columns]\na = "decimal(38,38)"\n')

    with pytest.raises(TypePolicyError, match=r"'t.csv', row 2: column 'a'"):
        read("t.csv")
    assert read("t.csv", policy=TypePolicy.NULL)["a"].to_pylist() == [Decimal("0.5"), None]


def test_a_declared_type_binds_every_value(root, read):
    """What does not fit is named with file, column and row; or is the text; or is NULL, alone."""
    (root / "t.csv").write_text("id,day,amount\n1,2020-01-01,1.50\nx7,2020-02-30,1.505\n,,\n")
    (root / "t.csv.columns.toml").write_text('[columns]\nid = "int64"\nday = "date"\namount = "decimal(5,2)"\n')

    with pytest.raises(TypePolicyError, match=r"'t.csv', row 2: column 'id' \(int64 \(declared\)\)") as caught:
        read("t.csv")

    assert "x7" not in str(caught.value)
    for column in ("day", "amount"):
        with pytest.raises(TypePolicyError, match=f"row 2: column '{column}'"):
            read("t.csv", columns=(column,))
    assert read("t.csv", policy=TypePolicy.TEXT).to_pylist()[1] == {"id": "x7", "day": "2020-02-30", "amount": "1.505"}
    assert read("t.csv", policy=TypePolicy.NULL).to_pylist() == [
        {"id": 1, "day": date(2020, 1, 1), "amount": Decimal("1.50")},
        {"id": None, "day": None, "amount": None},
        {"id": None, "day": None, "amount": None},
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[columns]\nnope = "int64"\n', "'nope'"),
        ('[columns]\na = "money"\n', "no type this connector knows"),
        ('[columns]\na = "decimal(39,0)"\n', "no type this connector knows"),
        ("columns = 1", "must hold one table"),
        ("[", "is no TOML"),
        (f"a = {'9' * 5_000}", "is no TOML"),
    ],
)
def test_a_wrong_declaration_is_a_configuration_error(root, read, text, message):
    """Never ignored."""
    (root / "t.csv").write_text("a\n1\n")
    (root / "t.csv.columns.toml").write_text(text)

    with pytest.raises(ConfigError, match=message):
        read("t.csv")


FIELD = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    st.sampled_from(['"', "\n", "\r\n", ",", '""', "\r"]),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(FIELD, FIELD), max_size=12), end=st.sampled_from(["\n", "\r\n"]))
def test_whatever_is_written_is_read(rows, end, root, open_session):
    """Any text in quotes, any line end: the values, the counter's number and Arrow's number agree."""
    text = io.StringIO()
    text.write(f"a,b{end}")
    for row in rows:
        text.write(",".join("" if value is None else '"' + value.replace('"', '""') + '"' for value in row) + end)
    (root / "t.csv").write_bytes(text.getvalue().encode())
    session = open_session(TypePolicy.TEXT)
    request = ExtractionRequest("test", TableName("t.csv"))
    (part,) = session.partitions(request, session.schema(request), 1)

    found = pa.Table.from_batches(session.read(part), part.schema.to_arrow())

    assert list(zip(found["a"].to_pylist(), found["b"].to_pylist(), strict=True)) == rows
    assert session.fingerprint(part).row_count == len(rows)
