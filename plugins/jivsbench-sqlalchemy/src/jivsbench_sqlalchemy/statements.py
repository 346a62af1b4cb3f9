"""The statements that read rows, as SQLAlchemy's expressions: names are quoted and values bound by it, in each dialect's way."""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, FromClause, Select, func, literal_column

from jivsbench.errors import ExtractionError
from jivsbench.model.filters import check_value_count
from jivsbench.model.table import ExtractionRequest, Filter, Operator, Partition
from jivsbench_sqlalchemy.columns import SelectedColumn
from jivsbench_sqlalchemy.filter_values import convert_filter_value

Columns = Mapping[str, SelectedColumn]


def build_select(partition: Partition, columns: Columns) -> Select[Any]:
    """The rows of a partition."""
    chosen = [columns[column.name].selected for column in partition.schema.columns]
    return _build(chosen, partition.request, columns)


def build_count(partition: Partition, columns: Columns) -> Select[Any]:
    """The number of rows of a partition."""
    rows = _build([literal_column("1").label("one")], partition.request, columns)
    return sqlalchemy.select(func.count()).select_from(rows.subquery("counted"))


def build_columns_probe(request: ExtractionRequest) -> Select[Any]:
    """No row of a query, but the names of its columns."""
    impossible = literal_column("1") == literal_column("0")
    return sqlalchemy.select(literal_column("*")).select_from(_build_source(request, ())).where(impossible)


def check_query(request: ExtractionRequest) -> str:
    """The request's query without the semicolon at its end. Raises ExtractionError for what may be more than one statement."""
    text = (request.query or "").strip().rstrip(";").rstrip()
    if not text:
        raise ExtractionError("an extraction names neither a table nor a query: give one of them")
    if ";" in text or "\0" in text:
        # Some drivers run one statement after the other, and no parser here knows every dialect's quotes.
        raise ExtractionError("the query holds a semicolon or a NUL character: this connector takes one statement without them")
    return text


def _build(chosen: Iterable[ColumnElement[Any]], request: ExtractionRequest, columns: Columns) -> Select[Any]:
    select = sqlalchemy.select(*chosen).select_from(_build_source(request, columns))
    for condition in request.filters:
        select = select.where(_build_condition(condition, columns[condition.column]))
    return select if request.row_limit is None else select.limit(int(request.row_limit))


def _build_source(request: ExtractionRequest, columns: Iterable[str]) -> FromClause:
    if request.table is not None:
        return sqlalchemy.table(request.table.name, schema=request.table.namespace)
    # SQLAlchemy reads `:name` as a value to bind, and `\:` as a colon. The line break ends a comment in the last line.
    text = check_query(request).replace(":", "\\:") + "\n"
    return sqlalchemy.text(text).columns(*(sqlalchemy.column(name) for name in columns)).subquery("source")


def _build_condition(condition: Filter, selected: SelectedColumn) -> ColumnElement[bool]:
    check_value_count(condition)
    column = selected.compared
    match condition.operator:
        case Operator.IS_NULL:
            return column.is_(None)
        case Operator.IS_NOT_NULL:
            return column.is_not(None)
        case Operator.LIKE:
            text = column if isinstance(column.type, sqlalchemy.String) else sqlalchemy.cast(column, sqlalchemy.Unicode())
            return text.like(str(condition.values[0]))
        case Operator.IN:
            return column.in_([convert_filter_value(value, column.type, condition.column) for value in condition.values])
    value = convert_filter_value(condition.values[0], column.type, condition.column)
    match condition.operator:
        case Operator.EQUAL:
            return column == value
        case Operator.NOT_EQUAL:
            return column != value
        case Operator.LESS:
            return column < value
        case Operator.LESS_OR_EQUAL:
            return column <= value
        case Operator.GREATER:
            return column > value
    return column >= value
