"""Long runs drawn with fewer points, in the way that flatters the target least."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from jivsbench.model.formatting import format_duration
from jivsbench.report.charts import Point, Series

MAX_POINTS: Final = 240


@dataclass(frozen=True, slots=True)
class Thinning:
    """How many seconds one drawn point covers."""

    width_s: int

    def highest(self, series: Series) -> Series:
        """The highest value of each stretch: for latency, memory and all that should be low. Percentiles are never averaged."""
        return self._thin(series, max)

    def lowest(self, series: Series) -> Series:
        """The lowest value of each stretch: for what should be high and cannot be averaged."""
        return self._thin(series, min)

    def mean(self, series: Series) -> Series:
        """The mean of each stretch: only for what adds up, such as rows."""
        return self._thin(series, lambda values: sum(values) / len(values))

    def describe(self) -> str:
        """What a drawn point is; empty when every second is drawn."""
        if self.width_s == 1:
            return ""
        return (
            f"Each point covers {format_duration(self.width_s)}: throughput is their mean, the cache hit ratio "
            "and iterations a second their lowest second, everything else their highest second. Every second stands in run.json."
        )

    def _thin(self, series: Series, choose: Callable[[Sequence[float]], float]) -> Series:
        if self.width_s == 1:
            return series
        stretches: dict[int, list[float]] = {}
        for point in series.points:
            values = stretches.setdefault(int(point.x // self.width_s), [])
            if point.y is not None:
                values.append(point.y)
        points = tuple(
            Point(float(index * self.width_s), choose(values) if values else None) for index, values in sorted(stretches.items())
        )
        return replace(series, points=points, step=float(self.width_s))


def build_thinning(last_s: float) -> Thinning:
    """As many seconds per point as keep a chart readable."""
    return Thinning(max(1, math.ceil(last_s / MAX_POINTS)))
