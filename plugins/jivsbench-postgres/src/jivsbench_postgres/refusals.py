"""The refusal of a value that does not fit: it says where to look, and shows nothing that could be about a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jivsbench.errors import TypePolicyError
from jivsbench.model.table import TableSchema

_SHOWN_KEYS = frozenset({"smallint", "integer", "bigint", "oid", "uuid", "date"})
"""Types of keys whose values are numbers of rows, not names or addresses."""


@dataclass(frozen=True, slots=True)
class UnfitRow:
    """The first row of a block whose value in a column does not fit."""

    row: int
    texts: tuple[str | None, ...]
    """All values of the row, as the server wrote them."""


class UnfitValueError(Exception):
    """Raised where a value is found that its column's Arrow type cannot hold. Never leaves the connector."""

    def __init__(self, column: int, found: UnfitRow | None) -> None:
        super().__init__(column)
        self.column = column
        self.found = found


def build_refusal(
    table: str, schema: TableSchema, unfit: UnfitValueError, key: Sequence[tuple[str, str]], rows_before: int
) -> TypePolicyError:
    """The error for users. `key` are names and types of the table's primary key, `rows_before` those of earlier blocks."""
    column = schema.columns[unfit.column]
    # A key that holds the value itself would show it.
    shown = () if column.name in [name for name, _kind in key] else key
    where = "" if unfit.found is None else f" in {_describe_row(schema, unfit.found, shown, rows_before)}"
    return TypePolicyError(
        f"{table}: column {column.name!r} ({column.server_type}) holds a value{where} that Arrow's {column.arrow_type} "
        "cannot hold: set the source's type_policy to 'text' or 'null', or leave the column out"
    )


def _describe_row(schema: TableSchema, found: UnfitRow, key: Sequence[tuple[str, str]], rows_before: int) -> str:
    values: Mapping[str, str | None] = {c.name: text for c, text in zip(schema.columns, found.texts, strict=True)}
    if key and all(name in values and kind in _SHOWN_KEYS for name, kind in key):
        return "the row with " + ", ".join(f"{name} = {values[name]}" for name, _kind in key)
    return f"row {rows_before + found.row + 1} of those read"
