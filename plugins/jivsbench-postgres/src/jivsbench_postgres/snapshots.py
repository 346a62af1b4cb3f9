"""What the transaction's snapshot is worth for what was read under it.

Two things lie outside of every snapshot. A foreign table's rows are another server's, of whichever moment it gives them. And a
table that was written anew (ALTER TABLE, TRUNCATE) after the snapshot was taken and before it was locked looks empty under it,
to the reader and to the count: https://www.postgresql.org/docs/current/mvcc-caveats.html.
What a view, a query or a partitioned table has read, the session's own locks tell: they stay until its transaction ends.
"""

import psycopg

from jivsbench.errors import ExtractionError
from jivsbench.model.table import ExtractionRequest
from jivsbench_postgres import statements
from jivsbench_postgres.exchange import Row, Statement
from jivsbench_postgres.wire import Wire

# A catalogue row is of the snapshot; pg_relation_filenode() says where the rows are now. 16384 is the first oid of a user's own.
_NOTHING_IS_NEW = b"""NOT EXISTS (
  SELECT FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class r ON r.oid = l.relation
   WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND r.oid >= 16384 AND r.relkind IN ('r', 'm')
     AND r.relfilenode <> pg_catalog.pg_relation_filenode(r.oid))"""
_TABLE_IS_OLD = (
    b"""
SELECT CASE WHEN c.relkind IN ('r', 'm') AND NOT c.relhassubclass
            THEN c.relfilenode = pg_catalog.pg_relation_filenode(c.oid)
            ELSE """
    + _NOTHING_IS_NEW
    + b""" END
  FROM pg_catalog.pg_class c
 WHERE c.oid = pg_catalog.to_regclass($1)
"""
)
_QUERY_IS_OLD = b"SELECT " + _NOTHING_IS_NEW

# Where there is no foreign table at all, as nearly everywhere, nobody asks for the locks.
_READ_FOREIGN_ROWS = b"""
SELECT CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_foreign_table)
            THEN EXISTS (
              SELECT FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_foreign_table f ON f.ftrelid = l.relation
               WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation')
            ELSE false END
"""


def build_look(request: ExtractionRequest, connection: psycopg.Connection) -> Statement:
    """What asks, after a request was read, whether its rows still lie where the snapshot knows them to be."""
    if request.table is None:
        return Statement(_QUERY_IS_OLD)
    return Statement(_TABLE_IS_OLD, (statements.quote_table(request.table).as_bytes(connection).decode(),))


def check_look(rows: list[Row], name: str) -> None:
    """Raise ExtractionError unless they do. No row: another table has the name now."""
    if rows != [("t",)]:
        raise ExtractionError(
            f"{name} was written anew (by ALTER TABLE, TRUNCATE, VACUUM FULL, CLUSTER or REFRESH), or another took its name, "
            "after the snapshot was taken, which may not see its rows: start the extraction again"
        )


def has_read_foreign_rows(wire: Wire, patience_s: float) -> bool:
    """True when this transaction has read a foreign table, be it by a view, a query or as a partition."""
    rows = wire.fetch(_READ_FOREIGN_ROWS, doing="say whether a foreign table was read", patience_s=patience_s)
    return rows[0][0] == "t"
