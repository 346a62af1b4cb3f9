"""How busy the generator was, on average and at its busiest: over a whole load a peak of some seconds vanishes in the mean."""

from collections import deque
from typing import Final

BUSIEST_S: Final = 10.0
# Looks come once a second, each a little late.
_LEAST_S: Final = BUSIEST_S - 0.5


class CpuWatch:
    """Takes the CPU clock of a process once a second, against a clock that stands still while the load rests.

    In a rest it does nothing: a generator that was saturated whenever it sent must not look idle on average.
    """

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None
        self._readings: deque[tuple[float, float]] = deque()
        self._highest: float | None = None

    def look(self, elapsed_s: float, cpu_s: float) -> None:
        """So much CPU time was used when the load had lasted so long. In a rest nothing is kept."""
        if self._readings and elapsed_s <= self._readings[-1][0]:
            return
        self._first = self._first or (elapsed_s, cpu_s)
        self._readings.append((elapsed_s, cpu_s))
        while len(self._readings) > 1 and elapsed_s - self._readings[1][0] >= _LEAST_S:
            self._readings.popleft()
        if elapsed_s - self._readings[0][0] >= _LEAST_S:
            self._highest = max(self._highest or 0.0, self._ratio_since(self._readings[0]) or 0.0)

    def mean_ratio(self) -> float | None:
        """CPU seconds a second over the whole load; None before two looks."""
        return None if self._first is None else self._ratio_since(self._first)

    def highest_ratio(self) -> float | None:
        """The highest mean over some 10 s, over the whole load when it was shorter; None before two looks."""
        return self.mean_ratio() if self._highest is None else self._highest

    def _ratio_since(self, reading: tuple[float, float]) -> float | None:
        """Up to the last look; None at the same one."""
        (since_s, since_cpu_s), (until_s, until_cpu_s) = reading, self._readings[-1]
        return (until_cpu_s - since_cpu_s) / (until_s - since_s) if until_s > since_s else None
