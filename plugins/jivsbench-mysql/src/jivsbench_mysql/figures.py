"""The figures of columns as the server computes them: one statement for a partition."""

from collections.abc import Mapping
from decimal import Decimal

import pyarrow as pa

from jivsbench.model.fingerprint import ColumnFingerprint, has_figures
from jivsbench.model.source import TypePolicy
from jivsbench.model.table import Column, Partition
from jivsbench_mysql.arrow_types import is_partial, is_text
from jivsbench_mysql.statements import build_part, quote_name
from jivsbench_mysql.wire import Row

_AGGREGATES = ("sum", "min", "max")


def build_figures(partition: Partition, types: Mapping[str, Column], policy: TypePolicy) -> str:
    """For each column NULLs, sum, least and greatest, as texts, in the order of the schema; NULL for what cannot be compared."""
    values: list[str] = []
    for column in partition.schema.columns:
        if _may_become_null(column, policy):
            values += ["NULL"] * (1 + len(_AGGREGATES))
            continue
        values.append(f"count(*) - count({quote_name(column.name)})")
        if not has_figures(column.arrow_type):
            values += ["NULL"] * len(_AGGREGATES)
            continue
        figure = _build_expression(column)
        values += [f"{aggregate}({figure})" for aggregate in _AGGREGATES]
    texts = ", ".join(f"CAST({value} AS CHAR)" for value in values)
    return build_part(partition, texts, types)


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


def _build_expression(column: Column) -> str:
    """An exact whole number in the column's smallest unit, or an exact decimal: the server adds both up as decimals."""
    name, kind = quote_name(column.name), column.arrow_type
    if pa.types.is_binary(kind):
        return f"octet_length({name})"
    if pa.types.is_string(kind):
        text = name if is_text(column.server_type) else f"CAST({name} AS CHAR)"
        return f"octet_length(CONVERT({text} USING utf8mb4))"
    if pa.types.is_date(kind):
        return f"datediff({name}, '1970-01-01')"
    if pa.types.is_timestamp(kind):
        return f"timestampdiff(MICROSECOND, '1970-01-01', {name})"
    if pa.types.is_time(kind):
        # Not time_to_sec: MariaDB's has the microseconds in it, MySQL's has not.
        return f"((hour({name}) * 3600 + minute({name}) * 60 + second({name})) * 1000000 + microsecond({name}))"
    # Without the addition a bit or a year is no number to MIN and MAX.
    return name if pa.types.is_decimal(kind) else f"({name} + 0)"


def _parse(text: str, arrow_type: pa.DataType) -> int:
    number = Decimal(text)
    sign, digits, exponent = number.as_tuple()
    scale = arrow_type.scale if pa.types.is_decimal(arrow_type) else 0
    whole: int = int("".join(map(str, digits))) * 10 ** (scale + int(exponent))
    return -whole if sign else whole
