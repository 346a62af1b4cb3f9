"""Apache Parquet: the default. Typed, compressed by pages, each with a checksum."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from jivsbench.extract.sinks.column_encodings import ColumnEncodings, choose_encodings
from jivsbench.extract.sinks.encoding import Encoder

ROW_GROUP_ROWS = 65_536
"""What streams gather before they write decides how memory grows with the table. Twice as many rows leave 0.4 % fewer bytes and
take 20 MB more for two streams; half as many make readers skip less and open more."""
_ZSTD_LEVEL = 1
"""Measured with 1,000 rows of 500 bytes: level 1 leaves 24 % of the bytes for 2 ms of CPU; level 3 takes a tenth longer for
2 % less, and the negative levels leave up to a half more without being faster."""
_ENCODINGS_FROM_ROWS = 10_000
"""A file with a single small group has nothing to skip, and choosing encodings would cost more than it saves."""


@dataclass(frozen=True, slots=True)
class ParquetEncoding:
    """Parquet with zstd pages, or plain ones."""

    is_compressed: bool
    suffix: str = ".parquet"
    group_rows: int = ROW_GROUP_ROWS
    rules: tuple[str, ...] = ()

    def check(self, schema: pa.Schema) -> None:
        """Whatever a connector reads has a place in Parquet."""

    def open(self, stream: pa.NativeFile, schema: pa.Schema, first: pa.Table, *, is_whole: bool) -> Encoder:
        """Begin a file; its encodings are chosen by its first rows, unless it is small."""
        is_small = is_whole and first.num_rows < _ENCODINGS_FROM_ROWS
        encodings = ColumnEncodings([], []) if is_small else choose_encodings(first)
        return _ParquetEncoder(
            pq.ParquetWriter(
                stream,
                schema,
                compression="zstd" if self.is_compressed else "none",
                compression_level=_ZSTD_LEVEL if self.is_compressed else None,
                use_dictionary=encodings.with_dictionary,
                write_statistics=encodings.with_statistics,
                # So that a reader, the verification first of all, finds a byte that changed on the disk.
                write_page_checksum=True,
            )
        )

    def count_rows(self, path: str) -> int:
        """By the footer."""
        with pa.OSFile(path) as file:
            return int(pq.ParquetFile(file).metadata.num_rows)

    def read_columns(self, path: str) -> Iterator[Iterator[tuple[str, pa.ChunkedArray]]]:
        """Raises OSError when a page is not what was written: each carries a checksum."""
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for group in range(file.metadata.num_row_groups):
                yield _read_group(file, group)


@dataclass(frozen=True, slots=True)
class _ParquetEncoder:
    writer: pq.ParquetWriter

    def write(self, rows: pa.Table) -> None:
        # As one group, unless a single batch was huge: a remainder of a few rows would be a group of its own.
        group_rows = rows.num_rows if rows.num_rows < 2 * ROW_GROUP_ROWS else ROW_GROUP_ROWS
        self.writer.write_table(rows, row_group_size=max(group_rows, 1))

    def finish(self) -> None:
        self.writer.close()

    def abandon(self) -> None:
        with suppress(OSError, pa.ArrowException):
            self.writer.close()
        # A writer that could not be closed would try again, and complain, when it is collected.
        self.writer.is_open = False

    def escaped_cells(self) -> tuple[int, ...]:
        return ()


def _read_group(file: pq.ParquetFile, group: int) -> Iterator[tuple[str, pa.ChunkedArray]]:
    for name in file.schema_arrow.names:
        yield name, file.read_row_group(group, columns=[name], use_threads=False).column(0)
