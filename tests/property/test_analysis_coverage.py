"""Does the interval keep its promise on data like those of a shared machine? Seeded simulation, no measurement."""

import math
import random
from dataclasses import replace

import pytest

from jivsbench.analysis.effects import pair_effects
from tests.unit.analysis_records import build_block

RUNS = 600
RATIO = 1.1


def simulate(source: random.Random, pairs: int, ratio: float):
    """Blocks of two arms on a machine whose speed drifts by a tenth a block, with skewed noise of their own."""
    drift, arms = 0.0, ([], [])
    for pair in range(pairs):
        drift = 0.9 * drift + source.gauss(0, 0.1)
        for blocks, factor in zip(arms, (1.0, ratio), strict=True):
            job_ms = 100 * factor * math.exp(drift) * source.lognormvariate(0, 0.1)
            blocks.append(replace(build_block("arm", pair), job_mean_ns=job_ms * 1e6))
    return arms


def mean_effect(source: random.Random, pairs: int, ratio: float):
    """The effect on the mean job response of one simulated comparison."""
    return next(effect for effect in pair_effects(*simulate(source, pairs, ratio)) if effect.statistic == "mean")


@pytest.mark.parametrize("pairs", [6, 12, 30, 40])
def test_the_interval_covers_the_true_ratio_in_at_least_93_percent_of_comparisons(pairs):
    """Nominal 95 %, on lognormal blocks whose machine drifts more than the effect is large."""
    source = random.Random(pairs)

    effects = [mean_effect(source, pairs, RATIO) for _ in range(RUNS)]
    assert sum(effect.ratio_low <= RATIO <= effect.ratio_high for effect in effects) >= 0.93 * RUNS


@pytest.mark.parametrize("pairs", [12, 40])
def test_two_equal_arms_raise_at_most_six_percent_false_alarms(pairs):
    """An A/A comparison says 'different' about as seldom as its confidence promises."""
    source = random.Random(100 + pairs)

    effects = [mean_effect(source, pairs, 1.0) for _ in range(RUNS)]
    assert sum(not effect.ratio_low <= 1.0 <= effect.ratio_high for effect in effects) <= 0.06 * RUNS


def test_a_planted_ten_percent_slowdown_is_found():
    """With 61 pairs of such blocks at least 95 of 100 comparisons exclude 'no change'."""
    source = random.Random(61)

    effects = [mean_effect(source, 61, RATIO) for _ in range(100)]
    assert sum(effect.ratio_low > 1.0 for effect in effects) >= 95
