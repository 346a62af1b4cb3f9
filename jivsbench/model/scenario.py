"""Scenarios: what load is offered, by which workload, in which blocks."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from jivsbench.model.gate import Gate

WARM_UP_PAIR: Final = -1


class Arrival(StrEnum):
    """What makes an iteration begin. `users`: the end of its user's last one (closed loop); `rate`: a clock (open loop)."""

    USERS = "users"
    RATE = "rate"


class Gaps(StrEnum):
    """How arrivals of an open loop are spaced: as evenly as the rate allows, or as a seeded Poisson process of that rate."""

    EVEN = "even"
    POISSON = "poisson"


@dataclass(frozen=True, slots=True)
class Stage:
    """Within `duration_s` the load goes in a straight line to its value; with `is_step` it jumps there at once.

    The value is `users` in a closed loop, `rate_per_s` (iterations per second) in an open one.
    """

    duration_s: float
    users: int = 0
    is_step: bool = False
    rate_per_s: float = 0.0


class ThinkTime(StrEnum):
    """How long a user waits between two iterations, drawn anew for each from the user's own seeded source."""

    CONSTANT = "constant"
    UNIFORM = "uniform"
    """Evenly between mean - spread and mean + spread."""
    EXPONENTIAL = "exponential"
    """Of that mean; what independent users look like from a server."""


class SourceKind(StrEnum):
    """What a mix extracts from. `files` and `rest` hold the first rows of the seeded data and are made for the run."""

    DATABASE = "database"
    FILES = "files"
    REST = "rest"


class MixAction(StrEnum):
    """What one iteration of a mix does."""

    EXTRACTION = "extraction"
    LIST = "list"
    """A page of 20 jobs."""
    STATISTICS = "statistics"
    """A page of completed jobs, and the statistics of one of them."""
    LOGS = "logs"
    """A page of completed jobs, and the log of one of them."""


@dataclass(frozen=True, slots=True)
class MixEntry:
    """One kind of iteration of a mix; its share is its weight among all weights. `rows` are those of an extraction."""

    action: MixAction
    weight: float
    source: SourceKind = SourceKind.DATABASE
    rows: int = 0


@dataclass(frozen=True, slots=True)
class FeedFacts:
    """A file whose rows feed the iterations: its name without its folder, how many rows, which columns, and its SHA-256."""

    name: str
    rows: int
    columns: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class WorkloadSpec:
    """Which workload the users run, over which table, and how many rows one extraction asks for."""

    name: str
    table: str
    rows: int
    key: str = "id"
    think_time_s: float = 0.0
    """Mean of the think time."""
    think_time: ThinkTime = ThinkTime.CONSTANT
    think_time_spread_s: float = 0.0
    mix: tuple[MixEntry, ...] = ()
    feed: FeedFacts | None = None


@dataclass(frozen=True, slots=True)
class OfferedSource:
    """A data source that a mix extracts from, as it is on the target. `label` says in words what it really is."""

    kind: SourceKind
    name: str
    label: str


class Question(StrEnum):
    """What a scenario asks of its target, beyond figures: each has its own analysis and its own metrics."""

    KNEE = "knee"
    """Where does throughput stop growing?"""
    GROWTH = "growth"
    """Does anything grow that should not?"""
    RECOVERY = "recovery"
    """How does the target come back once a peak of load is over?"""
    CAPACITY = "capacity"
    """Up to which arrival rate does it keep its p95 limit? Searched on the running target once the load is over."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named load with the gates that judge it."""

    name: str
    title: str
    workload: WorkloadSpec
    stages: tuple[Stage, ...]
    gates: tuple[Gate, ...]
    arrival: Arrival = Arrival.USERS
    gaps: Gaps = Gaps.EVEN
    in_flight_limit: int = 1000
    """Open loop: how many iterations may be under way at once; further ones wait in the queue."""
    queue_limit: int = 1000
    """Open loop: how many iterations may wait; further ones are not sent, and count as failed."""
    questions: tuple[Question, ...] = ()
    p95_limit_s: float | None = None
    """The p95 of HTTP calls up to which a load counts as carried, for the knee and the capacity."""

    @property
    def duration_s(self) -> float:
        """Sum of the stages."""
        return sum(stage.duration_s for stage in self.stages)


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of load against one arm, as planned. Operations that end within `washout_s` of its start do not count."""

    index: int
    pair: int
    arm: str
    washout_s: float
    process: int = 0
    """Against which of its arm's processes it is played: they follow one another, and only one lives at a time."""

    @property
    def is_warm_up(self) -> bool:
        """True for a block that is played before the first pair of its process: from beginning to end it counts as washout."""
        return self.pair == WARM_UP_PAIR


class BlockPhase(StrEnum):
    """Where in its block an operation ended.

    Throughput counts `measured`; latency counts `measured` and `drain`; errors count all.
    """

    WASHOUT = "washout"
    MEASURED = "measured"
    DRAIN = "drain"
