"""Capacity at a latency limit: which arrival rate to try next, and between which rates the capacity lies. Pure.

Rates double until one breaks the limit (or halve until one keeps it), then the gap is halved on a logarithmic scale. A plateau
that proved nothing, because the load generator could not offer it, ends the search: what it did not offer nobody knows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jivsbench.model.behaviour import Capacity, Plateau

MOST_PLATEAUS: Final = 12


@dataclass(frozen=True, slots=True)
class CapacitySearch:
    """Where to begin, how narrow the interval must become (high / low - 1), and how many plateaus that may cost."""

    first_per_s: float
    precision_ratio: float = 0.1
    most_plateaus: int = MOST_PLATEAUS
    lowest_per_s: float = 0.05
    highest_per_s: float = 20_000.0

    def __post_init__(self) -> None:
        if (
            not 0 < self.lowest_per_s <= self.first_per_s <= self.highest_per_s
            or self.precision_ratio <= 0
            or self.most_plateaus < 1
        ):
            raise ValueError(f"no search begins at {self.first_per_s:g} per s within these bounds")


def next_rate(search: CapacitySearch, plateaus: Sequence[Plateau]) -> float | None:
    """The rate of the next plateau; None when the search is over."""
    if not plateaus:
        return search.first_per_s
    if len(plateaus) >= search.most_plateaus or plateaus[-1].kept is None:
        return None
    low, high = find_bounds(plateaus)
    if low is None:
        assert high is not None, "a plateau that ended has kept its limit or broken it"
        return None if high <= search.lowest_per_s else max(high / 2, search.lowest_per_s)
    if high is None:
        return None if low >= search.highest_per_s else min(low * 2, search.highest_per_s)
    return None if high / low - 1 <= search.precision_ratio else math.sqrt(low * high)


def find_bounds(plateaus: Sequence[Plateau]) -> tuple[float | None, float | None]:
    """The highest rate below every broken one that kept the limit, and the lowest that broke it.

    A rate that kept the limit above one that broke it was luck, or the one below was: the lower one counts.
    """
    high = min((one.rate_per_s for one in plateaus if one.kept is False), default=None)
    kept = (one.rate_per_s for one in plateaus if one.kept and (high is None or one.rate_per_s < high))
    return max(kept, default=None), high


def conclude_search(search: CapacitySearch, plateaus: Sequence[Plateau], p95_limit_ns: float) -> Capacity:
    """The interval that the plateaus leave, and why the search ended."""
    low, high = find_bounds(plateaus)
    unproved = next((one for one in plateaus if one.kept is None), None)
    if unproved is not None:
        reason = f"ended at {unproved.rate_per_s:.4g} per s: {unproved.reason}"
    elif low is None and high is None:
        reason = "no plateau was played"
    elif low is None:
        reason = f"even the lowest rate tried, {high:.4g} per s, broke the limit"
    elif high is None:
        reason = f"the highest rate tried, {low:.4g} per s, kept the limit"
    elif high / low - 1 > search.precision_ratio:
        reason = f"ended after {len(plateaus)} plateaus, before the interval was within {search.precision_ratio:.0%}"
    else:
        reason = f"found within {search.precision_ratio:.0%}"
    return Capacity(p95_limit_ns, low, high, tuple(plateaus), reason)
