"""Where an increment ends: a value of a column below which no transaction that is open now can still commit a row.

A transaction's now() is the time at which it began, and its rows are seen when it commits, perhaps much later. So the newest
value that was read says nothing about what is still to come; the start of the oldest open transaction does.
"""

from psycopg import sql

from jivsbench.errors import MissingObjectError, UsageError
from jivsbench.model.table import ExtractionRequest, TableName, Watermark
from jivsbench_postgres.exchange import Statement
from jivsbench_postgres.key_ranges import read_key
from jivsbench_postgres.statements import quote_column, quote_table
from jivsbench_postgres.wire import Wire

_MARGIN_S = 5
"""A transaction takes its time from the clock a moment before the server lists it as open."""
_INSTANT = "timestamp with time zone"
_TIMES = (_INSTANT, "timestamp without time zone")
_LEAST = {"smallint": -(2**15), "integer": -(2**31), "bigint": -(2**63)}
"""Below it no text is a number of the type."""

_COLUMN = b"""
SELECT pg_catalog.format_type(a.atttypid, NULL), a.attnotnull FROM pg_catalog.pg_attribute a
 WHERE a.attrelid = $1::pg_catalog.regclass AND a.attname = $2::pg_catalog.text::pg_catalog.name
   AND a.attname::pg_catalog.text = $2 AND a.attnum > 0 AND NOT a.attisdropped
"""

# statement_timestamp() was taken before the list of sessions is: who begins in between begins later than it. Vacuum writes no
# rows; every other transaction may, also one that has not written yet, with the time at which it began.
_HORIZON = b"""
SELECT (least(pg_catalog.statement_timestamp(),
              (SELECT pg_catalog.min(s.xact_start) FROM pg_catalog.pg_stat_activity s
                WHERE s.datname = pg_catalog.current_database() AND s.pid <> pg_catalog.pg_backend_pid()
                  AND s.backend_type <> 'autovacuum worker'))
        - pg_catalog.make_interval(secs => $1::pg_catalog.float8))::pg_catalog.text
"""

# A statement after the one above: a transaction that is prepared leaves the list of sessions, but is then among these.
_UNKNOWN = b"""
SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'this server is a replica and does not see the primary''s transactions'
            WHEN NOT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')
            THEN 'the user may not see when other users'' transactions began: grant pg_read_all_stats'
            WHEN EXISTS (SELECT FROM pg_catalog.pg_prepared_xacts p WHERE p.database = pg_catalog.current_database())
            THEN 'a prepared transaction is open, and the server does not tell when it began' END
"""


def read_watermark(wire: Wire, request: ExtractionRequest, column: str, overlap: int | None, patience_s: float) -> Watermark:
    """Where the next increment begins. Raises UsageError, saying why, when that cannot be known without an overlap."""
    if request.table is None:
        raise UsageError("increments are read from a table, not from a query: name a table")
    table = str(request.table)
    key = read_key(wire, request, patience_s)
    if key is None or key.has_nulls:
        raise UsageError(
            f"table {table!r} has no key without NULLs, by which rows that come twice could be told: extract it whole"
        )
    kind = _read_type(wire, request.table, column, patience_s)
    unknown: str | None = f"column {column!r} is {kind}, not {_INSTANT}"
    if kind == _INSTANT:
        asked = [Statement(_HORIZON, (str(_MARGIN_S + (overlap or 0)),)), Statement(_UNKNOWN)]
        found = wire.run(asked, doing="tell which transactions are open", patience_s=patience_s)
        (horizon,), (unknown,) = found[0][0], found[1][0]
        if unknown is None:
            return Watermark(key.table_id, key.columns, horizon)
    if overlap is None:
        raise UsageError(
            f"what open transactions can still commit is not known, because {unknown}: say with --overlap how far back to read "
            "again, in seconds or numbers, at least as far as the longest transaction"
        )
    query = _build_newest(request.table, column, kind, overlap).as_bytes(wire.driver)
    newest = wire.fetch(query, doing=f"find the newest {column!r}", patience_s=patience_s)[0][0]
    return Watermark(key.table_id, key.columns, newest)


def _read_type(wire: Wire, table: TableName, column: str, patience_s: float) -> str:
    name = quote_table(table).as_bytes(wire.driver).decode()
    found = wire.fetch(_COLUMN, (name, column), doing=f"describe column {column!r}", patience_s=patience_s)
    if not found:
        raise MissingObjectError(f"table {str(table)!r} has no column {column!r}: name one of its columns with --incremental")
    kind, is_not_null = found[0]
    if kind not in _TIMES and kind not in _LEAST:
        raise UsageError(f"column {column!r} is {kind}: --incremental needs a timestamp or an integer")
    if is_not_null != "t":
        raise UsageError(
            f"column {column!r} may be NULL, and a row without a value would never come: set it NOT NULL, or name another column"
        )
    return kind or ""


def _build_newest(table: TableName, column: str, kind: str, overlap: int) -> sql.Composed:
    """The greatest value less the overlap; of a time never later than now, or a row of the year 2999 would end the series."""
    name = quote_column(column)
    if kind in _TIMES:
        newest = sql.SQL(
            "least(pg_catalog.max({}), pg_catalog.statement_timestamp()::{}) - pg_catalog.make_interval(secs => {})"
        ).format(name, sql.SQL(kind), sql.Literal(overlap))
    else:
        newest = sql.SQL("greatest(pg_catalog.max({})::pg_catalog.numeric - {}::pg_catalog.numeric, {})").format(
            name, sql.Literal(overlap), sql.Literal(_LEAST[kind])
        )
    return sql.SQL("SELECT ({})::pg_catalog.text FROM {}").format(newest, quote_table(table))
