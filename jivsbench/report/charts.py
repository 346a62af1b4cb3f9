"""Charts as geometry: places, paths and tables, drawn by templates/chart.html. Nothing is interpolated.

A line breaks where nothing was measured; a value with no neighbour becomes a dot. Colours are names of styles, so that the
page decides what they look like on paper, in the light and in the dark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jivsbench.model.formatting import NOT_MEASURED
from jivsbench.report.scales import Scale, Tick, build_time_scale, build_value_scale

WIDTH: Final = 520.0
HEIGHT: Final = 236.0
PLOT_LEFT: Final = 58.0
PLOT_RIGHT: Final = WIDTH - 10.0
PLOT_TOP: Final = 22.0
PLOT_BOTTOM: Final = HEIGHT - 34.0
# A point that lies further from its neighbour than this many times what it covers has a gap before it.
GAP_SPANS: Final = 1.5


@dataclass(frozen=True, slots=True)
class Point:
    """One value at one moment; `y` is None where nothing was measured."""

    x: float
    y: float | None
    span: float = 1.0
    """How much of the axis it covers, which is how far its neighbours lie."""
    is_whole: bool = True
    """False where part of what it covers was not measured: no line leads on from it."""


@dataclass(frozen=True, slots=True)
class Series:
    """Values in order; `style` is one of the page's colour names, `absent` what stands in the table where there is no value."""

    name: str
    style: str
    points: tuple[Point, ...]
    absent: str = NOT_MEASURED


@dataclass(frozen=True, slots=True)
class Stretch:
    """One value that holds from `start` to `end`: a block's rate."""

    start: float
    end: float
    y: float


@dataclass(frozen=True, slots=True)
class Line:
    """A drawn series: a path, and the dots that no path reaches."""

    name: str
    style: str
    path: str
    dots: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Band:
    """A shaded part of the time axis."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class LimitLine:
    """A gate's limit, drawn across the plot."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Reach:
    """An interval of values, shaded across the plot, with its estimate as a line."""

    y: float
    height: float
    middle: float


@dataclass(frozen=True, slots=True)
class DataTable:
    """The figures behind a drawing, for those who do not see it."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing ready for the template. Without lines it says `missing` instead."""

    id: str
    title: str
    unit: str
    description: str
    x_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    table: DataTable
    bands: tuple[Band, ...] = ()
    limits: tuple[LimitLine, ...] = ()
    reach: Reach | None = None
    note: str = ""
    missing: str = ""
    width: float = WIDTH
    height: float = HEIGHT
    left: float = PLOT_LEFT
    right: float = PLOT_RIGHT
    top: float = PLOT_TOP
    bottom: float = PLOT_BOTTOM

    @property
    def plot_width(self) -> float:
        """Width between the axes' ends."""
        return self.right - self.left

    @property
    def plot_height(self) -> float:
        """Height between the axes' ends."""
        return self.bottom - self.top


@dataclass(frozen=True, slots=True)
class Frame:
    """The axes that the charts of one page share, so that arms and charts can be compared by eye."""

    x: Scale
    x_ticks: tuple[Tick, ...]
    bands: tuple[Band, ...] = ()

    def vertical(self, highest: float, *, is_whole: bool = False) -> tuple[Scale, tuple[Tick, ...]]:
        """The value axis for figures up to `highest`."""
        return build_value_scale(highest, PLOT_BOTTOM, PLOT_TOP, is_whole=is_whole)


def build_time_frame(last_s: float, shaded: Sequence[tuple[float, float]] = ()) -> Frame:
    """A frame over the whole load, with the shaded stretches of time (s)."""
    scale, ticks = build_time_scale(0.0, last_s, PLOT_LEFT, PLOT_RIGHT)
    return Frame(scale, ticks, tuple(_build_band(scale, start, end) for start, end in shaded))


def draw_series(series: Series, x: Scale, y: Scale) -> Line:
    """Connect neighbours; break at every gap; a lone value becomes a dot."""
    runs: list[list[tuple[float, float]]] = []
    previous_x: float | None = None
    for point in series.points:
        if point.y is None:
            previous_x = None
            continue
        place = (x.place(point.x), y.place(point.y))
        if previous_x is None or point.x - previous_x > GAP_SPANS * point.span:
            runs.append([place])
        else:
            runs[-1].append(place)
        previous_x = point.x if point.is_whole else None
    path = "".join(_build_path(run) for run in runs if len(run) > 1)
    return Line(series.name, series.style, path, tuple(run[0] for run in runs if len(run) == 1))


def draw_stretches(name: str, style: str, stretches: Sequence[Stretch], x: Scale, y: Scale) -> Line:
    """A level stroke for every stretch; nothing joins them, for nothing was measured between."""
    path = "".join(f"M{x.place(s.start):g} {y.place(s.y):g}H{max(x.place(s.end), x.place(s.start) + 0.8):g}" for s in stretches)
    # Most are too short for a pattern of dashes.
    return Line(name, f"{style} level", path)


def highest_of(series: Sequence[Series]) -> float:
    """The greatest value in any of the series; 0 without any."""
    return max((point.y for one in series for point in one.points if point.y is not None), default=0.0)


def _build_path(run: Sequence[tuple[float, float]]) -> str:
    head, *rest = (f"{x:g} {y:g}" for x, y in run)
    return f"M{head}L{' '.join(rest)}"


def _build_band(scale: Scale, start: float, end: float) -> Band:
    left = scale.place(max(start, scale.low))
    return Band(left, round(scale.place(min(end, scale.high)) - left, 1))
