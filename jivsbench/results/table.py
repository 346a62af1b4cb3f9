"""Any other table, by a mapping that says which of its columns is which figure (see docs/audit.md).

A row is a line of a CSV file or an object of a JSON list; a JSON object is one row, and a column of it may be a path
(`after.latency.p95`). No tool vouches for such a file, so every figure needs a provenance: a column, or the mapping's word.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from jivsbench.config.mappings import MappedColumn, MappedCriterion, TableMapping
from jivsbench.errors import ConfigError
from jivsbench.model.claims import Claims, Criterion, Part, Quantity, Stated, Workload
from jivsbench.results.written import build_part, count, figure, find_marks, parse_number, percent

NAME: Final = "table"
_SHOWN: Final = 10
Row = Mapping[str, Any]
_COUNTS: Final = tuple(quantity for quantity in Quantity if not quantity.value.endswith(("_s", "_ms", "_ratio", "concurrency")))


def read_table(rows: Sequence[Row], mapping: TableMapping) -> tuple[Claims, ...]:
    """What the rows of a table state. Raises ConfigError for a column that no row has, and for a whole that no row is called."""
    for column in _list_columns(mapping):
        if not _has_column(rows, column):
            known = ", ".join(map(str, rows[0])) if rows else "none"
            raise ConfigError(f"no row has the column {column!r} that the mapping names: correct the mapping (columns: {known})")
    parts = [_read_row(position, row, mapping) for position, row in enumerate(rows, start=1)]
    whole = next((part for part in parts if part.name == mapping.whole), None) if mapping.whole else None
    if mapping.whole and whole is None:
        names = ", ".join(part.name for part in parts[:_SHOWN]) + (", ..." if len(parts) > _SHOWN else "")
        raise ConfigError(
            f"no row is called {mapping.whole!r}, which the mapping names as the whole: correct it, or say with `name` which "
            f"column names a row (rows: {names})"
        )
    return (
        Claims(
            NAME,
            whole,
            tuple(part for part in parts if part is not whole),
            is_partition=mapping.is_partition,
            criteria=tuple(criterion for row in rows for criterion in _read_criteria(row, mapping)),
            workloads=tuple(_read_workloads(rows, mapping)),
            is_comparison=mapping.is_comparison,
            marks=tuple(find_marks([dict(row) for row in rows])),
            needs_provenance=True,
        ),
    )


def _list_columns(mapping: TableMapping) -> Iterator[str]:
    """Every column that the mapping names: without one of them a rule would be silent. A criterion's text may be any words."""
    yield from (column for column in (mapping.name, mapping.provenance_column) if column)
    yield from mapping.workload
    yield from (known.column for known in mapping.columns)
    for criterion in mapping.criteria:
        yield from (criterion.value, criterion.met)
        if parse_number(criterion.limit) is None:
            yield criterion.limit


def _has_column(rows: Sequence[Row], column: str) -> bool:
    return any(find_cell(row, column) is not None for row in rows)


def find_cell(row: Row, column: str) -> object:
    """The cell of a column, or what lies at the end of a path of keys; None when there is none.

    >>> find_cell({"after": {"p95": 200}}, "after.p95")
    200
    """
    if column in row:
        return row[column]
    value: object = row
    for key in column.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value


def _read_row(position: int, row: Row, mapping: TableMapping) -> Part:
    return build_part(
        _name(position, row, mapping),
        [(known.quantity, _read_cell(row, known, _provenance(row, mapping))) for known in mapping.columns],
    )


def _read_cell(row: Row, known: MappedColumn, provenance: str | None) -> Stated | None:
    written = find_cell(row, known.column)
    if known.is_percent:
        return percent(known.column, written, provenance=provenance)
    if known.quantity in _COUNTS:
        stated = count(known.column, written)
        return None if stated is None else replace(stated, provenance=provenance)
    return figure(known.column, written, known.scale, provenance=provenance)


def _name(position: int, row: Row, mapping: TableMapping) -> str:
    return str(find_cell(row, mapping.name)) if mapping.name else f"row {position}"


def _provenance(row: Row, mapping: TableMapping) -> str | None:
    cell = find_cell(row, mapping.provenance_column) if mapping.provenance_column else None
    return (str(cell) if cell is not None else None) or mapping.provenance


def _read_criteria(row: Row, mapping: TableMapping) -> Iterator[Criterion]:
    for known in mapping.criteria:
        value, limit, said = _read_limits(row, known)
        if value is not None and limit is not None and said is not None:
            is_met = str(said).strip().casefold() in known.met_words
            text = find_cell(row, known.text)
            yield Criterion(str(text) if text is not None else known.text, value, known.comparator, limit, is_met)


def _read_limits(row: Row, known: MappedCriterion) -> tuple[Stated | None, Stated | None, object]:
    limit = find_cell(row, known.limit)
    # A limit is asked for and not measured: it is exact, and it may stand in the mapping itself.
    exact = count(known.limit, limit if limit is not None else known.limit)
    return figure(known.value, find_cell(row, known.value)), exact, find_cell(row, known.met)


def _read_workloads(rows: Sequence[Row], mapping: TableMapping) -> Iterator[Workload]:
    for position, row in enumerate(rows, start=1):
        cells = ((column, find_cell(row, column)) for column in mapping.workload)
        settings = tuple((column, _plain(cell)) for column, cell in cells if cell is not None)
        if settings:
            yield Workload(_name(position, row, mapping), settings)


def _plain(cell: object) -> str:
    return f"{cell.normalize():f}" if isinstance(cell, Decimal) else str(cell).strip()
