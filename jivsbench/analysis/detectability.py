"""From comparisons of a target with itself to the smallest effect that a comparison here can show.

Power of a two-sided test by the normal approximation: an effect is found with probability `POWER` when it exceeds the
interval's half-width by as much as the estimate may fall short. Between trials the estimate varies more than its pairs
explain, since two processes of the same code differ in where their memory lies (Kalibera and Jones, Rigorous
benchmarking in reasonable time, ISMM 2013): that part does not shrink with more pairs, so it bounds what can be shown.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final

from jivsbench.analysis.comparison import judge_comparison
from jivsbench.analysis.effects import CONFIDENCE, pair_effect
from jivsbench.model.calibration import Calibration, Noise
from jivsbench.model.comparison import ComparisonOutcome, ComparisonRule, Criterion
from jivsbench.model.metrics import CATALOGUE
from jivsbench.model.record import BlockRow

POWER: Final = 0.8
_NORMAL: Final = NormalDist()
_MOST_PAIRS: Final = 2**20
_BISECTIONS: Final = 60
Trial = tuple[Sequence[BlockRow], Sequence[BlockRow]]
"""The blocks of both arms of one comparison."""


def measure_noise(trials: Sequence[Trial], rule: ComparisonRule) -> tuple[Noise, ...]:
    """The noise of every statistic that all trials have an interval for. `rule` says what counts as an alarm."""
    criteria = [Criterion(metric.name, statistic) for metric in CATALOGUE for statistic in metric.paired]
    noises = (_measure(criterion, trials, rule) for criterion in criteria)
    return tuple(noise for noise in noises if noise is not None)


def detectable_ratio(noise: Noise, pairs: int, alpha_ratio: float) -> float:
    """The smallest change, as a share of the baseline, that so many pairs find in 80 % of comparisons."""
    error = noise.pair_deviation / math.sqrt(pairs)
    spread = math.hypot(error, noise.trial_deviation)
    return math.expm1(_NORMAL.inv_cdf(1 - alpha_ratio / 2) * error + _NORMAL.inv_cdf(POWER) * spread)


def pairs_needed(noise: Noise, effect_ratio: float, alpha_ratio: float) -> int | None:
    """The fewest pairs that find such a change in 80 % of comparisons; None when no number does, or more than a million."""
    if detectable_ratio(noise, _MOST_PAIRS, alpha_ratio) > effect_ratio:
        return None
    low, high = 1, _MOST_PAIRS
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if detectable_ratio(noise, middle, alpha_ratio) <= effect_ratio else (middle + 1, high)
    return low


def detectable_here(calibration: Calibration | None, metric: str, statistic: str, pairs: int) -> float | None:
    """The smallest change that so many pairs show by this calibration; None when it does not know the statistic."""
    noise = None if calibration is None else calibration.noise(metric, statistic)
    return None if calibration is None or noise is None or not pairs else detectable_ratio(noise, pairs, calibration.alpha_ratio)


def share_at_most(found: int, tried: int, confidence: float = CONFIDENCE) -> float:
    """The upper bound of a probability of which `found` of `tried` were seen, one-sided (Clopper and Pearson, 1934).

    >>> round(share_at_most(0, 59), 3)
    0.05
    """
    if found >= tried:
        return 1.0
    low, high = found / tried, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        seen = sum(math.comb(tried, n) * middle**n * (1 - middle) ** (tried - n) for n in range(found + 1))
        low, high = (middle, high) if seen > 1 - confidence else (low, middle)
    return high


def share_at_least(found: int, tried: int, confidence: float = CONFIDENCE) -> float:
    """The lower bound, likewise."""
    return 1.0 - share_at_most(tried - found, tried, confidence)


def _measure(criterion: Criterion, trials: Sequence[Trial], rule: ComparisonRule) -> Noise | None:
    quantile = _NORMAL.inv_cdf(0.5 + CONFIDENCE / 2)
    own = ComparisonRule((criterion,), rule.margin_ratio, rule.alpha_ratio, rule.looks)
    deviations, estimates, errors, alarms = [], [], [], 0
    for baseline, candidate in trials:
        effect = pair_effect(criterion.metric, criterion.statistic, baseline, candidate)
        if effect.ratio is None or effect.ratio_low is None or effect.ratio_high is None:
            return None
        error = math.log(effect.ratio_high / effect.ratio_low) / 2 / quantile
        deviations.append(error * math.sqrt(effect.pairs))
        estimates.append(math.log(effect.ratio))
        errors.append(error)
        (result,) = judge_comparison(own, baseline, candidate)
        alarms += result.outcome in (ComparisonOutcome.WORSE, ComparisonOutcome.BETTER)
    if not trials:
        return None
    # The centre is known: the target was compared with itself.
    left = sum(estimate**2 - error**2 for estimate, error in zip(estimates, errors, strict=True)) / len(trials)
    pair_deviation = math.sqrt(sum(deviation**2 for deviation in deviations) / len(trials))
    return Noise(criterion.metric, criterion.statistic, pair_deviation, math.sqrt(max(left, 0.0)), alarms)
