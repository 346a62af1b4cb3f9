"""The user curve of a block, from its stages. Pure: the times at which users come and go are known before the load starts.

Locust asks a shape once a second how many users there should be, and skips a stage whose ramp outlasts it. Here every
change has its own moment, a step is one change, and the curve that is offered is the curve that was planned.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from jivsbench.model.scenario import Stage


@dataclass(frozen=True, slots=True)
class UserChange:
    """From `at_s` after the block's start on, `users` users are active."""

    at_s: float
    users: int


def curve_duration_s(stages: Sequence[Stage]) -> float:
    """How long the curve lasts."""
    return _ends(stages)[-1] if stages else 0.0


def users_planned_max(stages: Sequence[Stage]) -> int:
    """The most users that the curve asks for at any time."""
    return max((stage.users for stage in stages), default=0)


def users_at(stages: Sequence[Stage], at_s: float) -> int:
    """Users at a moment: on the straight line of its stage, rounded to the nearest; none before the start."""
    before, start_s = 0, 0.0
    if at_s < 0:
        return 0
    for stage, end_s in zip(stages, _ends(stages), strict=True):
        if at_s < end_s:
            return stage.users if stage.is_step else _round(before, stage.users, (at_s - start_s) / stage.duration_s)
        before, start_s = stage.users, end_s
    return before


def user_changes(stages: Sequence[Stage]) -> tuple[UserChange, ...]:
    """Every moment at which the number of users changes, in order; the first one is the start."""
    changes = [UserChange(0.0, 0)]
    start_s = 0.0
    for stage, end_s in zip(stages, _ends(stages), strict=True):
        for change in _stage_changes(changes[-1].users, stage, start_s):
            if change.at_s <= changes[-1].at_s:
                # Two changes at one moment are one: a step at the start is where the curve starts.
                changes.pop()
            changes.append(change)
        start_s = end_s
    return tuple(changes)


def _stage_changes(before: int, stage: Stage, start_s: float) -> Iterator[UserChange]:
    steps = stage.users - before
    if stage.is_step or stage.duration_s <= 0:
        if steps:
            yield UserChange(start_s, stage.users)
        return
    direction = 1 if steps > 0 else -1
    for done in range(abs(steps)):
        # The line passes the middle between two whole numbers: that is where rounding changes.
        yield UserChange(start_s + stage.duration_s * (done + 0.5) / abs(steps), before + direction * (done + 1))


def _round(before: int, after: int, part: float) -> int:
    return math.floor(before + (after - before) * part + 0.5)


def _ends(stages: Sequence[Stage]) -> list[float]:
    return list(accumulate(stage.duration_s for stage in stages))
