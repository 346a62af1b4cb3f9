"""What the formats of text write is read back by readers that know nothing of the writer: a parser by RFC 4180, and json."""

import base64
import datetime as dt
import json
import math
import tempfile
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.extract.folders import create_job_folder
from jivsbench.extract.sinks import FileSink, WrittenFile, build_encoding
from jivsbench.model.output import EscapedCells, OutputFormat

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ["", "=1+1", "+1", "-1", "@x", "\tx", "\rx", "'", '"', "=", "\r\n", ",", "\\", "\x00", "null", " =1", "x=1", "\u2028", "\n=1"]
)
SCHEMA = pa.schema(
    [
        pa.field("whole", pa.int64()),
        pa.field("text", pa.string()),
        pa.field("decimal", pa.decimal128(20, 8)),
        pa.field("float", pa.float64()),
        pa.field("single", pa.float32()),
        pa.field("flag", pa.bool_()),
        pa.field("bytes", pa.binary()),
        pa.field("day", pa.date32()),
        pa.field("time", pa.time64("us")),
        pa.field("at", pa.timestamp("us", "UTC")),
        pa.field('odd "name",\n=1', pa.timestamp("us")),
    ]
)
MOMENTS = st.datetimes()
ROWS = st.lists(
    st.tuples(
        *(
            st.none() | values
            for values in (
                st.integers(-(2**63), 2**63 - 1),
                TEXTS,
                st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**11), max_value=10**11),
                st.floats(),
                st.floats(width=32),
                st.booleans(),
                st.binary(max_size=9),
                st.dates(),
                st.times(),
                MOMENTS.map(lambda moment: moment.replace(tzinfo=dt.UTC)),
                MOMENTS,
            )
        )
    ),
    max_size=12,
)


def build_batches(rows: list[tuple[object, ...]], schema: pa.Schema = SCHEMA) -> list[pa.RecordBatch]:
    """Batches of five rows."""
    table = pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)
    return table.to_batches(max_chunksize=5)


def write(
    output_format: OutputFormat, batches: list[pa.RecordBatch], schema: pa.Schema = SCHEMA, *, escape_formulas: bool = True
) -> tuple[WrittenFile, bytes]:
    """Write without compression; what the sink says, and the bytes on the disk."""
    encoding = build_encoding(output_format, is_compressed=False, escape_formulas=escape_formulas)
    encoding.check(schema)
    with tempfile.TemporaryDirectory() as folder:
        job = create_job_folder(Path(folder), "job")
        sink = FileSink(job, 0, schema, encoding)
        for batch in batches:
            sink.write(batch)
        written = sink.close()
        return written, Path(job.temporary(written.name)).read_bytes()


def parse_rfc4180(text: str) -> list[list[str | None]]:
    """Records by the grammar of RFC 4180, character by character; a cell that is empty and not in quotes is None."""
    records: list[list[str | None]] = []
    record: list[str | None] = []
    position = 0
    while position < len(text):
        cell = ""
        if text[position] == '"':
            while True:
                end = text.index('"', position + 1)
                cell += text[position + 1 : end]
                position = end + 1
                if text[position : position + 1] != '"':
                    break
                cell += '"'
            record.append(cell)
        else:
            while text[position] not in ',\r"\n':
                cell += text[position]
                position += 1
            record.append(cell or None)
        if text[position] == ",":
            position += 1
            if text[position] == "\r":
                # The last cell of the record is empty.
                record.append(None)
        if text[position] == "\r":
            assert text[position : position + 2] == "\r\n"
            position += 2
            records.append(record)
            record = []
    assert record == []
    return records


def is_same_float(left: float | None, right: float | None) -> bool:
    """Equal, with the sign of zero; NaN equals NaN."""
    if left is None or right is None:
        return left is right
    return (math.isnan(left) and math.isnan(right)) or (left == right and math.copysign(1, left) == math.copysign(1, right))


def neutralise(text: str) -> str:
    """The oracle of the safe mode: by the first character that is no apostrophe."""
    return "'" + text if text.lstrip("'")[:1] in ("=", "+", "-", "@", "\t", "\r", "\n", "\0") else text


def restore(text: str) -> str:
    """What a reader does to have the source's text again."""
    return text[1:] if text.startswith("'") and neutralise(text) != text else text


def read_csv_cells(cells: list[str | None]) -> tuple[object, ...]:
    """A record as Python values, by what the manifest declares."""
    readers = (
        int,
        str,
        Decimal,
        float,
        float,
        {"true": True, "false": False}.__getitem__,
        lambda text: bytes.fromhex(text.removeprefix("\\x")),
        dt.date.fromisoformat,
        dt.time.fromisoformat,
        dt.datetime.fromisoformat,
        dt.datetime.fromisoformat,
    )
    return tuple(None if cell is None else read(cell) for read, cell in zip(readers, cells, strict=True))


def check_rows(found: list[tuple[object, ...]], rows: list[tuple[object, ...]]) -> None:
    """Value for value, floats with the sign of zero."""
    assert len(found) == len(rows)
    for left, right in zip(found, rows, strict=True):
        assert left[:3] == right[:3]
        assert is_same_float(left[3], right[3])
        assert is_same_float(left[4], right[4])
        assert left[5:] == right[5:]


def canonical(batches: list[pa.RecordBatch]) -> list[tuple[object, ...]]:
    """Rows as Arrow holds them: what the sink was given."""
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]


@given(ROWS)
def test_csv_comes_back_equal(rows: list[tuple[object, ...]]) -> None:
    """Without the safe mode every value is there; NULL and the empty text are told apart; counted right from the disk."""
    batches = build_batches(rows)
    written, content = write(OutputFormat.CSV, batches, escape_formulas=False)
    header, *records = parse_rfc4180(content.decode())

    assert header == SCHEMA.names
    assert written.row_count == len(rows)
    assert written.escaped_cells == ()
    # Single floats are written as their own shortest text.
    found = [read_csv_cells(record) for record in records]
    check_rows(
        [(*f[:4], None if f[4] is None else pa.scalar(f[4], pa.float32()).as_py(), *f[5:]) for f in found], canonical(batches)
    )


@given(st.lists(st.tuples(st.none() | TEXTS, st.none() | st.integers(), st.none() | TEXTS), max_size=20))
def test_formulas_are_neutralised_and_counted(rows: list[tuple[str | None, int | None, str | None]]) -> None:
    """Texts that begin with one of eight characters get an apostrophe, as do those that would look as if; no others, nor numbers.

    So the source's texts can be had again; and each column is counted.
    """
    schema = pa.schema([("a", pa.string()), ("number", pa.int64()), ("=b", pa.string())])
    rows = [(a, None if n is None else n % 1000 - 500, b) for a, n, b in rows]
    written, content = write(OutputFormat.CSV, build_batches(rows, schema), schema)
    header, *records = parse_rfc4180(content.decode())

    assert header == ["a", "number", "'=b"]
    expected = [
        [None if a is None else neutralise(a), None if n is None else str(n), None if b is None else neutralise(b)]
        for a, n, b in rows
    ]
    assert records == expected
    assert [tuple(None if r[i] is None else restore(r[i]) for i in (0, 2)) for r in records] == [(a, b) for a, _, b in rows]
    changed = {name: sum(neutralise(row[i] or "") != (row[i] or "") for row in rows) for name, i in (("a", 0), ("=b", 2))}
    changed["=b"] += 1
    assert written.escaped_cells == tuple(EscapedCells(name, count) for name, count in changed.items() if count)


@given(ROWS)
def test_json_lines_come_back_equal(rows: list[tuple[object, ...]]) -> None:
    """By `json` with its strictest settings; not-a-number and the infinities are texts by the declared rule."""
    batches = build_batches(rows)
    written, content = write(OutputFormat.JSONL, batches)
    lines = content.decode().split("\n")

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    objects = [json.loads(line, parse_constant=refuse, parse_float=float) for line in lines[:-1]]
    assert lines[-1] == ""
    assert written.row_count == len(rows)
    assert all(list(row) == SCHEMA.names for row in objects)
    readers = (
        None,
        None,
        Decimal,
        float,
        lambda value: pa.scalar(float(value), pa.float32()).as_py(),
        None,
        base64.b64decode,
        dt.date.fromisoformat,
        dt.time.fromisoformat,
        dt.datetime.fromisoformat,
        dt.datetime.fromisoformat,
    )
    found = [
        tuple(v if v is None or read is None else read(v) for read, v in zip(readers, row.values(), strict=True))
        for row in objects
    ]
    check_rows(found, canonical(batches))


@pytest.mark.parametrize("output_format", [OutputFormat.PARQUET, OutputFormat.ARROW])
@given(rows=ROWS)
def test_typed_formats_come_back_equal(output_format: OutputFormat, rows: list[tuple[object, ...]]) -> None:
    """By pyarrow, with every type."""
    batches = build_batches(rows)
    written, content = write(output_format, batches)
    read = pq.read_table if output_format is OutputFormat.PARQUET else lambda source: pa.ipc.open_file(source).read_all()
    table = read(pa.BufferReader(content))

    assert written.row_count == len(rows)
    assert table.schema.equals(SCHEMA)
    check_rows(canonical(table.to_batches()), canonical(batches))
