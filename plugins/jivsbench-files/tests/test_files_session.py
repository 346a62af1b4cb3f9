"""Sessions: several files as one table, byte ranges, files that change, cancel and time limits."""

import csv
import json
import os
import threading
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jivsbench.api import ReadLimits
from jivsbench.errors import CancelledJobError, DeadlineError, ExtractionError, MissingObjectError
from jivsbench.model.table import Consistency, ExtractionRequest, Filter, Operator, Partition, TableName, parse_table_name


def request(name, **asked):
    """A request for a table."""
    return ExtractionRequest("test", parse_table_name(name), **asked)


def test_tables_are_files_by_their_relative_names(root, open_session):
    """Hidden files, other formats and declarations are none; what is deeper has its folder before it."""
    (root / "sub" / "deep").mkdir(parents=True)
    for name in (
        "b.CSV",
        "a.jsonl",
        "sub/c.parquet",
        "sub/deep/d.csv.gz",
        ".hidden.csv",
        "x.txt",
        "a.jsonl.columns.toml",
        "p.parquet.gz",
    ):
        (root / name).write_text("")

    assert [str(table) for table in open_session().tables()] == ["a.jsonl", "b.CSV", "sub/c.parquet", "sub/deep/d.csv.gz"]


@pytest.mark.parametrize("table", ["day", "day/*.csv", "day/[ab].csv"])
def test_a_folder_or_a_pattern_is_one_table(root, read, table):
    """Files in the order of their names; types are found in all of them together."""
    (root / "day").mkdir()
    (root / "day" / "a.csv").write_text("id,v\n1,1\n2,2\n")
    (root / "day" / "b.csv").write_text("id,v\n3,1.5\n")

    rows = read(table, streams=2)

    assert rows["id"].to_pylist() == [1, 2, 3]
    assert rows.schema.field("v").type == pa.decimal128(18, 1)


def test_files_of_one_table_have_the_same_columns(root, read):
    """Another column, another type of Parquet, another format: named, not joined somehow."""
    (root / "day").mkdir()
    (root / "day" / "a.csv").write_text("id,v\n1,1\n")
    (root / "day" / "b.csv").write_text("id,w\n3,1.5\n")
    with pytest.raises(ExtractionError, match=r"'day/b.csv' has not the columns"):
        read("day")
    pq.write_table(pa.table({"id": pa.array([1], pa.int32())}), root / "day" / "a.parquet")
    with pytest.raises(ExtractionError, match=r"several formats"):
        read("day")
    pq.write_table(pa.table({"id": pa.array([1], pa.int64())}), root / "day" / "b.parquet")
    with pytest.raises(ExtractionError, match=r"'day/b.parquet' has not the columns"):
        read("day/*.parquet")
    with pytest.raises(MissingObjectError, match=r"no file of a format"):
        read("day/*.xml")


def test_byte_ranges_never_cut_a_quoted_record(root, open_session):
    """Line ends and quotes everywhere: four streams read what one reads, each row once, with the counter's numbers."""
    with (root / "t.csv").open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(["id", "text"])
        writer.writerows([number, f'"{number}"\n,' + "\n" * (number % 97)] for number in range(400_000))
    session = open_session()
    asked = request("t.csv")
    schema = session.schema(asked)

    parts = session.partitions(asked, schema, 4)
    tables = [pa.Table.from_batches(session.read(part), schema.to_arrow()) for part in parts]

    assert len(parts) == 4
    assert [table.num_rows for table in tables] == [session.fingerprint(part).row_count for part in parts]
    assert pa.concat_tables(tables)["id"].to_pylist() == list(range(400_000))
    assert min(table.num_rows for table in tables) > 20_000


def test_a_row_number_counts_from_the_file_in_every_partition(root, read):
    """A value that does not fit, in the last byte range."""
    (root / "t.csv").write_text("id,w\n" + "1,abcdefghijkl\n" * 999_999 + "x,abc\n")
    (root / "t.csv.columns.toml").write_text('[columns]\nid = "int64"\n')

    with pytest.raises(ExtractionError, match=r"row 1000000: column 'id'"):
        read("t.csv", streams=3)


def grow(path):
    """One more row."""
    with path.open("a") as file:
        file.write("9,9\n")


def keep_size(path):
    """Another value in the same bytes."""
    path.write_text(path.read_text().replace("1,1", "1,7", 1))


def replace(path):
    """Another file of the same content and time takes the name."""
    found = path.stat()
    other = path.with_name("other.txt")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    other.rename(path)


def forge_times(path):
    """Changed, and the time set back: the inode's own time cannot be."""
    found = path.stat()
    keep_size(path)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def read_while(session, part, change, after=None):
    """Read a partition; `change` happens after its first batch, `after` at its end. Then ask what was kept."""
    for number, _ in enumerate(session.read(part)):
        if change is not None and number == 0:
            change()
    if after is not None:
        after()
    session.consistency(part.request)


@pytest.mark.parametrize("change", [grow, keep_size, replace, forge_times])
@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_a_file_that_changes_is_noticed(*, root, open_session, change, moment):
    """Between schema and reading, between two batches, and after the last row."""
    path = root / "t.csv"
    path.write_text("a,b\n" + "1,1\n" * 1_500_000)
    session = open_session()
    asked = request("t.csv")
    (part,) = session.partitions(asked, session.schema(asked), 1)
    time.sleep(0.02)

    if moment == "before":
        change(path)
    with pytest.raises(ExtractionError, match=r"was changed while it was read"):
        read_while(session, part, *((lambda: change(path)) if moment == when else None for when in ("within", "after")))

    session.reset()
    session.begin()
    assert session.schema(asked).to_arrow().names == ["a", "b"]
    assert session.consistency(asked) is Consistency.UNCHANGED


def test_a_file_that_comes_or_goes_is_noticed(root, open_session):
    """In a folder that is a table."""
    (root / "day").mkdir()
    (root / "day" / "a.csv").write_text("a\n1\n")
    (root / "day" / "b.csv").write_text("a\n2\n")
    session = open_session()
    asked = request("day")
    (part,) = session.partitions(asked, session.schema(asked), 1)
    list(session.read(part))
    (root / "day" / "c.csv").write_text("a\n3\n")
    with pytest.raises(ExtractionError, match=r"'day/c.csv' came"):
        session.consistency(asked)
    (root / "day" / "c.csv").unlink()
    (root / "day" / "b.csv").unlink()
    with pytest.raises(ExtractionError, match=r"'day/b.csv' went"):
        session.consistency(asked)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_cancel_ends_a_survey_and_a_read(root, open_session, suffix):
    """From another thread, within a second; afterwards the session is as good as new."""
    line = "1,1\n" if suffix == ".csv" else json.dumps({"a": 1, "b": 1}) + "\n"
    (root / f"t{suffix}").write_text(("a,b\n" if suffix == ".csv" else "") + line * 6_000_000)
    session = open_session()
    timer = threading.Timer(0.2, session.cancel)
    timer.start()
    started = time.monotonic()
    with pytest.raises(CancelledJobError):
        session.schema(request(f"t{suffix}"))
    timer.join()

    assert time.monotonic() - started < 2
    session.reset()
    session.begin()
    (root / "small.csv").write_text("a\n1\n")
    assert session.schema(request("small.csv")).to_arrow().names == ["a"]


def test_a_read_ends_at_its_time_limit(root, open_session):
    """And says which setting it was."""
    (root / "t.csv").write_text("a,b\n" + "1,1\n" * 6_000_000)
    with pytest.raises(DeadlineError, match=r"query_timeout_s"):
        open_session(limits=ReadLimits(query_timeout_s=0.1)).schema(request("t.csv"))


def test_memory_stays_bounded(root, open_session):
    """A hundred megabytes are read with a fraction of it, batch by batch."""
    (root / "t.csv").write_text("a,b\n" + ("x" * 96 + ",1\n") * 1_000_000)
    session = open_session()
    asked = request("t.csv")
    (part,) = session.partitions(asked, session.schema(asked), 1)
    pa.default_memory_pool().release_unused()
    before = pa.total_allocated_bytes()
    highest = rows = 0
    for batch in session.read(part):
        rows += batch.num_rows
        highest = max(highest, pa.total_allocated_bytes() - before)

    assert rows == 1_000_000
    assert highest < 48 << 20


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("a", "x"), ("a", 1.5), ("a", True), ("a", "1e999999999"), ("d", "today")),
        *(("r", "1_0"), ("r", "1\u0660")),
        *(("m", "2020-01-01T00:00:00Z"), ("m", "x"), ("t", "10:00+02:00"), ("s", "\ud800")),
        # Not cut after the microsecond, to which a column's value is equal.
        *(("m", "2020-01-01T00:00:00.0000001"), ("t", "10:00:00,1234560000007")),
    ],
)
@pytest.mark.parametrize("operator", [Operator.EQUAL, Operator.IN])
def test_a_filter_of_another_type_is_refused_before_reading(*, root, open_session, column, value, operator):
    """Never no rows, never all rows; a time is not compared without its offset."""
    (root / "t.csv").write_text("a,d,m,t,s,r\n1,2020-01-01,2020-01-01T00:00,10:00,x,1e1\n")
    with pytest.raises(ExtractionError, match=f"column '{column}'"):
        open_session().schema(request("t.csv", filters=(Filter(column, operator, (value,)),)))


def test_a_pattern_that_is_no_text_is_refused(root, open_session):
    """With the column."""
    (root / "t.csv").write_text("s\nx\n")
    with pytest.raises(ExtractionError, match="column 's'"):
        open_session().schema(request("t.csv", filters=(Filter("s", Operator.LIKE, ("\ud800%",)),)))


@pytest.mark.parametrize(("columns", "now"), [((), "a,b\n1,2\n"), ((), "a\n1.5\n"), (("a",), "a\nx\n")])
def test_a_schema_of_another_time_is_not_read_with(root, open_session, columns: tuple[str, ...], now: str):
    """A schema that was kept elsewhere, and a file that has one more column today, or other values and so another type."""
    (root / "t.csv").write_text("a\n1\n")
    session = open_session()
    asked = request("t.csv", columns=columns)
    schema = session.schema(asked)
    session.reset()
    (root / "t.csv").write_text(now)
    session.begin()
    for step in (lambda: session.partitions(asked, schema, 2), lambda: list(session.read(Partition(0, asked, schema)))):
        with pytest.raises(ExtractionError, match=r"other columns than when its schema was read"):
            step()


def test_facts_and_life(root, open_session):
    """Which folder, on what; a folder that is renamed away is no longer the source."""
    session = open_session()
    assert str(root) in session.test().database
    assert session.is_alive()
    root.rename(root.with_name("elsewhere"))

    assert not session.is_alive()
    assert TableName("x") not in session.tables()
