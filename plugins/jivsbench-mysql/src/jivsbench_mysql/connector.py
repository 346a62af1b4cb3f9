"""The connector itself: opens sessions, and writes test data through sessions of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa

from jivsbench.api import ReadLimits
from jivsbench.model.source import DataSource
from jivsbench.model.table import TableName
from jivsbench_mysql.address import SCHEMES, parse_address
from jivsbench_mysql.connection import MysqlConnection
from jivsbench_mysql.login import open_wire


class MysqlConnector:
    """Opens sessions with MySQL servers, 8.0 and later, and MariaDB servers, 10.5 and later."""

    name = "mysql"
    schemes = SCHEMES
    dialect = "mysql"

    def connect(self, source: DataSource, limits: ReadLimits) -> MysqlConnection:
        """Open a read-only session; each step of the log-in takes at most `limits.connect_timeout_s`."""
        address = parse_address(source.url)
        address = replace(address, addresses=source.addresses_of(address.host))
        return MysqlConnection(open_wire(address, limits), source, limits)

    def load_table(
        self, source: DataSource, table: TableName, schema: pa.Schema, batches: Iterator[pa.RecordBatch], indexes: Sequence[str]
    ) -> int:
        """Create a table whose first column is the primary key, fill it, index the named columns. Returns rows written."""
        from jivsbench_mysql.loading import load_table

        return load_table(parse_address(source.url), table, schema, batches, indexes)

    def drop_table(self, source: DataSource, table: TableName) -> bool:
        """Drop the table; False when there was none."""
        from jivsbench_mysql.loading import drop_table

        return drop_table(parse_address(source.url), table)
