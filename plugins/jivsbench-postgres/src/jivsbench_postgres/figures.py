"""The figures of columns as the server computes them: one statement for a partition, each expression evaluated once a row."""

from dataclasses import replace

import psycopg
import pyarrow as pa
from psycopg import sql

from jivsbench.model.fingerprint import ColumnFingerprint, has_figures
from jivsbench.model.source import TypePolicy
from jivsbench.model.table import Column, Partition, TableSchema
from jivsbench_postgres.arrow_types import is_partial, is_plain_text
from jivsbench_postgres.exchange import Row
from jivsbench_postgres.statements import build_part, quote_column

_EXACT_EPOCH_VERSION = 140000
"""From this version on `extract` is exact; before, it was a float."""
_AGGREGATES = ("sum", "min", "max")
_COLUMNS_A_STATEMENT = 400
"""A SELECT yields 1,664 values at most: four for each column."""


def cut_columns(partition: Partition) -> tuple[Partition, ...]:
    """The partition with so many columns at a time as one statement takes."""
    columns = partition.schema.columns
    starts = range(0, len(columns), _COLUMNS_A_STATEMENT)
    return tuple(replace(partition, schema=TableSchema(columns[start : start + _COLUMNS_A_STATEMENT])) for start in starts)


def build_figures(partition: Partition, connection: psycopg.Connection, policy: TypePolicy, *, is_utf8: bool) -> bytes:
    """For each column NULLs, sum, least and greatest, as texts, in the order of the schema; NULL for what cannot be compared."""
    inner: list[sql.Composable] = []
    outer: list[sql.Composable] = []
    for index, column in enumerate(partition.schema.columns):
        value, figure = sql.Identifier(f"v{index}"), sql.Identifier(f"f{index}")
        name = quote_column(column.name)
        inner.append(sql.SQL("{} AS {}").format(name, value))
        if _may_become_null(column, policy):
            outer += [sql.SQL("NULL")] * (1 + len(_AGGREGATES))
            continue
        outer.append(sql.SQL("(pg_catalog.count(*) - pg_catalog.count({}))").format(value))
        if _has_exact_figures(column, connection.info.server_version):
            inner.append(sql.SQL("{} AS {}").format(_build_expression(column, name, is_utf8=is_utf8), figure))
            outer += [sql.SQL(f"pg_catalog.{aggregate}({{}})").format(figure) for aggregate in _AGGREGATES]
        else:
            outer += [sql.SQL("NULL")] * len(_AGGREGATES)
    texts = [sql.SQL("{}::pg_catalog.text").format(value) for value in outer]
    # OFFSET 0 keeps the planner from writing each expression out once for each aggregate.
    statement = sql.SQL("SELECT {} FROM ({} OFFSET 0) AS part").format(
        sql.SQL(", ").join(texts), build_part(partition, sql.SQL(", ").join(inner))
    )
    return statement.as_bytes(connection)


def read_figures(partition: Partition, row: Row) -> tuple[ColumnFingerprint, ...]:
    """The row that `build_figures` yields."""
    found = []
    for index, column in enumerate(partition.schema.columns):
        nulls, *figures = row[index * 4 : index * 4 + 4]
        total, least, greatest = (None if text is None else _parse(text, column.arrow_type) for text in figures)
        found.append(ColumnFingerprint(column.name, None if nulls is None else int(nulls), total, least, greatest))
    return tuple(found)


def _may_become_null(column: Column, policy: TypePolicy) -> bool:
    """Under this policy a value that does not fit is read as NULL, so the server's figures are of other values."""
    return policy is TypePolicy.NULL and is_partial(column.arrow_type)


def _has_exact_figures(column: Column, server_version: int) -> bool:
    if pa.types.is_timestamp(column.arrow_type) or pa.types.is_time(column.arrow_type):
        return server_version >= _EXACT_EPOCH_VERSION
    return has_figures(column.arrow_type)


def _build_expression(column: Column, name: sql.Identifier, *, is_utf8: bool) -> sql.Composable:
    kind = column.arrow_type
    if pa.types.is_binary(kind):
        return sql.SQL("pg_catalog.octet_length({})").format(name)
    if pa.types.is_string(kind):
        return _build_length(column, name, is_utf8=is_utf8)
    if pa.types.is_boolean(kind):
        return sql.SQL("{}::pg_catalog.int4").format(name)
    if pa.types.is_date(kind):
        return sql.SQL("({} - '1970-01-01'::pg_catalog.date)").format(name)
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        return sql.SQL("(extract(epoch FROM {}) * 1000000)::pg_catalog.int8").format(name)
    if pa.types.is_decimal(kind):
        return name
    return sql.SQL("{}::pg_catalog.int8").format(name)


def _build_length(column: Column, name: sql.Identifier, *, is_utf8: bool) -> sql.Composable:
    if is_utf8 and is_plain_text(column.server_type):
        return sql.SQL("pg_catalog.octet_length({})").format(name)
    # Everything else as its output function writes it, which is what COPY sends. NULL would be the empty text; and a composite
    # of NULLs is a value, though it IS NULL.
    text = sql.SQL("pg_catalog.format('%s', {})").format(name)
    if not is_utf8:
        text = sql.SQL("pg_catalog.convert_to({}, 'UTF8')").format(text)
    return sql.SQL("CASE WHEN {} IS DISTINCT FROM NULL THEN pg_catalog.octet_length({}) END").format(name, text)


def _parse(text: str, arrow_type: pa.DataType) -> int:
    # The server writes a numeric(p,s), and the sum of many, with s decimals; Python's decimals would round at 28 digits.
    return int(text.replace(".", "") if pa.types.is_decimal(arrow_type) else text)
