"""Encodings of large files: chosen by the rows, and never felt in the values."""

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from jivsbench.extract.folders import create_job_folder
from jivsbench.extract.sinks import FileSink, build_encoding
from jivsbench.extract.sinks.column_encodings import choose_encodings
from jivsbench.model.output import OutputFormat

ROWS = 40_000
TABLE = pa.table(
    {
        "id": pa.array(range(ROWS), pa.int64()),
        "mode": pa.array([("AIR", "RAIL", None)[n % 3] for n in range(ROWS)]),
        "tax": pa.array([Decimal(n % 9) / 100 for n in range(ROWS)], pa.decimal128(15, 2)),
        "note": pa.array([f"a note that is not short, number {n}" for n in range(ROWS)]),
        "is_open": pa.array([n % 2 == 0 for n in range(ROWS)]),
        "nothing": pa.array([None] * ROWS, pa.string()),
    }
)


def test_what_repeats_has_a_dictionary_and_what_is_long_no_extremes() -> None:
    """Keys and texts of their own have none; a column of NULLs repeats."""
    chosen = choose_encodings(TABLE)

    assert chosen.with_dictionary == ["mode", "tax", "nothing"]
    assert chosen.with_statistics == ["id", "mode", "tax", "is_open", "nothing"]


def test_a_table_without_rows_has_nothing_to_choose_by() -> None:
    """Every column is fine as it is."""
    assert choose_encodings(TABLE.slice(0, 0)).with_statistics == TABLE.column_names


def write(folder: Path, rows: pa.Table) -> pq.ParquetFile:
    """One partition, read back from the disk."""
    job = create_job_folder(folder, "job")
    sink = FileSink(job, 0, rows.schema, build_encoding(OutputFormat.PARQUET, is_compressed=True))
    for batch in rows.to_batches(max_chunksize=10_000):
        sink.write(batch)
    written = sink.close()
    job.publish([written.name])
    return pq.ParquetFile(folder / "job" / written.name)


def test_the_file_is_encoded_so_and_holds_the_same_values(tmp_path: Path) -> None:
    """Dictionary pages where they were chosen, plain ones elsewhere."""
    file = write(tmp_path, TABLE)
    group = file.metadata.row_group(0)
    by_name = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}

    assert file.read().equals(TABLE)
    assert [name for name, column in by_name.items() if column.has_dictionary_page] == ["mode", "tax", "nothing"]
    assert [name for name, column in by_name.items() if not column.is_stats_set] == ["note"]


def test_a_file_whose_first_rows_mislead_holds_the_same_values(tmp_path: Path) -> None:
    """The first 20,000 rows repeat, all others are new: the dictionary overflows, and no value changes."""
    rows = pa.table({"text": pa.array(["same"] * 20_000 + [f"new value number {n} of a column" for n in range(300_000)])})

    assert write(tmp_path, rows).read().equals(rows)
