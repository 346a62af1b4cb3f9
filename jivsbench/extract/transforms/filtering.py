"""Conditions over whole columns, with SQL's logic of three values."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from jivsbench.errors import UsageError
from jivsbench.model.filtering import COMPARISONS
from jivsbench.model.filters import Filter, Operator
from jivsbench.model.numbers import parse_scalar


def build_condition(where: Filter, arrow_type: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    """True, false or NULL for each value. Raises UsageError when the column cannot be compared like that."""
    try:
        condition = _build(where, arrow_type)
        condition(pa.nulls(1, arrow_type))
    except (pa.ArrowException, OverflowError, ValueError) as problem:
        # The value itself may be a row's: it is not repeated.
        raise UsageError(
            f"the filter on column {where.column!r} cannot compare {arrow_type} by {where.operator.value!r} with what it was "
            "given: give values of the column's type"
        ) from problem
    return condition


def _build(where: Filter, arrow_type: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    match where.operator:
        case Operator.IS_NULL:
            return lambda values: pc.is_null(values)  # noqa: PLW0108 - pyarrow has no types
        case Operator.IS_NOT_NULL:
            return lambda values: pc.is_valid(values)  # noqa: PLW0108 - pyarrow has no types
        case Operator.LIKE:
            return lambda values: pc.match_like(values, str(where.values[0]))
        case Operator.IN:
            wanted = pa.array([_to_scalar(value, arrow_type).as_py() for value in where.values], arrow_type)
            # As in SQL, NULL is in no list and not outside of one either.
            return lambda values: pc.and_kleene(pc.is_valid(values), pc.is_in(values, wanted))
        case compared:
            compare, scalar = COMPARISONS[compared], _to_scalar(where.values[0], arrow_type)
            return lambda values: compare(values, scalar)


def _to_scalar(value: object, arrow_type: pa.DataType) -> pa.Scalar:
    """The value in the column's type, exactly: Arrow would round a float to a decimal's places without a word."""
    if isinstance(value, str) or pa.types.is_decimal(arrow_type):
        return parse_scalar(str(value), arrow_type)
    return pa.scalar(value).cast(arrow_type)
