"""Hodges-Lehmann estimate of the centre of paired differences, with an interval that needs no normal distribution.

Sources of the methods: Hollander, Wolfe, Chicken, Nonparametric Statistical Methods, 3rd ed., sections 3.1 to 3.3, for the
signed-rank interval; Hartigan, Using subsample values as typical values (JASA 64, 1969), for the sign-flip interval, which
has finer steps where pairs are few. Both are exact for differences that are symmetric around their centre. Block
times on a shared machine are autocorrelated and drift, their paired log ratios hardly: that is why this works where
comparing two runs one after the other raises false alarms in most A/A pairs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Final

MAX_SIGN_FLIP_PAIRS: Final = 11
MAX_EXACT_PAIRS: Final = 100
# 1 - confidence is not exact; a share that is a whole number of choices must not fall below it.
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Centre:
    """Where paired differences lie: the estimate and, with enough of them, an interval that covers the true centre."""

    estimate: float
    low: float | None
    high: float | None


def estimate_centre(differences: Sequence[float], confidence: float) -> Centre:
    """Hodges-Lehmann estimate with its interval; without bounds when there are too few differences.

    Raises ValueError when there are none.
    """
    averages = _walsh_averages(differences)
    pairs = len(differences)
    if pairs < least_pairs(confidence):
        return Centre(_median(averages), None, None)
    if pairs <= MAX_SIGN_FLIP_PAIRS:
        return Centre(_median(averages), *_flip_signs(differences, confidence))
    skipped = _skipped_averages(pairs, confidence)
    return Centre(_median(averages), averages[skipped], averages[-1 - skipped])


def estimate_location(differences: Sequence[float]) -> float:
    """The Hodges-Lehmann estimate alone. Raises ValueError when there are no differences."""
    return _median(_walsh_averages(differences))


def name_interval(pairs: int) -> str:
    """Which interval `estimate_centre` gives for that many pairs.

    >>> name_interval(61)
    'exact Wilcoxon signed-rank interval'
    """
    if pairs <= MAX_SIGN_FLIP_PAIRS:
        return "exact sign-flip interval"
    return f"{'exact ' if pairs <= MAX_EXACT_PAIRS else ''}Wilcoxon signed-rank interval"


def least_pairs(confidence: float) -> int:
    """The smallest number of pairs that can show an interval of this confidence at all.

    >>> least_pairs(0.95)
    6
    """
    return math.ceil(1 - math.log2(1 - confidence) - _ROUNDING)


def _walsh_averages(differences: Sequence[float]) -> list[float]:
    ordered = sorted(differences)
    return sorted((ordered[i] + ordered[j]) / 2 for i in range(len(ordered)) for j in range(i, len(ordered)))


def _median(ordered: Sequence[float]) -> float:
    if not ordered:
        raise ValueError("no differences to estimate a centre of")
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _flip_signs(differences: Sequence[float], confidence: float) -> tuple[float, float]:
    """The centres that a test over all 2^n choices of signs does not reject: between two means of subsets."""
    sums = [(0.0, 0)]
    for difference in differences:
        sums += [(total + difference, count + 1) for total, count in sums]
    means = sorted(total / count for total, count in sums if count)
    skipped = math.floor(2 ** len(differences) * (1 - confidence) / 2 + _ROUNDING) - 1
    return means[skipped], means[-1 - skipped]


@cache
def _skipped_averages(pairs: int, confidence: float) -> int:
    """How many Walsh averages lie outside on each side; there are enough pairs for at least the outermost."""
    tail = (1 - confidence) / 2
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
