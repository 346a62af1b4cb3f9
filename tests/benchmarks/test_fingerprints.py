"""What verification costs in this process: the figures of columns and the fingerprint of rows, as ratios within one run.

Run with `pytest tests/benchmarks --benchmark-only`.
"""

import hashlib
import io
import statistics
import time
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jivsbench.dataset import Dataset
from jivsbench.model.fingerprint import fingerprint_column
from jivsbench.model.row_fingerprint import fingerprint_rows, join_row_fingerprints

pytestmark = pytest.mark.benchmark

ROWS = 50_000
COLUMNS_LARGEST_SHARE = 0.5
"""Of the time that writing the same rows as Parquet takes. Measured on two busy cores: 0.05."""
ROWS_SMALLEST_RATIO = 1.5
"""Below this the vectorised text of a row is not worth its code. Measured on two busy cores: 5."""


@pytest.fixture(scope="module")
def table() -> pa.Table:
    """Rows of eleven columns and about 500 bytes."""
    return pa.Table.from_batches(Dataset(ROWS).batches())


def median_ratio(benchmark, first: Callable[[], object], second: Callable[[], object]) -> float:
    """The median of first time to second time, of pairs run in turn, so that the machine's mood meets both."""
    ratios = []

    def pair() -> None:
        times = []
        for way in (first, second):
            started = time.perf_counter()
            way()
            times.append(time.perf_counter() - started)
        ratios.append(times[0] / times[1])

    benchmark.pedantic(pair, rounds=7, warmup_rounds=1)
    return statistics.median(ratios)


def test_figures_of_columns_cost_a_part_of_writing_them(benchmark, table: pa.Table) -> None:
    """Null counts, exact sums and extremes of all columns, beside zstd and Parquet of the same rows."""

    def compute() -> None:
        figures = [fingerprint_column(name, table.column(name)) for name in table.column_names]
        assert figures[0].total == ROWS * (ROWS + 1) // 2

    def write() -> None:
        pq.write_table(table, io.BytesIO(), compression="zstd", compression_level=1, use_dictionary=False)

    share = median_ratio(benchmark, compute, write)
    benchmark.extra_info["figures_to_write_ratio"] = round(share, 3)

    assert share < COLUMNS_LARGEST_SHARE


def test_rows_are_hashed_faster_than_row_by_row(benchmark, table: pa.Table) -> None:
    """Canonical texts made column by column, beside a loop over Python rows that hashes each one's text."""
    batches = table.to_batches(max_chunksize=10_000)

    def row_by_row() -> None:
        total = 0
        for batch in batches:
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                text = ",".join(map(str, row)).encode()
                total += int.from_bytes(hashlib.md5(text, usedforsecurity=False).digest()[:8], signed=True)
        assert total

    def by_columns() -> None:
        assert join_row_fingerprints(map(fingerprint_rows, batches)).row_count == ROWS

    ratio = median_ratio(benchmark, row_by_row, by_columns)
    benchmark.extra_info["row_by_row_to_columns_ratio"] = round(ratio, 2)

    assert ratio > ROWS_SMALLEST_RATIO
