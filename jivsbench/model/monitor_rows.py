"""What the monitor saw: its looks at the targets, and at the servers behind them."""

from dataclasses import dataclass

from jivsbench.model.activity import StatementTotals, WaitCount


@dataclass(frozen=True, slots=True)
class Spread:
    """One gauge over several looks of the monitor, in its own unit, of which `known` read it. Raises ValueError when none did."""

    gauge: str
    known: int
    low: float
    mean: float
    high: float

    def __post_init__(self) -> None:
        if self.known < 1:
            raise ValueError(f"a spread is of 1 reading at least: {self.known}")


@dataclass(frozen=True, slots=True)
class WaitSpread:
    """What sessions waited for over the looks that told it; `event` is None for a whole kind."""

    kind: str
    event: str | None
    total: int
    """Sessions of all these looks added up."""
    high: int
    """Sessions of the look with the most of them."""


@dataclass(frozen=True, slots=True)
class MonitorRow:
    """One look at a target: its process tree, and what it says of its pools and its cache. None: could not be read."""

    second: float
    rss_bytes: int | None
    pss_bytes: int | None
    cpu_s: float | None
    """CPU seconds of the tree since it started."""
    threads: int | None
    handles: int | None
    pool_active: int | None
    pool_idle: int | None
    pool_waiting: int | None
    cache_hits: int | None
    cache_misses: int | None
    jobs_waiting: int | None = None
    """Started jobs that wait for a worker of the target."""
    cache_loads: int | None = None
    """Times that the target has loaded a source or a schema for its cache."""
    cache_loads_repeated: int | None = None
    """Of these, while the entry was being loaded, or should have been there still: more than one load of one key."""
    looks: int = 1
    """How many looks this row stands for; of a long load it is one of several, and `spreads` says what all of them read."""
    spreads: tuple[Spread, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerRow:
    """One look at the source's server and at the cache's, from outside the target. None: it was not told."""

    second: float
    sessions: int | None = None
    """Sessions with the source's database, of everybody but the monitor."""
    own_sessions: int | None = None
    """Of the user that the target reads as."""
    waits: tuple[WaitCount, ...] = ()
    cache_memory_bytes: int | None = None
    cache_hits: int | None = None
    """Since the cache's server started, of everybody who uses it."""
    cache_misses: int | None = None
    cache_evictions: int | None = None
    cache_clients: int | None = None
    looks: int = 1
    """As in MonitorRow."""
    spreads: tuple[Spread, ...] = ()
    wait_spreads: tuple[WaitSpread, ...] | None = None
    """`waits` over the looks that this row stands for. None: it is one look, or of a version that kept the waits of one only."""


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """What the servers behind the target did under the load."""

    rows: tuple[ServerRow, ...] = ()
    statements: tuple[StatementTotals, ...] = ()
    """What was added to the totals of the target's user between the first look and the last."""
    not_told: tuple[str, ...] = ()
    """What was not measured, and what would have to be granted or installed."""


@dataclass(frozen=True, slots=True)
class MonitorFacts:
    """What watching cost: the monitor shares the machine with what it watches."""

    looks: int
    looks_missed: int
    """Whole seconds in which no look was taken, because one before took too long or the monitor broke."""
    cpu_ratio: float | None
    """CPU seconds of the monitor per second of one core."""
    metrics_answer_s: float | None
    """Mean time that a target took to answer with its metrics."""
