"""Formats of output in a whole extraction: what the manifest declares, what is refused before anything is read."""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from jivsbench.errors import TypePolicyError, UsageError, VerificationError
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.folders import create_job_folder
from jivsbench.extract.manifest import parse_manifest
from jivsbench.extract.sinks import FileSink, build_encoding
from jivsbench.model.fingerprint import ColumnFingerprint, fingerprint_column
from jivsbench.model.output import EscapedCells, OutputFormat, OutputSettings
from jivsbench.model.profile import OPTIMIZED, Profile, Verification
from jivsbench.model.table import Partition
from tests.unit.extract_fakes import REQUEST, FakeConnection, FakeConnector, FakeServer, build_profile, build_source

PLAIN = replace(OPTIMIZED, switches=replace(OPTIMIZED.switches, compression=False))
BY_COLUMNS = replace(OPTIMIZED, verification=Verification.COLUMNS)
Build = Callable[..., Extractor]


class FiguresConnection(FakeConnection):
    """A session whose server also has figures of columns."""

    shift = 0
    """What its sum of the first column is off by."""

    def fingerprint_columns(self, partition: Partition) -> tuple[ColumnFingerprint, ...]:
        table = pa.Table.from_batches(self.read(partition))
        figures = tuple(fingerprint_column(name, table[name]) for name in table.schema.names)
        return (replace(figures[0], total=figures[0].total + self.shift), *figures[1:])


class WrongFiguresConnection(FiguresConnection):
    """One whose sum is not that of the rows."""

    shift = 1


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Builds extractors over a fake source, and closes them."""
    built: list[Extractor] = []

    def make(profile: Profile, server: FakeServer | None = None, session: type[FakeConnection] = FakeConnection) -> Extractor:
        fake = FakeConnector(server or FakeServer(), session)
        built.append(Extractor(connectors={"fake": fake}, guards=(), profile=build_profile(profile), output_dir=tmp_path))
        return built[-1]

    yield make
    for extractor in built:
        extractor.close(0.5)


def test_the_request_chooses_the_format_and_the_manifest_declares_it(build: Build, tmp_path: Path):
    """Format, compression and rules stand in the manifest; without a word in the request the profile decides."""
    extractor = build(replace(PLAIN, output=OutputSettings(OutputFormat.JSONL)))
    extractor.extract("profile", build_source(), REQUEST)
    extractor.extract("request", build_source(), replace(REQUEST, format=OutputFormat.CSV))
    by_profile, by_request = (
        parse_manifest((tmp_path / j / "manifest.json").read_bytes()).output for j in ("profile", "request")
    )

    assert (by_profile.format, by_profile.compression, by_request.format) == ("jsonl", "none", "csv")
    assert any("base64" in rule for rule in by_profile.rules)
    assert any("apostrophe is put in front" in rule for rule in by_request.rules)
    rows = [json.loads(line) for line in (tmp_path / "profile" / "part-00000.jsonl").read_text().splitlines()]
    assert rows == [{"id": i, "name": f"row {i}"} for i in range(100)]
    with (tmp_path / "request" / "part-00000.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["id", "name"], *([str(i), f"row {i}"] for i in range(100))]


class FormulaConnection(FakeConnection):
    """A session whose texts are formulas."""

    def read(self, partition: Partition) -> Iterator[pa.RecordBatch]:
        for batch in super().read(partition):
            yield pa.record_batch([batch[0], pa.array([f"=cmd|{i}" for i in batch[0].to_pylist()])], schema=batch.schema)


@pytest.mark.parametrize(("escapes", "count"), [(True, 100), (False, 0)])
def test_escaped_cells_are_counted_over_all_partitions(build: Build, tmp_path: Path, *, escapes: bool, count: int):
    """In result and manifest, by column; when the safe mode is off the manifest says that texts stand as they are."""
    extractor = build(
        replace(PLAIN, output=OutputSettings(OutputFormat.CSV, escapes)), FakeServer(split_into=3), FormulaConnection
    )
    result = extractor.extract("job", build_source(), REQUEST)
    output = parse_manifest((tmp_path / "job" / "manifest.json").read_bytes()).output

    assert result.escaped_cells == output.escaped_cells == ((EscapedCells("name", count),) if count else ())
    assert ("as they are" in output.rules[-1]) is not escapes


@pytest.mark.parametrize("output_format", [OutputFormat.CSV, OutputFormat.JSONL])
def test_formats_without_types_are_not_verified_by_columns(build: Build, output_format: OutputFormat):
    """Refused in review, so that no connection is even opened, with what to do instead."""
    server = FakeServer()
    extractor = build(BY_COLUMNS, server)

    with pytest.raises(
        UsageError, match=f"{output_format} keeps no types: verify by count, or choose the format parquet or arrow"
    ):
        extractor.extract("job", build_source(), replace(REQUEST, format=output_format))
    assert server.attempts == 0


@pytest.mark.parametrize("output_format", [OutputFormat.PARQUET, OutputFormat.ARROW])
def test_formats_with_types_are_verified_by_columns(build: Build, output_format: OutputFormat):
    """What lies on disk has the server's figures; a sum that is off by one is found."""
    request = replace(REQUEST, format=output_format)
    result = build(BY_COLUMNS, None, FiguresConnection).extract("right", build_source(), request)

    assert result.rows_written == 100
    with pytest.raises(VerificationError, match="column 'id' on disk differs from the source in its total"):
        build(BY_COLUMNS, None, WrongFiguresConnection).extract("wrong", build_source(), request)


@pytest.mark.parametrize("output_format", [OutputFormat.CSV, OutputFormat.JSONL])
def test_a_type_without_text_is_refused_with_the_column_named(output_format: OutputFormat):
    """Lists have no one form as text; the typed formats take them."""
    schema = pa.schema([("id", pa.int64()), ("tags", pa.list_(pa.string()))])

    with pytest.raises(UsageError, match=r"column 'tags' is of type list<.*>, which .*: choose the format parquet or arrow"):
        build_encoding(output_format, is_compressed=True).check(schema)
    for typed in (OutputFormat.PARQUET, OutputFormat.ARROW):
        build_encoding(typed, is_compressed=True).check(schema)


def test_two_columns_of_one_name_have_no_place_in_a_json_object():
    """A reader would keep one of them without a word."""
    with pytest.raises(UsageError, match="two columns are called 'a'"):
        build_encoding(OutputFormat.JSONL, is_compressed=True).check(pa.schema([("a", pa.int64()), ("a", pa.int64())]))


@pytest.mark.parametrize("output_format", OutputFormat)
def test_a_cell_larger_than_any_block_is_written_and_counted(tmp_path: Path, output_format: OutputFormat):
    """10 MB in one cell, with line breaks in it; the reader that counts has blocks of 4 MiB at first."""
    batch = pa.record_batch({"text": ["a\r\nb\n" * 2_000_000, None, ""]})
    job = create_job_folder(tmp_path, "job")
    sink = FileSink(job, 0, batch.schema, build_encoding(output_format, is_compressed=True))
    sink.write(batch)

    assert sink.close().row_count == 3


@pytest.mark.parametrize("output_format", OutputFormat)
def test_sliced_dictionary_and_wide_columns_are_written_like_others(tmp_path: Path, output_format: OutputFormat):
    """A batch that begins in the middle of its buffers, dictionaries of texts, texts with 64-bit offsets: three rows each."""
    names = pa.array(["x", "=a", None, "z", "w"])
    batch = pa.record_batch({"d": names.dictionary_encode(), "l": names.cast(pa.large_string()), "s": names}).slice(1, 3)
    job = create_job_folder(tmp_path, "job")
    sink = FileSink(job, 0, batch.schema, build_encoding(output_format, is_compressed=False))
    sink.write(batch)
    written = sink.close()
    content = Path(job.temporary(written.name)).read_bytes()

    assert written.row_count == 3
    if output_format is OutputFormat.CSV:
        assert content == b'"d","l","s"\r\n"\'=a","\'=a","\'=a"\r\n,,\r\n"z","z","z"\r\n'
    if output_format is OutputFormat.JSONL:
        assert [json.loads(line)["d"] for line in content.splitlines()] == ["=a", None, "z"]


@pytest.mark.parametrize("output_format", [OutputFormat.CSV, OutputFormat.JSONL])
@pytest.mark.parametrize(
    ("stored", "kind"),
    [
        *((pa.array([0, None, 2**31 - 1], pa.int32()), pa.date32()), (pa.array([0, -1]), pa.time64("us"))),
        *((pa.array([86_400_000_000]), pa.time64("us")), (pa.array([0, -(2**62)]), pa.timestamp("us", "Europe/Berlin"))),
        *((pa.array([2**55]), pa.timestamp("ms")), (pa.array([2**45]), pa.timestamp("s"))),
    ],
)
def test_a_moment_without_text_ends_the_extraction(tmp_path: Path, output_format: OutputFormat, stored: pa.Array, kind):
    """Arrow would write `<value out of range: 2147483647>` as if it were the value."""
    batch = pa.record_batch({"id": pa.nulls(len(stored)), "at": stored.view(kind)})
    sink = FileSink(create_job_folder(tmp_path, "job"), 0, batch.schema, build_encoding(output_format, is_compressed=False))

    with pytest.raises(TypePolicyError, match="column 'at' holds a value"):
        sink.write(batch)
    sink.abort()


@pytest.mark.parametrize("output_format", [OutputFormat.CSV, OutputFormat.JSONL])
def test_moments_of_far_years_have_a_text(tmp_path: Path, output_format: OutputFormat):
    """Also those beyond Python's, and before our time."""
    batch = pa.record_batch({"at": pa.array([2_932_897, -719_529], pa.int32()).view(pa.date32())})
    job = create_job_folder(tmp_path, "job")
    sink = FileSink(job, 0, batch.schema, build_encoding(output_format, is_compressed=False))
    sink.write(batch)
    content = Path(job.temporary(sink.close().name)).read_text()

    assert "10000-01-01" in content
    assert "-0001-12-31" in content


@pytest.mark.parametrize("output_format", OutputFormat)
def test_batches_without_rows_write_nothing(tmp_path: Path, output_format: OutputFormat):
    """A filter may leave none of a batch's rows: the file is whole, and holds those of the other batches."""
    batch = pa.record_batch({"id": [1, 2], "text": ["a", None]})
    job = create_job_folder(tmp_path, "job")
    for rows, batches in ((0, [batch.slice(0, 0), batch.slice(1, 0)]), (2, [batch.slice(0, 0), batch, batch.slice(2, 0)])):
        sink = FileSink(job, rows, batch.schema, build_encoding(output_format, is_compressed=True))
        for some in batches:
            sink.write(some)
        assert sink.close().row_count == rows
        sink.abort()


def test_null_in_a_csv_of_one_column_is_a_row(tmp_path: Path):
    """It is an empty line, and is counted as the row that it is."""
    batch = pa.record_batch({"text": [None, "", None]})
    job = create_job_folder(tmp_path, "job")
    sink = FileSink(job, 0, batch.schema, build_encoding(OutputFormat.CSV, is_compressed=False))
    sink.write(batch)
    written = sink.close()

    assert written.row_count == 3
    assert Path(job.temporary(written.name)).read_bytes() == b'"text"\r\n\r\n""\r\n\r\n'
