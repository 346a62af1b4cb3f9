"""When the iterations of an open loop are meant to begin. Pure: the whole schedule is known before the load starts.

The n-th arrival lies where the integral of the rate reaches its number, so no error adds up over a long load (gaps added
one to the other would drift), and a Poisson process is the same inversion of a unit process: exact for ramps too
(time rescaling, Daley and Vere-Jones, An Introduction to the Theory of Point Processes, 7.4).
"""

import math
import random
from collections.abc import Iterator, Sequence
from itertools import count

from jivsbench.model.scenario import Gaps, Stage

_NS_PER_S = 1_000_000_000


def expected_arrivals(stages: Sequence[Stage]) -> float:
    """How many iterations the stages plan: the integral of their rate."""
    total, before = 0.0, 0.0
    for stage in stages:
        total += _area(stage, before)
        before = stage.rate_per_s
    return total


def arrival_times_ns(stages: Sequence[Stage], gaps: Gaps, seed: int, pair: int = 0) -> Iterator[int]:
    """Intended starts in ns after the block's start, ascending, one at a time: a long load's list need not fit into memory.

    Even gaps put at every moment the planned number of arrivals behind it, to half a one. The seed matters to Poisson
    gaps alone; both blocks of a pair get the same ones, so that two arms are asked at the same moments.
    """
    targets = _poisson_targets(seed, pair) if gaps is Gaps.POISSON else (number + 0.5 for number in count())
    target = next(targets)
    done, before, start_s = 0.0, 0.0, 0.0
    for stage in stages:
        area = _area(stage, before)
        first = stage.rate_per_s if stage.is_step else before
        while target < done + area:
            yield round((start_s + _invert(target - done, first, stage)) * _NS_PER_S)
            target = next(targets)
        done, before, start_s = done + area, stage.rate_per_s, start_s + stage.duration_s


def _poisson_targets(seed: int, pair: int) -> Iterator[float]:
    source = random.Random(f"arrivals:{seed}:{pair}")  # noqa: S311 - a reproducible load, not a secret
    target = 0.0
    while True:
        target += source.expovariate(1.0)
        yield target


def _area(stage: Stage, before: float) -> float:
    first = stage.rate_per_s if stage.is_step else before
    return stage.duration_s * (first + stage.rate_per_s) / 2.0


def _invert(area: float, first: float, stage: Stage) -> float:
    """Seconds into the stage at which its rate, from `first` on, has made up `area` arrivals."""
    if area <= 0:
        return 0.0
    slope = (stage.rate_per_s - first) / stage.duration_s
    # The root of slope/2 t^2 + first t = area, in the form that does not cancel for flat and falling rates.
    return min(2.0 * area / (first + math.sqrt(max(first * first + 2.0 * slope * area, 0.0))), stage.duration_s)
