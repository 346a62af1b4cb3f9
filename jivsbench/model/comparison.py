"""The rule by which two arms are compared, fixed before the load starts, and what it concludes for each criterion."""

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from jivsbench.model.metrics import find_metric

LEAST_ALPHA: Final = 1e-9
"""Below it no interval is computed: nobody plays so many pairs."""
MOST_LOOKS: Final = 20


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
    """How a comparison is judged. All criteria together raise a false alarm with a probability of at most `alpha_ratio`.

    Raises ValueError for a rule by which nothing could be judged, for a stored one is read as well.
    """

    criteria: tuple[Criterion, ...]
    margin_ratio: float
    """A change that lies within this share of the baseline as a whole is too small to matter."""
    alpha_ratio: float
    looks: tuple[int, ...]
    """After how many pairs the data may be looked at, rising; the last is where the comparison ends at the latest."""

    def __post_init__(self) -> None:
        unknown = [str(one) for one in self.criteria if one.statistic not in _list_paired(one.metric)]
        if not self.criteria or unknown:
            raise ValueError(f"a rule judges statistics that blocks have: {', '.join(unknown) or 'it names none'}")
        if not LEAST_ALPHA <= self.alpha_ratio < 1:
            raise ValueError(f"alpha_ratio lies between {LEAST_ALPHA:g} and 1: {self.alpha_ratio:g}")
        if not 0 <= self.margin_ratio < math.inf:
            raise ValueError(f"margin_ratio is 0 or more: {self.margin_ratio:g}")
        if not 1 <= len(self.looks) <= MOST_LOOKS or self.looks[0] < 1 or any(b <= a for a, b in pairwise(self.looks)):
            raise ValueError(f"looks are 1 to {MOST_LOOKS} counts of pairs that rise: {self.looks}")


def _list_paired(metric: str) -> tuple[str, ...]:
    known = find_metric(metric)
    return () if known is None else known.paired


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
    processes: int = 1
    """How many processes of each arm the pairs were measured against."""
