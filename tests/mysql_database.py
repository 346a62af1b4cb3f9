"""A database of the tests' own on a MySQL or MariaDB server that this project did not start."""

import contextlib
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import pymysql
from pymysql.cursors import Cursor


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
