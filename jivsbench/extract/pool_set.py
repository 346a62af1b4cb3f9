"""The pools of all sources: one per source and credentials, one limit over all, one thread that maintains them."""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jivsbench.api import Connector, ReadLimits
from jivsbench.errors import ExtractionError, JivsbenchError, UnknownNameError
from jivsbench.extract.capacity import Capacity
from jivsbench.extract.leases import ConnectionSource, Lease
from jivsbench.extract.pools import ConnectionPool
from jivsbench.extract.unpooled import UnpooledSource
from jivsbench.model.profile import Profile
from jivsbench.model.source import DataSource
from jivsbench.model.statistics import PoolStatistics

_CONNECT_TIMEOUT_S = 5.0
_WAIT_FOR_RETURN_S = 0.02


@dataclass(frozen=True, slots=True)
class _Entry:
    digest: bytes
    connections: ConnectionSource


class PoolSet:
    """Borrow from any source. A source whose URL, connector or type policy changed gets a new pool, and the old one closes."""

    def __init__(self, connectors: Mapping[str, Connector], profile: Profile, *, maintain_every_s: float = 0.5) -> None:
        self._connectors = connectors
        self._limits = profile.pool
        self._has_pools = profile.switches.pool
        self._read_limits = ReadLimits(
            connect_timeout_s=min(_CONNECT_TIMEOUT_S, profile.pool.borrow_timeout_s),
            query_timeout_s=profile.query_timeout_s,
            batch_rows=profile.batch_rows,
        )
        self._capacity = Capacity(profile.pool.total_max)
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()
        # Keyed, so that what lies in memory (and so in a core dump) is not a hash of the password that can be tried offline.
        self._digest_key = secrets.token_bytes(32)
        self._maintain_every_s = maintain_every_s
        self._stop = threading.Event()
        self._maintenance: threading.Thread | None = None

    @property
    def read_limits(self) -> ReadLimits:
        """Limits that every connection is opened with."""
        return self._read_limits

    def connector(self, source: DataSource) -> Connector:
        """The connector that reads a source. Raises UnknownNameError when it is not loaded."""
        try:
            return self._connectors[source.connector]
        except KeyError:
            raise UnknownNameError.among("connector", source.connector, self._connectors) from None

    def borrow(self, source: DataSource, job_id: str, timeout_s: float | None = None) -> Lease:
        """A connection to the source within `timeout_s` (default: the profile's borrow timeout)."""
        limit_s = self._limits.borrow_timeout_s if timeout_s is None else min(timeout_s, self._limits.borrow_timeout_s)
        return self._connections_of(source).borrow(job_id, limit_s)

    def end_wait(self, job_id: str, error: JivsbenchError) -> None:
        """Let the borrowers that wait for this job leave with the error."""
        for connections in self._all():
            connections.end_wait(job_id, error)

    def forget(self, name: str) -> None:
        """Close the source's connections: idle ones now, borrowed ones as soon as their query has ended."""
        with self._lock:
            entry = self._entries.pop(name, None)
        if entry is not None:
            entry.connections.close()

    def forget_outdated(self, source: DataSource) -> None:
        """Close the connections of that name if they were opened with this very source, which is not the latest of that name."""
        with self._lock:
            entry = self._entries.get(source.name)
            if entry is None or entry.digest != self._digest(source):
                return
            del self._entries[source.name]
        entry.connections.close()

    def statistics(self) -> tuple[PoolStatistics, ...]:
        """Counters of each source, by name."""
        return tuple(sorted((c.statistics() for c in self._all()), key=lambda s: s.source))

    def maintain(self) -> None:
        """One round of maintenance over all pools."""
        now_s = time.monotonic()
        for connections in self._all():
            connections.maintain(now_s)
        self._capacity.serve()

    def close(self, grace_s: float = 5.0) -> None:
        """Close everything; wait at most `grace_s` for borrowed connections to come back."""
        self._stop.set()
        with self._lock:
            entries, self._entries = tuple(self._entries.values()), {}
        for entry in entries:
            entry.connections.close()
        give_up_at_s = time.monotonic() + grace_s
        while self._capacity.used > 0 and time.monotonic() < give_up_at_s:
            time.sleep(_WAIT_FOR_RETURN_S)
        if self._maintenance is not None:
            self._maintenance.join(max(give_up_at_s - time.monotonic(), 0.1))

    def _all(self) -> tuple[ConnectionSource, ...]:
        with self._lock:
            return tuple(entry.connections for entry in self._entries.values())

    def _connections_of(self, source: DataSource) -> ConnectionSource:
        digest = self._digest(source)
        outdated: _Entry | None = None
        with self._lock:
            entry = self._entries.get(source.name)
            if entry is None or entry.digest != digest:
                if self._stop.is_set():
                    raise ExtractionError(f"source {source.name} was asked for while the service stops: start the job later")
                outdated = entry
                entry = self._entries[source.name] = _Entry(digest, self._build(source))
                self._start_maintenance()
        if outdated is not None:
            outdated.connections.close()
        return entry.connections

    def _digest(self, source: DataSource) -> bytes:
        text = f"{source.connector}\0{source.type_policy}\0{source.url.reveal()}"
        return hashlib.blake2b(text.encode(), key=self._digest_key).digest()

    def _build(self, source: DataSource) -> ConnectionSource:
        build: Callable[..., ConnectionSource] = ConnectionPool if self._has_pools else UnpooledSource
        return build(self.connector(source), source, self._limits, self._read_limits, self._capacity)

    def _start_maintenance(self) -> None:
        if self._maintenance is None:
            self._maintenance = threading.Thread(target=self._keep_maintaining, name="pool-maintenance", daemon=True)
            self._maintenance.start()

    def _keep_maintaining(self) -> None:
        while not self._stop.wait(self._maintain_every_s):
            self.maintain()
