"""How widely values scatter, from their median deviation: what lies far off decides nothing."""

from collections.abc import Iterable
from statistics import median
from typing import Final

# The standard deviation of a normal distribution in its median absolute deviations.
_SPREADS_PER_DEVIATION: Final = 1.4826


def measure_spread(deviations: Iterable[float]) -> float:
    """The standard deviation that a normal distribution with these deviations from its middle would have; at least one is needed.

    >>> round(measure_spread([-1.0, 0.5, 1.0, 100.0]), 4)
    1.4826
    """
    return _SPREADS_PER_DEVIATION * median(abs(deviation) for deviation in deviations)
