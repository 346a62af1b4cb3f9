"""One arm's record from what its load left behind: as the run itself builds it, a salvage after a crash, and the audit."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from jivsbench.analysis.arms import build_arm
from jivsbench.analysis.behaviour import plan_steps
from jivsbench.analysis.windows import add_windows
from jivsbench.model.monitor_rows import MonitorRow
from jivsbench.model.profile import Profile
from jivsbench.model.record import ArmRecord, BlockRow, JobTotals, Plan, RunKind
from jivsbench.model.sample import Interval
from jivsbench.model.scenario import WARM_UP_PAIR, BlockPhase


def build_planned_arm(  # noqa: PLR0917 - seven different types, in the order of the data's flow
    plan: Plan,
    profile: Profile,
    guards: tuple[str, ...],
    read_intervals: Callable[[], Iterable[Interval]],
    blocks: Sequence[BlockRow],
    totals: JobTotals,
    monitor: Sequence[MonitorRow],
) -> ArmRecord:
    """The arm of `profile` as the plan has it counted: without the blocks that warm up, with its steps and its windows.

    The intervals are read twice, one at a time.
    """
    counted = tuple(block for block in blocks if block.pair != WARM_UP_PAIR)
    intervals = _count_warm_up_as_washout(plan, read_intervals())
    arm = build_arm(profile, guards, intervals, counted, totals, monitor, plan_steps(plan, blocks))
    return add_windows(arm, plan.scenario, read_intervals()) if plan.kind is RunKind.RUN else arm


def _count_warm_up_as_washout(plan: Plan, intervals: Iterable[Interval]) -> Iterator[Interval]:
    """The intervals, with what ended in blocks before the first pair as washout: errors count there, nothing else does."""
    warm_up = {block.index for block in plan.blocks if block.is_warm_up}
    for interval in intervals:
        yield replace(interval, phase=BlockPhase.WASHOUT) if interval.block in warm_up else interval
