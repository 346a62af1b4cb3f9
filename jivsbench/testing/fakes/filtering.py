"""Filters over Arrow tables, with the three-valued logic of SQL: a comparison with NULL is no match."""

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from jivsbench.errors import ExtractionError
from jivsbench.model.table import Filter, Operator

_COMPARISONS: Final = {
    Operator.EQUAL: pc.equal,
    Operator.NOT_EQUAL: pc.not_equal,
    Operator.LESS: pc.less,
    Operator.LESS_OR_EQUAL: pc.less_equal,
    Operator.GREATER: pc.greater,
    Operator.GREATER_OR_EQUAL: pc.greater_equal,
}


def apply_filters(table: pa.Table, filters: tuple[Filter, ...]) -> pa.Table:
    """The rows that every filter matches, in their order. Raises ExtractionError for a value that its column cannot hold."""
    for condition in filters:
        table = table.filter(_match(table[condition.column], condition))
    return table


def _match(column: pa.ChunkedArray, condition: Filter) -> Any:
    match condition.operator:
        case Operator.IS_NULL:
            return pc.is_null(column)
        case Operator.IS_NOT_NULL:
            return pc.is_valid(column)
        case Operator.LIKE:
            return pc.match_like(column, str(condition.values[0]))
        case Operator.IN:
            values = [_convert(value, column.type, condition.column) for value in condition.values]
            return pc.is_in(column, pa.array([value.as_py() for value in values], column.type))
        case operator:
            return _COMPARISONS[operator](column, _convert(condition.values[0], column.type, condition.column))


def _convert(value: object, kind: pa.DataType, column: str) -> pa.Scalar:
    try:
        # By way of text, as a server does it: 1 and "1.00" are the same decimal.
        return pa.scalar(value, kind) if isinstance(value, bool) else pa.scalar(str(value)).cast(kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as exc:
        raise ExtractionError(f"a filter's value does not fit the column {column!r} of type {kind}: change the filter") from exc
