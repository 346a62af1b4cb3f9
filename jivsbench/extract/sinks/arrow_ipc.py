"""The Arrow IPC file format: the batches as they are in memory, so that a reader need not decode them."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa

from jivsbench.extract.sinks.encoding import Encoder

GROUP_ROWS = 131_072


@dataclass(frozen=True, slots=True)
class ArrowEncoding:
    """Arrow IPC with zstd buffers, or plain ones that can be mapped into memory."""

    is_compressed: bool
    suffix: str = ".arrow"
    group_rows: int = GROUP_ROWS
    rules: tuple[str, ...] = ()

    def check(self, schema: pa.Schema) -> None:
        """Whatever a connector reads has a place in Arrow."""

    def open(self, stream: pa.NativeFile, schema: pa.Schema, first: pa.Table, *, is_whole: bool) -> Encoder:  # noqa: ARG002 - the seam's shape
        """Begin a file."""
        options = pa.ipc.IpcWriteOptions(compression="zstd" if self.is_compressed else None, use_threads=False)
        return _ArrowEncoder(pa.ipc.new_file(stream, schema, options=options))

    def count_rows(self, path: str) -> int:
        """By the batches that the footer leads to; the first column of each is read."""
        with pa.OSFile(path) as file:
            reader = pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(included_fields=[0], use_threads=False))
            return sum(reader.get_batch(number).num_rows for number in range(reader.num_record_batches))

    def read_columns(self, path: str) -> Iterator[Iterator[tuple[str, pa.ChunkedArray]]]:
        """Raises OSError when a batch cannot be read. The format has no checksums: a changed byte shows in the figures alone."""
        with pa.OSFile(path) as file:
            reader = pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(use_threads=False))
            for number in range(reader.num_record_batches):
                batch = reader.get_batch(number)
                yield ((name, pa.chunked_array([column])) for name, column in zip(batch.schema.names, batch.columns, strict=True))


@dataclass(frozen=True, slots=True)
class _ArrowEncoder:
    writer: pa.RecordBatchFileWriter

    def write(self, rows: pa.Table) -> None:
        self.writer.write_table(rows.combine_chunks(), max_chunksize=GROUP_ROWS * 2)

    def finish(self) -> None:
        self.writer.close()

    def abandon(self) -> None:
        with suppress(OSError, pa.ArrowException):
            self.writer.close()

    def escaped_cells(self) -> tuple[int, ...]:
        return ()
