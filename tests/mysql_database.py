"""A database of the tests' own on a MySQL or MariaDB server that this project did not start, and ways to read it."""

import contextlib
import uuid
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pyarrow as pa
import pymysql
from pymysql.cursors import Cursor

from jivsbench.api import Connection, ReadLimits
from jivsbench.model.table import ExtractionRequest, Filter, Partition, TableName
from jivsbench_mysql.connection import MysqlConnection

LIMITS = ReadLimits(connect_timeout_s=5.0, query_timeout_s=20.0, batch_rows=1000)
Opener = Callable[..., MysqlConnection]
Execute = Callable[..., list[tuple[object, ...]]]


def connect_admin(url: str) -> "pymysql.Connection[Cursor]":
    """A session beside the connector, as the user of the URL."""
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        database=parts.path[1:] or None,
        charset="utf8mb4",
        autocommit=True,
    )


@contextlib.contextmanager
def new_database(server_url: str) -> Iterator[str]:
    """The URL of a new database there; it is dropped at the end."""
    name = f"jivsbench_test_{uuid.uuid4().hex[:12]}"
    with contextlib.closing(connect_admin(server_url)) as admin, admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        try:
            yield f"{server_url.rstrip('/')}/{name}"
        finally:
            admin.ping()
            cursor.execute(f"DROP DATABASE {name}")


def table(name: str, *filters: Filter, row_limit: int | None = None) -> ExtractionRequest:
    """A request for a table."""
    return ExtractionRequest("test", TableName(name), filters=filters, row_limit=row_limit)


def query(text: str) -> ExtractionRequest:
    """A request for a query."""
    return ExtractionRequest("test", query=text)


def part_of(session: Connection, request: ExtractionRequest) -> Partition:
    """A request as its only partition."""
    (partition,) = session.partitions(request, session.schema(request), 1)
    return partition


def read(session: Connection, request: ExtractionRequest) -> pa.Table:
    """All rows of a request."""
    partition = part_of(session, request)
    return pa.Table.from_batches(session.read(partition), partition.schema.to_arrow())
