"""The text of every statement that reads rows. A name is quoted as a name, a value as a value; nothing else is ever inserted."""

import math
import re
import struct
from collections.abc import Mapping
from datetime import UTC, date
from typing import Final

import pyarrow as pa

from jivsbench.errors import ExtractionError, MissingObjectError
from jivsbench.model.filters import check_value_count
from jivsbench.model.moments import parse_moment
from jivsbench.model.numbers import parse_number
from jivsbench.model.table import Column, ExtractionRequest, Filter, Operator, Partition, TableName
from jivsbench_mysql.arrow_types import is_numeric, is_text, word_of

SYSTEM_SCHEMAS: Final = ("information_schema", "mysql", "performance_schema", "sys")
_MAX_NAME_CHARACTERS: Final = 64
_LAST_OF_PLANE: Final = "\uffff"
_COMPARISONS: Final = {
    Operator.EQUAL: "=",
    Operator.NOT_EQUAL: "<>",
    Operator.LESS: "<",
    Operator.LESS_OR_EQUAL: "<=",
    Operator.GREATER: ">",
    Operator.GREATER_OR_EQUAL: ">=",
}
_TIME: Final = re.compile(r"-?\d{1,3}:\d\d(:\d\d(\.\d{1,6})?)?", re.ASCII)
_BOOLEANS: Final = {"true": "1", "false": "0"}


def quote_name(name: str) -> str:
    """A table or column as an identifier."""
    # What the server would refuse or fold into another name is no name of it.
    if not 0 < len(name) <= _MAX_NAME_CHARACTERS or "\0" in name or max(name) > _LAST_OF_PLANE or _is_half_a_pair(name):
        raise MissingObjectError(
            f"no table or column is called {name[:80]!r}: it has 1 to {_MAX_NAME_CHARACTERS} characters of 16 bits and no NUL"
        )
    return "`" + name.replace("`", "``") + "`"


def quote_table(table: TableName) -> str:
    """A table as an identifier. Without a namespace it is one of the database that the URL names."""
    if table.namespace is not None and table.namespace.lower() in SYSTEM_SCHEMAS:
        raise MissingObjectError(f"table {str(table)!r} is of the server's own catalogue, which is not extracted")
    return ".".join(quote_name(part) for part in (table.namespace, table.name) if part is not None)


def quote_text(text: str, where: str) -> str:
    """A text as a value. In hexadecimal, so that no setting of the server can make it anything else."""
    try:
        return f"_utf8mb4 X'{text.encode().hex()}'"
    except UnicodeEncodeError:
        raise ExtractionError(f"{where} holds half of a surrogate pair, which is no character: remove it") from None


def build_select(partition: Partition, types: Mapping[str, Column]) -> str:
    """The rows of a partition, each value in the form that is read exactly. `types` are the columns that filters name."""
    columns = ", ".join(f"{build_exact(column)} AS {quote_name(column.name)}" for column in partition.schema.columns)
    return build_part(partition, columns, types)


def build_count(partition: Partition, types: Mapping[str, Column]) -> str:
    """The number of rows of a partition, counted by the server."""
    if partition.request.row_limit is None:
        return build_part(partition, "count(*)", types)
    return f"SELECT count(*) FROM ({build_part(partition, '1', types)}) AS `part`"  # noqa: S608 - names and values are quoted


def build_exact(column: Column) -> str:
    """An expression whose text is the column's exact value."""
    name, word = quote_name(column.name), word_of(column.server_type)
    if word in ("float", "double"):
        # A float is written with six digits, a double(m,d) with d of them; as a plain double each is written so that it reads
        # back the same.
        return f"({name} * 1e0)"
    # A bit is sent as the bytes of its number.
    return f"({name} + 0)" if word == "bit" else name


def build_part(partition: Partition, columns: str, types: Mapping[str, Column]) -> str:
    """`SELECT columns` over the rows of a partition."""
    request = partition.request
    text = f"SELECT {columns} FROM {_build_from(request)}"  # noqa: S608 - names and values are quoted
    conditions = [build_condition(condition, types[condition.column]) for condition in request.filters]
    if partition.predicate:
        # Made by this connector from keys, never from a user's text.
        conditions.append(f"({partition.predicate})")
    if conditions:
        text += " WHERE " + " AND ".join(conditions)
    if request.row_limit is not None:
        text += f" LIMIT {int(request.row_limit)}"
    return text


def _build_from(request: ExtractionRequest) -> str:
    if request.table is not None:
        return quote_table(request.table)
    # The line breaks end a comment in the query's last line. That the query is one whole statement, and so cannot reach
    # out of its parentheses, the server has said before: it is described by itself first.
    return f"(\n{clean_query(request)}\n) AS `query`"


def clean_query(request: ExtractionRequest) -> str:
    """The request's query without the semicolon at its end. Raises ExtractionError for a text that cannot be sent."""
    text = (request.query or "").strip().rstrip(";").rstrip()
    if not text:
        raise ExtractionError("an extraction names neither a table nor a query: give one of them")
    if "\0" in text or _is_half_a_pair(text):
        raise ExtractionError("the query holds a NUL character or half of a surrogate pair: remove it")
    return text


def build_condition(condition: Filter, column: Column) -> str:
    """One filter as SQL; its values are read in the column's own type, or refused."""
    name = quote_name(condition.column)
    check_value_count(condition)
    match condition.operator:
        case Operator.IS_NULL | Operator.IS_NOT_NULL:
            return f"{name} {condition.operator.value.upper()}"
        case Operator.LIKE:
            text = name if is_text(column.server_type) else f"CONVERT({name} USING utf8mb4)"
            return f"{text} LIKE {quote_text(str(condition.values[0]), _where(column))} ESCAPE '\\'"
    values = [format_value(value, column) for value in condition.values]
    if column.server_type == "json":
        name = f"CONVERT({name} USING utf8mb4)"
    if condition.operator is Operator.IN:
        return f"{name} IN ({', '.join(values)})" if values else "FALSE"
    return f"{name} {_COMPARISONS[condition.operator]} {values[0]}"


def format_value(value: str | float | bool, column: Column) -> str:  # noqa: FBT001 - a filter's value may be a boolean
    """A filter's value as a literal of the column's type.

    A text that is no number is not left to the server, which would compare its first digits: '1 OR 1=1' would find 1.
    """
    word = word_of(column.server_type)
    if is_numeric(column.server_type):
        return _format_number(value, column)
    text = repr(value) if isinstance(value, float) else str(value)
    if word in ("date", "datetime", "timestamp"):
        return _format_moment(text, column)
    if word == "time":
        if _TIME.fullmatch(text):
            return f"TIME'{text}'"
        raise _unfit(column)
    return quote_text(text, _where(column))


def _format_number(value: str | float | bool, column: Column) -> str:  # noqa: FBT001 - as above
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, str):
        text = _BOOLEANS.get(value.lower(), value) if pa.types.is_boolean(column.arrow_type) else value.strip()
        try:
            parse_number(text)
        except ValueError:
            raise _unfit(column) from None
    elif isinstance(value, float) and not math.isfinite(value):
        raise _unfit(column)
    else:
        text = repr(value)
    return _to_single(text) if word_of(column.server_type) == "float" else text


def _to_single(text: str) -> str:
    """A number as the nearest single float, written out as a double: the server compares doubles, of which neither is 0.1."""
    try:
        (single,) = struct.unpack("f", struct.pack("f", float(text)))
    except OverflowError:
        # Beyond all single floats, and so it stays where it is.
        return text
    return f"{single!r}" if "e" in repr(single) else f"{single!r}e0"


def _format_moment(text: str, column: Column) -> str:
    word = word_of(column.server_type)
    try:
        if word == "date":
            return f"DATE'{date.fromisoformat(text).isoformat()}'"
        moment = parse_moment(text)
        if moment.tzinfo is not None and word == "timestamp":
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise _unfit(column) from None
    if moment.tzinfo is not None:
        raise ExtractionError(f"{_where(column)} has a time zone, and the column has none: leave it out")
    return f"TIMESTAMP'{moment.isoformat(sep=' ')}'"


def _unfit(column: Column) -> ExtractionError:
    return ExtractionError(f"{_where(column)} has a value that does not fit its type ({column.server_type}): correct the value")


def _where(column: Column) -> str:
    return f"the filter on column {column.name!r}"


def _is_half_a_pair(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
