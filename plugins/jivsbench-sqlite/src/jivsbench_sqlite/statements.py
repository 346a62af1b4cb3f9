"""The text of every statement that reads rows, with the values to bind. Names are quoted, values are never in the text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from jivsbench.errors import ExtractionError, MissingObjectError
from jivsbench.model.filters import check_value_count
from jivsbench.model.numbers import parse_number
from jivsbench.model.table import Column, ExtractionRequest, Filter, Operator, Partition, TableName
from jivsbench_sqlite.values import format_moment

Bound = str | int | float
_OPERATORS = {
    Operator.EQUAL: "=",
    Operator.NOT_EQUAL: "<>",
    Operator.LESS: "<",
    Operator.LESS_OR_EQUAL: "<=",
    Operator.GREATER: ">",
    Operator.GREATER_OR_EQUAL: ">=",
    Operator.LIKE: "LIKE",
}
_BOOLEANS: Final = {"true": 1, "false": 0}


@dataclass(frozen=True, slots=True)
class Statement:
    """A text with `?` for each of the values."""

    text: str
    values: tuple[Bound, ...] = ()


def quote_name(name: str) -> str:
    """A table or column as an identifier."""
    if not name or "\0" in name:
        raise MissingObjectError(f"no table or column is called {name!r}: a SQLite name has at least one character, and no NUL")
    return '"' + name.replace('"', '""') + '"'


def quote_table(table: TableName) -> str:
    """A table of the main database; SQLite knows no other namespace here."""
    if table.namespace not in (None, "main") or table.name.startswith("sqlite_"):
        raise MissingObjectError(f"table {str(table)!r} cannot be extracted: give a table of the file itself by its bare name")
    return f"main.{quote_name(table.name)}"


def build_select(partition: Partition, types: Mapping[str, Column]) -> Statement:
    """The rows of a partition. `types` are the table's columns by name, for values whose form depends on the type."""
    columns = ", ".join(_quote_column(column.name) for column in partition.schema.columns)
    return _build(columns, partition.request, types)


def build_count(partition: Partition, types: Mapping[str, Column]) -> Statement:
    """The number of rows of a partition."""
    inner = _build("1", partition.request, types)
    return Statement(f"SELECT count(*) FROM ({inner.text})", inner.values)  # noqa: S608 - names are quoted, values bound


def clean_query(request: ExtractionRequest) -> str:
    """The request's query without the semicolon at its end. Raises ExtractionError for a text that cannot be sent."""
    text = (request.query or "").strip().rstrip(";").rstrip()
    if not text:
        raise ExtractionError("an extraction names neither a table nor a query: give one of them")
    return _check_text(text, "the query")


def _build(columns: str, request: ExtractionRequest, types: Mapping[str, Column]) -> Statement:
    # The line breaks end a comment in the query's last line; that the query is one whole statement is checked before.
    source = quote_table(request.table) if request.table is not None else f"(\n{clean_query(request)}\n)"
    text = f"SELECT {columns} FROM {source} AS source"  # noqa: S608 - names are quoted, values bound
    values: list[Bound] = []
    conditions = []
    for condition in request.filters:
        declared = types.get(condition.column)
        conditions.append(_build_condition(condition, declared))
        values += [_bind(value, condition, declared) for value in condition.values]
    if conditions:
        text += " WHERE " + " AND ".join(conditions)
    if request.row_limit is not None:
        text += " LIMIT ?"
        values.append(int(request.row_limit))
    return Statement(text, tuple(values))


def _quote_column(name: str) -> str:
    # With its table before it: SQLite takes a quoted name that it does not know for a text otherwise.
    return f"source.{quote_name(name)}"


def _build_condition(condition: Filter, declared: Column | None) -> str:
    check_value_count(condition)
    column = _quote_column(condition.column)
    if declared is not None and not declared.server_type and any(isinstance(value, str) for value in condition.values):
        # To SQLite a number that no declaration makes a text is less than every text, and equals none.
        column = f"CAST({column} AS TEXT)"
    match condition.operator:
        case Operator.IS_NULL | Operator.IS_NOT_NULL:
            return f"{column} {condition.operator.value.upper()}"
        case Operator.IN:
            return f"{column} IN ({', '.join('?' * len(condition.values))})"
        case comparison:
            return f"{column} {_OPERATORS[comparison]} ?"


def _bind(value: Bound, condition: Filter, declared: Column | None) -> Bound:
    """A value as SQLite compares it in the column's own type. Raises ExtractionError for a text that can be no value of it."""
    where = f"the filter on column {condition.column!r}"
    if not isinstance(value, str):
        return value
    _check_text(value, where)
    if declared is None or condition.operator is Operator.LIKE:
        return value
    kind = declared.arrow_type
    if pa.types.is_timestamp(kind):
        return format_moment(value, kind)
    if pa.types.is_boolean(kind) and value.lower() in _BOOLEANS:
        return _BOOLEANS[value.lower()]
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        try:
            parse_number(value.strip())
        except ValueError:
            # SQLite would find it greater than every number.
            raise ExtractionError(
                f"{where} has a value that does not fit its type ({declared.server_type}): correct it"
            ) from None
    return value


def _check_text(text: str, where: str) -> str:
    if "\0" in text:
        raise ExtractionError(f"{where} holds a NUL character, at which SQLite ends a text: remove it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ExtractionError(f"{where} holds half of a surrogate pair, which is no character: remove it") from None
    return text
