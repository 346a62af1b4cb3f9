"""The connector itself: opens sessions, and writes test data through sessions of its own."""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from jivsbench.api import ReadLimits
from jivsbench.model.source import DataSource
from jivsbench.model.table import TableName
from jivsbench_postgres.address import SCHEMES, build_conninfo, find_address, parse_address
from jivsbench_postgres.connection import PostgresConnection
from jivsbench_postgres.login import open_wire


class PostgresConnector:
    """Opens sessions with PostgreSQL servers, 12 and later."""

    name = "postgres"
    schemes = SCHEMES
    dialect = "postgres"

    def connect(self, source: DataSource, limits: ReadLimits) -> PostgresConnection:
        """Open a read-only session within `limits.connect_timeout_s`."""
        address = find_address(source)
        conninfo = build_conninfo(address, limits)
        return PostgresConnection(open_wire(conninfo, address.place, address.user, limits.connect_timeout_s), source, limits)

    def load_table(
        self, source: DataSource, table: TableName, schema: pa.Schema, batches: Iterator[pa.RecordBatch], indexes: Sequence[str]
    ) -> int:
        """Create a table whose first column is the primary key, fill it, index the named columns. Returns rows written."""
        from jivsbench_postgres.loading import load_table

        return load_table(parse_address(source.url), table, schema, batches, indexes)

    def drop_table(self, source: DataSource, table: TableName) -> bool:
        """Drop the table; False when there was none."""
        from jivsbench_postgres.loading import drop_table

        return drop_table(parse_address(source.url), table)
