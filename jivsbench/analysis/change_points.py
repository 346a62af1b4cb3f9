"""Where did the level of a series change? Pettitt's rank test, on and on within each part, with permutations for its chance.

Pettitt, "A non-parametric approach to the change-point problem", Applied Statistics 28 (1979): of all places to cut a
series it takes the one where the ranks on both sides differ most. Ranks, so that one wild run moves nothing. How often a
series without any order cuts as well is counted in shuffles of itself, from a fixed seed: the same history gives the same
answer. Each part is cut again while the chance stays below `ALPHA` (binary segmentation, Scott and Knott 1974).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from jivsbench.model.history import ChangePoint

ALPHA: Final = 0.01
LEAST_RUNS: Final = 10
"""Fewer cannot show a step at all: of 8 values in two levels, shuffles cut as well too often."""
LEAST_SIDE: Final = 3
_SHUFFLES: Final = 1999


def find_change_points(values: Sequence[float], alpha: float = ALPHA) -> tuple[ChangePoint, ...]:
    """Every change of level, in order. Empty with fewer than ten values."""
    places = sorted(_cut(np.asarray(values, dtype=float), 0, alpha))
    edges = [0, *(place for place, _ in places), len(values)]
    points = []
    for number, (place, p_value) in enumerate(places, start=1):
        before, after = values[edges[number - 1] : place], values[place : edges[number + 1]]
        points.append(ChangePoint(place, float(np.median(before)), float(np.median(after)), p_value))
    return tuple(points)


def _cut(values: NDArray[np.float64], offset: int, alpha: float) -> list[tuple[int, float]]:
    if len(values) < LEAST_RUNS:
        return []
    ranks = _rank(values)
    place, statistic = _find_cut(ranks)
    p_value = _count_chance(ranks, statistic)
    if p_value >= alpha:
        return []
    left, right = values[:place], values[place:]
    return [*_cut(left, offset, alpha), (offset + place, p_value), *_cut(right, offset + place, alpha)]


def _rank(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1; ties share their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=float)


def _statistics(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """|U| of every possible cut, along the last axis; cuts that leave fewer than three values on a side are none."""
    length = ranks.shape[-1]
    sums = np.cumsum(ranks, axis=-1)[..., LEAST_SIDE - 1 : length - LEAST_SIDE]
    sizes = np.arange(LEAST_SIDE, length - LEAST_SIDE + 1)
    return np.asarray(np.abs(2 * sums - sizes * (length + 1)), dtype=float)


def _find_cut(ranks: NDArray[np.float64]) -> tuple[int, float]:
    every = _statistics(ranks)
    best = int(np.argmax(every))
    return best + LEAST_SIDE, float(every[best])


def _count_chance(ranks: NDArray[np.float64], statistic: float) -> float:
    shuffled = np.random.default_rng(len(ranks)).permuted(np.tile(ranks, (_SHUFFLES, 1)), axis=1)
    as_good = int(np.sum(_statistics(shuffled).max(axis=1) >= statistic))
    return (as_good + 1) / (_SHUFFLES + 1)
