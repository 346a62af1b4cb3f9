"""From comparisons of a target with itself to the smallest effect that a comparison here can show.

Power of a two-sided test: an effect is found with probability `POWER` when it exceeds the interval's half-width by as much as
the estimate may fall short. That is Student's t, times what the interval that is used here (`signed_rank`) needs more.

Between processes the estimate varies more than its pairs explain, since two processes of the same code differ in speed for
as long as they live (Kalibera and Jones, Rigorous benchmarking in reasonable time, ISMM 2013): that part shrinks with more
processes, not with more pairs.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final

from jivsbench.analysis.comparison import judge_comparison
from jivsbench.analysis.effects import CONFIDENCE, pair_effect, paired_logs
from jivsbench.analysis.signed_rank import estimate_centre, estimate_location, least_pairs
from jivsbench.analysis.student import student_quantile
from jivsbench.model.calibration import Calibration, Noise
from jivsbench.model.comparison import ComparisonOutcome, ComparisonRule, Criterion
from jivsbench.model.metrics import CATALOGUE
from jivsbench.model.record import BlockRow

POWER: Final = 0.8
_NORMAL: Final = NormalDist()
_MOST_PAIRS: Final = 2**20
_BISECTIONS: Final = 60
_LARGEST_LOG: Final = 700.0
"""Its exponential is still a number."""
# Of 4,000 samples of so many normal values (8,000 below ten): the shift that 95 % intervals find in 80 %, over that by t.
_MORE_THAN_T: Final = {6: 1.29, 7: 1.07, 8: 1.06, 9: 1.04, 10: 1.03, 11: 1.03, 12: 1.07, 13: 1.05}
# The signed-rank test's efficiency is 3 / pi (Hollander, Wolfe, Chicken, section 3.11).
_MORE_THAN_T_OF_MANY: Final = 1.03
Trial = tuple[Sequence[BlockRow], Sequence[BlockRow]]
"""The blocks of both arms of one comparison."""


def measure_noise(trials: Sequence[Trial], rule: ComparisonRule) -> tuple[Noise, ...]:
    """The noise of every statistic that all trials have an interval for. `rule` says what counts as an alarm."""
    criteria = [Criterion(metric.name, statistic) for metric in CATALOGUE for statistic in metric.paired]
    noises = (_measure(criterion, trials, rule) for criterion in criteria)
    return tuple(noise for noise in noises if noise is not None)


def detectable_ratio(noise: Noise, pairs: int, alpha_ratio: float, processes: int = 1) -> float:
    """The smallest change, as a share of the baseline, that so many pairs of so many processes find in 80 % of comparisons."""
    pair_error = noise.pair_deviation / math.sqrt(pairs)
    spread = math.hypot(pair_error, noise.process_deviation / math.sqrt(processes))
    # Of one process the interval knows of the pairs alone.
    values, known = (pairs, pair_error) if processes == 1 else (processes, spread)
    if values < least_pairs(1 - alpha_ratio):
        return math.inf
    half_width = student_quantile(1 - alpha_ratio / 2, values - 1) * known
    log = (half_width + _NORMAL.inv_cdf(POWER) * spread) * _MORE_THAN_T.get(values, _MORE_THAN_T_OF_MANY)
    return math.expm1(log) if log < _LARGEST_LOG else math.inf


def pairs_needed(noise: Noise, effect_ratio: float, alpha_ratio: float, processes: int = 1) -> int | None:
    """The fewest pairs that find such a change in 80 % of comparisons; None when no number does, or more than a million."""
    if detectable_ratio(noise, _MOST_PAIRS, alpha_ratio, processes) > effect_ratio:
        return None
    low, high = processes if processes > 1 else least_pairs(1 - alpha_ratio), _MOST_PAIRS
    while low < high:
        middle = (low + high) // 2
        is_enough = detectable_ratio(noise, middle, alpha_ratio, processes) <= effect_ratio
        low, high = (low, middle) if is_enough else (middle + 1, high)
    return low


def detectable_here(calibration: Calibration | None, metric: str, statistic: str, pairs: int, processes: int = 1) -> float | None:
    """The smallest change that so many pairs show by this calibration; None when it does not know the statistic."""
    noise = None if calibration is None else calibration.noise(metric, statistic)
    if calibration is None or noise is None or not pairs:
        return None
    return detectable_ratio(noise, pairs, calibration.alpha_ratio, processes)


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


def _measure(criterion: Criterion, trials: Sequence[Trial], rule: ComparisonRule) -> Noise | None:
    own = ComparisonRule((criterion,), rule.margin_ratio, rule.alpha_ratio, rule.looks)
    deviations: list[float] = []
    processes: list[tuple[float, int]] = []
    alarms = 0
    for baseline, candidate in trials:
        effect = pair_effect(criterion.metric, criterion.statistic, baseline, candidate)
        if effect.ratio_low is None:
            return None
        logs = paired_logs(criterion.metric, criterion.statistic, baseline, candidate)
        centres = [estimate_location(of_process) for of_process in logs]
        deviation = _measure_pairs(logs, centres)
        if deviation is None:
            return None
        deviations.append(deviation)
        processes += zip(centres, map(len, logs), strict=True)
        (result,) = judge_comparison(own, baseline, candidate)
        alarms += result.outcome in (ComparisonOutcome.WORSE, ComparisonOutcome.BETTER)
    if not trials:
        return None
    variance = sum(deviation**2 for deviation in deviations) / len(deviations)
    # The centre is known: the target was compared with itself.
    left = sum(centre**2 - variance / pairs for centre, pairs in processes) / len(processes)
    return Noise(criterion.metric, criterion.statistic, math.sqrt(variance), math.sqrt(max(left, 0.0)), alarms)


def _measure_pairs(logs: Sequence[Sequence[float]], centres: Sequence[float]) -> float | None:
    """By how much pairs of the same processes differ, from the interval around what is left once each process has its centre."""
    left = [log - centre for of_process, centre in zip(logs, centres, strict=True) for log in of_process]
    # As many centres were taken out as there are processes, and one of them is the interval's own.
    free = len(left) - len(logs) + 1
    centre = estimate_centre(left, CONFIDENCE)
    if centre.low is None or centre.high is None or free <= 1:
        return None
    error = (centre.high - centre.low) / 2 / _NORMAL.inv_cdf(0.5 + CONFIDENCE / 2)
    return error * math.sqrt(len(left)) * math.sqrt(len(left) / free)
