"""What the load child is told, and what it hands back. Plain values, sent as JSON over pipes."""

from dataclasses import dataclass, field
from typing import Final

from jivsbench.model.feed import FeedRow
from jivsbench.model.record import BlockRow, GeneratorFacts, JobTotals
from jivsbench.model.scenario import Arrival, Block, Gaps, OfferedSource, Stage, WorkloadSpec

DRAIN_LIMIT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class LoadArm:
    """One target under load: the arm's name, where it answers, with which token, and its process id."""

    arm: str
    base_url: str
    token: str = field(repr=False)
    pid: int


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of the load a machine plays: numbers that are `index` modulo `machines`."""

    index: int = 0
    machines: int = 1


@dataclass(frozen=True, slots=True)
class Meeting:
    """Where load machines meet their master. `machines` = 0: there are none, the load child plays the load itself."""

    machines: int = 0
    host: str = "127.0.0.1"
    port: int = 5557
    limit_s: float = 600.0
    """How long the master waits for all of them."""


@dataclass(frozen=True, slots=True)
class LoadSetup:
    """How a load is carried out, which is no part of its plan: by which machines, and with Locust's page or without."""

    meeting: Meeting = Meeting()
    page_port: int | None = None

    @property
    def target_host(self) -> str:
        """Where a target has to listen for the load machines to reach it."""
        return self.meeting.host if self.meeting.machines else "127.0.0.1"


@dataclass(frozen=True, slots=True)
class JoinSpec:
    """What a load machine's child is told. It plays its own plugins alone, whatever its master names."""

    master_host: str
    master_port: int
    plugins: tuple[str, ...] = ()
    disabled_plugins: tuple[str, ...] = ()
    plugins_lock: str | None = None


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """Everything the load child needs. `stages` are the load within each block; blocks are played one after the other."""

    arms: tuple[LoadArm, ...]
    source: str
    table_rows: int
    workload: WorkloadSpec
    stages: tuple[Stage, ...]
    blocks: tuple[Block, ...]
    seed: int
    intervals_path: str
    plugins: tuple[str, ...] = ()
    disabled_plugins: tuple[str, ...] = ()
    rests: tuple[int, ...] = ()
    """After how many blocks the child tells how they went, and waits for word whether to go on, and with which targets."""
    plugins_lock: str | None = None
    """The file that lists the plugins that may be loaded."""
    sources: tuple[OfferedSource, ...] = ()
    """Data sources that were made for the workload's mix."""
    feed: tuple[FeedRow, ...] = ()
    drain_limit_s: float = DRAIN_LIMIT_S
    """How long what is in flight at a block's end may take; after that it counts as timed out."""
    arrival: Arrival = Arrival.USERS
    gaps: Gaps = Gaps.EVEN
    in_flight_limit: int = 1000
    queue_limit: int = 1000
    page_port: int | None = None
    """Port of Locust's own web page on the loopback address; None: no page."""
    meeting: Meeting = Meeting()
    share: Share = Share()


@dataclass(frozen=True, slots=True)
class LoadOutcome:
    """What the load child says at its end. The samples themselves are in intervals.jsonl."""

    blocks: tuple[BlockRow, ...]
    totals: tuple[tuple[str, JobTotals], ...]
    generator: GeneratorFacts
    started_ns: int
    """Monotonic clock of this machine when the load started: second 0 of every interval."""
