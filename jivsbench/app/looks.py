"""Looks at a comparison while it is played: when, and whether more pairs are needed."""

from collections.abc import Sequence

from jivsbench.analysis.comparison import is_settled, judge_comparison
from jivsbench.model.record import BlockRow, Plan

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
