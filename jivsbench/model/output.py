"""In which form the rows of an extraction lie on disk."""

from dataclasses import dataclass
from enum import StrEnum


class OutputFormat(StrEnum):
    """A format of output files. Each partition is one file of it."""

    PARQUET = "parquet"
    ARROW = "arrow"
    """The Arrow IPC file format, also known as Feather V2."""
    CSV = "csv"
    """RFC 4180."""
    JSONL = "jsonl"
    """One JSON object a row."""


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """What a profile says of its output; a request may name another format."""

    format: OutputFormat = OutputFormat.PARQUET
    escape_formulas: bool = True
    """In CSV, an apostrophe stands before a text that a spreadsheet would take for a formula. Off: texts as they are."""


@dataclass(frozen=True, slots=True)
class EscapedCells:
    """Cells of one column that are not written as the source has them, because a spreadsheet would run them."""

    column: str
    count: int
