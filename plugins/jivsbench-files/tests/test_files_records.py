"""JSON, XML and workbooks: one kind of value for a column, or the policy; nothing is dropped without a word."""

import json
from datetime import datetime
from decimal import Decimal

import openpyxl
import pyarrow as pa
import pytest

from jivsbench.errors import ConfigError, ExtractionError, MissingObjectError, TypePolicyError
from jivsbench.model.source import TypePolicy


def write_workbook(path, rows, sheets=("data",)):
    """A workbook whose sheets all hold these rows."""
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for name in sheets:
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
    workbook.save(path)


def write_lines(path, *records):
    """One record a line; texts are written as they are."""
    path.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in records))


def test_json_values_keep_their_kind(root, read):
    """A missing key and null are NULL, the empty text is not; nested values are their JSON text."""
    write_lines(
        root / "t.jsonl",
        {"i": 1, "f": 1, "s": "", "b": True, "n": {"x": [1, None]}, "z": None},
        {"i": None, "f": 0.1, "s": "1", "b": False, "n": [1]},
        {"late": "é\n"},
    )

    rows = read("t.jsonl")

    assert rows.schema.types == [pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.string(), pa.string(), pa.string()]
    assert rows["f"].to_pylist() == [1.0, 0.1, None]
    assert rows["s"].to_pylist() == ["", "1", None]
    assert rows["n"].to_pylist() == ['{"x":[1,null]}', "[1]", None]
    assert rows["late"].to_pylist() == [None, None, "é\n"]


@pytest.mark.parametrize(
    ("first", "second", "row"),
    [
        ('{"a": 1}', '{"a": "x"}', 2),
        ('{"a": "x"}', '{"a": 1}', 2),
        ('{"a": 1}', '{"a": true}', 2),
        ('{"a": 1}', '{"a": [1]}', 2),
        ('{"a": 1}', '{"a": 9223372036854775808}', 2),
        ('{"a": 9007199254740993}', '{"a": 0.5}', 2),
        ('{"a": 0.5}', '{"a": 9007199254740993}', 2),
        ('{"a": 0.5}', '{"a": 0.12345678901234567891}', 2),
        ('{"a": 0.5}', '{"a": 1e999}', 2),
    ],
)
def test_a_value_of_another_kind_follows_the_policy(*, root, read, first, second, row):
    """However late it comes; the row is named, the value is not."""
    filler = [first] * 20_000
    write_lines(root / "t.jsonl", *filler, second)

    with pytest.raises(TypePolicyError, match=rf"'t.jsonl', row {row + 19_999}: column 'a'"):
        read("t.jsonl")

    assert read("t.jsonl", policy=TypePolicy.NULL)["a"].to_pylist()[-1] is None
    assert read("t.jsonl", policy=TypePolicy.TEXT).schema.field("a").type == pa.string()


JSON_REFUSED = [
    ('{"a": 1, "a": 2}', "row 1: an object has a key twice"),
    ('{"a": NaN}', "NaN and Infinity are not JSON"),
    ('{"a": 1} {"a": 2}', "row 1: this is not one JSON object"),
    ("[1]", "row 1: there is a value that is no object"),
    ('{"a": 1', "row 1: this is not one JSON object"),
    ('{"a": 1}\n\n{"a": 2}', "row 2: the line is empty"),
    ('{"a": ' + "9" * 5000 + "}", "row 1: this is not one JSON object"),
]


@pytest.mark.parametrize(("text", "message"), JSON_REFUSED, ids=[row[1] + str(i) for i, row in enumerate(JSON_REFUSED)])
def test_what_readers_understand_differently_is_refused(root, read, text, message):
    """Two readers would read two things."""
    (root / "t.jsonl").write_text(text)

    with pytest.raises(ExtractionError, match=message):
        read("t.jsonl")


@pytest.mark.parametrize(
    "text", ['[{"a":1},]', '[{"a":1} {"a":2}]', '[{"a":1}', '[{"a":1}] x', '{"a":1}', "", "[1]", "[[]]", '[{"a":']
)
def test_what_is_no_array_of_objects_is_refused(root, read, text):
    """Cut off, run together, or lines."""
    (root / "t.json").write_text(text)

    with pytest.raises(ExtractionError, match=r"'t.json'"):
        read("t.json")


def test_an_array_is_read_in_pieces(root, read):
    """Records across the reader's blocks, with text of several bytes a character; an empty array has no rows."""
    records = [{"id": number, "text": 'é{["\\' * (number % 50)} for number in range(20_000)]
    (root / "t.json").write_text(json.dumps(records, ensure_ascii=False, indent=2))
    (root / "empty.json").write_text(" [ ] ")

    assert read("t.json").to_pylist() == records
    assert read("empty.json").num_rows == 0


def test_nested_numbers_stay_numbers_with_all_of_their_digits(root, read):
    """Also those that no float holds."""
    text = '{"x":0.12345678901234567891,"y":[1.5,{"é\\n":12345678901234567890123}],"z":null,"t":true,"e":1E-400}'
    (root / "t.jsonl").write_text(f'{{"a": {text}}}\n')

    assert read("t.jsonl")["a"].to_pylist() == [text]


@pytest.mark.parametrize("text", ["1.10", "1e3", "-0", "100000000000000000000.0", "1E-400", '{"x":[1.10,-0,1e3]}'])
def test_as_text_a_number_is_the_text_of_the_file(root, read, text):
    """1.10 may be a version, whose zero counts."""
    (root / "t.jsonl").write_text(f'{{"a":{text}}}\n')
    (root / "t.json").write_text(f'[{{"a":{text}}}]')

    for name in ("t.jsonl", "t.json"):
        assert read(name, policy=TypePolicy.TEXT)["a"].to_pylist() == [text]


def test_json_decimals_can_be_declared(root, read):
    """Numbers and texts alike, exactly."""
    (root / "t.jsonl").write_text('{"a": 12.30}\n{"a": "12.31"}\n{"a": 0.12345678901234567891}\n{"a": 7}\n')
    (root / "t.jsonl.columns.toml").write_text('[columns]\na = "decimal(30,20)"\n')

    assert read("t.jsonl")["a"].to_pylist() == [Decimal("12.3"), Decimal("12.31"), Decimal("0.12345678901234567891"), Decimal(7)]


def test_xml_rows_are_elements_of_one_name(root, read):
    """Attributes are values too; no element is NULL, so is xsi:nil; an empty one is the empty text."""
    (root / "t.xml").write_text(
        '<?xml version="1.0"?><!-- c --><doc xmlns:xsi="x"><title>t</title>'
        '<row id="1"><a>5</a><b/><c unit="m">x &amp; <![CDATA[<y>]]></c></row>'
        '<part><row id="2"><a>6</a><b xsi:nil="true"/></row></part></doc>'
    )

    rows = read("t.xml", record="row")

    assert rows.to_pylist() == [
        {"@id": 1, "a": 5, "b": "", "c": "x & <y>", "c@unit": "m"},
        {"@id": 2, "a": 6, "b": None, "c": None, "c@unit": None},
    ]


XML_REFUSED = [
    ("<d><row><a>1</a><a>2</a></row></d>", "row 1: the element 'a' comes twice"),
    ("<d><row><a><b>1</b></a></row></d>", "row 1: the element 'a' holds elements"),
    ("<d><row>loose<a>1</a></row></d>", "row 1: there is a text beside"),
    ("<d><row><a>1</a></row>", "line 1: this is not well-formed"),
    ("<d>\n<row><a>1</b></row></d>", "line 2: this is not well-formed"),
    ("<d><row><a>\x01</a></row></d>", "not well-formed"),
    ("", "not well-formed"),
]


@pytest.mark.parametrize(("text", "message"), XML_REFUSED, ids=[row[1][:40] + str(i) for i, row in enumerate(XML_REFUSED)])
def test_xml_that_would_lose_something_is_refused(root, read, text, message):
    """With the row or the line."""
    (root / "t.xml").write_text(text)

    with pytest.raises(ExtractionError, match=message):
        read("t.xml", record="row")


def test_xml_needs_to_know_its_rows(root, read):
    """There is no guess."""
    (root / "t.xml").write_text("<d/>")
    with pytest.raises(ConfigError, match=r"\?record=NAME"):
        read("t.xml")


def test_a_workbook_is_read_by_cells(root, read):
    """Integers, floats, texts, dates; an empty row between others is a row, at the end it is none; escapes are undone."""
    moment = datetime.fromisoformat("2020-02-29 12:30:00")
    write_workbook(
        root / "t.xlsx",
        [["i", "f", "s", "d"], [1, 1, "x", moment], [None] * 4, [2, 0.5, "a_x000D_b", moment], [None] * 4],
    )

    rows = read("t.xlsx")

    assert rows.schema.types == [pa.int64(), pa.float64(), pa.string(), pa.timestamp("us")]
    assert rows.to_pylist() == [
        {"i": 1, "f": 1.0, "s": "x", "d": moment},
        {"i": None, "f": None, "s": None, "d": None},
        {"i": 2, "f": 0.5, "s": "a\rb", "d": moment},
    ]


def test_a_workbooks_doubts_are_said(root, read):
    """Several sheets, mixed kinds, failed formulas, formulas without value, values without column, names that are none."""
    write_workbook(root / "two.xlsx", [["a"], [1]], ("x", "y"))
    with pytest.raises(ConfigError, match=r"2 sheets"):
        read("two.xlsx")
    with pytest.raises(MissingObjectError, match=r"no sheet 'z'"):
        read("two.xlsx", sheet="z")
    assert read("two.xlsx", sheet="y").to_pylist() == [{"a": 1}]

    for rows, error, message in (
        ([["a"], [1], ["x"]], TypePolicyError, "row 2: column 'a'"),
        ([["a"], [1], ["#DIV/0!"]], TypePolicyError, "row 2: column 'a'"),
        ([["a"], ["=1+1"]], ExtractionError, "row 1: cell A2 holds a formula"),
        ([["a"], [1, 2]], ExtractionError, "row 1: there is a value right of"),
        ([[1], [2]], ExtractionError, "must hold the columns' names"),
        ([["a", "a"], [2, 3]], ExtractionError, "two columns 'a'"),
        ([], ExtractionError, "must hold the columns' names"),
    ):
        write_workbook(root / "t.xlsx", rows)
        with pytest.raises(error, match=message):
            read("t.xlsx")

    write_workbook(root / "names.xlsx", [["a", "b"]])
    assert (read("names.xlsx").column_names, read("names.xlsx").num_rows) == (["a", "b"], 0)


@pytest.mark.parametrize("policy", list(TypePolicy))
@pytest.mark.parametrize(
    "record", ['{"a": "\\ud800"}', '{"\\uDFFF": 1}', '{"a": {"b": ["\\udead"]}}', '{"a": 1e99999999999999999999}']
)
@pytest.mark.parametrize("form", ["t.jsonl", "t.json"])
def test_json_that_no_text_or_number_can_hold_is_refused_with_its_row(*, root, read, policy, record, form):
    """Half of a surrogate pair as a value, a name or within a value; an exponent beyond all bounds."""
    good = '{"a": "\\ud83d\\ude00"}'
    (root / form).write_text(f"{good}\n{record}\n" if form == "t.jsonl" else f"[{good},{record}]")
    (root / f"good.{form}").write_text(f"{good}\n" if form == "t.jsonl" else f"[{good}]")

    with pytest.raises(ExtractionError, match=r"row 2: .* (surrogate pair|exponent)"):
        read(form, policy=policy)
    assert read(f"good.{form}", policy=policy).to_pylist() == [{"a": "😀"}]


def test_a_huge_exponent_is_not_written_out(root, read):
    """Its digits would take a gigabyte; no decimal holds it."""
    write_lines(root / "t.jsonl", '{"a": 1e999999999}', '{"a": 1e-999999999}', '{"a": 1.5}')
    (root / "t.jsonl.columns.toml").write_text('[columns]\na = "decimal(10,2)"\n')

    with pytest.raises(TypePolicyError, match="row 1: column 'a'"):
        read("t.jsonl")
    assert read("t.jsonl", policy=TypePolicy.NULL).to_pylist() == [{"a": None}, {"a": None}, {"a": Decimal("1.50")}]


def test_an_escape_of_half_a_pair_in_a_workbook_stays_a_text(root, read):
    """It stands for no character; other escapes do."""
    write_workbook(root / "t.xlsx", [["_xD800_"], ["_xdfff_"], ["_x0041_"]])

    assert read("t.xlsx").to_pylist() == [{"_xD800_": "_xdfff_"}, {"_xD800_": "A"}]
