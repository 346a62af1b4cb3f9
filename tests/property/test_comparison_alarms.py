"""How often does a comparison with several looks cry wolf? Seeded simulation, no measurement."""

import math
import random

import pytest

from jivsbench.analysis.comparison import judge_comparison
from jivsbench.model.comparison import ComparisonOutcome, ComparisonRule, Criterion
from tests.unit.analysis_records import build_block

RUNS = 400
LOOKS = (15, 30, 45, 60)
DIFFERENT = (ComparisonOutcome.WORSE, ComparisonOutcome.BETTER)
MEAN = (Criterion("job.response", "mean"),)
THREE = (*MEAN, Criterion("job.response", "p95"), Criterion("throughput.jobs", "rate"))


def play(source: random.Random, ratio: float, pairs: int = LOOKS[-1]):
    """Blocks of two arms on a machine that drifts, with skewed noise that is independent for each statistic."""
    drift, arms = 0.0, ([], [])
    for pair in range(pairs):
        drift = 0.9 * drift + source.gauss(0, 0.1)
        for blocks, factor in zip(arms, (1.0, ratio), strict=True):
            means, p95s, jobs = (100 * math.exp(drift) * source.lognormvariate(0, 0.08) for _ in range(3))
            block = build_block("arm", pair, jobs=max(1, round(jobs * 50 / factor)), job_ms=means * factor)
            blocks.append(type(block)(**{name: getattr(block, name) for name in block.__slots__} | {"job_p95_ns": p95s * factor}))
    return arms


def alarms(criteria, ratio: float, margin: float, seed: int, looks=LOOKS) -> int:
    """In how many of the comparisons anything was called different."""
    source, rule = random.Random(seed), ComparisonRule(criteria, margin, 0.05, looks)
    return sum(any(result.outcome in DIFFERENT for result in judge_comparison(rule, *play(source, ratio))) for _ in range(RUNS))


@pytest.mark.parametrize("criteria", [MEAN, THREE], ids=["one", "three"])
def test_equal_arms_raise_no_more_false_alarms_than_the_rule_allows(criteria):
    """Four looks, one criterion or three that know nothing of each other: 5 %, and the chance that 400 runs leave."""
    # Binomial: 400 runs of 5 % give more than 32 (8 %) with a probability of 0.4 %; the seed is fixed.
    assert alarms(criteria, 1.0, margin=0.0001, seed=11) <= 0.08 * RUNS


def test_looks_without_spending_would_raise_more():
    """The same data, looked at four times at 5 % each: that is what the boundaries are for."""
    source, naive = random.Random(11), 0
    for _ in range(RUNS):
        arms = play(source, 1.0)
        single = [judge_comparison(ComparisonRule(MEAN, 0.0001, 0.05, (look,)), *arms)[0] for look in LOOKS]
        naive += any(result.outcome in DIFFERENT for result in single)

    assert naive > 0.09 * RUNS


def test_a_change_as_large_as_the_margin_is_seldom_called_equivalent():
    """Equivalence is a claim too: arms that differ by the margin are called equivalent in at most 5 % of comparisons."""
    source, rule = random.Random(12), ComparisonRule(MEAN, 0.05, 0.05, LOOKS)
    found = sum(judge_comparison(rule, *play(source, 1.05))[0].outcome is ComparisonOutcome.EQUIVALENT for _ in range(RUNS))

    assert found <= 0.06 * RUNS


def test_a_planted_ten_percent_is_found_and_looks_save_pairs():
    """At least 95 of 100, with fewer pairs on average than the budget has."""
    source, rule = random.Random(13), ComparisonRule(MEAN, 0.05, 0.05, LOOKS)
    results = [judge_comparison(rule, *play(source, 1.1))[0] for _ in range(100)]

    assert sum(result.outcome is ComparisonOutcome.WORSE for result in results) >= 95
    assert sum(result.pairs for result in results) < 0.8 * 100 * LOOKS[-1]
