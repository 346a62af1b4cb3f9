"""What may be done to rows between source and file. Values only: `jivsbench.extract.transforms` carries them out."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from jivsbench.model.filters import Filter

DEFAULT_KEEP = 4


class Masking(StrEnum):
    """How the values of a column are hidden. NULL stays NULL."""

    DIGEST = "digest"
    """HMAC-SHA-256 of the value's text, in hexadecimal: equal values stay equal, so masked tables still join."""
    REDACT = "redact"
    """The same three asterisks for every value."""
    LAST = "last"
    """Asterisks for all but the last characters; a value that is not longer than these is hidden whole."""


@dataclass(frozen=True, slots=True)
class Mask:
    """Hide the values of a column; it becomes text."""

    column: str
    how: Masking
    keep: int = DEFAULT_KEEP
    """Characters that `last` leaves."""
    kind: Literal["mask"] = "mask"


@dataclass(frozen=True, slots=True)
class Rename:
    """Give a column another name."""

    column: str
    to: str
    kind: Literal["rename"] = "rename"


@dataclass(frozen=True, slots=True)
class Cast:
    """Change a column's type. A value that the type cannot hold exactly ends the extraction."""

    column: str
    to: str
    """int8 to int64, float32, float64, bool, string, date, timestamp, timestamptz or decimal(p,s)."""
    kind: Literal["cast"] = "cast"


@dataclass(frozen=True, slots=True)
class KeepRows:
    """Leave out the rows that do not meet a condition, as a database does: where it is unknown, the row goes."""

    where: Filter
    kind: Literal["filter"] = "filter"


@dataclass(frozen=True, slots=True)
class KeepColumns:
    """Leave out all columns but these; those that stay come in this order."""

    columns: tuple[str, ...]
    kind: Literal["keep"] = "keep"


@dataclass(frozen=True, slots=True)
class DropColumns:
    """Leave out these columns."""

    columns: tuple[str, ...]
    kind: Literal["drop"] = "drop"


Transform = Mask | Rename | Cast | KeepRows | KeepColumns | DropColumns


def find_hidden_columns(transforms: Iterable[Transform], columns: Iterable[str]) -> frozenset[str]:
    """The columns of the source of which no value may be shown to anybody, since a transform masks them or leaves them out."""
    origins = {name: name for name in columns}
    hidden: set[str] = set()
    for transform in transforms:
        match transform:
            case Mask(column):
                hidden.add(origins.get(column, column))
            case Rename(column, to):
                origins[to] = origins.pop(column, column)
            case KeepColumns(kept):
                hidden.update(origin for name, origin in origins.items() if name not in kept)
                origins = {name: origins.get(name, name) for name in kept}
            case DropColumns(dropped):
                hidden.update(origins.pop(name, name) for name in dropped)
    return frozenset(hidden)


def describe_transform(transform: Transform) -> str:
    """In one line, without the value that a filter compares with."""
    match transform:
        case Mask(column, Masking.LAST, keep):
            return f"mask {column}: all but the last {keep} characters"
        case Mask(column, how):
            return f"mask {column}: {how}"
        case Rename(column, to):
            return f"rename {column} to {to}"
        case Cast(column, to):
            return f"cast {column} to {to}"
        case KeepRows(where):
            return f"filter {where.column} {where.operator}"
        case KeepColumns(columns):
            return f"keep {', '.join(columns)}"
        case DropColumns(columns):
            return f"drop {', '.join(columns)}"
