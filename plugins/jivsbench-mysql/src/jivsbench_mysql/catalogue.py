"""What the server's catalogue says: tables, columns, keys, grants. Names are compared exactly, never folded."""

# ruff: noqa: S608 - names and values are quoted by `statements`

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pymysql.constants import FIELD_TYPE

from jivsbench.errors import ExtractionError, MissingObjectError
from jivsbench.model.source import ServerFacts, TypePolicy
from jivsbench.model.table import Column, TableName, TableSchema
from jivsbench_mysql.arrow_types import build_column, word_of
from jivsbench_mysql.driver import ResultColumn
from jivsbench_mysql.statements import SYSTEM_SCHEMAS, quote_table, quote_text
from jivsbench_mysql.wire import Wire

_USER_TABLES = f"TABLE_SCHEMA NOT IN ({', '.join(repr(name) for name in SYSTEM_SCHEMAS)})"
_SNAPSHOT_ENGINES = ("INNODB", "ROCKSDB", "TOKUDB")
"""Storage engines that take part in a consistent snapshot."""
_WRITING = re.compile(r"\b(ALL PRIVILEGES|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|INDEX|TRIGGER|EVENT|FILE|SUPER)\b")
# Types by which rows can be cut into ranges: their order is that of their comparisons. That of ENUM is not.
_KEY_TYPES = (
    *("tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year", "date", "datetime", "timestamp"),
    *("char", "varchar", "binary", "varbinary"),
)
_WORDS = {
    FIELD_TYPE.TINY: "tinyint",
    FIELD_TYPE.SHORT: "smallint",
    FIELD_TYPE.INT24: "mediumint",
    FIELD_TYPE.LONG: "int",
    FIELD_TYPE.LONGLONG: "bigint",
    FIELD_TYPE.YEAR: "year",
    FIELD_TYPE.FLOAT: "float",
    FIELD_TYPE.DOUBLE: "double",
    FIELD_TYPE.DATE: "date",
    FIELD_TYPE.NEWDATE: "date",
    FIELD_TYPE.TIME: "time",
    FIELD_TYPE.DATETIME: "datetime",
    FIELD_TYPE.TIMESTAMP: "timestamp",
    FIELD_TYPE.JSON: "json",
    FIELD_TYPE.GEOMETRY: "geometry",
}


@dataclass(frozen=True, slots=True)
class Key:
    """Columns of an index, in its order. `is_nullable` only for an index of one column."""

    columns: tuple[Column, ...]
    is_nullable: bool


def read_facts(wire: Wire, patience_s: float) -> ServerFacts:
    """Who the server is, and whether the session's user may write."""
    row = wire.run(
        "SELECT version(), current_user(), coalesce(database(), ''), @@max_connections",
        doing="say who it is",
        patience_s=patience_s,
    )[0]
    grants = wire.run("SHOW GRANTS", doing="list the user's grants", patience_s=patience_s)
    # A grant names what may be done before the first ON; behind it stand names, which can be called anything.
    may_write = any(_WRITING.search(str(grant[0]).partition(" ON ")[0]) for grant in grants)
    product = "MariaDB" if wire.driver.is_mariadb else "MySQL"
    return ServerFacts(product, str(row[0]), str(row[1]), str(row[2]), may_write, int(row[3]))


def list_tables(wire: Wire, patience_s: float) -> tuple[TableName, ...]:
    """Tables and views outside the system schemas that the user may see; those of the URL's database without namespace."""
    rows = wire.run(
        "SELECT IF(TABLE_SCHEMA = database(), NULL, TABLE_SCHEMA), TABLE_NAME FROM information_schema.TABLES"
        f" WHERE {_USER_TABLES} AND TABLE_TYPE IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED') ORDER BY TABLE_SCHEMA, TABLE_NAME",
        doing="list its tables",
        patience_s=patience_s,
    )
    return tuple(TableName(name, namespace) for namespace, name in rows)


def read_table_columns(wire: Wire, table: TableName, policy: TypePolicy, patience_s: float) -> tuple[Column, ...]:
    """All columns of a table, invisible ones too, in order. Raises MissingObjectError with the nearest name."""
    quote_table(table)
    rows = wire.run(
        "SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, TABLE_NAME FROM information_schema.COLUMNS"
        f" WHERE {select_table(table)} ORDER BY ORDINAL_POSITION",
        doing=f"describe table {str(table)!r}",
        patience_s=patience_s,
    )
    # The catalogue is compared without case and accents.
    found = [row for row in rows if row[3] == table.name]
    if not found:
        raise _missing_table(wire, table, patience_s)
    return tuple(
        build_column(name, str(declared), is_nullable=is_nullable == "YES", policy=policy)
        for name, declared, is_nullable, _table in found
    )


def build_query_columns(described: Sequence[ResultColumn], policy: TypePolicy) -> tuple[Column, ...]:
    """Columns of a described query, in order. Every one may hold NULL, as far as the server tells."""
    return tuple(build_column(column.name, _name_type(column), is_nullable=True, policy=policy) for column in described)


def _name_type(column: ResultColumn) -> str:
    unsigned = " unsigned" if column.is_unsigned else ""
    if column.type_code in (FIELD_TYPE.NEWDECIMAL, FIELD_TYPE.DECIMAL):
        # The length is that of the text: with a point and a sign.
        precision = column.length - (column.decimals > 0) - (not column.is_unsigned)
        return f"decimal({precision},{column.decimals}){unsigned}"
    if column.type_code == FIELD_TYPE.BIT:
        return f"bit({column.length})"
    word = _WORDS.get(column.type_code, "longblob" if column.is_binary else "longtext")
    return word + unsigned


def select_columns(columns: Sequence[Column], wanted: Sequence[str], of: str) -> TableSchema:
    """The wanted columns, all when none is named. Raises MissingObjectError with the nearest name."""
    known = {column.name: column for column in columns}
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(sorted(known)[:20])}"
            raise MissingObjectError(f"{of} has no column {name!r}: {hint}")
    chosen = tuple(known[name] for name in wanted) if wanted else tuple(columns)
    names = [column.name.lower() for column in chosen]
    twice = next((column.name for column in chosen if names.count(column.name.lower()) > 1), None)
    if twice is not None:
        raise ExtractionError(f"{of} yields two columns called {twice!r}: give each a name of its own, with AS in a query")
    return TableSchema(chosen)


def find_key(wire: Wire, table: TableName, columns: Sequence[Column], patience_s: float) -> Key | None:
    """The best index to cut a table by: the primary key, else a unique one, else any; None when there is none."""
    rows = wire.run(
        "SELECT INDEX_NAME, COLUMN_NAME, TABLE_NAME, NON_UNIQUE, SUB_PART FROM information_schema.STATISTICS"
        f" WHERE {select_table(table)} AND INDEX_TYPE = 'BTREE'"
        " ORDER BY INDEX_NAME <> 'PRIMARY', NON_UNIQUE, INDEX_NAME, SEQ_IN_INDEX",
        doing=f"list the indexes of table {str(table)!r}",
        patience_s=patience_s,
    )
    known = {column.name: column for column in columns}
    indexes: dict[str, list[Column | None]] = {}
    for index, name, of_table, _non_unique, length in rows:
        if of_table == table.name:
            # An index over the start of a text, or over an expression, has no order of whole values.
            indexes.setdefault(index, []).append(known.get(name) if length is None else None)
    return next((key for parts in indexes.values() if (key := _build_key(parts)) is not None), None)


def _build_key(parts: Sequence[Column | None]) -> Key | None:
    usable = [part for part in parts if part is not None and word_of(part.server_type) in _KEY_TYPES]
    first = parts[0]
    if first is None or first not in usable:
        return None
    if len(usable) == len(parts) and not any(part.is_nullable for part in usable):
        return Key(tuple(usable), is_nullable=False)
    return Key((first,), is_nullable=first.is_nullable)


def count_roughly(wire: Wire, table: TableName, patience_s: float) -> int | None:
    """Rows as the server last estimated them; None for a view."""
    rows = wire.run(
        f"SELECT TABLE_ROWS, TABLE_NAME FROM information_schema.TABLES WHERE {select_table(table)} AND TABLE_TYPE <> 'VIEW'",
        doing=f"measure table {str(table)!r}",
        patience_s=patience_s,
    )
    return next((int(rows_found) for rows_found, name in rows if name == table.name and rows_found is not None), None)


def keeps_snapshots(wire: Wire, table: TableName | None, patience_s: float) -> bool:
    """True when what is read is of one moment.

    For a view or a query (None) that holds when every table that the user can see is of an engine with snapshots.
    """
    rows = wire.run(
        f"SELECT ENGINE, TABLE_SCHEMA, TABLE_NAME, TABLE_SCHEMA = coalesce({_schema_of(table)}, '')"
        f" FROM information_schema.TABLES WHERE {_USER_TABLES} AND TABLE_TYPE <> 'VIEW'",
        doing="name the engines of its tables",
        patience_s=patience_s,
    )
    own = [row for row in rows if table is not None and row[3] and row[2] == table.name]
    return all(str(row[0]).upper() in _SNAPSHOT_ENGINES for row in own or rows)


def _schema_of(table: TableName | None) -> str:
    return "database()" if table is None or table.namespace is None else quote_text(table.namespace, "a schema's name")


def select_table(table: TableName) -> str:
    """A condition on the catalogue's tables. It compares without case and accents: look at the names that come."""
    return f"TABLE_SCHEMA = {_schema_of(table)} AND TABLE_NAME = {quote_text(table.name, 'a name')} AND {_USER_TABLES}"


def _missing_table(wire: Wire, table: TableName, patience_s: float) -> MissingObjectError:
    names = [str(known) for known in list_tables(wire, patience_s)]
    near = difflib.get_close_matches(str(table), names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "names are compared with case; check the spelling and the database"
    return MissingObjectError(f"{wire.place} has no table {str(table)!r} that can be extracted: {hint}")
