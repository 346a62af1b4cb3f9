"""Boundaries of looks against published ones, and conclusions on blocks whose effect is planted."""

from dataclasses import replace
from statistics import NormalDist

import pytest

from jivsbench.analysis import find_invalidities, judge, summarize
from jivsbench.analysis.alpha_spending import nominal_levels, spend
from jivsbench.analysis.comparison import is_settled, judge_comparison
from jivsbench.model.comparison import ComparisonOutcome, ComparisonRule, Criterion
from jivsbench.model.scenario import WARM_UP_PAIR, Block
from jivsbench.model.summary import VerdictOutcome
from tests.unit.analysis_records import build_block, build_comparison

MEAN = Criterion("job.response", "mean")
RATE = Criterion("throughput.jobs", "rate")


def rule(*looks, criteria=(MEAN,), margin=0.05):
    """The default rule with these looks."""
    return ComparisonRule(criteria, margin, 0.05, looks)


def blocks(ratios, arm="b"):
    """One block a ratio, of jobs that take 100 ms times that."""
    return [build_block(arm, pair, job_ms=100.0 * ratio) for pair, ratio in enumerate(ratios)]


def conclude(ratios, *looks, **changes):
    """The only result of comparing such blocks with blocks of 100 ms."""
    (result,) = judge_comparison(rule(*looks, **changes), blocks([1.0] * len(ratios), "a"), blocks(ratios))
    return result


def spread(centre, width, pairs=24):
    """Ratios evenly around a centre."""
    return [centre + width * (n / (pairs - 1) - 0.5) for n in range(pairs)]


def test_the_boundaries_are_those_of_the_published_tables():
    """Five equal looks at 5 %, spent like O'Brien and Fleming: Lan and DeMets 1983, and the package ldbounds."""
    bounds = [-NormalDist().inv_cdf(level / 2) for level in nominal_levels(0.05, (10, 20, 30, 40, 50))]

    assert bounds == pytest.approx([4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=0.0002)


@pytest.mark.parametrize("alpha", [0.001, 0.05, 0.2])
def test_a_single_look_has_the_whole_level_and_all_of_it_is_spent_at_the_end(alpha):
    """Without other looks nothing is paid for them."""
    assert nominal_levels(alpha, (61,))[0] == pytest.approx(alpha, rel=1e-6)
    assert spend(alpha, 1.0) == pytest.approx(alpha)


def test_a_look_too_early_to_show_anything_has_level_zero():
    """One pair of a thousand cannot end a comparison."""
    assert nominal_levels(0.05, (1, 1000))[0] == 0.0


@pytest.mark.parametrize("looks", [(), (0, 5), (5, 5), (6, 5)])
def test_looks_that_do_not_rise_are_refused(looks):
    """The order of looks is part of the rule."""
    with pytest.raises(ValueError, match="looks must rise"):
        nominal_levels(0.05, looks)


@pytest.mark.parametrize(
    ("ratios", "outcome"),
    [
        (spread(1.10, 0.04), ComparisonOutcome.WORSE),
        (spread(0.90, 0.04), ComparisonOutcome.BETTER),
        (spread(1.00, 0.04), ComparisonOutcome.EQUIVALENT),
        (spread(1.02, 0.01), ComparisonOutcome.EQUIVALENT),
        (spread(1.00, 0.60), ComparisonOutcome.INCONCLUSIVE),
    ],
)
def test_latency_is_worse_when_it_rises(ratios, outcome):
    """A difference that lies within the margin as a whole is equivalence, even when it is certain."""
    assert conclude(ratios, 24).outcome is outcome


def test_throughput_is_worse_when_it_falls():
    """The same ratio is good for one figure and bad for the other."""
    slow = [build_block("b", pair, jobs=8) for pair in range(12)]
    (result,) = judge_comparison(rule(12, criteria=(RATE,)), [build_block("a", pair, jobs=10) for pair in range(12)], slow)

    assert result.outcome is ComparisonOutcome.WORSE
    assert "higher is better" in result.reason


def test_a_clear_difference_ends_early_and_what_comes_later_does_not_count():
    """The result is that of the look that settled it."""
    result = conclude([*spread(1.5, 0.1, 30), *[1.0] * 30], 15, 30, 45, 60)

    assert result.outcome is ComparisonOutcome.WORSE
    assert result.pairs == 30


def test_before_the_first_look_nothing_is_known():
    """Data that no look was planned for are not looked at."""
    result = conclude(spread(1.5, 0.1, 11), 12, 24)

    assert result.outcome is ComparisonOutcome.INCONCLUSIVE
    assert result.ratio is None
    assert "11 pairs" in result.reason


def test_a_look_too_early_to_show_anything_leaves_the_comparison_open():
    """Ten looks at two criteria: at the first of them nothing may be spent yet."""
    both = rule(6, 12, 18, 24, 30, 36, 42, 48, 54, 60, criteria=(MEAN, RATE))
    results = judge_comparison(both, blocks([1.0] * 6, "a"), blocks(spread(1.5, 0.1, 6)))

    assert {result.outcome for result in results} == {ComparisonOutcome.INCONCLUSIVE}
    assert "too early" in results[0].reason


def test_holm_gives_the_level_of_what_differs_to_the_others():
    """Alone at a half of 5 % the weak criterion is not shown; once the strong one is, it has the whole 5 %."""
    weak = [1.0 + step for step in (0.03, 0.05, 0.07, 0.09, 0.11, 0.13)] + [0.985]
    baseline = [build_block("a", pair, jobs=10) for pair in range(len(weak))]
    with_strong = [build_block("b", pair, jobs=5, job_ms=100 * ratio) for pair, ratio in enumerate(weak)]
    without = [build_block("b", pair, jobs=10, job_ms=100 * ratio) for pair, ratio in enumerate(weak)]
    both = rule(len(weak), criteria=(MEAN, RATE))

    assert [result.outcome for result in judge_comparison(both, baseline, with_strong)] == [ComparisonOutcome.WORSE] * 2
    assert judge_comparison(both, baseline, without)[0].outcome is ComparisonOutcome.INCONCLUSIVE


def test_it_is_settled_when_nothing_is_inconclusive():
    """One open criterion keeps the comparison going."""
    both = rule(24, criteria=(MEAN, RATE))
    results = judge_comparison(both, blocks([1.0] * 24, "a"), blocks(spread(1.0, 0.6)))

    assert [result.outcome for result in results] == [ComparisonOutcome.INCONCLUSIVE, ComparisonOutcome.EQUIVALENT]
    assert not is_settled(both, results)
    assert is_settled(rule(24, criteria=(RATE,)), results[1:])


@pytest.mark.parametrize(
    ("speedup", "outcome"), [(0.5, VerdictOutcome.FAILED), (2.0, VerdictOutcome.PASSED), (1.0, VerdictOutcome.PASSED)]
)
def test_the_verdict_of_a_comparison_follows_its_criteria(speedup, outcome):
    """Worse fails; better and equivalent pass, without any gate; the results stand in the verdict."""
    record = build_comparison(12, speedup=speedup)
    record = replace(record, plan=replace(record.plan, rule=rule(12)))
    verdict = judge(record, summarize(record), ())

    assert verdict.outcome is outcome
    assert len(verdict.criteria) == 1


def test_an_open_criterion_makes_the_run_say_nothing():
    """INCONCLUSIVE is never green."""
    record = build_comparison(5)
    record = replace(record, plan=replace(record.plan, rule=rule(6)))

    assert judge(record, summarize(record), ()).outcome is VerdictOutcome.INVALID


@pytest.mark.parametrize(("played", "is_valid"), [(12, True), (13, False), (24, True)])
def test_a_comparison_may_end_at_a_look_and_nowhere_else(played, is_valid):
    """Warm-up blocks are no pairs; pairs that are missing because a look settled it are not missing."""
    record = build_comparison(played)
    planned = (
        *[Block(n, WARM_UP_PAIR, arm, 0.0) for n, arm in enumerate(("legacy", "optimized"))],
        *[Block(2 + n, n // 2, ("legacy", "optimized")[n % 2], 0.0) for n in range(48)],
    )
    record = replace(record, plan=replace(record.plan, rule=rule(12, 24), blocks=planned))

    assert bool(find_invalidities(record)) is not is_valid


@pytest.mark.parametrize(("played", "looks"), [(12, (12, 24)), (18, (6, 18, 24)), (24, (24,))])
def test_every_figure_has_the_interval_of_the_look_at_which_the_load_ended(played, looks):
    """With one criterion it is that criterion's own; plain 95 % only where nothing could have ended it earlier."""
    record = build_comparison(played)
    for arm, centre in zip(record.arms, (1.0, 1.02), strict=True):
        own = blocks(spread(centre, 0.2, played), arm.profile.name)
        record = replace(record, arms=tuple(replace(one, blocks=tuple(own)) if one is arm else one for one in record.arms))
    record = replace(record, plan=replace(record.plan, rule=rule(*looks)))
    (criterion,) = judge(record, summarize(record), ()).criteria
    effect = summarize(record).effect("job.response", "mean")

    assert effect is not None
    assert effect.confidence == pytest.approx(criterion.confidence, abs=1e-6)
    assert (effect.ratio_low, effect.ratio_high) == pytest.approx((criterion.ratio_low, criterion.ratio_high), rel=1e-3)
    assert (effect.confidence == 0.95) == (len(looks) == 1)


def test_a_look_that_shows_nothing_leaves_every_figure_without_an_interval():
    """One pair of a thousand: no interval, and not one of 95 %."""
    record = build_comparison(12)
    record = replace(record, plan=replace(record.plan, rule=rule(12, 1000)))
    effect = summarize(record).effect("job.response", "mean")

    assert effect is not None
    assert (effect.ratio_low, effect.ratio_high) == (None, None)
    assert "needs at least 41" in effect.method
