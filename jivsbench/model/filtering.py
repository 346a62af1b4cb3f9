"""Filters over Arrow data, with the three-valued logic of SQL, for sources that have no language of their own to filter by."""

from collections.abc import Iterable
from typing import Any, Final, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from jivsbench.errors import ExtractionError
from jivsbench.model.filters import Filter, Operator, check_value_count
from jivsbench.model.numbers import parse_scalar

_Rows = TypeVar("_Rows", pa.RecordBatch, pa.Table)

COMPARISONS: Final = {
    Operator.EQUAL: pc.equal,
    Operator.NOT_EQUAL: pc.not_equal,
    Operator.LESS: pc.less,
    Operator.LESS_OR_EQUAL: pc.less_equal,
    Operator.GREATER: pc.greater,
    Operator.GREATER_OR_EQUAL: pc.greater_equal,
}


def apply_filters(rows: _Rows, filters: Iterable[Filter]) -> _Rows:
    """The rows that every filter matches, in their order. Raises ExtractionError for a value that its column cannot hold."""
    for condition in filters:
        rows = rows.filter(_match(rows.column(condition.column), condition))
    return rows


def _match(column: pa.Array | pa.ChunkedArray, condition: Filter) -> Any:
    check_value_count(condition)
    match condition.operator:
        case Operator.IS_NULL:
            return pc.is_null(column)
        case Operator.IS_NOT_NULL:
            return pc.is_valid(column)
        case Operator.IN:
            values = [_convert(value, column.type, condition.column) for value in condition.values]
            return pc.and_kleene(pc.is_valid(column), pc.is_in(column, pa.array([v.as_py() for v in values], column.type)))
    if condition.operator is Operator.LIKE:
        pattern = _convert(condition.values[0], pa.string(), condition.column).as_py()
        return pc.match_like(pc.cast(column, pa.string()), pattern)
    return COMPARISONS[condition.operator](column, _convert(condition.values[0], column.type, condition.column))


def _convert(value: object, kind: pa.DataType, column: str) -> pa.Scalar:
    try:
        if isinstance(value, bool) and not (pa.types.is_decimal(kind) or pa.types.is_integer(kind)):
            return pa.scalar(value, kind)
        # By way of text, as a server does it: 1 and "1.00" are the same decimal.
        return parse_scalar(str(value), kind)
    except (ValueError, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        raise ExtractionError(f"a filter's value does not fit the column {column!r} of type {kind}: change the filter") from None
