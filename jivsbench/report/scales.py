"""Axes: where the ticks stand, what they say, and how a value becomes a place on the page. Pure numbers."""

import math
from dataclasses import dataclass
from typing import Final

_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
# Steps that clocks use, so that a time axis reads 0:30, 1:00 and not 0:25, 0:50.
_TIME_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_RATIO_STEPS: Final = (1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 7.0)
_VALUE_TICKS: Final = 4
# Below this a figure of any of our units is nothing that a chart could show.
_LEAST: Final = 1e-9
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: its place in the drawing and its label."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight axis: `low`..`high` of the figures become `start`..`end` of the drawing. Logarithmic for ratios."""

    low: float
    high: float
    start: float
    end: float
    is_logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value stands in the drawing, to a tenth of a unit."""
        share = (self._turn(value) - self._turn(self.low)) / (self._turn(self.high) - self._turn(self.low))
        return round(self.start + share * (self.end - self.start), 1)

    def _turn(self, value: float) -> float:
        return math.log(value) if self.is_logarithmic else value


def build_value_scale(highest: float, start: float, end: float, *, is_whole: bool = False) -> tuple[Scale, tuple[Tick, ...]]:
    """An axis from zero to a round number at or above the highest value. It always starts at zero: lengths stay comparable.

    With `is_whole`, no tick falls between two whole numbers: there is no half a user.
    """
    wanted = _VALUE_TICKS
    highest = highest if highest > _LEAST else 0.0
    step = _round_step(highest / wanted if highest > 0 else 1.0 / wanted)
    if is_whole:
        step = max(1.0, step if step == int(step) else 2 * step)
    count = max(1, math.ceil(round(highest / step, 6))) if highest > 0 else 1 if is_whole else wanted
    scale = Scale(0.0, step * count, start, end)
    ticks = tuple(Tick(scale.place(step * index), _label(step * index, step)) for index in range(count + 1))
    return scale, ticks


def build_time_scale(first_s: float, last_s: float, start: float, end: float, wanted: int = 6) -> tuple[Scale, tuple[Tick, ...]]:
    """An axis of seconds since the load started, with the steps of a clock."""
    last_s = max(last_s, first_s + 1.0)
    length_s = last_s - first_s
    step = next((s for s in _TIME_STEPS_S if length_s / s <= wanted), math.ceil(_round_step(length_s / wanted)))
    scale = Scale(first_s, last_s, start, end)
    seconds = range(math.ceil(first_s / step) * step, math.floor(last_s) + 1, step)
    return scale, tuple(Tick(scale.place(second), format_clock(second)) for second in seconds)


def build_count_scale(count: int, start: float, end: float, wanted: int = 8, *, first: int = 1) -> tuple[Scale, tuple[Tick, ...]]:
    """An axis of whole numbers first..count, for pairs and for runs."""
    step = max(1, math.ceil(_round_step((count - first + 1) / wanted)))
    scale = Scale(first - 0.5, count + 0.5, start, end)
    numbers = sorted({first, *range(math.ceil((first + 1) / step) * step, count + 1, step)})
    return scale, tuple(Tick(scale.place(number), str(number)) for number in numbers)


def build_ratio_scale(lowest: float, highest: float, start: float, end: float) -> tuple[Scale, tuple[Tick, ...]]:
    """A logarithmic axis of ratios that always shows 1: twice and half lie equally far from it."""
    low, high = min(lowest, 1.0) / 1.08, max(highest, 1.0) * 1.08
    scale = Scale(low, high, start, end, is_logarithmic=True)
    inside = [ratio for ratio in _ratios(low, high) if low <= ratio <= high]
    thinned = inside[:: max(1, math.ceil(len(inside) / 7))]
    kept = sorted({1.0, *thinned})
    # 1 is the line that everything is read against: a neighbour that would touch its label gives way.
    shown = [r for r in kept if r == 1.0 or abs(scale.place(r) - scale.place(1.0)) > 14]  # noqa: PLR2004 - a label's height
    return scale, tuple(Tick(scale.place(ratio), f"{ratio:g}") for ratio in shown)


def format_clock(second: float, *, has_hundredths: bool = False) -> str:
    """Seconds since the start, as a clock shows them.

    >>> format_clock(75), format_clock(3661), format_clock(59.999, has_hundredths=True)
    ('1:15', '1:01:01', '1:00.00')
    """
    whole, rest = divmod(round(second * 100), 100) if has_hundredths else (int(second), 0)
    tail = f".{rest:02d}" if has_hundredths else ""
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S}:{whole % _MINUTE_S:02d}{tail}"
    return f"{whole // _HOUR_S}:{whole % _HOUR_S // _MINUTE_S:02d}:{whole % _MINUTE_S:02d}{tail}"


def _ratios(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    near = high / low < 1.6  # noqa: PLR2004 - so narrow that decades hold no tick
    if near:
        step = _round_step((high - low) / 5)
        return [round(step * index, 6) for index in range(math.floor(low / step), math.ceil(high / step) + 1)]
    return [step * 10.0**decade for decade in decades for step in _RATIO_STEPS]


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in _STEPS if step * power >= rough * (1 - 1e-9))


def _label(value: float, step: float) -> str:
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if step >= size / 1000 and value >= size:
            scale = 1e3 if suffix == "k" else size
            return f"{value / scale:g}{suffix}"
    return f"{value:,.0f}" if step >= 1 and step == int(step) else f"{value:g}"
