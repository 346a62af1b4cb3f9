"""Tables, columns, partitions and the requests that name them."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

from jivsbench.model.filters import Filter, Operator
from jivsbench.model.output import OutputFormat
from jivsbench.model.transform import Transform, find_hidden_columns

__all__ = [
    "Column",
    "Consistency",
    "ExtractionRequest",
    "Filter",
    "Fingerprint",
    "Operator",
    "Partition",
    "TableName",
    "TableSchema",
    "add_up_counts",
    "parse_table_name",
]


@dataclass(frozen=True, slots=True)
class TableName:
    """A table's name as the catalogue has it: never quoted, never folded."""

    name: str
    namespace: str | None = None
    """The schema on PostgreSQL; None means the connection's own default."""

    def __str__(self) -> str:
        return f"{self.namespace}.{self.name}" if self.namespace else self.name


def parse_table_name(text: str) -> TableName:
    """`orders` or `sales.orders`; only the first dot separates.

    >>> parse_table_name("sales.orders")
    TableName(name='orders', namespace='sales')
    """
    namespace, dot, name = text.partition(".")
    return TableName(name, namespace) if dot else TableName(text)


@dataclass(frozen=True, slots=True)
class ExtractionRequest:
    """What is to be extracted: a table (with columns and filters) or a query, never both.

    `columns` empty means all. `row_limit` None means no limit; with a limit and no order, which rows come is the server's choice.
    `format` None means that of the profile.
    """

    source: str
    table: TableName | None = None
    query: str | None = None
    columns: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    row_limit: int | None = None
    format: OutputFormat | None = None
    transforms: tuple[Transform, ...] = ()
    """What is done to the rows between source and file, in this order."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the server declares it, and the Arrow type it is read as."""

    name: str
    server_type: str
    arrow_type: pa.DataType
    is_nullable: bool


@dataclass(frozen=True, slots=True)
class TableSchema:
    """The columns a request yields, in order."""

    columns: tuple[Column, ...]

    def to_arrow(self) -> pa.Schema:
        """The Arrow schema of every batch that is read under this schema."""
        return pa.schema([pa.field(c.name, c.arrow_type, nullable=c.is_nullable) for c in self.columns])


@dataclass(frozen=True, slots=True)
class Partition:
    """A disjoint part of a request. The union of a request's partitions is the request.

    `predicate` is SQL text made by the connector alone, from catalogue facts, never from a user's text; empty for the whole.
    """

    index: int
    request: ExtractionRequest
    schema: TableSchema
    predicate: str = ""

    @property
    def hidden_columns(self) -> frozenset[str]:
        """Columns whose values no message may show, although they are read."""
        return find_hidden_columns(self.request.transforms, (column.name for column in self.schema.columns))


@dataclass(frozen=True, slots=True)
class KeySplit:
    """Where a table is cut at values of its key, which mean the same rows in any later transaction. Bounds are rows' values."""

    table_id: str
    """Tells the table, its key and their types from any other, also from one of the same name that was made anew."""
    columns: tuple[str, ...]
    bounds: tuple[tuple[str, ...], ...]
    """First keys of the second range and of those after it, ascending, in the server's text form."""
    has_null_part: bool
    """The last part holds the rows whose key is NULL in some column: no range does."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """Where the next increment of a table begins, as of a moment before this one is read."""

    table_id: str
    """Tells the table and its key from any other, also from one of the same name that was made anew."""
    key: tuple[str, ...]
    """Columns by which rows that come in two increments are told to be the same."""
    read_from: str | None
    """The least value to read next time, in the server's text form; None: everything."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What the source says a partition holds, under the view that read it."""

    row_count: int | None
    """None where the source cannot count: then nobody says that its rows are all there, and the manifest shows it."""


def add_up_counts(parts: Iterable[Fingerprint]) -> int | None:
    """Rows of all parts; None as soon as one was not counted, since the sum of the others would look like the whole."""
    counts = [part.row_count for part in parts]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


class Consistency(StrEnum):
    """Of which moments the rows of one output are."""

    ONE_SNAPSHOT = "one-snapshot"
    """Every partition was read under one view of the source."""
    PER_PARTITION = "per-partition"
    """Each partition was read under one view, but not all under the same: the output was resumed."""
    UNCHANGED = "unchanged"
    """The source keeps no views; what it tells of its version (a file's size and times) was the same before and after."""
    NONE = "none"
    """Rows may be of different moments: what changed while it was read can be there twice, or not at all."""
