"""One consistent view for each dialect that has such a thing, and the honest answer for those that have not."""

import sqlalchemy
from sqlalchemy import Connection, bindparam, text

from jivsbench.model.table import Consistency, ExtractionRequest
from jivsbench_sqlalchemy.dialects import Dialect
from jivsbench_sqlalchemy.engines import MYSQL_FAMILY

_BEGIN = {
    # PostgreSQL and SQLite take their view with the first read, which is the last statement here.
    "postgresql": ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", "SELECT 1"),
    "sqlite": ("BEGIN", "SELECT count(*) FROM sqlite_schema"),
    "mysql": (
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ),
    "oracle": ("SET TRANSACTION READ ONLY",),
}
_BEGIN["mariadb"] = _BEGIN["mysql"]
_MAY_SNAPSHOT = "SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()"
_ENGINE_OF_TABLE = text(
    "SELECT engine FROM information_schema.tables WHERE table_schema = coalesce(:namespace, database()) AND table_name = :name"
).bindparams(bindparam("namespace", type_=sqlalchemy.String()), bindparam("name", type_=sqlalchemy.String()))
# PostgreSQL: what this transaction has read, its own locks tell. Rows of a foreign table are of no snapshot; a table that was
# written anew after the snapshot was taken looks empty under it. `jivsbench_postgres.snapshots` says more.
_OWN_LOCKS = "pg_catalog.pg_locks l WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.relation"
_HAS_READ_FOREIGN_ROWS = f"SELECT EXISTS (SELECT FROM {_OWN_LOCKS} IN (SELECT ftrelid FROM pg_catalog.pg_foreign_table))"  # noqa: S608 - no value
_WAS_WRITTEN_ANEW = (
    f"SELECT EXISTS (SELECT FROM {_OWN_LOCKS} IN (SELECT r.oid FROM pg_catalog.pg_class r WHERE r.oid >= 16384"  # noqa: S608 - no value
    " AND r.relkind IN ('r', 'm') AND r.relfilenode <> pg_catalog.pg_relation_filenode(r.oid)))"
)
_AT_START = {
    "sqlite": ("PRAGMA query_only = ON", "PRAGMA case_sensitive_like = ON"),
    "mysql": ("SET time_zone = '+00:00'",),
    "mariadb": ("SET time_zone = '+00:00'",),
    "postgresql": ("SET SESSION timezone = 'UTC'", "SET SESSION default_transaction_read_only = on"),
    "oracle": ("ALTER SESSION SET TIME_ZONE = '+00:00'",),
}


def prepare_session(connection: Connection, dialect: Dialect) -> None:
    """Settings that hold as long as the session does: UTC, and no writing where the server can be told so."""
    for statement in _AT_START.get(dialect.name, ()):
        connection.exec_driver_sql(statement)
    # SET is rolled back with its transaction on PostgreSQL.
    connection.commit()


def begin_view(connection: Connection, dialect: Dialect) -> bool:
    """Start a transaction. True when everything that it reads is of one moment."""
    connection.rollback()
    if dialect.name == "mssql":
        return _begin_on_sql_server(connection)
    for statement in _BEGIN.get(dialect.name, ()):
        connection.exec_driver_sql(statement)
    return dialect.name in _BEGIN


def _begin_on_sql_server(connection: Connection) -> bool:
    """SNAPSHOT, if the database allows it: its locking levels hold up writers and still see rows twice, or never."""
    is_allowed = connection.exec_driver_sql(_MAY_SNAPSHOT).scalar() == 1
    connection.rollback()
    connection.execution_options(isolation_level="SNAPSHOT" if is_allowed else "READ COMMITTED")
    return is_allowed


def has_lost_rows(connection: Connection, dialect: Dialect) -> bool:
    """True when the view may not see the rows of what was read. Other servers than PostgreSQL say so themselves."""
    return dialect.name == "postgresql" and bool(connection.exec_driver_sql(_WAS_WRITTEN_ANEW).scalar())


def tell_consistency(connection: Connection, dialect: Dialect, request: ExtractionRequest, *, has_view: bool) -> Consistency:
    """What the view was worth for this request."""
    if not has_view:
        return Consistency.NONE
    if dialect.name == "postgresql" and connection.exec_driver_sql(_HAS_READ_FOREIGN_ROWS).scalar():
        return Consistency.NONE
    if dialect.name not in MYSQL_FAMILY:
        return Consistency.ONE_SNAPSHOT
    if request.table is None:
        # Which tables a query reads is not known here, and only InnoDB's have views.
        return Consistency.NONE
    wanted = {"namespace": request.table.namespace, "name": request.table.name}
    return Consistency.ONE_SNAPSHOT if connection.execute(_ENGINE_OF_TABLE, wanted).scalar() == "InnoDB" else Consistency.NONE
