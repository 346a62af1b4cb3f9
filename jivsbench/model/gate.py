"""Gates: conditions on figures, written as one line of text and checked before any load is sent."""

from dataclasses import dataclass
from enum import StrEnum


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
