"""Scenarios: what load is offered, by which workload, in which blocks."""

from dataclasses import dataclass
from enum import StrEnum

from jivsbench.model.gate import Gate


@dataclass(frozen=True, slots=True)
class Stage:
    """Within `duration_s` the number of users goes in a straight line to `users`; with `is_step` it jumps there at once."""

    duration_s: float
    users: int
    is_step: bool = False


@dataclass(frozen=True, slots=True)
class WorkloadSpec:
    """Which workload the users run, over which table, and how many rows one extraction asks for."""

    name: str
    table: str
    rows: int
    key: str = "id"
    think_time_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named load with the gates that judge it."""

    name: str
    title: str
    workload: WorkloadSpec
    stages: tuple[Stage, ...]
    gates: tuple[Gate, ...]

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


class BlockPhase(StrEnum):
    """Where in its block an operation ended.

    Throughput counts `measured`; latency counts `measured` and `drain`; errors count all.
    """

    WASHOUT = "washout"
    MEASURED = "measured"
    DRAIN = "drain"
