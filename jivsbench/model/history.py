"""Values of the history: a run in short, its figure, and a place where figures changed."""

from dataclasses import dataclass
from enum import StrEnum

from jivsbench.model.metrics import Direction, find_metric


@dataclass(frozen=True, slots=True)
class HistoryRun:
    """One run in short. `series` stands for everything that must agree before two runs stand in one line."""

    run_id: str
    started_at: str
    git_commit: str | None
    scenario: str
    series: str
    outcome: str
    version: str


@dataclass(frozen=True, slots=True)
class HistoryValue:
    """One figure of one run."""

    run_id: str
    started_at: str
    git_commit: str | None
    value: float


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """The first value of a new level: its place, the medians on both sides, and how probable such a step is by chance."""

    place: int
    before: float
    after: float
    p_value: float

    @property
    def ratio(self) -> float | None:
        """After / before; None when before is 0."""
        return self.after / self.before if self.before else None


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """What must agree before figures stand in one line: the series of the run, and the figure's own name."""

    scenario: str
    series: str
    arm: str
    metric: str
    statistic: str
    unit: str


@dataclass(frozen=True, slots=True)
class Trend:
    """One figure over the runs of one series, with the places where its level changed."""

    key: SeriesKey
    values: tuple[HistoryValue, ...]
    changes: tuple[ChangePoint, ...]
    is_long_enough: bool
    """False when there are too few runs to show any change."""

    def is_worse(self, change: ChangePoint) -> bool:
        """True when the metric's better direction is the other one."""
        metric = find_metric(self.key.metric)
        return (change.after > change.before) == (metric is None or metric.better is Direction.LOWER)

    @property
    def has_worsened(self) -> bool:
        """True when the last change of level was for the worse."""
        return bool(self.changes) and self.is_worse(self.changes[-1])


class HistoryState(StrEnum):
    """What the history says of today."""

    WORSE = "WORSE"
    """The last change of a figure was for the worse, in a series that goes on."""
    UNKNOWN = "UNKNOWN"
    """Nobody can tell: no series is long enough, or one that was has been taken over by one that is not yet."""
    STEADY = "STEADY"
