"""What changed between the two arms of a comparison: one statistic per block, paired, as log ratios.

Raw latencies of the arms are never pooled and percentiles never averaged. What an arm has only once (a maximum, a ratio
of totals) gets a plain ratio and no interval, and its method says so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jivsbench.analysis.signed_rank import MAX_EXACT_PAIRS, estimate_centre, least_pairs
from jivsbench.model.metrics import CATALOGUE, Metric
from jivsbench.model.record import BlockRow
from jivsbench.model.summary import Effect, Figure

CONFIDENCE: Final = 0.95
# The log ratio of a pair in which one block completed no job at all: it ranks last, it is not left out.
_EXTREME: Final = math.log(1e6)
_MOST_EMPTY_RATIO: Final = 0.1
_NS_PER_S: Final = 1e9


def pair_effects(baseline: Sequence[BlockRow], candidate: Sequence[BlockRow]) -> tuple[Effect, ...]:
    """The effect of every statistic that blocks have, from the pairs of blocks of both arms.

    Both sequences hold the blocks of one arm each. The interval covers the true ratio with 95 % confidence.
    """
    pairs = _join_pairs(baseline, candidate)
    names = (baseline[0].arm if baseline else "", candidate[0].arm if candidate else "")
    return tuple(
        _pair_effect(metric, statistic, names, pairs)
        for metric in CATALOGUE
        for statistic in metric.statistics
        if statistic in metric.paired
    )


def plain_effect(baseline: Figure, candidate: Figure) -> Effect:
    """The ratio of two figures that each arm has only once. Two zeros are no change; a zero baseline has no ratio."""
    ratio, method = _plain_ratio(baseline, candidate)
    return Effect(candidate.metric, candidate.statistic, baseline.arm, candidate.arm, ratio, None, None, CONFIDENCE, 0, method)


@dataclass(frozen=True, slots=True)
class _Pair:
    baseline: BlockRow
    candidate: BlockRow


def _join_pairs(baseline: Sequence[BlockRow], candidate: Sequence[BlockRow]) -> tuple[_Pair, ...]:
    partners = {block.pair: block for block in candidate}
    return tuple(_Pair(block, partners[block.pair]) for block in baseline if block.pair in partners)


def _pair_effect(metric: Metric, statistic: str, names: tuple[str, str], pairs: Sequence[_Pair]) -> Effect:
    logs: list[float] = []
    empty = 0
    for pair in pairs:
        before = _block_value(pair.baseline, metric.name, statistic)
        after = _block_value(pair.candidate, metric.name, statistic)
        empty += not (before and after)
        log = _log_ratio(before, after)
        if log is not None:
            logs.append(log)
    identity = (metric.name, statistic, *names)
    if not logs:
        return Effect(*identity, None, None, None, CONFIDENCE, 0, "no pair has a value in both of its blocks")
    centre = estimate_centre(logs, CONFIDENCE)
    too_few = _explain_missing_interval(len(logs), empty, len(pairs))
    low, high = (None, None) if too_few else (_exp(centre.low), _exp(centre.high))
    method = "Hodges-Lehmann estimate of paired log ratios of blocks; " + (too_few or _name_interval(len(logs)))
    return Effect(*identity, math.exp(centre.estimate), low, high, CONFIDENCE, len(logs), method)


def _block_value(block: BlockRow, metric: str, statistic: str) -> float | None:
    """One number of one block; None when the block has none. Which unit does not matter: only ratios are formed."""
    if metric == "job.response":
        return {"mean": block.job_mean_ns, "p50": block.job_p50_ns, "p95": block.job_p95_ns}[statistic]
    measured_ns = block.end_ns - block.measured_ns
    amount = block.rows if metric == "throughput.records" else block.jobs
    return amount * _NS_PER_S / measured_ns if measured_ns > 0 else None


def _log_ratio(before: float | None, after: float | None) -> float | None:
    if before is None or after is None or not (before or after):
        return None
    if not before:
        return _EXTREME
    return math.log(after / before) if after else -_EXTREME


def _explain_missing_interval(usable: int, empty: int, pairs: int) -> str:
    if usable < least_pairs(CONFIDENCE):
        return f"no interval: {usable} pairs, {CONFIDENCE:.0%} confidence needs at least {least_pairs(CONFIDENCE)}"
    if empty > pairs * _MOST_EMPTY_RATIO:
        return f"no interval: in {empty} of {pairs} pairs no job completed in one of the blocks; measure in longer blocks"
    return ""


def _name_interval(pairs: int) -> str:
    kind = "exact Wilcoxon" if pairs <= MAX_EXACT_PAIRS else "Wilcoxon"
    return f"{kind} signed-rank interval"


def _exp(bound: float | None) -> float | None:
    return None if bound is None else math.exp(bound)


def _plain_ratio(baseline: Figure, candidate: Figure) -> tuple[float | None, str]:
    for figure in (baseline, candidate):
        if figure.value is None:
            return None, f"no ratio: {figure.arm} has no value ({figure.method})"
    before, after = baseline.value or 0.0, candidate.value or 0.0
    if before:
        return after / before, "plain ratio of one figure per arm; no interval"
    if after:
        return None, f"no ratio: the figure of {baseline.arm} is 0"
    return 1.0, "both figures are 0: no change; no interval"
