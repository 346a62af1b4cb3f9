"""Files made to eat memory or time. Each is refused by a limit that is named, and this process stays small."""

import bz2
import gzip
import io
import json
import lzma
import resource
import subprocess
import sys
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jivsbench.errors import ExtractionError

MIB = 1 << 20


@pytest.fixture(autouse=True)
def stays_small():
    """No attack may make this process grow by more than 400 MiB at its highest."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 * 1024


def build_zeros(pack, megabytes):
    """A CSV with one column of so many megabytes of zeros, packed."""
    rows = b"0" * 1000 + b"\n"
    return pack(b"a\n" + rows * (megabytes * 1000))


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        (".gz", gzip.compress),
        (".bz2", bz2.compress),
        (".xz", lzma.compress),
        (".zst", lambda raw: pa.compress(raw, "zstd", asbytes=True)),
    ],
)
def test_a_compressed_bomb_is_refused_by_its_ratio(root, read, suffix, pack):
    """After the first 16 MiB, long before it is unpacked."""
    (root / f"t.csv{suffix}").write_bytes(build_zeros(pack, 64))

    with pytest.raises(ExtractionError, match=r"times as many, and the limit is 200: .* raise max_unpack_ratio"):
        read(f"t.csv{suffix}")


def test_an_unpacked_size_is_refused(root, read):
    """Whatever the ratio."""
    (root / "t.csv.gz").write_bytes(build_zeros(gzip.compress, 3))

    with pytest.raises(ExtractionError, match=r"raise max_unpacked_bytes"):
        read("t.csv.gz", max_unpacked_bytes=2 * MIB)


def test_a_bomb_in_a_bomb_is_not_unpacked_twice(root, read):
    """Only one codec is undone: what comes out is no CSV."""
    (root / "t.csv.gz").write_bytes(gzip.compress(gzip.compress(b"a\n1\n")))

    with pytest.raises(ExtractionError, match=r"no utf-8|quote|columns|carriage"):
        read("t.csv.gz")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", b"a,b\n1," + b"x" * (5 * MIB) + b"\n"),
        ("t.csv", b'a,b\n1,"' + b"x\n" * (5 * MIB // 2) + b'"\n'),
        ("t.csv", b"x" * (5 * MIB)),
        ("t.csv", b"a\n" + b'"' * (12 * MIB)),
        ("t.jsonl", b'{"a": "' + b"x" * (5 * MIB) + b'"}\n'),
        ("t.json", b'[{"a": "' + b"x" * (5 * MIB) + b'"}]'),
        ("t.json", b'[{"a": "' + b"x" * (40 * MIB)),
        ("t.xml", b"<d><row><a>" + b"x" * (5 * MIB) + b"</a></row></d>"),
        ("t.xml", b'<d><row a="' + b"x" * (12 * MIB) + b'"/></d>'),
    ],
    ids=["cell", "quoted", "header", "quotes", "line", "array", "open-array", "element", "attribute"],
)
def test_a_huge_record_is_refused(root, read, name, content):
    """A cell of 5 MiB where 4 are allowed; the limit can be raised."""
    (root / name).write_bytes(content)

    with pytest.raises(ExtractionError, match=r"and the limit is 4,194,304: .* raise max_record_bytes"):
        read(name, record="row")
    if name == "t.jsonl":
        assert len(read(name, max_record_bytes=8 * MIB)["a"][0].as_py()) == 5 * MIB


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", b",".join(b"c%d" % number for number in range(500_000)) + b"\n"),
        ("t.csv", b"," * 1_000_000 + b"\n"),
        ("t.jsonl", json.dumps({f"c{number}": 1 for number in range(20_000)}).encode()),
        ("t.jsonl", b"\n".join(b'{"c%d": 1}' % number for number in range(20_000))),
        ("t.xml", b"<d><row>" + b"".join(b"<c%d/>" % number for number in range(20_000)) + b"</row></d>"),
        ("t.xml", b"<d>" + b"".join(b"<row><c%d/></row>" % number for number in range(20_000)) + b"</d>"),
    ],
    ids=["csv", "csv-empty", "keys", "keys-of-all", "elements", "elements-of-all"],
)
def test_a_million_columns_are_refused(root, read, name, content):
    """Before anything is made for each of them."""
    (root / name).write_bytes(content)

    with pytest.raises(ExtractionError, match=r"and the limit is 10,000: .* raise max_columns"):
        read(name, record="row")


@pytest.mark.parametrize("levels", [65, 900, 100_000])
@pytest.mark.parametrize("marks", [(b"[", b"]"), (b'{"a":', b"}")])
def test_deep_json_is_refused(root, read, levels, marks):
    """By the limit, or by the parser's own that is far above; never by a crash."""
    deep = marks[0] * levels + b"1" + marks[1] * levels
    (root / "t.jsonl").write_bytes(b'{"a": ' + deep + b"}\n")
    (root / "t.json").write_bytes(b'[{"a": ' + deep + b"}]")

    for name in ("t.jsonl", "t.json"):
        with pytest.raises(ExtractionError, match=r"raise max_nesting_levels"):
            read(name)


def test_deep_xml_is_refused(root, read):
    """Also outside of the rows."""
    (root / "t.xml").write_bytes(b"<a>" * 100_000)

    with pytest.raises(ExtractionError, match=r"raise max_nesting_levels"):
        read("t.xml", record="row")


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "doctype",
    [
        f'<!DOCTYPE d [<!ENTITY l0 "ha">{LAUGHS}]>',
        '<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE d SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE d [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
        f'<!DOCTYPE d [<!ENTITY e "{"x" * 100_000}">]>',
        "<!DOCTYPE d>",
    ],
    ids=["laughs", "file", "network", "parameter", "blowup", "plain"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused(root, read, doctype, encoding):
    """Bombs and external entities all need one."""
    (root / "t.xml").write_bytes(f"{doctype}<d><row><a>x</a></row></d>".encode(encoding))

    with pytest.raises(ExtractionError, match=r"document type \(DTD\)"):
        read("t.xml", record="row")


SHARED = (
    '<Override PartName="/xl/sharedStrings.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>'
)


def rebuild(path, **parts):
    """A workbook with some of its parts replaced."""
    buffer = io.BytesIO()
    workbook = openpyxl.Workbook()
    workbook.active.append(["a"])
    workbook.active.append([1])
    workbook.save(buffer)
    parts.setdefault("xl/sharedStrings.xml", '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"/>')
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = parts.pop(name, old.read(name).decode())
            # Named in any case, so that it is read.
            new.writestr(name, content.replace("</Types>", f"{SHARED}</Types>") if name == "[Content_Types].xml" else content)
        for name, content in parts.items():
            new.writestr(name, content)


def test_a_workbook_that_is_a_zip_bomb_is_refused(root, read):
    """By what its parts say they unpack to; and a part that lies gives no more than it said."""
    rebuild(root / "big.xlsx", **{"xl/media/x.bin": b"\0" * (300 * MIB)})
    with pytest.raises(ExtractionError, match=r"raise max_workbook_bytes"):
        read("big.xlsx")

    sheet = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
    rebuild(root / "lie.xlsx", **{"xl/worksheets/sheet1.xml": sheet.format(" " * (100 * MIB))})
    raw = bytearray((root / "lie.xlsx").read_bytes())
    real, claimed = (len(sheet.format("")) + 100 * MIB).to_bytes(4, "little"), (1000).to_bytes(4, "little")
    (root / "lie.xlsx").write_bytes(raw.replace(real, claimed))
    with pytest.raises(ExtractionError, match=r"no workbook that can be read"):
        read("lie.xlsx")


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/sharedStrings.xml", "xl/styles.xml"])
def test_entities_in_a_workbook_are_refused(root, read, part):
    """In whichever part they stand."""
    rows = '<row r="1"><c><v>&l9;</v></c></row>'
    bomb = f'<!DOCTYPE d [<!ENTITY l0 "ha">{LAUGHS}]><worksheet><sheetData>{rows}</sheetData></worksheet>'
    rebuild(root / "t.xlsx", **{part: bomb})

    with pytest.raises(ExtractionError, match=r"no workbook that can be read"):
        read("t.xlsx")


@pytest.mark.parametrize(
    "row", ['<row r="99999999999"><c r="A99999999999"><v>1</v></c></row>', '<row r="2"><c r="ZZZ2"><v>1</v></c></row>']
)
def test_a_workbook_that_lies_about_places_is_refused(root, read, row):
    """A row past the end of all sheets, a column past the limit."""
    head = '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row>'
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rebuild(
        root / "t.xlsx",
        **{"xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{head}{row}</sheetData></worksheet>'},
    )

    with pytest.raises(ExtractionError, match=r"where Excel's sheets end|raise max_columns"):
        read("t.xlsx")


def test_a_parquet_page_that_unpacks_to_too_much_is_refused(root, read):
    """By its header, before Arrow makes room for it; the footer is not believed."""
    pq.write_table(pa.table({"a": ["x" * (20 * MIB)]}), root / "t.parquet", compression="zstd", use_dictionary=False)
    assert (root / "t.parquet").stat().st_size < MIB

    with pytest.raises(ExtractionError, match=r"column 'a': a page unpacks to .* raise max_page_bytes"):
        read("t.parquet", max_page_bytes=16 * MIB)
    assert read("t.parquet")["a"].to_pylist() == ["x" * (20 * MIB)]


_WRITE_BOMB = """
import sys
import pyarrow as pa, pyarrow.parquet as pq
rows = pa.table({"a": ["x" * (100 * 1024)] * 3000})
pq.write_table(rows, sys.argv[1], compression="zstd", use_dictionary=False, column_encoding={"a": sys.argv[2]})
"""


@pytest.mark.parametrize("encoding", ["dictionary", "DELTA_BYTE_ARRAY"])
def test_parquet_that_makes_much_out_of_little_is_bounded(root, open_session, read, encoding):
    """A value of a MiB, ten thousand times: refused where it is folded up, and read a few rows at a time otherwise."""
    rows = pa.table({"a": pa.DictionaryArray.from_arrays(pa.array([0] * 10_000, pa.int32()), ["x" * MIB])})
    if encoding == "dictionary":
        pq.write_table(rows, root / "t.parquet", compression="zstd", store_schema=False)
        with pytest.raises(ExtractionError, match=r"raise max_batch_bytes"):
            read("t.parquet")
        return
    # In a process of its own: what it takes to write the bomb is not what it takes to read it.
    subprocess.run([sys.executable, "-c", _WRITE_BOMB, root / "t.parquet", encoding], check=True)
    from jivsbench.model.table import ExtractionRequest, TableName

    session = open_session(max_batch_bytes=8 * MIB)
    request = ExtractionRequest("test", TableName("t.parquet"))
    (part,) = session.partitions(request, session.schema(request), 1)
    sizes = [batch.nbytes for batch in session.read(part)]
    assert sum(sizes) > 3000 * 100 * 1024
    assert max(sizes) <= 8 * MIB


def test_damaged_parquet_is_refused_and_never_crashes(root, read):
    """Each of five hundred flips of one byte is refused, or changes nothing that was asked for."""
    rows = pa.table({"a": list(range(2000)), "b": [f"text {number}" for number in range(2000)]})
    pq.write_table(rows, root / "good.parquet", write_page_checksum=True, row_group_size=500)
    good = (root / "good.parquet").read_bytes()
    refused = 0
    for step in range(500):
        at = step * len(good) // 500
        (root / "t.parquet").write_bytes(good[:at] + bytes([good[at] ^ 0x5A]) + good[at + 1 :])
        try:
            found = read("t.parquet")
        except ExtractionError:
            refused += 1
            continue
        assert found.num_rows == rows.num_rows
    assert refused > 300
