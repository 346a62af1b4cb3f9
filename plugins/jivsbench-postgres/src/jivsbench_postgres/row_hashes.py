"""Fingerprints of rows as the server computes them, from the canonical text of jivsbench.model.row_fingerprint."""

from collections.abc import Sequence

import psycopg
import pyarrow as pa
from psycopg import sql

from jivsbench.model.row_fingerprint import RowFingerprint, is_counted
from jivsbench.model.source import TypePolicy
from jivsbench.model.table import Column, Partition
from jivsbench_postgres.arrow_types import is_partial, is_plain_text
from jivsbench_postgres.exchange import Row
from jivsbench_postgres.statements import build_part, quote_column

_MAX_ARGUMENTS = 100
"""A function takes no more, not even concat."""
_FITS = {
    pa.date32(): "{} BETWEEN '0001-01-01'::pg_catalog.date AND '9999-12-31'::pg_catalog.date",
    pa.time64("us"): "{} < '24:00'::pg_catalog.time",
    pa.timestamp("us"): "{0} >= '0001-01-01'::pg_catalog.timestamp AND {0} < '10000-01-01'::pg_catalog.timestamp",
    pa.timestamp(
        "us", "UTC"
    ): "{0} >= '0001-01-01+00'::pg_catalog.timestamptz AND {0} < '10000-01-01+00'::pg_catalog.timestamptz",
}
_FITS_DECIMAL = "{} <> 'NaN'::pg_catalog.numeric"


def build_row_hashes(partition: Partition, connection: psycopg.Connection, policy: TypePolicy, *, is_utf8: bool) -> bytes:
    """Rows, and the sum of their hashes."""
    inner: list[sql.Composable] = []
    head: list[sql.Composable] = []
    tail: list[sql.Composable] = []
    for index, column in enumerate(partition.schema.columns):
        value = sql.Identifier(f"v{index}")
        inner.append(sql.SQL("{} AS {}").format(_build_value(column, policy, is_utf8=is_utf8), value))
        if is_counted(column.arrow_type):
            head.append(sql.SQL("pg_catalog.octet_length({})").format(_encode(value, is_utf8=is_utf8)))
            tail.append(value)
        else:
            head.append(value)
        head.append(sql.SQL("','"))
    text = _encode(_concatenate([*head, *tail]), is_utf8=is_utf8)
    # OFFSET 0 keeps the planner from writing each value's text out twice, once for its length.
    statement = sql.SQL(
        "SELECT pg_catalog.count(*)::pg_catalog.text, pg_catalog.sum(('x' || pg_catalog.left(pg_catalog.md5({}), 16))"
        "::pg_catalog.bit(64)::pg_catalog.int8)::pg_catalog.text FROM ({} OFFSET 0) AS part"
    ).format(text, build_part(partition, sql.SQL(", ").join(inner)))
    return statement.as_bytes(connection)


def read_row_hashes(row: Row) -> RowFingerprint:
    """The row that `build_row_hashes` yields."""
    rows, total = row
    return RowFingerprint(int(rows or 0), int(total or 0))


def _build_value(column: Column, policy: TypePolicy, *, is_utf8: bool) -> sql.Composable:
    """What concat writes as the column's canonical text."""
    kind, name = column.arrow_type, quote_column(column.name)
    if pa.types.is_floating(kind):
        width = kind.bit_width // 8
        bits = sql.SQL("pg_catalog.{}({})").format(sql.Identifier(f"float{width}send"), name)
        return sql.SQL("CASE WHEN {} = 'NaN' THEN 'NaN' ELSE pg_catalog.encode({}, 'hex') END").format(name, bits)
    if pa.types.is_binary(kind):
        return sql.SQL("pg_catalog.encode({}, 'hex')").format(name)
    if is_partial(kind) and policy is TypePolicy.NULL:
        # Read as NULL, under this policy, is what does not fit, and nothing else.
        fits = _FITS_DECIMAL if pa.types.is_decimal(kind) else _FITS[kind]
        return sql.SQL("CASE WHEN {} THEN {} END").format(sql.SQL(fits).format(name), name)
    # convert_to, which counts the bytes for a server of another encoding, would take the blanks from the end of a char(n).
    if not is_counted(kind) or (is_utf8 and is_plain_text(column.server_type)):
        return name
    # As its output function writes it, which is what COPY sends: a cast to text may write something else. A composite of NULLs
    # is a value, though it IS NULL.
    return sql.SQL("CASE WHEN {0} IS DISTINCT FROM NULL THEN pg_catalog.concat({0}) END").format(name)


def _encode(text: sql.Composable, *, is_utf8: bool) -> sql.Composable:
    return text if is_utf8 else sql.SQL("pg_catalog.convert_to({}, 'UTF8')").format(text)


def _concatenate(texts: Sequence[sql.Composable]) -> sql.Composable:
    groups = [texts[start : start + _MAX_ARGUMENTS] for start in range(0, len(texts), _MAX_ARGUMENTS)]
    joined = [sql.SQL("pg_catalog.concat({})").format(sql.SQL(", ").join(group)) for group in groups]
    return joined[0] if len(joined) == 1 else _concatenate(joined)
