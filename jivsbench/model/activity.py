"""What a source's server and a cache's server say of themselves to an ordinary user."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WaitCount:
    """Sessions that wait for one thing now, by the server's own words; `kind` is `running` for those that wait for nothing."""

    kind: str
    event: str
    sessions: int


@dataclass(frozen=True, slots=True)
class StatementTotals:
    """One kind of statement since the server began to count: its first word and the server's number, never its text."""

    statement: str
    calls: int
    duration_ms: float
    rows: int


@dataclass(frozen=True, slots=True)
class ServerActivity:
    """What a source's server does at one moment. None: it does not tell this user."""

    sessions: int | None = None
    """Sessions with this database, of all users, without the asking one."""
    own_sessions: int | None = None
    """Of the asking user."""
    waits: tuple[WaitCount, ...] = ()
    """Of the asking user's sessions that run a statement."""
    statements: tuple[StatementTotals, ...] = ()
    """Of the asking user; empty unless they were asked for."""
    not_granted: tuple[str, ...] = ()
    """What was not told, and what would have to be granted."""


@dataclass(frozen=True, slots=True)
class CacheActivity:
    """What a cache's server says of itself, whoever uses it."""

    used_memory_bytes: int
    hits: int
    misses: int
    evictions: int
    clients: int
