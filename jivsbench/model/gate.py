"""Gates: conditions on figures, written as one line of text and checked before any load is sent."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Unit(StrEnum):
    """Units that figures and limits are written in."""

    MILLISECONDS = "ms"
    SECONDS = "s"
    PERCENT = "%"
    RECORDS_PER_MINUTE = "records/min"
    JOBS_PER_SECOND = "jobs/s"
    MEBIBYTES = "MiB"
    CORES = "cores"
    COUNT = "count"


class Comparator(StrEnum):
    """How a gate compares its figure with its limit."""

    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="

    def holds(self, value: float, limit: float) -> bool:
        """True when `value <comparator> limit`. Unrounded values are compared."""
        match self:
            case Comparator.LESS:
                return value < limit
            case Comparator.LESS_OR_EQUAL:
                return value <= limit
            case Comparator.GREATER:
                return value > limit
            case Comparator.GREATER_OR_EQUAL:
                return value >= limit


class Change(StrEnum):
    """For a gate on a comparison: how the candidate's figure differs from the baseline's, in percent of the baseline."""

    IMPROVEMENT = "improvement"
    """candidate / baseline - 1, for figures that should rise."""
    REDUCTION = "reduction"
    """1 - candidate / baseline, for figures that should fall."""
    GROWTH = "growth"
    """candidate / baseline - 1, for figures that should not rise."""


class GateSeverity(StrEnum):
    """What a missed gate does: end the run FAILED, or attach a condition."""

    FAIL = "fail"
    WARN = "warn"


class WindowKind(StrEnum):
    """Over which part of the load a gate's figure is taken."""

    WHOLE = "whole"
    STEADY = "steady"
    """The longest plateau of the schedule without its warm-up, which is found in the data."""
    SLIDING = "for"
    """Every stretch of so many seconds, of which the worst counts."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the load. `duration_s` is that of a sliding window, in whole seconds, and else 0."""

    kind: WindowKind = WindowKind.WHOLE
    duration_s: int = 0

    def __str__(self) -> str:
        """As it stands in a gate: `steady`, `for 10s`; empty for the whole load."""
        if self.kind is WindowKind.SLIDING:
            return f"{self.kind} {self.duration_s}s"
        return "" if self.kind is WindowKind.WHOLE else self.kind.value


WHOLE: Final = Window()


@dataclass(frozen=True, slots=True)
class Gate:
    """A condition on one figure. With `change`, on the change of that figure against the baseline arm."""

    metric: str
    statistic: str
    comparator: Comparator
    limit: float
    unit: Unit
    change: Change | None = None
    goal: float | None = None
    severity: GateSeverity = GateSeverity.FAIL
    limit_source: str | None = None
    """Where the limit comes from: an agreement, an earlier run, a document. None: nobody said."""
    window: Window = WHOLE
    aborts: bool = False
    """True: the first window that misses the limit ends the run."""


class GateOutcome(StrEnum):
    """How a gate ended. NO_DATA fails; INCONCLUSIVE is never green."""

    EXCEEDED = "EXCEEDED"
    MET = "MET"
    FAILED = "FAILED"
    INCONCLUSIVE = "INCONCLUSIVE"
    NO_DATA = "NO_DATA"

    @property
    def is_green(self) -> bool:
        """True for EXCEEDED and MET alone."""
        return self in (GateOutcome.EXCEEDED, GateOutcome.MET)
