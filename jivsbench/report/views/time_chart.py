"""One chart over time: the axes that all of them share, the limits of gates, and the figures as a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from jivsbench.model.formatting import NOT_MEASURED, format_limit, format_number
from jivsbench.model.gate import Gate, Unit
from jivsbench.model.metrics import Direction
from jivsbench.model.record import ArmRecord, RunRecord
from jivsbench.report.charts import Chart, DataTable, Frame, LimitLine, Point, Series, draw_series, highest_of
from jivsbench.report.scales import format_clock
from jivsbench.report.views.thinning import Thinning


@dataclass(frozen=True, slots=True)
class Timeline:
    """What all charts of one run share."""

    record: RunRecord
    frame: Frame
    thinning: Thinning
    styles: dict[str, str]
    shading: str = ""
    """What the shaded stretches of the frame mean."""
    asked: tuple[Gate, ...] = ()
    """The gates whose limits are drawn: those of the verdict, which need not be those of the plan."""

    def arms(self) -> list[tuple[str, str, ArmRecord]]:
        """Name, style and record of every arm."""
        return [(arm.profile.name, self.styles[arm.profile.name], arm) for arm in self.record.arms]


def draw_chart(
    timeline: Timeline,
    title: str,
    unit: Unit,
    series: Sequence[Series],
    *,
    better: Direction = Direction.LOWER,
    highest: float | None = None,
    limits: Sequence[tuple[float, str]] = (),
    note: str = "",
    why_absent: str = "",
    chart_id: str = "",
) -> Chart:
    """Draw lines over time, each broken where it has a gap; without any value the chart says why it is empty.

    `better` says which way the figures of the table are rounded; `highest` gives charts of one kind the same scale.
    """
    frame = timeline.frame
    top = highest if highest is not None else highest_of(series)
    y, y_ticks = frame.vertical(include_limits(top, limits), is_whole=unit is Unit.COUNT)
    measured = tuple(one for one in series if any(point.y is not None for point in one.points))
    absent = [one.name for one in series if one not in measured]
    names = ", ".join(one.name for one in measured)
    unit_text = "" if unit is Unit.COUNT else unit.value
    suffix = f" in {unit_text}" if unit_text else ""
    return Chart(
        id=chart_id or title.lower().replace(" ", "-"),
        title=title,
        unit=unit_text,
        description=f"{title}{suffix} over time: {names}. The same figures stand in the table below it.",
        x_label="time since the load started",
        x_ticks=frame.x_ticks,
        y_ticks=y_ticks,
        lines=tuple(draw_series(one, frame.x, y) for one in measured),
        table=_tabulate(measured, unit, better),
        bands=frame.bands,
        limits=tuple(LimitLine(y.place(value), label) for value, label in limits if value <= y.high),
        note=" ".join(part for part in (note, why_absent or _name_absent(absent)) if part) if measured else "",
        missing="" if measured else why_absent or NOT_MEASURED,
    )


def _tabulate(series: Sequence[Series], unit: Unit, better: Direction) -> DataTable:
    columns = [_take_worst(one.points, better) for one in series]
    moments = sorted({moment for column in columns for moment in column})
    suffix = "" if unit is Unit.COUNT else f" ({unit.value})"
    rows = (
        (
            format_clock(moment),
            *(
                one.absent if (value := column.get(moment)) is None else format_number(value, unit, better)
                for one, column in zip(series, columns, strict=True)
            ),
        )
        for moment in moments
    )
    return DataTable(("time", *(f"{one.name}{suffix}" for one in series)), tuple(rows))


def _take_worst(points: Sequence[Point], better: Direction) -> dict[int, float | None]:
    """By whole seconds: arms are read one after the other, some ms apart, and a second may hold two readings of one."""
    worst = max if better is Direction.LOWER else min
    found: dict[int, float | None] = {}
    for point in points:
        before = found.setdefault(int(point.x), point.y)
        if point.y is not None:
            found[int(point.x)] = point.y if before is None else worst(before, point.y)
    return found


def _name_absent(names: Sequence[str]) -> str:
    return f"Not measured: {', '.join(names)}." if names else ""


def find_limits(timeline: Timeline, metric: str, statistic: str | None) -> list[tuple[float, str]]:
    """Absolute limits that were set for a metric, with their labels; any statistic when it is None."""
    return [
        (gate.limit, _label(gate, statistic))
        for gate in timeline.asked
        if gate.metric == metric and gate.change is None and statistic in (None, gate.statistic)
    ]


def _label(gate: Gate, statistic: str | None) -> str:
    return f"{'' if statistic else gate.statistic + ' '}{gate.comparator.value} {format_limit(gate.limit, gate.unit)}"


def include_limits(highest: float, limits: Sequence[tuple[float, str]]) -> float:
    """Room for a limit that lies near; a far one would flatten the figures and is left to the gates' table."""
    near = [value for value, _ in limits if value <= highest * 1.6]
    return max((highest, *near))
