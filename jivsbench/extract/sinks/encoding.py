"""What a format of output files does: turn groups of rows into bytes, and count the rows that lie on disk.

An encoding opens no file and syncs none: the commit rule is the sink's, and the same for all of them.
"""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import pyarrow as pa


class Encoder(Protocol):
    """Writes the bytes of one file into a stream that belongs to the sink."""

    def write(self, rows: pa.Table) -> None:
        """Encode some rows, of the schema that the file was opened with."""
        ...

    def finish(self) -> None:
        """Write what ends the file. The stream stays open."""
        ...

    def abandon(self) -> None:
        """Let go of an unfinished file. Never raises."""
        ...

    def escaped_cells(self) -> tuple[int, ...]:
        """Of each column, the cells written so far that are not as the source has them. Empty when the format changes none."""
        ...


class Encoding(Protocol):
    """One format with its settings."""

    @property
    def suffix(self) -> str:
        """The end of a file's name, such as `.csv.zst`."""
        ...

    @property
    def is_compressed(self) -> bool:
        """True for zstd."""
        ...

    @property
    def group_rows(self) -> int:
        """Rows that are gathered before they are encoded; 1 for a format that has no groups."""
        ...

    @property
    def rules(self) -> tuple[str, ...]:
        """What becomes of a value where the format leaves a choice, in words, for the manifest."""
        ...

    def check(self, schema: pa.Schema) -> None:
        """Raise UsageError, naming the column, for a schema that the format cannot hold."""
        ...

    def open(self, stream: pa.NativeFile, schema: pa.Schema, first: pa.Table, *, is_whole: bool) -> Encoder:
        """Begin a file, knowing the first rows that will be written to it; `is_whole` when these are all."""
        ...

    def count_rows(self, path: str) -> int:
        """Rows of a finished file, by what lies on the disk alone. Raises OSError or ArrowException when it is not whole."""
        ...


@runtime_checkable
class ColumnReader(Protocol):
    """Optional ability of an Encoding: give back, from the disk, columns of the types that were written."""

    def read_columns(self, path: str) -> Iterator[Iterator[tuple[str, pa.ChunkedArray]]]:
        """Of each group of rows, the columns one by one, so that only one of them is in memory."""
        ...
