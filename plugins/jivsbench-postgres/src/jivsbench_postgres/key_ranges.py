"""How a table is cut at values of its key, so that a later transaction finds the same rows in the same part.

Page ranges do not do for that: an UPDATE, VACUUM FULL or CLUSTER between two transactions moves rows from one page to
another, and the row would come twice or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from jivsbench.errors import ResumeError
from jivsbench.model.table import ExtractionRequest, KeySplit
from jivsbench_postgres.statements import build_condition, quote_column, quote_table
from jivsbench_postgres.wire import Wire

# The primary key, else a unique index over whole rows, rather one without NULLs. A parent's index says nothing about the rows
# of tables that inherit from it, so such a table has no key here; one of declared partitions has.
_KEY = b"""
SELECT d.oid::pg_catalog.text || '/' || c.oid::pg_catalog.text, a.attname, a.attnotnull,
       pg_catalog.concat_ws(' ', a.attnum, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attcollation)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
 CROSS JOIN LATERAL (
       SELECT i.indkey, i.indnkeyatts
         FROM pg_catalog.pg_index i
        WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
        ORDER BY i.indisprimary DESC,
                 (SELECT pg_catalog.bool_and(k.attnotnull) FROM pg_catalog.pg_attribute k
                   WHERE k.attrelid = c.oid AND k.attnum = ANY (i.indkey)) DESC,
                 i.indexrelid
        LIMIT 1) i
 CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS k (attnum, position)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
 WHERE c.oid = $1::pg_catalog.regclass AND k.position <= i.indnkeyatts
   AND (c.relkind IN ('p', 'm')
        OR c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid))
 ORDER BY k.position
"""


@dataclass(frozen=True, slots=True)
class TableKey:
    """Columns that tell a table's rows apart, in the order of their index."""

    table_id: str
    columns: tuple[str, ...]
    has_nulls: bool
    """Some column may be NULL."""


def read_key(wire: Wire, request: ExtractionRequest, patience_s: float) -> TableKey | None:
    """The key of the request's table; None when it has none."""
    if request.table is None:
        return None
    table = quote_table(request.table).as_bytes(wire.driver).decode()
    found = wire.fetch(_KEY, (table,), doing=f"name the key of table {str(request.table)!r}", patience_s=patience_s)
    if not found:
        return None
    facts = ", ".join(fact or "" for _, _, _, fact in found)
    names = tuple(name or "" for _, name, _, _ in found)
    return TableKey(f"{found[0][0]}: {facts}", names, has_nulls=any(not_null != "t" for _, _, not_null, _ in found))


def split_by_key(wire: Wire, request: ExtractionRequest, partition_rows: int, patience_s: float) -> KeySplit | None:
    """Bounds at every `partition_rows` rows, counted along the key. None without a key, or with a limit."""
    key = None if request.row_limit is not None else read_key(wire, request, patience_s)
    if key is None:
        return None
    query = build_bounds(request, key, partition_rows, wire.driver)
    rows = wire.fetch(query, doing=f"split table {str(request.table)!r} by its key", patience_s=patience_s)
    bounds = tuple(tuple(value or "" for value in row) for row in rows)
    return KeySplit(key.table_id, key.columns, bounds, has_null_part=key.has_nulls)


def check_split(split: KeySplit, key: TableKey | None, table: str) -> None:
    """Raise ResumeError unless the table's key is still the one that was split."""
    if key is None or (key.table_id, key.columns, key.has_nulls) != (split.table_id, split.columns, split.has_null_part):
        raise ResumeError(
            f"table {table!r} is not the one whose extraction is to be resumed (it, or its key, was made anew): "
            "start again in a new folder"
        )


def build_bounds(request: ExtractionRequest, key: TableKey, partition_rows: int, connection: psycopg.Connection) -> bytes:
    """The query for the first key of each part but the first: rows are counted along the index, so any skew gives equal parts."""
    assert request.table is not None
    columns = [quote_column(name) for name in key.columns]
    aliases = [sql.Identifier(f"k{number}") for number in range(len(columns))]
    conditions = [build_condition(condition) for condition in request.filters]
    if key.has_nulls:
        conditions.append(_build_not_null(columns))
    return (
        sql.SQL(
            "SELECT {aliases} FROM "
            "(SELECT {named}, pg_catalog.row_number() OVER (ORDER BY {columns}) AS number FROM {table}{where}) AS numbered "
            "WHERE number > 1 AND (number - 1) % {rows} = 0 ORDER BY number"
        )
        .format(
            aliases=_join(aliases),
            named=_join([sql.SQL("{} AS {}").format(*pair) for pair in zip(columns, aliases, strict=True)]),
            columns=_join(columns),
            table=quote_table(request.table),
            where=sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(conditions)) if conditions else sql.SQL(""),
            rows=sql.SQL(str(int(partition_rows))),
        )
        .as_bytes(connection)
    )


def build_predicates(split: KeySplit, connection: psycopg.Connection) -> tuple[str, ...]:
    """Conditions of half-open ranges, disjoint and together everything; one more for NULL keys, when there can be any.

    A bound is a quoted text of unknown type, so the server reads it in the column's own type and compares in its collation.
    """
    if not split.bounds:
        return ("",)
    columns = [quote_column(name) for name in split.columns]
    bounds = [sql.SQL("({})").format(_join([sql.Literal(value) for value in bound])) for bound in split.bounds]
    key = sql.SQL("({})").format(_join(columns))
    starts = [None, *(sql.SQL("{} >= {}").format(key, bound) for bound in bounds)]
    ends = [*(sql.SQL("{} < {}").format(key, bound) for bound in bounds), None]
    # (1, NULL) < (2, 'x') is true, decided by the first column: without this the row would be in a range and in the last part.
    not_null = _build_not_null(columns) if split.has_null_part else None
    parts = [sql.SQL(" AND ").join(filter(None, (start, end, not_null))) for start, end in zip(starts, ends, strict=True)]
    if split.has_null_part:
        parts.append(sql.SQL("({})").format(sql.SQL(" OR ").join(sql.SQL("{} IS NULL").format(name) for name in columns)))
    return tuple(part.as_string(connection) for part in parts)


def _build_not_null(columns: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(name) for name in columns)


def _join(parts: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL(", ").join(parts)
