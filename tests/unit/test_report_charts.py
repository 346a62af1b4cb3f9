"""Charts: nothing is interpolated, scales are honest, long runs are thinned against the target."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.analysis.condensing import condense
from jivsbench.model.gate import Unit
from jivsbench.model.metrics import Direction
from jivsbench.model.monitor_rows import MonitorRow, ServerRow
from jivsbench.report.charts import Point, Series, Stretch, build_time_frame, draw_series, draw_stretches
from jivsbench.report.scales import (
    Scale,
    build_count_scale,
    build_ratio_scale,
    build_time_scale,
    build_value_scale,
    format_clock,
)
from jivsbench.report.views.monitor_series import cache_points, cpu_points, gauge_points, memory_points
from jivsbench.report.views.thinning import MAX_POINTS, build_thinning
from jivsbench.report.views.time_chart import Timeline, draw_chart
from tests.gold.sample_runs import one_arm

UNIT = Scale(0.0, 10.0, 0.0, 10.0)


def _series(*values: float | None, first: float = 0.0) -> Series:
    return Series("one", "arm-a", tuple(Point(first + place, value) for place, value in enumerate(values)))


def _monitor(second: float, **known: float) -> MonitorRow:
    names = ("rss_bytes", "pss_bytes", "cpu_s", "threads", "handles", "pool_active", "pool_idle", "pool_waiting")
    return MonitorRow(second, *(known.get(name) for name in (*names, "cache_hits", "cache_misses")))


def test_a_line_breaks_where_nothing_was_measured() -> None:
    """A missing value splits the path in two."""
    line = draw_series(_series(1, 2, None, 3, 4), UNIT, UNIT)

    assert line.path == "M0 1L1 2M3 3L4 4"
    assert line.dots == ()


def test_a_line_breaks_where_seconds_are_missing() -> None:
    """Seconds without a row are a gap too, not a straight line."""
    points = (Point(0, 1.0), Point(1, 1.0), Point(5, 2.0), Point(6, 2.0))
    line = draw_series(Series("one", "arm-a", points), UNIT, UNIT)

    assert line.path == "M0 1L1 1M5 2L6 2"


def test_a_lone_value_is_a_dot() -> None:
    """A value without neighbours is seen, and joined to nothing."""
    line = draw_series(_series(None, 5, None), UNIT, UNIT)

    assert line.path == ""
    assert line.dots == ((1.0, 5.0),)


def test_blocks_are_level_strokes() -> None:
    """A block's rate is one level stroke; blocks are not joined."""
    line = draw_stretches("one", "arm-a", (Stretch(0, 2, 4), Stretch(4, 6, 5)), UNIT, UNIT)

    assert line.path == "M0 4H2M4 5H6"


@given(st.floats(0, 1e12))
def test_a_value_axis_starts_at_zero_and_holds_the_highest(highest: float) -> None:
    """The axis begins at 0, ends at or above the highest value, and its ticks rise."""
    scale, ticks = build_value_scale(highest, 200.0, 20.0)

    assert scale.low == 0.0
    assert scale.high >= highest * (1 - 1e-6)
    assert 2 <= len(ticks) <= 6
    assert ticks[0].label == "0"
    assert [tick.place for tick in ticks] == sorted((tick.place for tick in ticks), reverse=True)


@given(st.integers(0, 5000))
def test_an_axis_of_counts_has_whole_ticks(highest: int) -> None:
    """There is no half a user."""
    _, ticks = build_value_scale(float(highest), 200.0, 20.0, is_whole=True)

    assert all("." not in tick.label for tick in ticks)


@given(st.floats(0.1, 200_000))
def test_a_time_axis_uses_the_steps_of_a_clock(last_s: float) -> None:
    """At most seven ticks, all different, the first at 0:00."""
    _, ticks = build_time_scale(0.0, last_s, 0.0, 100.0)

    assert ticks[0].label == "0:00"
    assert len({tick.label for tick in ticks}) == len(ticks) <= 7


@given(st.floats(1e-3, 1e3), st.floats(1, 50))
def test_a_ratio_axis_always_shows_one(lowest: float, factor: float) -> None:
    """The line of no difference is on the axis, and twice and half lie equally far from it."""
    scale, ticks = build_ratio_scale(lowest, lowest * factor, 200.0, 20.0)

    assert "1" in {tick.label for tick in ticks}
    assert len(ticks) <= 9
    assert scale.place(2.0) - scale.place(1.0) == pytest.approx(scale.place(1.0) - scale.place(0.5), abs=0.2)


def test_pairs_are_counted_from_one() -> None:
    """The first and the last pair can be found on the axis."""
    _, ticks = build_count_scale(12, 0.0, 100.0)

    assert [tick.label for tick in ticks] == ["1", "2", "4", "6", "8", "10", "12"]


def test_clock_labels() -> None:
    """Seconds read as m:ss, hours as h:mm:ss."""
    assert [format_clock(second) for second in (0, 75, 3600)] == ["0:00", "1:15", "1:00:00"]


def test_a_short_run_is_drawn_second_by_second() -> None:
    """Up to the number of points that a chart can show, nothing is thinned and nothing is said."""
    thinning = build_thinning(MAX_POINTS)
    series = _series(1, 2, 3)

    assert thinning.highest(series) == series
    assert thinning.describe() == ""


def test_a_long_run_keeps_its_worst_seconds() -> None:
    """Latency keeps the highest second of each stretch, hits the lowest, rows their mean; a stretch without values is a gap."""
    thinning = build_thinning(MAX_POINTS * 2)
    series = _series(1, 9, 4, 2, None, None)

    assert [point.y for point in thinning.highest(series).points] == [9, 4, None]
    assert [point.y for point in thinning.lowest(series).points] == [1, 2, None]
    assert [point.y for point in thinning.mean(series).points] == [5, 3, None]
    assert "highest second" in thinning.describe()


def _draw_soak(points: tuple[Point, ...]) -> str:
    """The path of a line over 7,800 s, of which a drawn point covers 33, one unit of the drawing a second."""
    scale = Scale(0.0, 7800.0, 0.0, 7800.0)
    return draw_series(build_thinning(7800).highest(Series("one", "arm-a", points)), scale, UNIT).path


def test_a_thinned_line_is_whole_where_every_second_was_measured() -> None:
    """One stroke from the first point to the last."""
    path = _draw_soak(tuple(Point(second, 1.0) for second in range(7800)))

    assert path.count("M") == 1
    assert path.startswith("M0 1L33 1")
    assert path.endswith(f"{7800 // 33 * 33} 1")


@pytest.mark.parametrize("first", [3300, 3320, 3332])
def test_a_thinned_line_breaks_over_a_hole(first: int) -> None:
    """64 s without a row, wherever they begin: no stroke passes over any of them, and the rest is joined."""
    path = _draw_soak(tuple(Point(second, 1.0) for second in range(7800) if not first <= second < first + 64))
    before, after = (part.split("L")[-1] for part in path.split("M")[1:3])

    assert path.count("M") == 2
    assert float(before.split()[-2]) <= first
    assert float(path.split("M")[2].split()[0]) >= first + 64
    assert after


@pytest.mark.parametrize("second", [3300, 3315, 3332])
def test_a_thinned_line_breaks_over_a_reading_that_failed(second: int) -> None:
    """One of the 33 of a point: the stroke over their time is left out, the point stays."""
    path = _draw_soak(tuple(Point(float(place), None if place == second else 1.0) for place in range(7800)))

    assert " 1M3333 1L" in path
    assert "3300 1M" in path


def test_a_thinned_line_breaks_over_looks_that_failed_and_are_part_of_a_row() -> None:
    """Of a long load a row stands for several looks: one of them that failed is a hole too, and whole rows are none."""
    rows = [ServerRow(second + 0.02, own_sessions=None if second == 3315 else 4) for second in range(7800)]
    holes, whole = (
        _draw_soak(gauge_points(condense(looks), "own_sessions"))
        for looks in (rows, [replace(row, own_sessions=4) for row in rows])
    )

    assert whole.count("M") == 1
    assert holes.count("M") == 2
    assert "3300 4M3333 4" in holes


def test_rates_of_a_long_load_are_joined() -> None:
    """The rows that stand for several looks lie further apart than a second, and nothing lacks between them."""
    rows = tuple(
        _monitor(second + 0.02, rss_bytes=1, cpu_s=second * 0.5, cache_hits=second, cache_misses=0) for second in range(7800)
    )

    assert _draw_soak(cpu_points(condense(rows))).count("M") == 1
    assert _draw_soak(tuple(Point(point.x, 1.0, point.span) for point in cache_points(condense(rows)))).count("M") == 1


def test_memory_is_pss_or_rss_but_never_a_mix() -> None:
    """PSS wins when it was read at all; RSS stands in only when no PSS was."""
    both = (_monitor(0, rss_bytes=9 << 20, pss_bytes=5 << 20), _monitor(1, rss_bytes=9 << 20))

    assert memory_points(both) == ("PSS", (Point(0, 5.0), Point(1, None)))
    assert memory_points((_monitor(0, rss_bytes=9 << 20),)) == ("RSS", (Point(0, 9.0),))
    assert memory_points((_monitor(0),)) == ("", ())


def test_hits_are_counted_between_two_readings() -> None:
    """The ratio is of the look-ups since the reading before; no look-up and a restart are gaps."""
    rows = (
        _monitor(0, cache_hits=0, cache_misses=0),
        _monitor(1, cache_hits=3, cache_misses=1),
        _monitor(2, cache_hits=3, cache_misses=1),
        _monitor(3, cache_hits=0, cache_misses=1),
    )

    assert [point.y for point in cache_points(rows)] == [75.0, None, None]


def test_readings_far_apart_are_not_neighbours() -> None:
    """What happened while the monitor saw nothing is not spread over the gap."""
    rows = (_monitor(0, cpu_s=0.0), _monitor(1, cpu_s=0.5), _monitor(9, cpu_s=8.5), _monitor(10, cpu_s=9.0))

    assert cpu_points(rows) == (Point(1, 0.5), Point(10, 0.5))


def test_looks_at_a_server_far_apart_are_not_neighbours_either() -> None:
    """Nor two side by side, as the last two are: the hits between them are no rate of a second."""
    seconds = (0.0, 1.0, 9.0, 10.0, 10.1)
    rows = tuple(ServerRow(second, cache_hits=int(second * 10), cache_misses=0) for second in seconds)

    assert cache_points(rows) == (Point(1.0, 100.0), Point(10.0, 100.0))


@pytest.mark.parametrize(("first", "last"), [(1, 1), (1, 8), (1, 100), (151, 250)])
def test_an_axis_of_runs_begins_at_its_first_run(first: int, last: int) -> None:
    """Not at a run 0 that nobody made; every tick is a run within the drawing."""
    scale, ticks = build_count_scale(last, 0.0, 100.0, first=first)

    assert ticks[0].label == str(first)
    assert all(first <= int(tick.label) <= last for tick in ticks)
    assert 0 < scale.place(first) <= scale.place(last) < 100


def _table(*points: Point, unit: Unit = Unit.MILLISECONDS, better: Direction = Direction.LOWER) -> tuple[tuple[str, ...], ...]:
    timeline = Timeline(one_arm().record, build_time_frame(10.0), build_thinning(10.0), {})
    series = (Series("one", "arm-a", points), Series("other", "arm-b", (Point(0, 5.0),), "n < 100"))
    return draw_chart(timeline, "Title", unit, series, better=better).table.rows


def test_the_table_of_a_chart_keeps_the_worst_reading_of_a_second() -> None:
    """Two readings fall into one second: the one that failed does not hide the other, and the better one neither."""
    points = (Point(1.01, 7.0), Point(1.98, None), Point(2.02, 3.0), Point(2.97, 9.0))

    assert [row[:2] for row in _table(*points)[1:]] == [("0:01", "7.00"), ("0:02", "9.00")]
    assert [row[:2] for row in _table(*points, better=Direction.HIGHER)[1:]] == [("0:01", "7.00"), ("0:02", "3.00")]


def test_the_table_of_a_chart_says_what_was_not_measured() -> None:
    """No cell is empty: it says that nothing was measured, or that a percentile would be of too few samples."""
    assert _table(Point(1, None), Point(2, 3.0)) == (
        ("0:00", "not measured", "5.00"),
        ("0:01", "not measured", "n < 100"),
        ("0:02", "3.00", "n < 100"),
    )


def test_the_table_of_a_chart_rounds_against_the_target() -> None:
    """A latency up, a throughput down."""
    assert _table(Point(1, 123.4))[1][1] == "124"
    assert _table(Point(1, 123.6), unit=Unit.RECORDS_PER_MINUTE, better=Direction.HIGHER)[1][1] == "123"
