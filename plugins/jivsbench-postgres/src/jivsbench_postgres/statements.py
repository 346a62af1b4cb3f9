"""The text of every statement that reads rows. A name is quoted as a name, a value as a value; nothing else is ever inserted."""

import psycopg
from psycopg import sql

from jivsbench.errors import ExtractionError, MissingObjectError
from jivsbench.model.filters import check_value_count
from jivsbench.model.table import ExtractionRequest, Filter, Operator, Partition, TableName

_MAX_NAME_BYTES = 63
_COMPARISONS = {
    Operator.EQUAL: sql.SQL("="),
    Operator.NOT_EQUAL: sql.SQL("<>"),
    Operator.LESS: sql.SQL("<"),
    Operator.LESS_OR_EQUAL: sql.SQL("<="),
    Operator.GREATER: sql.SQL(">"),
    Operator.GREATER_OR_EQUAL: sql.SQL(">="),
}


def quote_table(table: TableName) -> sql.Identifier:
    """A table as an identifier. Without a namespace the session's search path finds it."""
    parts = (table.namespace, table.name) if table.namespace else (table.name,)
    if table.name.startswith("pg_") and not table.namespace:
        # The system catalogue is on every search path.
        raise MissingObjectError(f"no table {table.name!r} can be extracted by its bare name: write it as schema.table")
    if table.namespace and (table.namespace.startswith("pg_") or table.namespace == "information_schema"):
        raise MissingObjectError(f"table {str(table)!r} is of the system catalogue, which is not extracted")
    return sql.Identifier(*(_check_name(part) for part in parts))


def quote_column(name: str) -> sql.Identifier:
    """A column as an identifier."""
    return sql.Identifier(_check_name(name))


def _check_name(name: str) -> str:
    """Refuse what the server would cut or cannot receive: a cut name can be that of another table."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= _MAX_NAME_BYTES or "\0" in name:
        raise MissingObjectError(
            f"no table or column is called {name[:80]!r}: a name has 1 to {_MAX_NAME_BYTES} bytes of UTF-8, without NUL"
        )
    return name


def build_copy(partition: Partition, connection: psycopg.Connection) -> bytes:
    """`COPY (SELECT ...) TO STDOUT` for the rows of a partition."""
    columns = [quote_column(column.name) for column in partition.schema.columns]
    return (
        sql.SQL("COPY ({}) TO STDOUT (FORMAT text)")
        .format(build_part(partition, sql.SQL(", ").join(columns)))
        .as_bytes(connection)
    )


def build_select(partition: Partition, connection: psycopg.Connection) -> bytes:
    """The same rows as a plain SELECT, for a cursor."""
    columns = [quote_column(column.name) for column in partition.schema.columns]
    return build_part(partition, sql.SQL(", ").join(columns)).as_bytes(connection)


def build_count(partition: Partition, connection: psycopg.Connection) -> bytes:
    """The number of rows of a partition, counted by the server."""
    if partition.request.row_limit is None:
        return build_part(partition, sql.SQL("pg_catalog.count(*)")).as_bytes(connection)
    inner = build_part(partition, sql.SQL("1"))
    return sql.SQL("SELECT pg_catalog.count(*) FROM ({}) AS part").format(inner).as_bytes(connection)


def build_part(partition: Partition, columns: sql.Composable) -> sql.Composed:
    """`SELECT columns` over the rows of a partition."""
    request = partition.request
    parts: list[sql.Composable] = [sql.SQL("SELECT {} FROM {}").format(columns, _build_from(request))]
    conditions = [build_condition(condition) for condition in request.filters]
    if partition.predicate:
        # Made by this connector from page numbers, never from a user's text.
        conditions.append(sql.SQL(partition.predicate))
    if conditions:
        parts += [sql.SQL("WHERE"), sql.SQL(" AND ").join(conditions)]
    if request.row_limit is not None:
        parts += [sql.SQL("LIMIT"), sql.SQL(str(int(request.row_limit)))]
    return sql.SQL(" ").join(parts)


def _build_from(request: ExtractionRequest) -> sql.Composable:
    if request.table is not None:
        return quote_table(request.table)
    # The line breaks end a comment in the query's last line. That the query is one whole statement, and so cannot reach
    # out of its parentheses, the server has said before: it is described by itself first.
    return sql.SQL("(\n{}\n) AS query").format(sql.SQL(clean_query(request)))


def clean_query(request: ExtractionRequest) -> str:
    """The request's query without the semicolon at its end. Raises ExtractionError for a text that cannot be sent."""
    text = (request.query or "").strip().rstrip(";").rstrip()
    if not text:
        raise ExtractionError("an extraction names neither a table nor a query: give one of them")
    return _check_text(text, "the query")


def build_condition(condition: Filter) -> sql.Composable:
    """One filter as SQL. A value is a quoted text of unknown type, so the server reads it in the column's own type."""
    column = quote_column(condition.column)
    values = [sql.Literal(format_value(value, condition.column)) for value in condition.values]
    check_value_count(condition)
    match condition.operator:
        case Operator.IS_NULL:
            return sql.SQL("{} IS NULL").format(column)
        case Operator.IS_NOT_NULL:
            return sql.SQL("{} IS NOT NULL").format(column)
        case Operator.IN:
            return sql.SQL("{} IN ({})").format(column, sql.SQL(", ").join(values)) if values else sql.SQL("false")
        case Operator.LIKE:
            return sql.SQL("{}::pg_catalog.text LIKE {}").format(column, values[0])
        case comparison:
            return sql.SQL("{} {} {}").format(column, _COMPARISONS[comparison], values[0])


def format_value(value: str | float | bool, column: str) -> str:  # noqa: FBT001 - a filter's value may be a boolean
    """A filter's value as the text that the server reads. Raises ExtractionError for what no PostgreSQL text can hold."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value)
        case int():
            return str(value)
    return _check_text(value, f"the filter on column {column!r}")


def _check_text(text: str, where: str) -> str:
    if "\0" in text:
        raise ExtractionError(f"{where} holds a NUL character, which no PostgreSQL text can hold: remove it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ExtractionError(f"{where} holds half of a surrogate pair, which is no character: remove it") from None
    return text


def quote_literal(text: str, connection: psycopg.Connection) -> bytes:
    """A text as a quoted value, for a statement that takes no parameters."""
    return sql.Literal(_check_text(text, "a snapshot's name")).as_bytes(connection)
