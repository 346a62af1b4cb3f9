"""Filters as Arrow expressions. A value is converted into its column's type, never pasted into anything."""

import operator

import pyarrow as pa
import pyarrow.compute as pc

from jivsbench.errors import ExtractionError
from jivsbench.model.numbers import parse_decimals
from jivsbench.model.table import Filter, Operator

_COMPARISONS = {
    Operator.EQUAL: operator.eq,
    Operator.NOT_EQUAL: operator.ne,
    Operator.LESS: operator.lt,
    Operator.LESS_OR_EQUAL: operator.le,
    Operator.GREATER: operator.gt,
    Operator.GREATER_OR_EQUAL: operator.ge,
}


def build_expression(condition: Filter, schema: pa.Schema) -> pc.Expression:
    """One filter. Raises ExtractionError for a value that its column cannot hold."""
    column = pc.field(condition.column)
    kind = schema.field(condition.column).type
    match condition.operator:
        case Operator.IS_NULL:
            return column.is_null()
        case Operator.IS_NOT_NULL:
            return column.is_valid()
        case Operator.LIKE:
            return pc.match_like(column, _convert(condition.values[0], pa.string(), condition.column).as_py())
        case Operator.IN:
            values = pa.array([_convert(value, kind, condition.column).as_py() for value in condition.values], kind)
            return column.isin(values) & column.is_valid()
        case comparison:
            return _COMPARISONS[comparison](column, _convert(condition.values[0], kind, condition.column))


def _convert(value: str | float | bool, kind: pa.DataType, column: str) -> pa.Scalar:  # noqa: FBT001 - a filter's value
    try:
        if isinstance(value, bool):
            return pa.scalar(value, kind)
        if pa.types.is_decimal(kind):
            return parse_decimals(pa.array([str(value)]), kind)[0]
        return pa.scalar(str(value)).cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeEncodeError) as exc:
        raise ExtractionError(f"a filter's value does not fit the column {column!r} of type {kind}") from exc
