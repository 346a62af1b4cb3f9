"""Files on disk: row groups, full disks, folders that cannot be written. Real file systems, nothing patched."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jivsbench.errors import ExtractionError, OutputError
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.folders import JobFolder, create_job_folder
from jivsbench.extract.sinks import FileSink, build_encoding
from jivsbench.extract.sinks.parquet import ROW_GROUP_ROWS
from jivsbench.model.output import OutputFormat
from jivsbench.model.profile import OPTIMIZED
from tests.unit.extract_fakes import REQUEST, FakeConnector, FakeServer, build_profile, build_source

SCHEMA = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("name", pa.string())])

PLAIN = replace(OPTIMIZED, switches=replace(OPTIMIZED.switches, compression=False))


every_format = pytest.mark.parametrize("output_format", OutputFormat)


def open_sink(job: JobFolder, output_format: OutputFormat = OutputFormat.PARQUET, *, is_compressed: bool = True) -> FileSink:
    """A sink for the first partition of a job."""
    return FileSink(job, 0, SCHEMA, build_encoding(output_format, is_compressed=is_compressed))


def build_batch(start: int, count: int) -> pa.RecordBatch:
    """Rows with consecutive ids."""
    ids = range(start, start + count)
    return pa.record_batch([pa.array(ids, pa.int64()), pa.array([f"row {i}" for i in ids])], schema=SCHEMA)


def write(folder: Path, batches: list[pa.RecordBatch], *, is_compressed: bool = True) -> pq.ParquetFile:
    """Write batches as one partition and open what lies on disk."""
    job = create_job_folder(folder, "job")
    sink = open_sink(job, is_compressed=is_compressed)
    for batch in batches:
        sink.write(batch)
    written = sink.close()
    job.publish([written.name])
    return pq.ParquetFile(folder / "job" / written.name)


def test_small_batches_become_large_row_groups(tmp_path: Path):
    """200,000 rows in batches of 1,000: full groups and the rest."""
    file = write(tmp_path, [build_batch(n * 1000, 1000) for n in range(200)])

    groups = [file.metadata.row_group(n).num_rows for n in range(file.metadata.num_row_groups)]
    assert groups == [66_000, 66_000, 66_000, 2_000]
    assert groups[0] >= ROW_GROUP_ROWS
    assert file.read()["id"].to_pylist() == list(range(200_000))


@pytest.mark.parametrize(("is_compressed", "codec"), [(True, "ZSTD"), (False, "UNCOMPRESSED")])
def test_the_compression_switch_chooses_the_codec(tmp_path: Path, *, is_compressed: bool, codec: str):
    """zstd, or plain pages."""
    file = write(tmp_path, [build_batch(0, 100)], is_compressed=is_compressed)

    assert file.metadata.row_group(0).column(1).compression == codec


def test_only_files_with_something_to_skip_have_statistics(tmp_path: Path):
    """A reader skips row groups by them; a small file has one group."""
    small, large = write(tmp_path / "a", [build_batch(0, 100)]), write(tmp_path / "b", [build_batch(0, 20_000)])

    assert [f.metadata.row_group(0).column(0).is_stats_set for f in (small, large)] == [False, True]


@every_format
def test_a_batch_of_another_schema_is_refused(tmp_path: Path, output_format: OutputFormat):
    """A connector that breaks its promise is named as the one at fault."""
    sink = open_sink(create_job_folder(tmp_path, "job"), output_format)

    with pytest.raises(ExtractionError, match="another schema than it declared"):  # noqa: PT012 - formats without groups write at once
        sink.write(pa.record_batch({"id": ["text"]}))
        sink.close()
    sink.abort()


NAMES = {
    (OutputFormat.PARQUET, True): "part-00000.parquet",
    (OutputFormat.PARQUET, False): "part-00000.parquet",
    (OutputFormat.ARROW, True): "part-00000.arrow",
    (OutputFormat.ARROW, False): "part-00000.arrow",
    (OutputFormat.CSV, True): "part-00000.csv.zst",
    (OutputFormat.CSV, False): "part-00000.csv",
    (OutputFormat.JSONL, True): "part-00000.jsonl.zst",
    (OutputFormat.JSONL, False): "part-00000.jsonl",
}


@pytest.mark.parametrize(("output_format", "is_compressed"), NAMES)
def test_nothing_has_its_final_name_before_it_is_published(tmp_path: Path, output_format: OutputFormat, *, is_compressed: bool):
    """Until then only files with the attempt's own name are there."""
    job = create_job_folder(tmp_path, "job")
    sink = open_sink(job, output_format, is_compressed=is_compressed)
    sink.write(build_batch(0, 10))
    written = sink.close()
    before = [p.name for p in (tmp_path / "job").iterdir()]
    job.publish([written.name])

    name = NAMES[output_format, is_compressed]
    assert before == [f"{name}.tmp-{job.attempt}"]
    assert [p.name for p in (tmp_path / "job").iterdir()] == [name]
    assert written.row_count == 10


@pytest.mark.parametrize(("output_format", "is_compressed"), NAMES)
@pytest.mark.parametrize("rows", [0, 1, 300_000])
def test_rows_are_counted_from_the_disk_alone(tmp_path: Path, output_format: OutputFormat, rows: int, *, is_compressed: bool):
    """A count by another encoding object, which never saw the writer, is the number of rows; small or several groups."""
    job = create_job_folder(tmp_path, "job")
    sink = open_sink(job, output_format, is_compressed=is_compressed)
    for start in range(0, rows, 60_000):
        sink.write(build_batch(start, min(60_000, rows - start)))
    written = sink.close()

    assert written.row_count == rows
    assert written.size_bytes == Path(job.temporary(written.name)).stat().st_size
    fresh = build_encoding(output_format, is_compressed=is_compressed)
    assert fresh.count_rows(job.temporary(written.name)) == rows


@pytest.mark.parametrize(("output_format", "is_compressed"), NAMES)
def test_a_file_that_lost_its_end_is_not_counted_as_whole(tmp_path: Path, output_format: OutputFormat, *, is_compressed: bool):
    """A tenth cut off: reading raises, or finds fewer rows; never as many as were written."""
    job = create_job_folder(tmp_path, "job")
    sink = open_sink(job, output_format, is_compressed=is_compressed)
    sink.write(build_batch(0, 5_000))
    written = sink.close()
    path = job.temporary(written.name)
    os.truncate(path, written.size_bytes * 9 // 10)

    try:
        found = build_encoding(output_format, is_compressed=is_compressed).count_rows(path)
    except (OSError, pa.ArrowException):
        return
    assert found < 5_000
    assert output_format in (OutputFormat.CSV, OutputFormat.JSONL)
    assert not is_compressed


@every_format
def test_memory_stays_bounded_while_a_large_partition_is_written(tmp_path: Path, output_format: OutputFormat):
    """40 batches of 10 MB: Arrow never holds more than a few groups of 96 MiB, and nothing at the end."""
    text = pa.array(["x" * 1000] * 10_000)
    batch = pa.record_batch([pa.array(range(10_000), pa.int64()), text], schema=SCHEMA)
    before = pa.total_allocated_bytes()
    sink = open_sink(create_job_folder(tmp_path, "job"), output_format)
    held = []
    for _ in range(40):
        # A copy of its own, as a connector would make.
        sink.write(pa.record_batch([batch[0], pa.array(batch[1].to_pylist()[:1] * 10_000)], schema=SCHEMA))
        held.append(pa.total_allocated_bytes() - before)
    rows = sink.close().row_count

    assert rows == 400_000
    assert max(held) < 220 * 2**20


def test_a_file_stands_in_the_way_of_the_output_folder(tmp_path: Path):
    """The error names the folder that was asked for."""
    (tmp_path / "out").write_text("a file")

    with pytest.raises(OutputError, match=f"{tmp_path / 'out'} cannot be written"):
        create_job_folder(tmp_path / "out", "job")


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, check=False
    ).returncode:
        pytest.skip("only root may mount a small file system; the test with a file size limit covers the same path")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@every_format
def test_a_full_disk_fails_the_job_and_leaves_nothing(full_disk: Path, output_format: OutputFormat):
    """OutputError with the reason; the next, smaller job finds the space free again."""
    server = FakeServer(rows=200_000, batch_rows=10_000)
    extractor = Extractor(
        connectors={"fake": FakeConnector(server)}, guards=(), profile=build_profile(PLAIN), output_dir=full_disk
    )

    with pytest.raises(OutputError, match="No space left on device"):
        extractor.extract("big", build_source(), replace(REQUEST, format=output_format))
    left = list(full_disk.rglob("*"))
    server.rows = 100
    result = extractor.extract("small", build_source(), replace(REQUEST, format=output_format))
    extractor.close()

    assert left == []
    assert result.rows_written == 100


LIMITED = """
    import resource, sys
    from dataclasses import replace
    from pathlib import Path
    from jivsbench.errors import OutputError
    from jivsbench.extract.extractor import Extractor
    from jivsbench.model.output import OutputFormat
    from jivsbench.model.profile import LEGACY
    from tests.unit.extract_fakes import REQUEST, FakeConnector, FakeServer, build_profile, build_source

    out = Path(sys.argv[1])
    server = FakeServer(rows=100_000, batch_rows=10_000)
    extractor = Extractor(connectors={"fake": FakeConnector(server)}, guards=(), profile=build_profile(LEGACY), output_dir=out)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, resource.RLIM_INFINITY))
    try:
        extractor.extract("job", build_source(), replace(REQUEST, format=OutputFormat(sys.argv[2])))
    except OutputError as error:
        print(type(error).__name__, error, [p.name for p in out.rglob("*")], extractor.pool_statistics()[0].active)
"""


def run_python(code: str, *args: str) -> str:
    """Run code in a process of its own; what it printed, and fail with what it complained of."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *args],
        capture_output=True,
        check=False,
        text=True,
        # Without coverage: its own file could not be written either under the limits that these tests set.
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("COV")},
            "PYTHONPATH": str(Path.cwd()),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@every_format
def test_a_file_that_may_not_grow_fails_the_job(tmp_path: Path, output_format: OutputFormat):
    """A file size limit is found when writing, not taken for the end of the data; no file and no lease are left."""
    printed = run_python(LIMITED, str(tmp_path / "out"), output_format.value)

    assert printed.startswith(f"OutputError the output folder {tmp_path}/out/job cannot be written (File too large)")
    assert printed.endswith("[] 0\n")


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path):
    """With the reason that the system gives."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    # Root may write into any folder but those that the kernel makes up.
    asked = Path("/proc") if os.geteuid() == 0 else folder

    with pytest.raises(OutputError, match=rf"the output folder {asked}(/job)? cannot be written"):
        create_job_folder(asked, "job")
