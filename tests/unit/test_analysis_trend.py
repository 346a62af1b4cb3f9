"""Growth of a gauge: leaks are found, wandering is not one, and a run says what it could not have seen."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.analysis.trend import BLOCKS, fit_slope, judge_growth
from jivsbench.model.behaviour import Growth, Trend
from jivsbench.model.gate import Unit
from tests.planted_load import autoregression


def _judge(readings: list[float], unit: Unit = Unit.MEBIBYTES) -> Growth:
    return judge_growth("memory", unit, readings, float(len(readings)), source="planted")


def _wander(count: int, phi: float, seed: int, *, noise: float = 3.0, growth_percent: float = 0.0) -> list[float]:
    """Readings around 100 whose judged part (the last four fifths) grows by so many percent."""
    per_reading = growth_percent / (count * 0.8)
    return [
        100 - 0.2 * growth_percent + per_reading * place + noise * wander
        for place, wander in enumerate(autoregression(count, phi, random.Random(seed)))
    ]


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("count", [360, 1800])
def test_twenty_flat_series_raise_at_most_one_alarm(count: int, phi: float) -> None:
    """Autocorrelated, and without any growth."""
    assert sum(_judge(_wander(count, phi, seed)).trend is Trend.GROWS for seed in range(20)) <= 1


@pytest.mark.nightly
@pytest.mark.parametrize(("phi", "most"), [(0.0, 0.01), (0.5, 0.02), (0.9, 0.02), (0.98, 0.06), (0.995, 0.1)])
@pytest.mark.parametrize("count", [180, 360, 1440])
def test_false_alarms_stay_rare_even_when_a_gauge_wanders_slowly(count: int, phi: float, most: float) -> None:
    """400 flat series each; correlation times of up to 200 s are as long as the shortest series."""
    assert sum(_judge(_wander(count, phi, seed)).trend is Trend.GROWS for seed in range(400)) <= most * 400


@pytest.mark.parametrize("phi", [0.0, 0.9])
def test_the_smallest_growth_that_a_run_claims_to_show_is_shown(phi: float) -> None:
    """A leak of the size that flat runs of this noise name is found in at least 14 of 20; a third of it in few."""
    claimed = sorted(_judge(_wander(720, phi, seed)).smallest_percent or 0.0 for seed in range(20))[10]

    def found(growth: float) -> int:
        return sum(_judge(_wander(720, phi, 100 + seed, growth_percent=growth)).trend is Trend.GROWS for seed in range(20))

    assert found(claimed) >= 14
    assert found(claimed / 3) <= 6


@pytest.mark.nightly
@pytest.mark.parametrize(("phi", "least"), [(0.0, 0.8), (0.5, 0.8), (0.9, 0.7), (0.98, 0.55)])
def test_power_at_the_claimed_size(phi: float, least: float) -> None:
    """200 leaks of the claimed size: four in five are found, fewer only where wandering is slower than a block."""
    claimed = sorted(_judge(_wander(1440, phi, seed)).smallest_percent or 0.0 for seed in range(100))[50]
    found = sum(_judge(_wander(1440, phi, 500 + seed, growth_percent=claimed)).trend is Trend.GROWS for seed in range(200))

    assert found >= least * 200


def test_warm_up_is_no_growth() -> None:
    """A gauge that rises within the first fifth and stays is flat."""
    readings = [100 - 40 * max(0.0, 1 - place / 120) + wander for place, wander in enumerate(_wander(720, 0.5, 1, noise=0.3))]

    assert _judge(readings).trend is Trend.FLAT


@pytest.mark.parametrize("course", [lambda t: t, lambda t: t**0.5, lambda t: t * t, lambda t: t + 0.03 * math.sin(12 * t)])
def test_a_leak_need_not_be_a_straight_line(course) -> None:
    """What is left beside a straight line is as smooth as the leak; ranks corrected for that would see none of any size."""
    source = random.Random(1)
    growth = _judge([100 + 20 * course(second / 720) + source.gauss(0, 0.1) for second in range(720)])

    assert growth.trend is Trend.GROWS
    assert growth.low_percent is not None
    assert growth.low_percent > 0


def test_a_constant_gauge_is_flat() -> None:
    """No reading differs from another: no growth, and an interval of no width."""
    growth = _judge([10.0] * 200, Unit.COUNT)

    assert (growth.trend, growth.growth_percent, growth.high_percent, growth.p_value) == (Trend.FLAT, 0.0, 0.0, 1.0)


def test_handles_that_leak_one_by_one_grow() -> None:
    """A step every minute on top of 40 handles is 40 % over 20 minutes."""
    growth = _judge([40.0 + second // 60 for second in range(1200)], Unit.COUNT)

    assert growth.trend is Trend.GROWS
    assert growth.growth_percent == pytest.approx(100 * 16 / 43, rel=0.15)


def test_growth_from_zero_is_counted_in_whole_ones() -> None:
    """A gauge that starts at 0 has no percentage; it is judged as if it had started at 1."""
    growth = _judge([second / 300 for second in range(1200)], Unit.COUNT)

    assert growth.trend is Trend.GROWS


def test_noise_that_hides_the_limit_is_inconclusive() -> None:
    """A flat gauge is not called flat when the run could not have told it from one that grows by more than 2 %."""
    growth = _judge(_wander(300, 0.5, 2, noise=8.0))

    assert growth.trend is Trend.INCONCLUSIVE
    assert growth.smallest_percent is not None
    assert growth.smallest_percent > 2


def test_few_readings_are_not_measured() -> None:
    """Fewer than three readings a block are no evidence, and say so."""
    growth = _judge([100.0] * 70)

    assert growth.trend is Trend.NOT_MEASURED
    assert "56 readings after warm-up, at least 60 are needed" in growth.method


def test_a_shrinking_gauge_is_flat() -> None:
    """Only growth is asked for."""
    assert _judge(_wander(720, 0.5, 1, noise=0.5, growth_percent=-20)).trend is Trend.FLAT


@given(st.lists(st.floats(1, 1e12), min_size=60, max_size=200))
def test_any_readings_give_an_ordered_interval(readings: list[float]) -> None:
    """The estimate lies within its interval, the p-value within 0 and 1."""
    slope = fit_slope(readings)

    assert slope.low <= slope.per_block <= slope.high
    assert 0 <= slope.p_value <= 1


def test_fewer_readings_than_blocks_have_no_slope() -> None:
    """A block needs a reading."""
    with pytest.raises(ValueError, match="19 readings"):
        fit_slope([1.0] * (BLOCKS - 1))
