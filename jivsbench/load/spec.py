"""What the load child is told, and what it hands back. Plain values, sent as JSON over pipes."""

from dataclasses import dataclass, field

from jivsbench.model.feed import FeedRow
from jivsbench.model.record import BlockRow, GeneratorFacts, JobTotals
from jivsbench.model.scenario import Block, OfferedSource, Stage, WorkloadSpec


@dataclass(frozen=True, slots=True)
class LoadArm:
    """One target under load: the arm's name, where it answers, with which token, and its process id."""

    arm: str
    base_url: str
    token: str = field(repr=False)
    pid: int


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """Everything the load child needs. `stages` are the user curve within each block; blocks are played one after the other."""

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
    sources: tuple[OfferedSource, ...] = ()
    """Data sources that were made for the workload's mix."""
    feed: tuple[FeedRow, ...] = ()
    drain_limit_s: float = 30.0
    """How long what is in flight at a block's end may take; after that it counts as timed out."""


@dataclass(frozen=True, slots=True)
class LoadOutcome:
    """What the load child says at its end. The samples themselves are in intervals.jsonl."""

    blocks: tuple[BlockRow, ...]
    totals: tuple[tuple[str, JobTotals], ...]
    generator: GeneratorFacts
    started_ns: int
    """Monotonic clock of this machine when the load started: second 0 of every interval."""
