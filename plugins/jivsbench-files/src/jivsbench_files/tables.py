"""What a table is made of: files, their portions, and what a look through all of them has found."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Final, Protocol

import pyarrow as pa

from jivsbench.model.source import TypePolicy
from jivsbench.model.table import Column
from jivsbench_files.address import ReadingOptions
from jivsbench_files.confinement import FileVersion
from jivsbench_files.limits import FileLimits
from jivsbench_files.streams import ByteSource, WatchedFile


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """One file of a table, open."""

    name: str
    version: FileVersion
    raw: WatchedFile
    content: ByteSource
    """The bytes, unpacked; `raw` itself when the file is not compressed."""
    is_compressed: bool
    options: ReadingOptions
    limits: FileLimits
    policy: TypePolicy
    declared: dict[str, pa.DataType]
    watch: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Portion:
    """A part of a file that can be read by itself: rows from `first_row` on.

    `start` and `stop` are bytes of CSV, row groups of Parquet, and 0 and None for a whole file.
    """

    file: str
    version: FileVersion
    start: int
    stop: int | None
    first_row: int
    row_count: int | None
    """Counted by another way than reading; None where there is no other."""


class Survey(Protocol):
    """A look through all files of one table, before the first row is read. A new one for each table."""

    def take(self, opened: OpenedFile) -> tuple[Portion, ...]:
        """Look through one more file. Raises ExtractionError when it is not whole, or unlike the files before."""
        ...

    def columns(self) -> tuple[Column, ...]:
        """What the files taken so far have in common."""
        ...


class Format(Protocol):
    """One way to write rows into a file."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Ends of file names, in lower case."""
        ...

    @property
    def can_be_compressed(self) -> bool:
        """True when the file is read from its beginning to its end alone."""
        ...

    def survey(self) -> Survey:
        """A new look."""
        ...

    def read(self, opened: OpenedFile, portion: Portion, columns: tuple[Column, ...]) -> Iterator[pa.RecordBatch]:
        """The named columns of one portion, in these types. Raises TypePolicyError naming file, column and row."""
        ...


@dataclass(frozen=True, slots=True)
class TableFindings:
    """What a survey has found."""

    columns: tuple[Column, ...]
    portions: tuple[Portion, ...]


def format_portions(portions: tuple[Portion, ...]) -> str:
    """Portions as the predicate of a partition."""
    return json.dumps([asdict(portion) for portion in portions])


def parse_portions(predicate: str) -> tuple[Portion, ...]:
    """What `format_portions` wrote."""
    return tuple(Portion(**{**found, "version": FileVersion(**found["version"])}) for found in json.loads(predicate))


_MIN_PORTIONS_TO_SPLIT: Final = 2


def divide(portions: tuple[Portion, ...], streams: int) -> tuple[tuple[Portion, ...], ...]:
    """At most `streams` runs of portions, of about equal rows (of equal number where rows are not known)."""
    if streams < _MIN_PORTIONS_TO_SPLIT or len(portions) < _MIN_PORTIONS_TO_SPLIT:
        return (portions,)
    is_counted = all(portion.row_count is not None for portion in portions)
    weights = [(portion.row_count or 0) if is_counted else 1 for portion in portions]
    total = max(sum(weights), 1)
    groups: list[list[Portion]] = [[] for _ in range(streams)]
    before = 0
    for portion, weight in zip(portions, weights, strict=True):
        groups[min((before + weight // 2) * streams // total, streams - 1)].append(portion)
        before += weight
    return tuple(tuple(group) for group in groups if group)
