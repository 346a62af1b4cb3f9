"""Mappings: a TOML file that says which columns of somebody's table are which figures."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jivsbench.config.document import Section, read_document
from jivsbench.errors import UnknownNameError
from jivsbench.model.claims import RATIOS, Quantity
from jivsbench.model.gate import Comparator

PERCENT: Final = "%"
FRACTION: Final = "fraction"
_KEYS: Final = (
    "name",
    "whole",
    "parts_make_up_whole",
    "provenance",
    "provenance_column",
    "compares",
    "workload",
    "columns",
    "criteria",
)
_CRITERION_KEYS: Final = ("text", "value", "comparator", "limit", "met", "met_words")
_MET_WORDS: Final = ("met", "passed", "pass", "exceeded", "true", "yes", "ok")
_MILLISECONDS: Final = {"ms": 1.0, "us": 0.001, "s": 1000.0}
_SECONDS: Final = {"s": 1.0, "ms": 0.001, "min": 60.0, "h": 3600.0}
_RATES: Final = {"per s": 1.0, "per min": 1 / 60, "per h": 1 / 3600}
_RATIOS: Final = {FRACTION: 1.0, PERCENT: 0.01}


@dataclass(frozen=True, slots=True)
class MappedColumn:
    """A column that holds one quantity. `scale` brings its unit to the quantity's own."""

    quantity: Quantity
    column: str
    scale: float
    is_percent: bool


@dataclass(frozen=True, slots=True)
class MappedCriterion:
    """Columns that hold a value, its limit, and the word that says whether it was met."""

    text: str
    value: str
    comparator: Comparator
    limit: str
    met: str
    met_words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableMapping:
    """What the columns of a table mean."""

    name: str | None
    """The column that names a row."""
    whole: str | None
    """The name of the row that stands for all others."""
    is_partition: bool
    provenance: str | None
    provenance_column: str | None
    is_comparison: bool
    """True when the rows are results that the table compares with one another."""
    workload: tuple[str, ...]
    """Columns that describe the workload."""
    columns: tuple[MappedColumn, ...]
    criteria: tuple[MappedCriterion, ...]


def load_mapping(path: Path) -> TableMapping:
    """Read a mapping. Raises ConfigError and UnknownNameError with file, line and key."""
    root = read_document(path).root
    root.expect(_KEYS)
    columns = tuple(_read_columns(root.section("columns")))
    if not columns and "criteria" not in root:
        root.fail(None, 'it maps no column: add [columns] with lines such as tried = "requests"')
    return TableMapping(
        name=root.text("name"),
        whole=root.text("whole"),
        is_partition=root.flag("parts_make_up_whole", False),
        provenance=root.text("provenance"),
        provenance_column=root.text("provenance_column"),
        is_comparison=root.flag("compares", False),
        workload=root.texts("workload") or (),
        columns=columns,
        criteria=tuple(_read_criterion(section) for section in root.sections("criteria")),
    )


def _read_columns(section: Section) -> Iterator[MappedColumn]:
    section.expect(tuple(Quantity))
    for key in section.keys:
        quantity = Quantity(key)
        units = _units_of(quantity)
        if section.is_table(key):
            column = section.section(key)
            column.expect(("column", "unit"))
            unit = column.text("unit")
            if unit is not None and unit not in units:
                column.fail("unit", str(UnknownNameError.among(f"unit of {key}", unit, units)))
            name = column.required_text("column")
        else:
            name, unit = section.required_text(key), None
        if unit is None and quantity in RATIOS:
            section.fail(
                key, f'percent and fraction are never guessed apart: write {{ column = "{name}", unit = "%" }} or "fraction"'
            )
        yield MappedColumn(quantity, name, units[unit] if unit else 1.0, unit == PERCENT)


def _units_of(quantity: Quantity) -> dict[str, float]:
    if quantity in RATIOS:
        return _RATIOS
    if quantity.value.endswith("_per_s"):
        return _RATES
    if quantity.value.endswith("_ms"):
        return _MILLISECONDS
    return _SECONDS if quantity.value.endswith("_s") else {}


def _read_criterion(section: Section) -> MappedCriterion:
    section.expect(_CRITERION_KEYS)
    comparator = section.required_text("comparator")
    if comparator not in tuple(Comparator):
        section.fail("comparator", str(UnknownNameError.among("comparator", comparator, tuple(Comparator))))
    return MappedCriterion(
        section.required_text("text"),
        section.required_text("value"),
        Comparator(comparator),
        section.required_text("limit"),
        section.required_text("met"),
        tuple(word.casefold() for word in section.texts("met_words") or _MET_WORDS),
    )
