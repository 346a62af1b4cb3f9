"""Conditions on the values of one column."""

from dataclasses import dataclass
from enum import StrEnum


class Operator(StrEnum):
    """How a filter compares its column with its value."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    LIKE = "like"
    IN = "in"
    IS_NULL = "is null"
    IS_NOT_NULL = "is not null"


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on one column; several are joined by AND. `values` holds one value, several for IN, none for IS NULL.

    A value is data: a connector binds or quotes it, and compares it in the column's own type.
    """

    column: str
    operator: Operator
    values: tuple[str | int | float | bool, ...] = ()
