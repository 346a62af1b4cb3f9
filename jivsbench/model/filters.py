"""Conditions on the values of one column."""

from dataclasses import dataclass
from enum import StrEnum

from jivsbench.errors import ExtractionError


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


def check_value_count(condition: Filter) -> None:
    """Raise ExtractionError unless the filter has as many values as its operator takes."""
    if condition.operator is Operator.IN:
        return
    found, wanted = len(condition.values), 0 if condition.operator in (Operator.IS_NULL, Operator.IS_NOT_NULL) else 1
    if found != wanted:
        raise ExtractionError(
            f"the filter {condition.operator} on column {condition.column!r} has {found} values: it takes {wanted}"
        )
