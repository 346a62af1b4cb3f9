"""The rule by which two arms are compared, fixed before the load starts, and what it concludes for each criterion."""

from dataclasses import dataclass
from enum import StrEnum


class ComparisonOutcome(StrEnum):
    """What is known of the candidate against the baseline. INCONCLUSIVE is never green."""

    WORSE = "WORSE"
    BETTER = "BETTER"
    EQUIVALENT = "EQUIVALENT"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class Criterion:
    """A statistic that every block has, such as `job.response mean`."""

    metric: str
    statistic: str

    def __str__(self) -> str:
        return f"{self.metric} {self.statistic}"


@dataclass(frozen=True, slots=True)
class ComparisonRule:
    """How a comparison is judged. All criteria together raise a false alarm with a probability of at most `alpha_ratio`."""

    criteria: tuple[Criterion, ...]
    margin_ratio: float
    """A change that lies within this share of the baseline as a whole is too small to matter."""
    alpha_ratio: float
    looks: tuple[int, ...]
    """After how many pairs the data may be looked at, rising; the last is where the comparison ends at the latest."""


@dataclass(frozen=True, slots=True)
class CriterionResult:
    """One criterion and what is known of it. `ratio` is candidate / baseline, its bounds hold with `confidence`."""

    metric: str
    statistic: str
    outcome: ComparisonOutcome
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    confidence: float
    pairs: int
    reason: str
