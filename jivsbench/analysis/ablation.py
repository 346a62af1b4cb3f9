"""What a switch gives, from rounds of paired blocks, each round with new processes of both profiles."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from jivsbench.analysis.effects import CONFIDENCE, pair_effect
from jivsbench.analysis.failed_jobs import count_wrong, tried_jobs
from jivsbench.analysis.signed_rank import estimate_centre, least_pairs, name_interval
from jivsbench.analysis.summary import summarize
from jivsbench.model.ablation import JobCounts
from jivsbench.model.metrics import CPU_PER_ROWS
from jivsbench.model.record import BlockRow, RunRecord
from jivsbench.model.summary import Effect

PAIRED: Final = (
    ("throughput.records", "rate"),
    ("job.response", "mean"),
    ("job.response", "p95"),
    (CPU_PER_ROWS, "mean"),
)
_MEMORY: Final = ("target.memory", "max")


def measure_switch(rounds: Sequence[RunRecord]) -> tuple[Effect, ...]:
    """The effects of valid rounds of the same two profiles, the one without the switch first.

    Every round has processes of its own, so that intervals come from rounds: speed and CPU from what each round's pairs of
    blocks say together, memory from one ratio a round, for a process has one peak.
    """
    baseline, candidate = (_chain(rounds, place) for place in (0, 1))
    effects = [pair_effect(metric, statistic, baseline, candidate) for metric, statistic in PAIRED]
    if len(rounds) == 1:
        # The pairs of one process have an interval, but it knows nothing of other processes.
        effects = [replace(effect, ratio_low=None, ratio_high=None, method=_explain_no_interval(1)) for effect in effects]
    return (*effects, _measure_memory(rounds))


def count_jobs(rounds: Sequence[RunRecord]) -> tuple[JobCounts, ...]:
    """The jobs of each side of valid rounds, those that failed among them; empty without any round."""
    sides = zip(*(record.arms for record in rounds), strict=True)
    return tuple(
        JobCounts(sum(map(tried_jobs, side)), sum(arm.job_errors for arm in side), sum(map(count_wrong, side))) for side in sides
    )


def _explain_no_interval(rounds: int) -> str:
    return f"no interval: {rounds} rounds, at least {least_pairs(CONFIDENCE)} are needed"


def _chain(rounds: Sequence[RunRecord], place: int) -> list[BlockRow]:
    """The blocks of one side of all rounds, with pairs and processes numbered on."""
    blocks: list[BlockRow] = []
    first = 0
    for process, record in enumerate(rounds):
        own = record.arms[place].blocks
        blocks += [replace(block, pair=first + block.pair, process=process) for block in own]
        first += 1 + max((block.pair for block in own), default=0)
    return blocks


def _measure_memory(rounds: Sequence[RunRecord]) -> Effect:
    logs = [log for record in rounds if (log := _memory_log(record)) is not None]
    names = [arm.profile.name for arm in rounds[0].arms] if rounds else ["", ""]
    if not logs:
        return Effect(*_MEMORY, names[0], names[1], None, None, None, CONFIDENCE, 0, "not measured: no round has both peaks")
    centre = estimate_centre(logs, CONFIDENCE)
    low, high = (None if bound is None else math.exp(bound) for bound in (centre.low, centre.high))
    how = name_interval(len(logs)) if low else _explain_no_interval(len(logs))
    method = f"Hodges-Lehmann estimate of log ratios of the peaks of {len(logs)} rounds; {how}"
    return Effect(*_MEMORY, names[0], names[1], math.exp(centre.estimate), low, high, CONFIDENCE, len(logs), method)


def _memory_log(record: RunRecord) -> float | None:
    summary = summarize(record)
    figures = [summary.figure(arm.profile.name, *_MEMORY) for arm in record.arms]
    before, after = (figure.value if figure else None for figure in figures)
    return math.log(after / before) if before and after else None
