"""Hodges-Lehmann estimate and Wilcoxon signed-rank interval of the centre of paired differences.

Source of the method: Hollander, Wolfe, Chicken, Nonparametric Statistical Methods, 3rd ed., sections 3.1 to 3.3. Block
times on a shared machine are autocorrelated and drift, their paired log ratios hardly: that is why this works where
comparing two runs one after the other raises false alarms in most A/A pairs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Final

MAX_EXACT_PAIRS: Final = 30


@dataclass(frozen=True, slots=True)
class Centre:
    """Where paired differences lie: the estimate and, with enough of them, an interval that covers the true centre."""

    estimate: float
    low: float | None
    high: float | None


def estimate_centre(differences: Sequence[float], confidence: float) -> Centre:
    """Hodges-Lehmann estimate with its Wilcoxon interval; without bounds when there are too few differences.

    Raises ValueError when there are none.
    """
    averages = _walsh_averages(differences)
    skipped = _skipped_averages(len(differences), confidence)
    if skipped is None:
        return Centre(_median(averages), None, None)
    return Centre(_median(averages), averages[skipped], averages[-1 - skipped])


def least_pairs(confidence: float) -> int:
    """The smallest number of pairs that can show an interval of this confidence at all.

    >>> least_pairs(0.95)
    6
    """
    return math.ceil(1 - math.log2(1 - confidence))


def _walsh_averages(differences: Sequence[float]) -> list[float]:
    ordered = sorted(differences)
    return sorted((ordered[i] + ordered[j]) / 2 for i in range(len(ordered)) for j in range(i, len(ordered)))


def _median(ordered: Sequence[float]) -> float:
    if not ordered:
        raise ValueError("no differences to estimate a centre of")
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


@cache
def _skipped_averages(pairs: int, confidence: float) -> int | None:
    """How many Walsh averages lie outside on each side; None when even the outermost leave too little confidence."""
    tail = (1 - confidence) / 2
    if pairs < least_pairs(confidence):
        return None
    return _skipped_exact(pairs, tail) if pairs <= MAX_EXACT_PAIRS else _skipped_normal(pairs, tail)


def _skipped_exact(pairs: int, tail: float) -> int:
    """Largest k with P(T <= k) <= tail, T being the signed-rank sum of `pairs` differences around 0."""
    ways = [1] + [0] * (pairs * (pairs + 1) // 2)
    for rank in range(1, pairs + 1):
        for total in range(len(ways) - 1, rank - 1, -1):
            ways[total] += ways[total - rank]
    allowed = tail * 2**pairs
    seen = 0
    for total, count in enumerate(ways):
        seen += count
        if seen > allowed:
            return total - 1
    raise AssertionError("a tail below one half is exceeded before the last sum")


def _skipped_normal(pairs: int, tail: float) -> int:
    """The same from the normal approximation, with continuity correction, rounded towards the wider interval."""
    mean = pairs * (pairs + 1) / 4
    deviation = math.sqrt(pairs * (pairs + 1) * (2 * pairs + 1) / 24)
    return math.floor(mean + NormalDist().inv_cdf(tail) * deviation - 0.5)
