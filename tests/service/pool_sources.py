"""PostgreSQL sources for tests of the pool: real sessions behind a connector that counts and delays."""

import time
from dataclasses import replace
from typing import TypeVar
from urllib.parse import urlsplit

import psycopg

from jivsbench.api import Connection, ReadLimits
from jivsbench.extract.capacity import Capacity
from jivsbench.extract.pools import ConnectionPool
from jivsbench.extract.unpooled import UnpooledSource
from jivsbench.model.profile import PoolLimits
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench_postgres.connector import PostgresConnector

Source = TypeVar("Source", ConnectionPool, UnpooledSource)
READ = ReadLimits(connect_timeout_s=5.0, query_timeout_s=10.0)


class CountingConnector(PostgresConnector):
    """The real connector; counts attempts, and makes each as slow as a distant server's."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        self.attempts_at_s: list[float] = []

    def connect(self, source: DataSource, limits: ReadLimits) -> Connection:
        self.attempts_at_s.append(time.monotonic())
        time.sleep(self.delay_s)
        return super().connect(source, limits)


def build_source(url: str, *, port: int | None = None, name: str = "shop") -> DataSource:
    """A source at that URL, through another port if need be."""
    parts = urlsplit(url)
    place = f"{parts.username}:{parts.password}@127.0.0.1:{port or parts.port}{parts.path}"
    return DataSource(name, "postgres", Secret(f"postgresql://{place}"))


def build_pool(
    source: DataSource,
    limits: PoolLimits,
    *,
    kind: type[Source] = ConnectionPool,
    connector: PostgresConnector | None = None,
) -> Source:
    """A pool of real sessions, without a maintenance thread."""
    read = replace(READ, connect_timeout_s=min(READ.connect_timeout_s, limits.borrow_timeout_s))
    return kind(connector or CountingConnector(), source, limits, read, Capacity(limits.total_max))


def pid_of(connection: Connection) -> int:
    """The server's process behind a session."""
    return connection._wire.driver.info.backend_pid


def fill(pool: ConnectionPool, count: int) -> None:
    """Leave that many idle connections."""
    for lease in [pool.borrow("fill", 10.0) for _ in range(count)]:
        lease.give_back()


def count_sessions(admin: psycopg.Connection, condition: str) -> int:
    """Sessions that the server itself sees."""
    found = admin.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {condition}").fetchone()
    assert found
    return int(found[0])
