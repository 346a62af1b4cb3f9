"""What the checks of the files connector cost, as a ratio to bare pyarrow readers of the same file in the same run.

A ratio holds on any machine; milliseconds do not. Run with `pytest tests/benchmarks --benchmark-only`.
"""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.json as pajson
import pyarrow.parquet as pq
import pytest

from jivsbench.api import ReadLimits
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, TableName
from jivsbench_files.connector import FilesConnector

pytestmark = pytest.mark.benchmark

ROWS = 100_000
ROUNDS = 5


def write_csv(rows: pa.Table, path: Path) -> None:
    """Texts in quotes."""
    pacsv.write_csv(rows, path)


def write_lines(rows: pa.Table, path: Path) -> None:
    """An object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows.to_pylist()))


BARE: dict[str, tuple[Callable[[pa.Table, Path], None], Callable[[Path], int], float]] = {
    ".csv": (write_csv, lambda path: sum(batch.num_rows for batch in pacsv.open_csv(path)), 60.0),
    ".jsonl": (write_lines, lambda path: sum(batch.num_rows for batch in pajson.open_json(path)), 120.0),
    ".parquet": (pq.write_table, lambda path: sum(batch.num_rows for batch in pq.ParquetFile(path).iter_batches()), 20.0),
}
"""How a file is written, how pyarrow alone reads it, and the ratio above which something is wrong."""


def read_with_checks(path: Path) -> int:
    """A session of its own: look through the file, read it, count it, look whether it changed."""
    session = FilesConnector().connect(DataSource("benchmark", "files", Secret(f"files://{path.parent}")), ReadLimits())
    session.begin()
    request = ExtractionRequest("benchmark", TableName(path.name))
    (part,) = session.partitions(request, session.schema(request), 1)
    rows = sum(batch.num_rows for batch in session.read(part))
    assert session.fingerprint(part).row_count == rows
    session.consistency(request)
    session.close()
    return rows


def measure(read: Callable[[Path], int], path: Path) -> float:
    """Seconds of one read."""
    started = time.perf_counter()
    assert read(path) == ROWS
    return time.perf_counter() - started


@pytest.mark.parametrize("suffix", BARE)
def test_the_checks_cost_a_known_multiple(benchmark, tmp_path: Path, suffix: str) -> None:
    """All steps of an extraction but writing, in turns with the bare reader; the ratio of the medians is recorded."""
    write, read_bare, largest_ratio = BARE[suffix]
    path = tmp_path / f"t{suffix}"
    numbers = range(ROWS)
    write(
        pa.table(
            {
                "id": list(numbers),
                "name": [f"Name {n}" for n in numbers],
                "email": [f"user{n}@example.com" for n in numbers],
                "ratio": [n / 8 for n in numbers],
                "note": [f"a text of some length, number {n}" for n in numbers],
            }
        ),
        path,
    )

    pairs = [(measure(read_bare, path), measure(read_with_checks, path)) for _ in range(ROUNDS)]
    ratio = statistics.median(checked for _, checked in pairs) / statistics.median(bare for bare, _ in pairs)
    benchmark.extra_info["ratio_to_bare_pyarrow"] = round(ratio, 1)
    benchmark.pedantic(read_with_checks, args=(path,), rounds=ROUNDS)

    assert ratio < largest_ratio
