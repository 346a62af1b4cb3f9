"""The schedule of an open loop: what holds for every list of stages, and what a Poisson process is."""

import math
import statistics
from bisect import bisect_right
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.model.arrivals import arrival_times_ns, expected_arrivals
from jivsbench.model.scenario import Gaps, Stage

STAGES = st.lists(
    st.builds(
        Stage,
        duration_s=st.sampled_from([0.25, 1.0, 7.5]),
        rate_per_s=st.sampled_from([0.0, 0.1, 3.0, 50.0]),
        is_step=st.booleans(),
    ),
    max_size=5,
)


def rate_at(stages, at_s: float) -> float:
    """Planned iterations per second at a moment after the start; 0 before it, the last stage's own after the end."""
    before, start_s = 0.0, 0.0
    if at_s < 0:
        return 0.0
    for stage in stages:
        if at_s < start_s + stage.duration_s:
            first = stage.rate_per_s if stage.is_step else before
            return first + (stage.rate_per_s - first) * (at_s - start_s) / stage.duration_s
        before, start_s = stage.rate_per_s, start_s + stage.duration_s
    return before


def integral(stages, at_s: float) -> float:
    """The planned number of arrivals up to a moment, as a fine sum."""
    steps = 2000
    return sum(rate_at(stages, at_s * (step + 0.5) / steps) for step in range(steps)) * at_s / steps


@given(STAGES, st.floats(0, 1))
def test_even_arrivals_never_leave_the_plan_by_more_than_half_a_one(stages, part) -> None:
    """At every moment as many arrivals lie behind as the integral of the rate says."""
    at_s = part * sum(stage.duration_s for stage in stages)
    times = list(arrival_times_ns(stages, Gaps.EVEN, 1))

    behind = bisect_right(times, at_s * 1e9)

    # The fine sum itself misses a jump of the rate by up to one of its own steps.
    step_error = max((stage.rate_per_s for stage in stages), default=0.0) * at_s / 2000 * (len(stages) + 1)
    assert abs(behind - integral(stages, at_s)) <= 0.5 + step_error + 1e-6


@given(STAGES, st.sampled_from(Gaps), st.integers(0, 3))
def test_arrivals_ascend_within_the_stages(stages, gaps, seed) -> None:
    """In order, none before the start, none after the end; the same arguments give the same list."""
    times = list(arrival_times_ns(stages, gaps, seed))
    end_ns = sum(stage.duration_s for stage in stages) * 1e9

    assert all(before <= after for before, after in pairwise(times))
    assert all(0 <= time <= end_ns + 1 for time in times)
    assert times == list(arrival_times_ns(stages, gaps, seed))
    if gaps is Gaps.EVEN:
        assert abs(len(times) - expected_arrivals(stages)) <= 0.5 + 1e-6


def test_a_constant_rate_by_hand() -> None:
    """4 a second for 1 s: half a gap after the start, then every quarter of a second."""
    assert list(arrival_times_ns([Stage(1.0, rate_per_s=4, is_step=True)], Gaps.EVEN, 1)) == [
        125_000_000,
        375_000_000,
        625_000_000,
        875_000_000,
    ]


def test_a_ramp_from_nothing_by_hand() -> None:
    """0 to 4 a second in 2 s makes t^2 arrivals by t: the n-th lies at the root of n - 1/2."""
    times = list(arrival_times_ns([Stage(2.0, rate_per_s=4)], Gaps.EVEN, 1))

    assert times == [round(math.sqrt(number + 0.5) * 1e9) for number in range(4)]


def test_a_long_constant_rate_does_not_drift() -> None:
    """The millionth arrival at 3,000 a second is where it belongs, to the ns."""
    times = arrival_times_ns([Stage(3600.0, rate_per_s=3000, is_step=True)], Gaps.EVEN, 1)

    assert next(islice(times, 1_000_000, None)) == round(1_000_000.5 / 3000 * 1e9)


def test_poisson_gaps_are_exponential() -> None:
    """Mean and deviation of the gaps are those of the rate, within four standard errors; their distribution is memoryless."""
    times = list(arrival_times_ns([Stage(400.0, rate_per_s=50, is_step=True)], Gaps.POISSON, 11))
    gaps = [(after - before) / 1e9 for before, after in pairwise(times)]

    assert abs(len(times) - 20_000) < 4 * math.sqrt(20_000)
    assert statistics.mean(gaps) == pytest.approx(0.02, rel=4 / math.sqrt(len(gaps)))
    assert statistics.stdev(gaps) == pytest.approx(0.02, rel=0.05)
    for factor in (0.5, 1.0, 2.0, 3.0):
        share = math.exp(-factor)
        longer = sum(gap > factor * 0.02 for gap in gaps) / len(gaps)
        assert abs(longer - share) < 4 * math.sqrt(share * (1 - share) / len(gaps)), factor


def test_poisson_ramps_follow_their_rate() -> None:
    """0 to 100 a second: a quarter of the arrivals lies in the first half."""
    times = list(arrival_times_ns([Stage(200.0, rate_per_s=100)], Gaps.POISSON, 3))
    early = bisect_right(times, 100e9)

    assert abs(early / len(times) - 0.25) < 4 * math.sqrt(0.25 * 0.75 / len(times))


def test_seed_and_pair_choose_the_poisson_gaps() -> None:
    """Another seed or another pair of blocks has other gaps; even gaps know neither."""
    stages = [Stage(5.0, rate_per_s=20, is_step=True)]
    drawn = {tuple(arrival_times_ns(stages, Gaps.POISSON, seed, pair)) for seed in (1, 2) for pair in (0, 1)}

    assert len(drawn) == 4
    assert list(arrival_times_ns(stages, Gaps.EVEN, 1, 0)) == list(arrival_times_ns(stages, Gaps.EVEN, 2, 1))


@pytest.mark.parametrize(("at_s", "rate"), [(-1, 0), (0, 0), (1, 5), (2, 30), (4, 30), (5, 15), (9, 0)])
def test_the_rate_of_a_ramp_a_step_and_a_fall(at_s, rate) -> None:
    """On the straight line of its stage, at the step's value at once, and the last value after the end."""
    stages = [Stage(2.0, rate_per_s=10), Stage(2.0, rate_per_s=30, is_step=True), Stage(2.0, rate_per_s=0)]

    assert rate_at(stages, at_s) == pytest.approx(rate)
    assert expected_arrivals(stages) == pytest.approx(10 + 60 + 30)
