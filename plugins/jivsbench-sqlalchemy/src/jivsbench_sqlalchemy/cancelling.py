"""Ending a running query from another thread, where the driver or the server has a way."""

import contextlib
from typing import Any

import sqlalchemy

from jivsbench_sqlalchemy.address import Address
from jivsbench_sqlalchemy.engines import MYSQL_FAMILY

_ASKS_DRIVER = frozenset(("psycopg", "psycopg2", "oracledb"))


def read_session_id(connection: sqlalchemy.Connection, address: Address) -> int | None:
    """What a second session needs to name this one; None where cancelling takes another way."""
    if address.dialect.name not in MYSQL_FAMILY:
        return None
    return int(connection.exec_driver_sql("SELECT connection_id()").scalar_one())


def end_query(engine: sqlalchemy.Engine, address: Address, driver_connection: Any, session_id: int | None) -> None:
    """Ask for the end of the running query. Does nothing for drivers without a way; their queries end by their time limit."""
    name = address.driver.name if address.driver else ""
    # Whatever goes wrong here, the reader sees the request between two batches.
    with contextlib.suppress(Exception):
        if name == "pysqlite":
            driver_connection.interrupt()
        elif name in _ASKS_DRIVER:
            driver_connection.cancel()
        elif session_id is not None:
            with engine.connect() as other:
                other.exec_driver_sql(f"KILL QUERY {session_id:d}")
