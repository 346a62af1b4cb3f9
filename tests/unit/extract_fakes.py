"""A source that lives in memory: real objects of the seams' shape, with the faults a test asks for. Nothing is patched."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pyarrow as pa

from jivsbench.api import ReadLimits
from jivsbench.errors import ExtractionError, MissingObjectError
from jivsbench.extract.capacity import Capacity
from jivsbench.extract.pools import ConnectionPool
from jivsbench.model.profile import OPTIMIZED, PoolLimits, Profile
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource, ServerFacts
from jivsbench.model.table import Column, Consistency, ExtractionRequest, Fingerprint, Partition, TableName, TableSchema

SCHEMA = TableSchema(
    (Column("id", "bigint", pa.int64(), is_nullable=False), Column("name", "text", pa.string(), is_nullable=True))
)
REQUEST = ExtractionRequest("shop", TableName("orders"))


def build_source(name: str = "shop", password: str = "first") -> DataSource:
    """A source of the fake connector."""
    return DataSource(name, "fake", Secret(f"fake://ann:{password}@db/{name}"))


def build_profile(
    profile: Profile = OPTIMIZED, *, pool: PoolLimits | None = None, streams: int | None = None, **changes: object
) -> Profile:
    """A profile with a few settings changed."""
    switches = profile.switches if streams is None else replace(profile.switches, streams=streams)
    return replace(profile, switches=switches, pool=pool or PoolLimits(min_idle=0), **changes)


@dataclass
class FakeServer:
    """What all connections of a fake connector share, and the faults that are switched on."""

    rows: int = 100
    batch_rows: int = 10
    connect_s: float = 0.0
    batch_s: float = 0.0
    miscount: int = 0
    """What the server's own count is off by."""
    can_count: bool = True
    lost_batches: int = 0
    split_into: int = 1
    can_share: bool = True
    keeps_snapshots: bool = True
    has_changed: bool = False
    dead: bool = False
    refuse_reset: bool = False
    connect_error: Callable[[], Exception] | None = None
    read_error: Callable[[], Exception] | None = None
    fail_at_partition: int | None = None
    hang: threading.Event | None = None
    """While set to an event that is not set, connecting (`hang_in` = "connect") or asking for life ("alive") does not return."""
    hang_in: str = "connect"
    lock: threading.Lock = field(default_factory=threading.Lock)
    connections: list["FakeConnection"] = field(default_factory=list)
    most_open: int = 0
    attempts: int = 0
    urls: list[str] = field(default_factory=list)

    @property
    def open_now(self) -> int:
        """Connections that are open."""
        return sum(not c.is_closed for c in self.connections)

    def wait_if_hung(self, where: str) -> None:
        """Stand still like a server that does not answer."""
        if self.hang is not None and self.hang_in == where:
            self.hang.wait(20)


class FakeConnection:
    """One session with the fake server."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.is_closed = False
        self.is_broken = False
        self.cancelled = threading.Event()
        self.begun: list[str | None] = []
        self.resets = 0
        self.users = 0

    def test(self) -> ServerFacts:
        return ServerFacts("fake", "1", "ann", "shop", may_write=False)

    def is_alive(self) -> bool:
        self.server.wait_if_hung("alive")
        return not (self.server.dead or self.is_broken or self.is_closed)

    def tables(self) -> tuple[TableName, ...]:
        return (TableName("orders"),)

    def begin(self, snapshot: str | None = None) -> str | None:
        self.begun.append(snapshot)
        return snapshot or (f"snap-{id(self)}" if self.server.can_share else None)

    def schema(self, request: ExtractionRequest) -> TableSchema:
        if request.table is not None and request.table.name != "orders":
            raise MissingObjectError(f"table {request.table} does not exist")
        return SCHEMA

    def partitions(self, request: ExtractionRequest, schema: TableSchema, streams: int) -> tuple[Partition, ...]:
        count = min(self.server.split_into, streams)
        return tuple(Partition(i, request, schema, f"{i} {count}" if count > 1 else "") for i in range(count))

    def ids(self, partition: Partition) -> range:
        index, count = map(int, (partition.predicate or "0 1").split())
        return range(index * self.server.rows // count, (index + 1) * self.server.rows // count)

    def read(self, partition: Partition) -> Iterator[pa.RecordBatch]:
        ids = self.ids(partition)
        schema = partition.schema.to_arrow()
        starts = list(range(ids.start, ids.stop, self.server.batch_rows))
        for number, start in enumerate(starts[: len(starts) - self.server.lost_batches]):
            if self.server.batch_s and self.cancelled.wait(self.server.batch_s):
                raise ExtractionError("the server ended the query")
            if number == len(starts) // 2 and self.server.fail_at_partition in (None, partition.index) and self.server.read_error:
                raise self.server.read_error()
            some = range(start, min(start + self.server.batch_rows, ids.stop))
            yield pa.record_batch([pa.array(some, pa.int64()), pa.array([f"row {i}" for i in some])], schema=schema)

    def read_rows(self, partition: Partition) -> Iterator[tuple[object, ...]]:
        for batch in self.read(partition):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    def fingerprint(self, partition: Partition) -> Fingerprint:
        return Fingerprint(len(self.ids(partition)) + self.server.miscount if self.server.can_count else None)

    def cancel(self) -> None:
        self.cancelled.set()

    def reset(self) -> None:
        if self.server.refuse_reset or self.is_broken:
            raise ExtractionError("the session cannot be reset")
        self.resets += 1
        self.cancelled.clear()

    def close(self) -> None:
        self.is_closed = True


class WeakConnection(FakeConnection):
    """A session with a source that keeps no snapshots, and says so."""

    def begin(self, snapshot: str | None = None) -> str | None:
        self.begun.append(snapshot)

    def consistency(self, request: ExtractionRequest) -> Consistency:
        if self.server.has_changed:
            raise ExtractionError(f"table {request.table} changed while it was read")
        return Consistency.UNCHANGED


class FakeConnector:
    """Opens sessions with the fake server, and counts what it opened."""

    name = "fake"
    schemes = ("fake",)
    dialect = "fake"

    def __init__(self, server: FakeServer | None = None, session: type[FakeConnection] = FakeConnection) -> None:
        self.server = server or FakeServer()
        self.session = session

    def connect(self, source: DataSource, limits: ReadLimits) -> FakeConnection:  # noqa: ARG002 - the seam's shape
        server = self.server
        with server.lock:
            server.attempts += 1
        server.wait_if_hung("connect")
        if server.connect_s:
            time.sleep(server.connect_s)
        if server.connect_error is not None:
            raise server.connect_error()
        connection = self.session(server) if server.keeps_snapshots else WeakConnection(server)
        with server.lock:
            server.connections.append(connection)
            server.urls.append(source.url.reveal())
            server.most_open = max(server.most_open, server.open_now)
        return connection


def build_pool(
    server: FakeServer, limits: PoolLimits | None = None, capacity: Capacity | None = None, name: str = "shop"
) -> ConnectionPool:
    """A pool over the fake server, without a maintenance thread: tests call `maintain` themselves."""
    limits = limits or PoolLimits(min_idle=0)
    return ConnectionPool(FakeConnector(server), build_source(name), limits, ReadLimits(), capacity or Capacity(limits.total_max))


def wait_until(condition: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    """True as soon as the condition holds, False when it does not within the time."""
    give_up_at_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > give_up_at_s:
            return False
        time.sleep(0.002)
    return True
