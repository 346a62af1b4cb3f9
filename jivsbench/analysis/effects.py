"""What changed between the two arms of a comparison: one statistic per block, paired, as log ratios.

Two processes of the same code differ in speed for as long as they live (Kalibera and Jones, Rigorous benchmarking in
reasonable time, ISMM 2013). Where a comparison had several processes of each arm, their pairs of blocks are therefore
summed up first, and the interval comes from the processes. Of one process of each it holds for these two alone.

Raw latencies of the arms are never pooled and percentiles never averaged. What an arm has only once (a maximum, a ratio
of totals) gets a plain ratio and no interval, and its method says so.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jivsbench.analysis.signed_rank import estimate_centre, estimate_location, least_pairs, name_interval
from jivsbench.model.metrics import CATALOGUE, CPU_PER_ROWS
from jivsbench.model.record import BlockRow
from jivsbench.model.summary import Effect, Figure

CONFIDENCE: Final = 0.95
# The log ratio of a pair in which one block completed no job at all, or whose ratio no number can hold: it ranks last, it is
# not left out.
_EXTREME: Final = math.log(1e6)
_MOST_EMPTY_RATIO: Final = 0.1
_NS_PER_S: Final = 1e9


def pair_effects(
    baseline: Sequence[BlockRow], candidate: Sequence[BlockRow], confidence: float = CONFIDENCE
) -> tuple[Effect, ...]:
    """The effect of every statistic that blocks have, from the pairs of blocks of both arms.

    Both sequences hold the blocks of one arm each. The interval covers the true ratio with `confidence`.
    """
    return tuple(
        pair_effect(metric.name, statistic, baseline, candidate, confidence)
        for metric in CATALOGUE
        for statistic in metric.statistics
        if statistic in metric.paired
    )


def pair_effect(
    metric: str, statistic: str, baseline: Sequence[BlockRow], candidate: Sequence[BlockRow], confidence: float = CONFIDENCE
) -> Effect:
    """The effect of one statistic; its interval covers the true ratio with `confidence`."""
    pairs = _join_pairs(baseline, candidate)
    logs, empty = _collect_logs(metric, statistic, pairs)
    identity = (metric, statistic, baseline[0].arm if baseline else "", candidate[0].arm if candidate else "")
    if not logs:
        return Effect(*identity, None, None, None, confidence, 0, "no pair has a value in both of its blocks")
    units = _sum_up_processes(logs)
    centre = estimate_centre(units, confidence)
    processes = f"{len(logs)} processes of each"
    found, subject = (f"{len(units)} pairs", "blocks, one process of each") if len(logs) == 1 else (processes, processes)
    too_few = _explain_missing_interval(found, len(units), confidence) or _explain_empty(empty, len(pairs))
    low, high = (None, None) if too_few else (_exp(centre.low), _exp(centre.high))
    method = f"Hodges-Lehmann estimate of paired log ratios of {subject}; {too_few or name_interval(len(units))}"
    used = sum(map(len, logs.values()))
    return Effect(*identity, math.exp(centre.estimate), low, high, confidence, used, method, len(logs))


def paired_logs(
    metric: str, statistic: str, baseline: Sequence[BlockRow], candidate: Sequence[BlockRow]
) -> tuple[tuple[float, ...], ...]:
    """log(candidate / baseline) of each pair that has it, in the order of the baseline's blocks, process by process."""
    return tuple(map(tuple, _collect_logs(metric, statistic, _join_pairs(baseline, candidate))[0].values()))


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


def _sum_up_processes(logs: Mapping[int, Sequence[float]]) -> Sequence[float]:
    """What the interval is computed from: one value a process, or a pair where each arm had one process only."""
    return next(iter(logs.values())) if len(logs) == 1 else [estimate_location(own) for own in logs.values()]


def _collect_logs(metric: str, statistic: str, pairs: Sequence[_Pair]) -> tuple[dict[int, list[float]], int]:
    """The log ratios by process, and in how many pairs a block had nothing to compare."""
    logs: dict[int, list[float]] = {}
    empty = 0
    for pair in pairs:
        before = _block_value(pair.baseline, metric, statistic)
        after = _block_value(pair.candidate, metric, statistic)
        empty += not (before and after)
        log = _log_ratio(before, after)
        if log is not None:
            logs.setdefault(pair.baseline.process, []).append(log)
    return logs, empty


def _block_value(block: BlockRow, metric: str, statistic: str) -> float | None:
    """One number of one block; None when the block has none. Which unit does not matter: only ratios are formed."""
    if metric == CPU_PER_ROWS:
        return block.cpu_s / block.cpu_rows if block.cpu_s is not None and block.cpu_rows else None
    if metric == "job.response":
        return {"mean": block.job_mean_ns, "p50": block.job_p50_ns, "p95": block.job_p95_ns}[statistic]
    measured_ns = block.end_ns - block.measured_ns
    amount = block.rows if metric == "throughput.records" else block.jobs
    return amount * _NS_PER_S / measured_ns if measured_ns > 0 else None


def _log_ratio(before: float | None, after: float | None) -> float | None:
    if before is None or after is None or not (before or after):
        return None
    ratio = after / before if before else math.inf
    if not 0 < ratio < math.inf:
        return _EXTREME if ratio else -_EXTREME
    return math.log(ratio)


def _explain_missing_interval(found: str, units: int, confidence: float) -> str:
    least = least_pairs(confidence)
    return "" if units >= least else f"no interval: {found}, {100 * confidence:.6g}% confidence needs at least {least}"


def _explain_empty(empty: int, pairs: int) -> str:
    if empty <= pairs * _MOST_EMPTY_RATIO:
        return ""
    return f"no interval: in {empty} of {pairs} pairs no job completed in one of the blocks; measure in longer blocks"


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
