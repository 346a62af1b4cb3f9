"""The index of a reports folder as one value: its runs, and each watched figure over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from jivsbench.model.formatting import format_moment, format_number, format_quantity
from jivsbench.model.gate import Unit
from jivsbench.model.history import ChangePoint, HistoryRun, Trend
from jivsbench.model.summary import VerdictOutcome
from jivsbench.report.charts import (
    PLOT_BOTTOM,
    PLOT_LEFT,
    PLOT_RIGHT,
    PLOT_TOP,
    Band,
    Chart,
    DataTable,
    Point,
    Series,
    draw_series,
    highest_of,
)
from jivsbench.report.scales import Scale, build_count_scale, build_value_scale
from jivsbench.report.views.badges import Badge, badge_verdict

_MOST_RUNS: Final = 200
_MOST_VALUES: Final = 100
_COMMIT_LENGTH: Final = 12


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run; `link` leads to its report, from the page, and is empty when there is none."""

    run_id: str
    link: str
    scenario: str
    started: str
    commit: str
    version: str
    badge: Badge


@dataclass(frozen=True, slots=True)
class SeriesView:
    """The watched figures of runs that may be compared."""

    title: str
    charts: tuple[Chart, ...]


@dataclass(frozen=True, slots=True)
class IndexPage:
    """Everything on the page."""

    runs: tuple[RunLine, ...]
    left_out: int
    """Older runs that are not listed."""
    series: tuple[SeriesView, ...]
    made_by: str


def build_index(runs: Sequence[HistoryRun], trends: Sequence[Trend], links: Mapping[str, str], made_by: str) -> IndexPage:
    """`runs` oldest first; `links` by run id. Pure."""
    newest = tuple(reversed(runs))
    ordered = sorted(trends, key=_order)
    series = [
        SeriesView(_name_series(key), tuple(_draw(trend, f"{place}-{number}") for number, trend in enumerate(members)))
        for place, (key, members) in enumerate(groupby(ordered, _order))
    ]
    lines = tuple(_build_line(run, links.get(run.run_id, "")) for run in newest[:_MOST_RUNS])
    return IndexPage(lines, max(len(newest) - _MOST_RUNS, 0), tuple(series), made_by)


def _order(trend: Trend) -> tuple[str, str, str]:
    return trend.key.scenario, trend.key.arm, trend.key.series


def _build_line(run: HistoryRun, link: str) -> RunLine:
    commit = (run.git_commit or "")[:_COMMIT_LENGTH]
    return RunLine(
        run.run_id,
        link,
        run.scenario,
        format_moment(run.started_at),
        commit,
        run.version,
        badge_verdict(VerdictOutcome(run.outcome)),
    )


def _name_series(key: tuple[str, str, str]) -> str:
    scenario, arm, series = key
    return f"{scenario}, {arm} ({series[:6]})"


def _draw(trend: Trend, place: str) -> Chart:
    """One figure over its latest runs, the oldest at the left; the places where its level changed are shaded."""
    key, first = trend.key, max(len(trend.values) - _MOST_VALUES, 0)
    values, unit = trend.values[first:], Unit(key.unit)
    line = Series("", "arm-b", tuple(Point(number, value.value) for number, value in enumerate(values, first + 1)))
    x, x_ticks = build_count_scale(len(trend.values), PLOT_LEFT, PLOT_RIGHT, first=first + 1)
    y, y_ticks = build_value_scale(highest_of([line]), PLOT_BOTTOM, PLOT_TOP)
    name = f"{key.metric} {key.statistic}"
    suffix = "" if unit is Unit.COUNT else f" ({unit.value})"
    return Chart(
        id=f"trend-{place}",
        title=name,
        unit="" if unit is Unit.COUNT else unit.value,
        description=f"{name} over {len(values)} runs, the oldest at the left. The same figures stand in the table below it.",
        x_label="run of this series",
        x_ticks=x_ticks,
        y_ticks=y_ticks,
        lines=(draw_series(line, x, y),),
        table=DataTable(
            ("run", "started", "commit", f"{key.statistic}{suffix}"),
            tuple(
                (v.run_id, format_moment(v.started_at), (v.git_commit or "")[:_COMMIT_LENGTH], format_number(v.value, unit))
                for v in values
            ),
        ),
        bands=_shade_newest_level(trend, x),
        note=_describe_changes(trend, unit),
    )


def _shade_newest_level(trend: Trend, x: Scale) -> tuple[Band, ...]:
    if not trend.changes:
        return ()
    left = x.place(max(trend.changes[-1].place + 0.5, x.low))
    return (Band(left, round(PLOT_RIGHT - left, 1)),)


def _describe_changes(trend: Trend, unit: Unit) -> str:
    if not trend.is_long_enough:
        return f"Too few runs to show a change of level: {len(trend.values)}."
    if not trend.changes:
        return "No change of level was found."
    return " ".join(_describe_change(trend, change, unit) for change in trend.changes)


def _describe_change(trend: Trend, change: ChangePoint, unit: Unit) -> str:
    value = trend.values[change.place]
    since = f"commit {value.git_commit[:_COMMIT_LENGTH]}" if value.git_commit else value.run_id
    word = "Worse" if trend.is_worse(change) else "Better"
    before, after = format_quantity(change.before, unit), format_quantity(change.after, unit)
    return f"{word} since {since}: median {before} before, {after} after, p = {change.p_value:.2g}."
