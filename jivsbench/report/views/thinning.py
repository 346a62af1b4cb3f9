"""Long runs drawn with fewer points, in the way that flatters the target least, and never across a hole."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from jivsbench.model.formatting import format_duration
from jivsbench.report.charts import GAP_SPANS, Point, Series

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
            "and iterations a second their lowest second, everything else their highest second. "
            "No line leads on from a point that lacks one of its readings. "
            "Every second of the load stands in run.json, every look of the monitor in monitor.jsonl."
        )

    def _thin(self, series: Series, choose: Callable[[Sequence[float]], float]) -> Series:
        if self.width_s == 1:
            return series
        stretches: dict[int, list[float]] = {}
        for point in series.points:
            values = stretches.setdefault(self._place(point.x), [])
            if point.y is not None:
                values.append(point.y)
        torn = self._find_torn(series.points)
        points = tuple(
            Point(float(index * self.width_s), choose(values) if values else None, float(self.width_s), index not in torn)
            for index, values in sorted(stretches.items())
        )
        return replace(series, points=points)

    def _place(self, second: float) -> int:
        return int(second // self.width_s)

    def _find_torn(self, points: Sequence[Point]) -> set[int]:
        """The stretches in which something was not measured: a reading failed, was only part of one, or is not there."""
        torn = {self._place(point.x) for point in points if point.y is None or not point.is_whole}
        # A rate covers the time since the reading before it.
        if points and points[0].x % self.width_s > (1 + GAP_SPANS) * points[0].span:
            torn.add(self._place(points[0].x))
        for before, after in pairwise(points):
            if after.x - before.x > GAP_SPANS * after.span:
                # Where the first and the last of the missing readings were due.
                ends = (self._place(before.x + after.span), self._place(after.x - after.span))
                torn.update(ends)
        return torn


def build_thinning(last_s: float) -> Thinning:
    """As many seconds per point as keep a chart readable."""
    return Thinning(max(1, math.ceil(last_s / MAX_POINTS)))
