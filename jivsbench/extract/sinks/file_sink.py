"""Where batches end: one file a partition, whole or not there at all."""

import io
import itertools
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from jivsbench.errors import ExtractionError, VerificationError
from jivsbench.extract.folders import JobFolder, output_errors, write_whole
from jivsbench.extract.sinks.encoding import Encoder, Encoding
from jivsbench.model.output import EscapedCells

if TYPE_CHECKING:
    from typing_extensions import Buffer

_GROUP_BYTES = 96 * 1024 * 1024
"""Very wide rows make smaller groups, so that memory stays bounded."""
_BUFFER_BYTES = 1024 * 1024
"""A small file is written with one system call instead of sixty."""


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A closed and synced file that still has its temporary name."""

    name: str
    row_count: int
    """Read back from the disk, not from the writer's counter."""
    size_bytes: int
    escaped_cells: tuple[EscapedCells, ...] = ()


class _WholeWrites(io.FileIO):
    """A file that writes all or raises: on a disk that fills up the system writes a part, and Arrow does not look how much."""

    written_ns = 0
    """Time within the system's calls."""

    def write(self, content: "Buffer", /) -> int:
        started_ns = time.perf_counter_ns()
        try:
            return write_whole(self.fileno(), content)
        finally:
            self.written_ns += time.perf_counter_ns() - started_ns


class FileSink:
    """Writes one partition. Call `close` for a synced file that still has its temporary name, then always `abort`."""

    def __init__(self, folder: JobFolder, index: int, schema: pa.Schema, encoding: Encoding) -> None:
        self.name = f"part-{index:05d}{encoding.suffix}"
        self._folder = folder
        self._schema = schema
        self._encoding = encoding
        self._batches: list[pa.RecordBatch] = []
        self._row_count = 0
        self._size_bytes = 0
        self._encoder: Encoder | None = None
        self._stream: pa.NativeFile | None = None
        self._raw: _WholeWrites | None = None
        self._synced_ns = 0
        self._descriptor = folder.create_file(self.name)

    @property
    def written_ns(self) -> int:
        """Time that the system took to write and to sync, so far."""
        return self._synced_ns + (self._raw.written_ns if self._raw else 0)

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch; it reaches the file when a whole group is together."""
        self._batches.append(batch)
        self._row_count += batch.num_rows
        self._size_bytes += batch.nbytes
        if self._row_count >= self._encoding.group_rows or self._size_bytes >= _GROUP_BYTES:
            self._write_group(is_last=False)

    def close(self) -> WrittenFile:
        """Write what is left, sync, close, and count the rows that lie on the disk."""
        if self._batches or self._encoder is None:
            self._write_group(is_last=True)
        assert self._encoder is not None
        assert self._stream is not None
        with output_errors(self._folder.path):
            self._encoder.finish()
            self._stream.close()
            started_ns = time.perf_counter_ns()
            os.fsync(self._descriptor)
            self._synced_ns = time.perf_counter_ns() - started_ns
            size_bytes = os.fstat(self._descriptor).st_size
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
            row_count = self._count_rows()
        return WrittenFile(self.name, row_count, size_bytes, self._name_escaped_cells(self._encoder.escaped_cells()))

    def abort(self) -> None:
        """Let go of the file if it is still open; the folder removes it. Never raises: what led here is what counts."""
        self._batches.clear()
        if self._descriptor < 0:
            return
        if self._encoder is not None:
            self._encoder.abandon()
        if self._stream is not None:
            with suppress(OSError, pa.ArrowException):
                self._stream.close()
        descriptor, self._descriptor = self._descriptor, -1
        with suppress(OSError):
            os.close(descriptor)

    def _write_group(self, *, is_last: bool) -> None:
        batches, self._batches = self._batches, []
        self._row_count = self._size_bytes = 0
        try:
            rows = pa.Table.from_batches(batches, self._schema)
        except pa.ArrowInvalid as problem:
            raise ExtractionError(
                f"{self.name}: the connector read batches of another schema than it declared: report it to the connector's author"
            ) from problem
        with output_errors(self._folder.path):
            encoder = self._encoder or self._open(rows, is_whole=is_last)
            encoder.write(rows)

    def _open(self, first: pa.Table, *, is_whole: bool) -> Encoder:
        raw = self._raw = _WholeWrites(self._descriptor, "wb", closefd=False)
        self._stream = pa.BufferedOutputStream(pa.PythonFile(raw, "w"), _BUFFER_BYTES)
        self._encoder = self._encoding.open(self._stream, self._schema, first, is_whole=is_whole)
        return self._encoder

    def _count_rows(self) -> int:
        try:
            return self._encoding.count_rows(self._folder.temporary(self.name))
        except pa.ArrowException as problem:
            raise VerificationError(
                f"{self.name} was written and cannot be read back from the disk ({type(problem).__name__}): "
                "no output was kept, check the disk and start the job again"
            ) from problem

    def _name_escaped_cells(self, counts: tuple[int, ...]) -> tuple[EscapedCells, ...]:
        return tuple(EscapedCells(name, count) for name, count in zip(self._schema.names, counts, strict=bool(counts)) if count)


def add_up_escaped_cells(files: Iterable[tuple[EscapedCells, ...]]) -> tuple[EscapedCells, ...]:
    """Of all files together, by column."""
    counts: dict[str, int] = {}
    for cells in itertools.chain.from_iterable(files):
        counts[cells.column] = counts.get(cells.column, 0) + cells.count
    return tuple(EscapedCells(column, count) for column, count in counts.items())
