"""What a comparison concludes: looks at planned moments, criterion by criterion, at a known rate of false alarms.

At each look every criterion has an interval wide enough for all looks together (`alpha_spending`), at the level that Holm's
step-down leaves it: alpha / criteria, and more once others have been found to differ. That the two go together is shown by
Maurer and Bretz (Stat. Biopharm. Research 5, 2013). Whatever an interval says holds for all looks at once, so equivalence
may be read from it as well (two one-sided tests).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jivsbench.analysis.alpha_spending import nominal_levels
from jivsbench.analysis.effects import CONFIDENCE, pair_effect
from jivsbench.model.comparison import ComparisonOutcome, ComparisonRule, Criterion, CriterionResult
from jivsbench.model.formatting import format_change
from jivsbench.model.metrics import Direction, find_metric
from jivsbench.model.record import BlockRow
from jivsbench.model.summary import Effect

_PERCENT: Final = 100.0
# A look that shows nothing asks for more pairs than anybody plays.
_LEAST_LEVEL: Final = 1e-12


def judge_comparison(
    rule: ComparisonRule, baseline: Sequence[BlockRow], candidate: Sequence[BlockRow]
) -> tuple[CriterionResult, ...]:
    """The conclusion on every criterion, from the looks that these blocks are enough for, in their order.

    What an earlier look has concluded stands; pairs after the look that settled everything do not count.
    """
    pairs = whole_pairs(baseline, candidate)
    due = [look for look in rule.looks if look <= len(pairs)]
    results: dict[Criterion, CriterionResult] = {}
    for number, look in enumerate(due):
        seen = set(pairs[:look])
        blocks = [[block for block in arm if block.pair in seen] for arm in (baseline, candidate)]
        _look(_Look(rule, number, blocks[0], blocks[1]), results)
        if is_settled(rule, tuple(results.values())):
            break
    reason = f"{len(pairs)} pairs were played, the first look is at {rule.looks[0]}"
    return tuple(results.get(criterion) or _build_unknown(criterion, reason) for criterion in rule.criteria)


def is_settled(rule: ComparisonRule, results: Sequence[CriterionResult]) -> bool:
    """True when no criterion is left INCONCLUSIVE."""
    settled = [result for result in results if result.outcome is not ComparisonOutcome.INCONCLUSIVE]
    return len(settled) == len(rule.criteria)


def choose_confidence(rule: ComparisonRule | None, pairs: int) -> float:
    """How sure an effect's interval must be after so many pairs, to hold with `CONFIDENCE` although a look may have ended it.

    Without looks, and before the first, it is `CONFIDENCE` itself.
    """
    due = sum(look <= pairs for look in rule.looks) if rule else 0
    if rule is None or not due or len(rule.looks) == 1:
        return CONFIDENCE
    return 1 - max(nominal_levels(round(1 - CONFIDENCE, 6), rule.looks)[due - 1], _LEAST_LEVEL)


def whole_pairs(baseline: Sequence[BlockRow], candidate: Sequence[BlockRow]) -> tuple[int, ...]:
    """Numbers of the pairs of which both blocks were played, rising."""
    return tuple(sorted({block.pair for block in baseline} & {block.pair for block in candidate}))


@dataclass(frozen=True, slots=True)
class _Look:
    """The data of one look."""

    rule: ComparisonRule
    number: int
    baseline: Sequence[BlockRow]
    candidate: Sequence[BlockRow]

    def measure(self, criterion: Criterion, level: float) -> Effect:
        """The effect with the interval that this look allows at a level of the whole comparison."""
        nominal = nominal_levels(level, self.rule.looks)[self.number]
        if not nominal:
            reason = "this look comes too early to show anything"
            return Effect(criterion.metric, criterion.statistic, "", "", None, None, None, 1.0, 0, reason)
        return pair_effect(criterion.metric, criterion.statistic, self.baseline, self.candidate, 1 - nominal)


def _look(look: _Look, results: dict[Criterion, CriterionResult]) -> None:
    """Update the results of all criteria that no earlier look has settled."""
    open_ones = [criterion for criterion in look.rule.criteria if not _is_different(results.get(criterion))]
    while open_ones:
        level = look.rule.alpha_ratio / len(open_ones)
        for criterion in open_ones:
            before = results.get(criterion)
            if before is None or before.outcome is ComparisonOutcome.INCONCLUSIVE:
                results[criterion] = _conclude(criterion, look.measure(criterion, level), look.rule.margin_ratio)
        different = [criterion for criterion in open_ones if _is_different(results[criterion])]
        if not different:
            return
        open_ones = [criterion for criterion in open_ones if criterion not in different]


def _is_different(result: CriterionResult | None) -> bool:
    if result is None or result.ratio_low is None or result.ratio_high is None:
        return False
    return not result.ratio_low <= 1.0 <= result.ratio_high


def _conclude(criterion: Criterion, effect: Effect, margin_ratio: float) -> CriterionResult:
    outcome = _name_outcome(criterion, effect, margin_ratio)
    reason = effect.method if effect.ratio_low is None else _describe(criterion, effect, margin_ratio)
    bounds = (effect.ratio, effect.ratio_low, effect.ratio_high)
    return CriterionResult(
        criterion.metric, criterion.statistic, outcome, *bounds, effect.confidence, effect.pairs, reason, effect.processes
    )


def _name_outcome(criterion: Criterion, effect: Effect, margin_ratio: float) -> ComparisonOutcome:
    if effect.ratio_low is None or effect.ratio_high is None:
        return ComparisonOutcome.INCONCLUSIVE
    if 1 / (1 + margin_ratio) <= effect.ratio_low and effect.ratio_high <= 1 + margin_ratio:
        return ComparisonOutcome.EQUIVALENT
    if effect.ratio_low <= 1.0 <= effect.ratio_high:
        return ComparisonOutcome.INCONCLUSIVE
    is_higher_worse = _better(criterion) is Direction.LOWER
    return ComparisonOutcome.WORSE if (effect.ratio_low > 1.0) == is_higher_worse else ComparisonOutcome.BETTER


def _describe(criterion: Criterion, effect: Effect, margin_ratio: float) -> str:
    assert effect.ratio_low is not None, "only an effect with an interval is described"
    assert effect.ratio_high is not None, "only an effect with an interval is described"
    low, high = ((bound - 1) * _PERCENT for bound in (effect.ratio_low, effect.ratio_high))
    better = "lower is better" if _better(criterion) is Direction.LOWER else "higher is better"
    # Outwards, like every interval that is shown.
    span = f"{format_change(math.floor(low * 100) / 100, 2)} to {format_change(math.ceil(high * 100) / 100, 2)}"
    return f"{span} ({better}); changes within {margin_ratio * _PERCENT:g} % are too small to matter"


def _build_unknown(criterion: Criterion, reason: str) -> CriterionResult:
    outcome = ComparisonOutcome.INCONCLUSIVE
    return CriterionResult(criterion.metric, criterion.statistic, outcome, None, None, None, 0.0, 0, reason)


def _better(criterion: Criterion) -> Direction:
    metric = find_metric(criterion.metric)
    assert metric is not None, criterion
    return metric.better
