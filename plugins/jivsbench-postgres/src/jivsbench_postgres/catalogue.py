"""What the server's catalogue says: tables, columns, sizes. Names are compared exactly, never folded or cut."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from jivsbench.errors import MissingObjectError
from jivsbench.model.source import ServerFacts, TypePolicy
from jivsbench.model.table import Column, TableName, TableSchema
from jivsbench_postgres.arrow_types import build_column
from jivsbench_postgres.exchange import ResultColumn, Statement
from jivsbench_postgres.wire import Wire

# A name is cut to 63 bytes when it becomes a `name`, so it is compared as text too; the first condition is for the index.
# The system's own schemas are not offered: their tables hold password hashes and other sessions' statements.
_TABLE_COLUMNS = b"""
SELECT a.attname,
       pg_catalog.format_type(a.atttypid, a.atttypmod),
       CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod)
            ELSE pg_catalog.format_type(a.atttypid, a.atttypmod) END,
       a.attnotnull
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
 WHERE c.relname = $1::pg_catalog.text::pg_catalog.name AND c.relname::pg_catalog.text = $1
   AND CASE WHEN $2::pg_catalog.text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
            ELSE n.nspname::pg_catalog.text = $2 END
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 ORDER BY a.attnum
"""

# Of one catalogue and by its index: a fifth of what the query above takes, and everything that its answer is made of.
_TABLE_VERSION = b"""
SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod, a.attnotnull
  FROM pg_catalog.pg_attribute a
 WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
"""

_TABLES = b"""
SELECT n.nspname, c.relname
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
 ORDER BY 1, 2
"""

_TYPE_NAMES = b"""
SELECT pg_catalog.format_type(u.type_oid, u.modifier),
       CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod)
            ELSE pg_catalog.format_type(u.type_oid, u.modifier) END
  FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.int4[]))
       WITH ORDINALITY AS u (type_oid, modifier, position)
  LEFT JOIN pg_catalog.pg_type t ON t.oid = u.type_oid
 ORDER BY u.position
"""

_FACTS = b"""
SELECT pg_catalog.current_setting('server_version'), current_user, pg_catalog.current_database(),
       pg_catalog.current_setting('max_connections'),
       r.rolsuper
       OR coalesce(pg_catalog.has_schema_privilege(pg_catalog.current_schema(), 'CREATE'), false)
       OR EXISTS (SELECT FROM pg_catalog.pg_roles w
                   WHERE w.rolname = 'pg_write_all_data' AND pg_catalog.pg_has_role(current_user, w.oid, 'MEMBER'))
       OR EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                   WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
                     AND pg_catalog.has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))
  FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
"""

_SIZE = b"""
SELECT c.relkind = 'r' AND m.amname = 'heap', pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int8,
       CASE WHEN c.relpages > 0 AND c.reltuples >= 0 THEN c.reltuples / c.relpages END
  FROM pg_catalog.pg_class c
  LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam
 WHERE c.oid = $1::pg_catalog.regclass
"""

_KEY = b"""
SELECT a.attname, pg_catalog.format_type(a.atttypid, NULL)
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
 WHERE i.indrelid = $1::pg_catalog.regclass AND i.indisprimary
 ORDER BY pg_catalog.array_position(i.indkey::pg_catalog.int2[], a.attnum)
"""


_SAMPLED_PAGES = 512
DENSITY_RUNS = 16
_DENSITY = """
SELECT least((ctid::pg_catalog.text::pg_catalog.point)[0]::int8 * {runs} / {pages}, {runs} - 1)::int4, pg_catalog.count(*)
  FROM {table} TABLESAMPLE SYSTEM ({percent}) REPEATABLE (1) GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class TableSize:
    """How much a table holds. `rows_per_page` is None when the server has never counted."""

    is_heap: bool
    pages: int
    rows_per_page: float | None


def read_facts(wire: Wire, patience_s: float) -> ServerFacts:
    """Who the server is, and whether the session's role may write."""
    row = wire.fetch(_FACTS, doing="say who it is", patience_s=patience_s)[0]
    version, user, database, max_connections, may_write = (value or "" for value in row)
    return ServerFacts("PostgreSQL", version, user, database, may_write == "t", int(max_connections))


def list_tables(wire: Wire, patience_s: float) -> tuple[TableName, ...]:
    """Tables and views outside the system catalogue, in schemas that the role may use."""
    rows = wire.fetch(_TABLES, doing="list its tables", patience_s=patience_s)
    return tuple(TableName(name or "", namespace) for namespace, name in rows)


def read_table_columns(wire: Wire, table: TableName, policy: TypePolicy, patience_s: float) -> tuple[Column, ...]:
    """All columns of a table, in order. Raises MissingObjectError with the nearest name."""
    found = None
    if _is_sendable(str(table)):
        values = (table.name, table.namespace)
        found = wire.fetch(_TABLE_COLUMNS, values, doing=f"describe table {str(table)!r}", patience_s=patience_s)
    if not found:
        raise _missing_table(wire, table, patience_s)
    return tuple(
        build_column(name, declared or "", resolved or "", is_nullable=not_null != "t", policy=policy)
        for name, declared, resolved, not_null in found
        if name is not None
    )


def read_table_version(wire: Wire, table_sql: bytes, name: str, patience_s: float) -> str | None:
    """What changes as soon as a column comes, goes, or has another name, type or place; None where no such table is."""
    rows = wire.fetch(_TABLE_VERSION, (table_sql.decode(),), doing=f"describe table {name!r}", patience_s=patience_s)
    return repr(rows) if rows else None


def read_query_columns(
    wire: Wire, described: Sequence[ResultColumn], policy: TypePolicy, patience_s: float
) -> tuple[Column, ...]:
    """Columns of a described query, in order. Every one may hold NULL, as far as the server tells."""
    oids = "{" + ",".join(str(column.type_oid) for column in described) + "}"
    modifiers = "{" + ",".join(str(column.type_modifier) for column in described) + "}"
    rows = wire.fetch(_TYPE_NAMES, (oids, modifiers), doing="name the types of a query", patience_s=patience_s)
    return tuple(
        build_column(column.name, declared or "", resolved or "", is_nullable=True, policy=policy)
        for column, (declared, resolved) in zip(described, rows, strict=True)
    )


def select_columns(columns: Sequence[Column], wanted: Sequence[str], of: str) -> TableSchema:
    """The wanted columns, all when none is named. Raises MissingObjectError with the nearest name."""
    known = {column.name: column for column in columns}
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(sorted(known)[:20])}"
            raise MissingObjectError(f"{of} has no column {name!r}: {hint}")
    return TableSchema(tuple(known[name] for name in wanted) if wanted else tuple(columns))


def measure_table(wire: Wire, table_sql: bytes, name: str, patience_s: float, *, keeps_pages: bool = False) -> TableSize:
    """How many pages a table has. With `keeps_pages` its rows stay in them until the transaction ends.

    VACUUM FULL or CLUSTER between two readers would move rows from one page range to another. The lock that every reader
    takes anyway is then taken before the pages are counted.
    """
    statements = [Statement(_SIZE, (table_sql.decode(),))]
    if keeps_pages:
        statements.insert(0, Statement(b"LOCK TABLE ONLY " + table_sql + b" IN ACCESS SHARE MODE"))
    rows = wire.run(statements, doing=f"measure table {name!r}", patience_s=patience_s)[-1]
    is_heap, pages, rows_per_page = rows[0]
    return TableSize(is_heap == "t", int(pages or 0), None if rows_per_page is None else float(rows_per_page))


def sample_density(wire: Wire, table_sql: bytes, pages: int, name: str, patience_s: float) -> tuple[int, ...]:
    """How many rows some 512 pages hold, in each of 16 equal runs of a table's pages: where its rows lie, not how many it has."""
    percent = min(100.0, 100.0 * _SAMPLED_PAGES / pages)
    # Numbers and a quoted name alone.
    sql = _DENSITY.format(runs=DENSITY_RUNS, pages=pages, table=table_sql.decode(), percent=f"{percent:.6f}")
    counts = dict.fromkeys(range(DENSITY_RUNS), 0)
    for run, rows in wire.fetch(sql.encode(), doing=f"measure table {name!r}", patience_s=patience_s):
        counts[int(run or 0)] = int(rows or 0)
    return tuple(counts.values())


def read_key(wire: Wire, table_sql: bytes, patience_s: float) -> tuple[tuple[str, str], ...]:
    """Names and types of a table's primary key, in its order; empty when it has none."""
    rows = wire.fetch(_KEY, (table_sql.decode(),), doing="find the table's key", patience_s=patience_s)
    return tuple((name or "", kind or "") for name, kind in rows)


def _is_sendable(text: str) -> bool:
    """False for what no name on any server can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _missing_table(wire: Wire, table: TableName, patience_s: float) -> MissingObjectError:
    names = [str(known) for known in list_tables(wire, patience_s)]
    by_name = {name.partition(".")[2]: name for name in names} | {name: name for name in names}
    near = difflib.get_close_matches(str(table), by_name, n=1, cutoff=0.5)
    hint = f"did you mean {by_name[near[0]]!r}?" if near else "names are compared with case; check the spelling and the schema"
    return MissingObjectError(f"{wire.place} has no table {str(table)!r} that can be extracted: {hint}")
