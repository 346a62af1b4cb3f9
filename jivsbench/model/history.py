"""Values of the history: a run in short, its figure, and a place where figures changed."""

from dataclasses import dataclass


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
