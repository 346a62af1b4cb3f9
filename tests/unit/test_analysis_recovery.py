"""Recovery after a peak: a planted moment is found to the second, and what never comes back is said to be so."""

import random

import pytest

from jivsbench.analysis.recovery import (
    Disturbance,
    choose_hold_s,
    find_normal,
    find_return,
    list_disturbances,
    measure_band,
    measure_overshoot_s2,
)
from jivsbench.analysis.schedule import Step, list_steps
from jivsbench.model.behaviour import Band
from jivsbench.model.record import SeriesRow
from jivsbench.model.scenario import Arrival, Stage
from tests.planted_load import second_row

_SPIKE = list_steps([Stage(60, 20, is_step=True), Stage(30, 200, is_step=True), Stage(120, 20, is_step=True)])


def _series(
    source: random.Random, slow_until: int | None, *, noise: float = 0.1, slow_ms: float = 900.0
) -> tuple[SeriesRow, ...]:
    """p95 of about 100 ms, but of `slow_ms` from second 60 on until `slow_until`; forever when that is None."""
    rows = []
    for second in range(210):
        slow = second >= 60 and (slow_until is None or second < slow_until)
        rows.append(second_row(second, p95_ms=(slow_ms if slow else 100.0) * 2 ** source.gauss(0, noise)))
    return tuple(rows)


def _band(series: tuple[SeriesRow, ...], steps: tuple[Step, ...] = _SPIKE) -> Band:
    normal = find_normal(steps)
    assert normal is not None
    band = measure_band(series, normal)
    assert isinstance(band, Band), band
    return band


def _spike(steps: tuple[Step, ...] = _SPIKE) -> Disturbance:
    normal = find_normal(steps)
    assert normal is not None
    return list_disturbances(steps, normal)[0]


@pytest.mark.parametrize("seed", range(20))
def test_a_planted_recovery_time_is_found_within_a_second(seed: int) -> None:
    """p95 is back after 1 to 100 s, with the noise of a real one."""
    source = random.Random(seed)
    after = source.randint(1, 100)
    series = _series(source, 90 + after)
    found = find_return(series, _band(series), _spike(), 10)

    assert found.recovery_s == pytest.approx(after, abs=1.0)


def test_a_target_that_never_recovers_is_censored() -> None:
    """There is no time; there is how long it was watched."""
    series = _series(random.Random(1), None)
    found = find_return(series, _band(series), _spike(), 10)

    assert (found.recovery_s, found.observed_s) == (None, 120.0)


def test_a_plateau_shorter_than_the_hold_is_censored() -> None:
    """A target that came back 5 s before the load's end has not shown that it stays."""
    series = _series(random.Random(1), 205)

    assert find_return(series, _band(series), _spike(), 10).recovery_s is None


def test_failing_fast_is_no_recovery() -> None:
    """p95 lies within the band, but one call in four fails."""
    series = list(_series(random.Random(1), 90))
    for second in range(90, 130):
        series[second] = second_row(second, p95_ms=20.0, errors=20)
    found = find_return(series, _band(tuple(series)), _spike(), 10)

    assert found.recovery_s == 40.0


def test_seconds_in_which_nothing_ended_are_no_recovery() -> None:
    """A stall has no p95."""
    series = [row for row in _series(random.Random(1), 90) if not 90 <= row.second < 100]
    series += [second_row(second, p95_ms=None, jobs=0, rows=0) for second in range(95, 100)]
    found = find_return(series, _band(tuple(series)), _spike(), 10)

    assert found.recovery_s == 10.0


def test_the_band_is_that_before_the_first_peak() -> None:
    """A peak that spoiled the stretch after it does not make the next one look recovered."""
    stages = [Stage(60, 20, is_step=True)] + [Stage(30, load, is_step=True) for load in (200, 20, 300, 20)]
    steps = list_steps(stages)
    normal = find_normal(steps)
    assert normal is not None
    series = tuple(second_row(second, p95_ms=100.0 if second < 60 else 400.0) for second in range(180))
    band = measure_band(series, normal)
    assert isinstance(band, Band)

    spikes = list_disturbances(steps, normal)
    assert [(spike.start_s, spike.end_s, spike.peak_load) for spike in spikes] == [(60, 90, 200), (120, 150, 300)]
    assert [find_return(series, band, spike, 10).recovery_s for spike in spikes] == [None, None]


def test_a_band_has_a_width_even_without_noise() -> None:
    """A p95 that never moved: a tenth above it is still normal."""
    band = _band(tuple(second_row(second) for second in range(60)))

    assert band.p95_ns == pytest.approx(110e6)
    assert (band.median_ns, band.error_ratio, band.seconds) == (pytest.approx(100e6), 0.0, 60)


def test_a_band_needs_seconds_with_jobs() -> None:
    """Two seconds are no band."""
    assert measure_band((second_row(0), second_row(1)), _SPIKE[0]) == (
        "2 seconds with jobs in the plateau before the peak, at least 3 are needed"
    )


def test_the_overshoot_is_the_area_above_the_band() -> None:
    """30 seconds of 0.9 s above a band up to 0.11 s."""
    series = tuple(second_row(second, p95_ms=900.0 if 60 <= second < 90 else 100.0) for second in range(210))

    assert measure_overshoot_s2(series, _band(series), 60, 210) == pytest.approx(30 * (0.9 - 0.11))


def test_a_climb_and_a_ramp_down_are_one_disturbance() -> None:
    """Every step above the normal load belongs to it; watching begins where the load is back."""
    steps = list_steps([Stage(60, 10), Stage(60, 10), Stage(60, 100), Stage(60, 500), Stage(30, 10), Stage(60, 10)])
    found = _spike(steps)

    assert (found.start_s, found.end_s, found.peak_load, found.after.index) == (120, 270, 500, 5)


def test_steps_of_an_open_loop_are_rates() -> None:
    """The load of a step is what its scenario plans: here iterations per second."""
    steps = list_steps([Stage(10, rate_per_s=5), Stage(10, rate_per_s=5)], Arrival.RATE, origin_s=2.0)

    assert [(step.start_s, step.end_s, step.load_from, step.load_to) for step in steps] == [(2, 12, 0, 5), (12, 22, 5, 5)]
    assert find_normal(steps) == steps[1]


def test_a_load_without_a_plateau_has_no_normal() -> None:
    """A ramp is nowhere normal."""
    assert find_normal(list_steps([Stage(10, 5), Stage(10, 0)])) is None


@pytest.mark.parametrize(("scale", "hold_s"), [(1.0, 10), (2.0, 10), (0.5, 5), (0.05, 3)])
def test_the_hold_shrinks_with_the_scenario(scale: float, hold_s: int) -> None:
    """Never below 3 s, never above 10 s."""
    assert choose_hold_s(scale) == hold_s
