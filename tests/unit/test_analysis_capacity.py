"""Capacity by bisection: the interval holds the truth, whatever it is, and the search ends."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.analysis.capacity import CapacitySearch, conclude_search, find_bounds, next_rate
from jivsbench.model.behaviour import Capacity, Plateau

LIMIT_NS = 500e6


def _play(search: CapacitySearch, capacity_per_s: float) -> Capacity:
    plateaus: list[Plateau] = []
    while (rate := next_rate(search, plateaus)) is not None:
        plateaus.append(Plateau(rate, rate <= capacity_per_s, None, rate, ""))
    return conclude_search(search, plateaus, LIMIT_NS)


@given(st.floats(0.1, 10_000), st.floats(0.1, 10_000))
def test_the_interval_holds_the_capacity(first: float, truth: float) -> None:
    """From wherever it begins, within its number of plateaus."""
    search = CapacitySearch(first, most_plateaus=30)
    found = _play(search, truth)

    assert len(found.plateaus) <= 30
    assert found.low_per_s is not None
    assert found.low_per_s <= truth
    if found.high_per_s is not None:
        assert found.high_per_s > truth
        assert found.high_per_s / found.low_per_s - 1 <= search.precision_ratio + 1e-9


def test_the_search_ends_with_what_it_has() -> None:
    """Four plateaus do not find it within a tenth, and the reason says so."""
    found = _play(CapacitySearch(1.0, most_plateaus=4), 6.0)

    assert (found.low_per_s, found.high_per_s, len(found.plateaus)) == (4.0, 8.0, 4)
    assert "before the interval was within 10%" in found.reason


def test_a_rate_that_was_not_offered_proves_nothing() -> None:
    """The generator was saturated: the search ends, and the capacity has no upper bound."""
    search = CapacitySearch(10.0)
    plateaus = (Plateau(10.0, True, 1e6, 10.0, ""), Plateau(20.0, None, None, 15.0, "the load generator was saturated"))
    found = conclude_search(search, plateaus, LIMIT_NS)

    assert next_rate(search, plateaus) is None
    assert (found.low_per_s, found.high_per_s) == (10.0, None)
    assert found.reason == "ended at 20 per s: the load generator was saturated"


def test_a_target_that_keeps_no_rate_has_no_lower_bound() -> None:
    """Down to the lowest rate that is tried."""
    found = _play(CapacitySearch(1.0, lowest_per_s=0.5), 0.1)

    assert (found.low_per_s, found.high_per_s) == (None, 0.5)
    assert "even the lowest rate" in found.reason


def test_a_target_that_keeps_every_rate_has_no_upper_bound() -> None:
    """Up to the highest rate that is tried."""
    found = _play(CapacitySearch(1.0, highest_per_s=4.0), math.inf)

    assert (found.low_per_s, found.high_per_s) == (4.0, None)


def test_a_rate_that_was_kept_above_a_broken_one_was_luck() -> None:
    """The lower of two that contradict each other counts."""
    plateaus = [Plateau(rate, kept, None, rate, "") for rate, kept in ((10.0, True), (20.0, False), (30.0, True))]

    assert find_bounds(plateaus) == (10.0, 20.0)


def test_no_plateau_is_no_result() -> None:
    """An interval of nothing."""
    assert conclude_search(CapacitySearch(1.0), (), LIMIT_NS).reason == "no plateau was played"


@pytest.mark.parametrize("bad", [{"first_per_s": 0.0}, {"first_per_s": 1.0, "precision_ratio": 0.0}, {"first_per_s": 1e9}])
def test_a_search_without_bounds_is_refused(bad: dict[str, float]) -> None:
    """Each of these would never end, or never begin."""
    with pytest.raises(ValueError, match="no search begins"):
        CapacitySearch(**bad)
