"""When a comparison rests while it is played, and why: to look at it, or to go on with new processes."""

from collections.abc import Sequence

from jivsbench.analysis.comparison import is_settled, judge_comparison
from jivsbench.model.record import BlockRow, Plan


def list_rests(plan: Plan) -> tuple[int, ...]:
    """After how many blocks the load rests, rising; the end of the load needs no rest."""
    return tuple(number for number in range(1, len(plan.blocks)) if is_look(plan, number) or is_renewal(plan, number))


def is_look(plan: Plan, blocks: int) -> bool:
    """After so many blocks the rule of the plan looks at what was measured."""
    last = plan.blocks[blocks - 1]
    if plan.rule is None or last.is_warm_up or plan.blocks[blocks].pair == last.pair:
        return False
    return last.pair + 1 in plan.rule.looks


def is_renewal(plan: Plan, blocks: int) -> bool:
    """After so many blocks every arm goes on with a new process."""
    return plan.blocks[blocks].process != plan.blocks[blocks - 1].process


def find_start_order(plan: Plan, process: int) -> tuple[str, ...]:
    """The order in which the processes of that number are started, one of each arm.

    Two processes that start together settle on different cores and stay there, and cores differ: the one that takes the disk's
    interrupts is slower. So which arm is started first is drawn, and neither is more often than the other.
    """
    return tuple(dict.fromkeys(block.arm for block in plan.blocks if block.process == process))


def needs_more_pairs(plan: Plan, played: Sequence[BlockRow]) -> bool:
    """False once every criterion of the plan's rule has a conclusion."""
    if plan.rule is None:
        return True
    arms = [[block for block in played if block.arm == name and block.pair >= 0] for name in (plan.baseline, plan.candidate)]
    return not is_settled(plan.rule, judge_comparison(plan.rule, *arms))
