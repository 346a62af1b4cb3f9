"""Looks at a comparison while it is played: when, and whether more pairs are needed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from jivsbench.analysis.comparison import is_settled, judge_comparison
from jivsbench.model.record import BlockRow, Plan
from jivsbench.model.sample import Interval
from jivsbench.model.scenario import BlockPhase

_ARMS = 2


def looks_in_blocks(plan: Plan) -> tuple[int, ...]:
    """After how many blocks the load rests for a look; the end of the load needs none."""
    if plan.rule is None:
        return ()
    warm_up = sum(block.is_warm_up for block in plan.blocks)
    return tuple(warm_up + _ARMS * look for look in plan.rule.looks[:-1])


def needs_more_pairs(plan: Plan, played: Sequence[BlockRow]) -> bool:
    """False once every criterion of the plan's rule has a conclusion."""
    if plan.rule is None:
        return True
    arms = [[block for block in played if block.arm == name and block.pair >= 0] for name in (plan.baseline, plan.candidate)]
    return not is_settled(plan.rule, judge_comparison(plan.rule, *arms))


def count_warm_up_as_washout(plan: Plan, intervals: Iterable[Interval]) -> Iterator[Interval]:
    """The intervals, with what ended in blocks before the first pair as washout: errors count there, nothing else does."""
    warm_up = {block.index for block in plan.blocks if block.is_warm_up}
    for interval in intervals:
        yield replace(interval, phase=BlockPhase.WASHOUT) if interval.block in warm_up else interval
