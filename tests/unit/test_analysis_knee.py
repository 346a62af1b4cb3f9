"""The knee of a climb: planted ones are found, and what was not measured is refused."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from jivsbench.analysis.knee import MIN_POINTS, find_knee, fit_knee, list_load_points
from jivsbench.analysis.schedule import list_steps
from jivsbench.analysis.student import student_quantile
from jivsbench.model.behaviour import KneeFit, KneeModel, LoadPoint
from jivsbench.model.scenario import Stage
from tests.planted_load import climb, limited_servers, second_row, series_of, step_row, usl

_PLANTED = {
    "usl-99": (usl(50, 0.02, 0.0001), 98.99),
    "usl-200": (usl(100, 0.05, 0.95 / 200**2), 200.0),
    "servers-64": (limited_servers(10, 64, 0.002), 64.0),
    "servers-150": (limited_servers(10, 150, 0.001), 150.0),
    "servers-64-flat": (limited_servers(10, 64, 0.0), 64.0),
}


def _fit(throughput: Callable[[float], float], seed: int, scale: float, noise: float = 0.05) -> KneeFit:
    steps = climb(scale)
    return fit_knee(list_load_points(series_of(steps, throughput, random.Random(seed), noise=noise), steps), seed)


def _fit_wandering(throughput: Callable[[float], float], seed: int, wander: float, *, is_told: bool = True) -> KneeFit:
    """A climb at a fifth of its length on a machine whose speed walks; the fit may not be told what the return shows."""
    steps = climb(0.2, returns=True)
    series = series_of(steps, throughput, random.Random(seed), wander=wander)
    if not is_told:
        return fit_knee(list_load_points(series, steps[:-1]), seed)
    return find_knee(series, (), steps, None, seed).fit


def _holds(fit: KneeFit, truth: float) -> bool:
    return fit.low is not None and fit.users is not None and fit.low <= truth and (fit.high is None or truth <= fit.high)


@pytest.mark.parametrize("name", _PLANTED)
def test_the_interval_holds_a_planted_knee(name: str) -> None:
    """At least 18 of 20 runs of the stress climb at a twentieth of its length have the true knee in their interval."""
    throughput, truth = _PLANTED[name]
    found = [_fit(throughput, seed, 0.05) for seed in range(20)]

    assert sum(_holds(fit, truth) for fit in found) >= 18


@pytest.mark.nightly
@pytest.mark.parametrize("scale", [0.05, 0.1, 1.0])
@pytest.mark.parametrize("noise", [0.05, 0.1])
@pytest.mark.parametrize("name", _PLANTED)
def test_the_interval_holds_a_planted_knee_at_every_length(name: str, noise: float, scale: float) -> None:
    """Of 60 runs at least nine in ten that were not refused hold the truth, and at most one in eight is refused."""
    throughput, truth = _PLANTED[name]
    found = [fit for seed in range(60) if (fit := _fit(throughput, 1000 + seed, scale, noise)).users is not None]

    assert len(found) >= 52
    assert sum(_holds(fit, truth) for fit in found) >= 0.9 * len(found)


@pytest.mark.parametrize(
    ("throughput", "truth"),
    [(usl(50, 0.02, 0.0001), 98.99), (limited_servers(10, 64, 0.002), 64.0), (limited_servers(100, 5, 0.001), 5.0)],
    ids=["usl-99", "servers-64", "servers-5"],
)
def test_the_interval_holds_a_planted_knee_on_a_machine_that_wanders(throughput: Callable[[float], float], truth: float) -> None:
    """Its speed ends some 15 % off: at least 18 of 20 intervals hold the truth."""
    found = [_fit_wandering(throughput, seed, 0.15) for seed in range(20)]

    assert sum(_holds(fit, truth) for fit in found) >= 18


def test_residuals_alone_do_not_know_that_the_machine_wandered() -> None:
    """The curve follows the drift: without the plateau after the climb the intervals are narrow and often wrong."""
    found = [_fit_wandering(usl(50, 0.02, 0.0001), seed, 0.15, is_told=False) for seed in range(20)]

    assert sum(_holds(fit, 98.99) for fit in found) < 15


@pytest.mark.parametrize(("after", "grown"), [(1000, 4), (1200, 0), (800, 0)])
def test_growth_that_the_machine_explains_is_none(after: int, grown: int) -> None:
    """Throughput rises by 6 % a step: growth, unless the normal load itself changed by more than that from before to after."""
    steps = list_steps([Stage(10, users, is_step=True) for users in (10, 20, 40, 80, 160, 10)])
    rates = (1000, 1060, 1130, 1200, 1275, after)
    series = [second_row(second, rows=rates[second // 10]) for second in range(60)]
    rows = [step_row(step, rows=10 * rate) for step, rate in zip(steps, rates, strict=True)]
    knee = find_knee(series, rows, steps, None, 1)

    assert knee.drift is not None
    assert knee.drift.ratio == pytest.approx(after / 1000 - 1)
    assert knee.grown_step == grown


def test_a_schedule_without_a_return_knows_no_drift() -> None:
    """Nobody measured the normal load again."""
    steps = climb(0.1)

    assert find_knee(series_of(steps, usl(50, 0.02, 0.0001), random.Random(1)), (), steps, None, 1).drift is None


def test_few_points_below_the_knee_have_an_error_of_their_own() -> None:
    """Four servers, two points below: the curve goes through them and leaves no residuals; their standard errors are there."""
    points = list_load_points(series_of(climb(0.2), limited_servers(100, 4, 0.0), random.Random(2)), climb(0.2))
    bare = tuple(replace(point, error_ratio=None) for point in points)

    assert all(point.error_ratio is not None and 0.01 < point.error_ratio < 0.15 for point in points)
    assert _holds(fit_knee(points, 1), 4.0)
    assert not _holds(fit_knee(bare, 1), 4.0)


def test_limited_servers_are_not_described_by_the_usl() -> None:
    """The USL alone puts the knee of 64 servers far above 64; the closer curve is taken, and says which it is."""
    fit = _fit(limited_servers(10, 64, 0.002), 3, 1.0)

    assert fit.model is KneeModel.SERVERS
    assert fit.users == pytest.approx(64, rel=0.05)


def test_a_linear_target_has_no_knee() -> None:
    """Throughput that grew in proportion to users is refused: no peak, and no servers that ran out."""
    for seed in range(10):
        fit = _fit(lambda users: 3 * users, seed, 0.1)

        assert fit.users is None
        assert "refused" in fit.refused or "beyond the load" in fit.refused


def test_exact_points_without_a_peak_are_refused() -> None:
    """That is k <= 0: throughput without noise that only levels off by contention has no greatest value."""
    points = tuple(LoadPoint(float(n), n / (1 + 0.01 * (n - 1) - 1e-6 * n * (n - 1)), 10) for n in (1, 2, 5, 10, 20, 50, 80))
    fit = fit_knee(points, 1)

    assert fit.users is None
    assert "k <= 0" in fit.refused


def test_a_target_that_was_full_from_the_start_has_its_knee_below() -> None:
    """Throughput that is level from the lowest load on says no more than that."""
    source = random.Random(1)
    points = tuple(LoadPoint(float(n), 1000 * source.uniform(0.95, 1.05), 10) for n in (5, 10, 20, 40, 80, 160, 320))
    fit = fit_knee(points, 1)

    assert (fit.users, fit.low, fit.high) == (None, None, None)
    assert "load lower to find it" in fit.refused or "refused" in fit.refused


def test_few_points_are_refused() -> None:
    """Five load points fit any curve."""
    points = tuple(LoadPoint(float(users), 10.0 * users, 10) for users in range(1, MIN_POINTS))

    assert fit_knee(points, 1).refused == "5 load points; a curve needs at least 6"


def test_points_that_no_curve_describes_are_refused() -> None:
    """A target that goes up and down as it likes is described by neither curve."""
    rates = (100, 300, 250, 900, 300, 800, 250, 300)
    points = tuple(LoadPoint(2.0**place, float(rate), 10) for place, rate in enumerate(rates))
    fit = fit_knee(points, 1)

    assert fit.users is None
    assert "no curve of ours describes this target" in fit.refused


def test_residuals_are_those_of_the_points() -> None:
    """Every point carries what the curve says of it, and the mean square of the residuals is theirs."""
    fit = _fit(usl(50, 0.02, 0.0001), 1, 0.1)
    residuals = [point.residual_ratio for point in fit.points]

    assert all(residual is not None for residual in residuals)
    assert fit.rms_residual_ratio == pytest.approx((sum(r * r for r in residuals if r) / len(residuals)) ** 0.5, rel=1e-6)


def test_the_same_seed_gives_the_same_interval() -> None:
    """A verdict that is judged again must not change."""
    assert _fit(usl(50, 0.02, 0.0001), 1, 0.1) == _fit(usl(50, 0.02, 0.0001), 1, 0.1)


def test_the_knee_by_the_steps() -> None:
    """The last step that grew by more than 5 %, and the last one up to which p95 kept its limit; a descent is neither."""
    steps = list_steps([Stage(10, users, is_step=True) for users in (10, 20, 40, 80, 160, 10)])
    rows = [
        step_row(step, rows=rate, p95_ms=ms)
        for step, rate, ms in zip(steps, (100, 190, 350, 400, 410, 100), (50, 60, 90, 300, 900, 50), strict=True)
    ]
    knee = find_knee((), rows, steps, 200e6, 1)

    assert (knee.grown_step, knee.kept_step, knee.still_growing) == (3, 2, False)
    assert knee.fit.refused


def test_a_climb_that_never_stopped_growing_says_so() -> None:
    """The knee lies beyond the highest load: the last step grew."""
    steps = list_steps([Stage(10, users, is_step=True) for users in (10, 20, 40)])
    rows = [step_row(step, rows=round(step.load_to * 10)) for step in steps]
    knee = find_knee((), rows, steps, None, 1)

    assert (knee.grown_step, knee.kept_step, knee.still_growing) == (2, 2, True)


def test_steps_without_a_second_measure_nothing() -> None:
    """A step that was too short to hold a second is no evidence of growth."""
    steps = list_steps([Stage(10, users, is_step=True) for users in (10, 20)])
    rows = [step_row(steps[0], rows=100), replace(step_row(steps[1], rows=0), seconds=0)]

    assert find_knee((), rows, steps, None, 1).grown_step is None


@pytest.mark.parametrize(("freedom", "expected"), [(3, 5.841), (5, 4.032), (10, 3.169), (20, 2.845), (100, 2.626)])
def test_quantiles_of_student(freedom: int, expected: float) -> None:
    """Within 1 % of the table's values at 99 %."""
    assert student_quantile(0.995, freedom) == pytest.approx(expected, rel=0.01)
