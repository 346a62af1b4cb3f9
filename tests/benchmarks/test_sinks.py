"""What a sink costs beside pyarrow's bare writer of the same format, as a ratio of throughputs within one run.

The sink also gathers groups, syncs, and counts the rows on the disk again. Run with `pytest tests/benchmarks --benchmark-only`.
"""

import io
import itertools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from jivsbench.dataset import Dataset
from jivsbench.extract.folders import create_job_folder
from jivsbench.extract.sinks import FileSink, build_encoding
from jivsbench.model.output import OutputFormat

pytestmark = pytest.mark.benchmark

ROWS = 100_000
SMALLEST_RATIO = {OutputFormat.PARQUET: 0.5, OutputFormat.ARROW: 0.3, OutputFormat.CSV: 0.3, OutputFormat.JSONL: 2.0}
"""Throughput of the sink to that of the bare writer; of JSON lines to `to_pylist` and `json.dumps`, as pyarrow writes none."""


def write_parquet(table: pa.Table, stream: pa.NativeFile) -> None:
    """Parquet as the sink has it."""
    pq.write_table(table, stream, compression="zstd", compression_level=1, use_dictionary=False)


def write_arrow(table: pa.Table, stream: pa.NativeFile) -> None:
    """Arrow IPC as the sink has it."""
    with pa.ipc.new_file(stream, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)) as writer:
        writer.write_table(table)


def write_csv(table: pa.Table, stream: pa.NativeFile) -> None:
    """CSV as pyarrow writes it."""
    with pa.CompressedOutputStream(stream, "zstd") as text:
        pcsv.write_csv(table, text)


def write_json(table: pa.Table, stream: pa.NativeFile) -> None:
    """What code without a vectorised writer does."""
    with pa.CompressedOutputStream(stream, "zstd") as text, io.BytesIO() as lines:
        for row in table.to_pylist():
            lines.write(json.dumps(row, default=str).encode() + b"\n")
        text.write(lines.getvalue())


BARE: dict[OutputFormat, Callable[[pa.Table, pa.NativeFile], None]] = {
    OutputFormat.PARQUET: write_parquet,
    OutputFormat.ARROW: write_arrow,
    OutputFormat.CSV: write_csv,
    OutputFormat.JSONL: write_json,
}


@pytest.mark.parametrize("output_format", OutputFormat)
def test_a_sink_costs_little_beside_the_bare_writer(benchmark, tmp_path: Path, output_format: OutputFormat) -> None:
    """Both in turn, so that the machine's mood meets both; the median of the pairs' ratios counts."""
    table = pa.Table.from_batches(Dataset(ROWS).batches())
    batches = table.to_batches(max_chunksize=10_000)
    encoding = build_encoding(output_format, is_compressed=True)
    numbers = itertools.count()
    ratios, rates = [], []

    def write_sink() -> None:
        sink = FileSink(create_job_folder(tmp_path, f"job-{next(numbers)}"), 0, table.schema, encoding)
        for batch in batches:
            sink.write(batch)
        assert sink.close().row_count == ROWS

    def write_bare() -> None:
        with pa.OSFile(str(tmp_path / f"bare-{next(numbers)}"), "wb") as stream:
            BARE[output_format](table, stream)

    def pair() -> None:
        times = []
        for write in (write_sink, write_bare):
            started = time.perf_counter()
            write()
            times.append(time.perf_counter() - started)
        ratios.append(times[1] / times[0])
        rates.append(table.nbytes / times[0] / 1e6)

    benchmark.pedantic(pair, rounds=7, warmup_rounds=1)
    ratio = statistics.median(ratios)
    benchmark.extra_info["sink_mb_per_s"] = round(statistics.median(rates), 1)
    benchmark.extra_info["sink_to_bare_ratio"] = round(ratio, 2)

    assert ratio > SMALLEST_RATIO[output_format]
