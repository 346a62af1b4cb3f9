"""Where batches end: one Parquet file a partition, whole or not there at all."""

import os
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from jivsbench.errors import ExtractionError
from jivsbench.extract.encoding import ColumnEncodings, choose_encodings
from jivsbench.extract.folders import JobFolder, WholeWrites, output_errors

ROW_GROUP_ROWS = 131_072
_ROW_GROUP_BYTES = 96 * 1024 * 1024
"""Very wide rows make smaller groups, so that memory stays bounded."""
_BUFFER_BYTES = 1024 * 1024
"""A small file is written with one system call instead of sixty."""
_ZSTD_LEVEL = 1
"""Measured with 1,000 rows of 500 bytes: level 1 leaves 24 % of the bytes for 2 ms of CPU; level 3 takes a tenth longer for
2 % less, and the negative levels leave up to a half more without being faster."""
_ENCODINGS_FROM_ROWS = 10_000
"""A file with a single small group has nothing to skip, and choosing encodings would cost more than it saves."""


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A closed and synced file that still has its temporary name."""

    name: str
    row_count: int
    """Read back from the footer on disk."""
    size_bytes: int


class ParquetSink:
    """Writes one partition. Call `close` for a synced file that still has its temporary name, then always `abort`."""

    def __init__(self, folder: JobFolder, index: int, schema: pa.Schema, *, is_compressed: bool) -> None:
        self.name = f"part-{index:05d}.parquet"
        self._folder = folder
        self._schema = schema
        self._is_compressed = is_compressed
        self._batches: list[pa.RecordBatch] = []
        self._row_count = 0
        self._size_bytes = 0
        self._writer: pq.ParquetWriter | None = None
        self._stream: pa.NativeFile | None = None
        self._descriptor = folder.create_file(self.name)

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch; it reaches the file when a whole row group is together."""
        self._batches.append(batch)
        self._row_count += batch.num_rows
        self._size_bytes += batch.nbytes
        if self._row_count >= ROW_GROUP_ROWS or self._size_bytes >= _ROW_GROUP_BYTES:
            self._write_group(is_whole_file=False)

    def close(self) -> WrittenFile:
        """Write what is left, sync, close, and read the footer back from the disk."""
        if self._batches or self._writer is None:
            self._write_group(is_whole_file=self._writer is None)
        assert self._writer is not None
        assert self._stream is not None
        with output_errors(self._folder.path):
            self._writer.close()
            self._stream.close()
            os.fsync(self._descriptor)
            size_bytes = os.fstat(self._descriptor).st_size
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
            row_count = count_rows(self._folder.temporary(self.name))
        return WrittenFile(self.name, row_count, size_bytes)

    def abort(self) -> None:
        """Let go of the file if it is still open; the folder removes it. Never raises: what led here is what counts."""
        self._batches.clear()
        if self._descriptor < 0:
            return
        if self._writer is not None:
            with suppress(OSError, pa.ArrowException):
                self._writer.close()
            # A writer that could not be closed would try again, and complain, when it is collected.
            self._writer.is_open = False
        if self._stream is not None:
            with suppress(OSError, pa.ArrowException):
                self._stream.close()
        descriptor, self._descriptor = self._descriptor, -1
        with suppress(OSError):
            os.close(descriptor)

    def _write_group(self, *, is_whole_file: bool) -> None:
        batches, self._batches = self._batches, []
        is_small = is_whole_file and self._row_count < _ENCODINGS_FROM_ROWS
        self._row_count = self._size_bytes = 0
        try:
            table = pa.Table.from_batches(batches, self._schema)
        except pa.ArrowInvalid as problem:
            raise ExtractionError(
                f"{self.name}: the connector read batches of another schema than it declared: report it to the connector's author"
            ) from problem
        with output_errors(self._folder.path):
            writer = self._writer or self._open(choose_encodings(table) if not is_small else ColumnEncodings([], []))
            # As one group, unless a single batch was huge: a remainder of a few rows would be a group of its own.
            group_rows = table.num_rows if table.num_rows < 2 * ROW_GROUP_ROWS else ROW_GROUP_ROWS
            writer.write_table(table, row_group_size=max(group_rows, 1))

    def _open(self, encodings: ColumnEncodings) -> pq.ParquetWriter:
        raw = WholeWrites(self._descriptor, "wb", closefd=False)
        self._stream = pa.BufferedOutputStream(pa.PythonFile(raw, "w"), _BUFFER_BYTES)
        self._writer = pq.ParquetWriter(
            self._stream,
            self._schema,
            compression="zstd" if self._is_compressed else "none",
            compression_level=_ZSTD_LEVEL if self._is_compressed else None,
            use_dictionary=encodings.with_dictionary,
            write_statistics=encodings.with_statistics,
            # So that a reader, the verification first of all, finds a byte that changed on the disk.
            write_page_checksum=True,
        )
        return self._writer


def count_rows(path: str) -> int:
    """Rows of a Parquet file, by the footer that lies on the disk. Raises OSError when there is none."""
    with pa.OSFile(path) as file:
        return int(pq.ParquetFile(file).metadata.num_rows)
