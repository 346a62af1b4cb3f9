"""The connector itself: opens files for reading, and writes test data."""

import sqlite3
from collections.abc import Iterator, Sequence

import pyarrow as pa

from jivsbench.api import ReadLimits
from jivsbench.errors import AccessDeniedError, MissingObjectError
from jivsbench.model.source import DataSource
from jivsbench.model.table import TableName
from jivsbench_sqlite.connection import SqliteConnection
from jivsbench_sqlite.location import build_uri, parse_path


class SqliteConnector:
    """Opens SQLite files."""

    name = "sqlite"
    schemes = ("sqlite",)
    dialect = "sqlite"

    def connect(self, source: DataSource, limits: ReadLimits) -> SqliteConnection:
        """Open a file read-only. Raises MissingObjectError when there is none; never creates one."""
        path = parse_path(source.url)
        if not path.is_file():
            raise MissingObjectError(f"there is no SQLite file {path}: sqlite:///a.db is relative, sqlite:////a.db absolute")
        try:
            # Used by one thread at a time, but not always by the same one: the pool hands it on.
            database = sqlite3.connect(
                build_uri(path, "ro"), uri=True, timeout=limits.connect_timeout_s, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error:
            raise AccessDeniedError(f"the SQLite file {path} cannot be opened: check its permissions") from None
        # The file is opened read-only already; the first line holds for temporary tables too. LIKE follows case, as in
        # other databases.
        database.execute("PRAGMA query_only = ON")
        database.execute("PRAGMA case_sensitive_like = ON")
        connection = SqliteConnection(database, path, source, limits)
        try:
            connection.test()
        except BaseException:
            connection.close()
            raise
        return connection

    def load_table(
        self, source: DataSource, table: TableName, schema: pa.Schema, batches: Iterator[pa.RecordBatch], indexes: Sequence[str]
    ) -> int:
        """Create a table whose first column is the primary key, fill it, index the named columns. Returns rows written."""
        from jivsbench_sqlite.loading import load_table

        return load_table(parse_path(source.url), table, schema, batches, indexes)

    def drop_table(self, source: DataSource, table: TableName) -> bool:
        """Drop the table; False when there was none."""
        from jivsbench_sqlite.loading import drop_table

        return drop_table(parse_path(source.url), table)
