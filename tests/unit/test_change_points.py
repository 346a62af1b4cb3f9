"""Change points: a planted step is found where it is, and a series without one is left alone."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.analysis.change_points import LEAST_RUNS, find_change_points


def series(rng: random.Random, *levels: tuple[int, float], noise: float = 0.03) -> list[float]:
    """Runs at one level after another, with noise in percent of the level."""
    return [level * (1 + rng.gauss(0, noise)) for count, level in levels for _ in range(count)]


def test_a_planted_step_is_found_at_its_place():
    """A tenth slower from the 15th run on, with 3 % noise: found in nearly every history, one run off at most."""
    found = [find_change_points(series(random.Random(seed), (14, 100), (14, 110))) for seed in range(100)]
    hits = [points for points in found if len(points) == 1 and abs(points[0].place - 14) <= 1]

    assert len(hits) >= 90
    assert all(1.05 < points[0].ratio < 1.15 for points in hits)


def test_a_series_without_a_step_is_left_alone():
    """Of 300 histories of one level, about one in a hundred shows a step; five are far beyond that."""
    alarms = sum(bool(find_change_points(series(random.Random(seed), (30, 100)))) for seed in range(300))

    assert alarms <= 9


def test_two_steps_are_both_found():
    """Up and down again."""
    points = find_change_points(series(random.Random(1), (12, 100), (12, 130), (12, 100)))

    assert [point.place for point in points] == [12, 24]
    assert points[0].before == pytest.approx(100, rel=0.03)
    assert points[1].after == pytest.approx(100, rel=0.03)


def test_one_wild_run_is_no_change():
    """Ranks: a run ten times as slow is one run."""
    values = series(random.Random(3), (30, 100))
    values[17] = 1000

    assert find_change_points(values) == ()


@pytest.mark.parametrize("values", [[], [1.0] * (LEAST_RUNS - 1), [1.0, 9.0] * 4, [5.0] * 40])
def test_what_cannot_show_a_change_shows_none(values):
    """Too few runs, and a level that never moves."""
    assert find_change_points(values) == ()


def test_the_same_history_gives_the_same_answer():
    """Shuffles come from a fixed seed."""
    values = series(random.Random(5), (10, 100), (10, 104))

    assert find_change_points(values) == find_change_points(values)


@given(st.lists(st.floats(0, 1e6), min_size=LEAST_RUNS, max_size=30))
def test_change_points_are_in_order_and_leave_runs_on_both_sides(values):
    """Every part between two changes has at least three runs."""
    places = [point.place for point in find_change_points(values)]
    edges = [0, *places, len(values)]

    assert places == sorted(set(places))
    assert all(after - before >= 3 for before, after in itertools.pairwise(edges))
