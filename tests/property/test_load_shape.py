"""The user curve: what holds for every list of stages."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.load.shape import UserChange, curve_duration_s, user_changes, users_at, users_planned_max
from jivsbench.model.scenario import Stage

STAGES = st.lists(
    st.builds(
        Stage,
        duration_s=st.sampled_from([0.0, 0.25, 1.0, 7.5, 60.0]),
        users=st.integers(0, 60),
        is_step=st.booleans(),
    ),
    max_size=6,
)


@given(STAGES)
def test_the_duration_is_the_sum_of_the_stages(stages) -> None:
    """No stage is skipped and none is stretched; no change comes after the end."""
    total_s = sum(stage.duration_s for stage in stages)

    assert math.isclose(curve_duration_s(stages), total_s)
    assert all(0 <= change.at_s <= total_s for change in user_changes(stages))


@given(STAGES, st.floats(0, 1))
def test_changes_and_curve_say_the_same(stages, part) -> None:
    """At any moment the last change before it has the number of users that the curve has, up to the instant of a change."""
    at_s = part * curve_duration_s(stages)
    changes = user_changes(stages)
    near = any(abs(change.at_s - at_s) < 1e-6 for change in changes)

    planned = [change.users for change in changes if change.at_s <= at_s][-1]

    assert near or planned == users_at(stages, at_s)


@given(STAGES, st.floats(0, 1))
def test_a_ramp_is_within_half_a_user_of_the_line(stages, part) -> None:
    """Between its ends a ramp never leaves the straight line by more than rounding."""
    before, start_s = 0, 0.0
    for stage in stages:
        at_s = start_s + part * stage.duration_s * 0.999
        if stage.duration_s and not stage.is_step:
            line = before + (stage.users - before) * (at_s - start_s) / stage.duration_s

            assert abs(users_at(stages, at_s) - line) <= 0.5 + 1e-6
        before, start_s = stage.users, start_s + stage.duration_s


@given(STAGES)
def test_only_a_step_changes_by_more_than_one(stages) -> None:
    """Ramps come user by user, in order of time; a jump is a step, a stage of no duration, or several changes at one moment."""
    changes = user_changes(stages)

    assert all(before.at_s < after.at_s for before, after in pairwise(changes))
    if not any(stage.is_step or not stage.duration_s for stage in stages):
        assert all(abs(after.users - before.users) <= 1 for before, after in pairwise(changes))


@given(STAGES)
def test_the_curve_never_exceeds_its_planned_maximum(stages) -> None:
    """And it reaches it, when the maximum lasts for any time at all."""
    most = users_planned_max(stages)

    assert all(0 <= change.users <= most for change in user_changes(stages))
    assert users_at(stages, curve_duration_s(stages)) == (stages[-1].users if stages else 0)
    if stages and all(stage.duration_s for stage in stages):
        assert max(change.users for change in user_changes(stages)) == most


def test_a_step_at_the_start_is_the_start() -> None:
    """A block of constant load has one change, at 0."""
    assert user_changes([Stage(0.25, 2, is_step=True)]) == (UserChange(0.0, 2),)


def test_two_ramps_down_and_up() -> None:
    """By hand: 0 to 2 in 4 s, back to 1 in 2 s."""
    changes = user_changes([Stage(4.0, 2), Stage(2.0, 1)])

    assert changes == (UserChange(0.0, 0), UserChange(1.0, 1), UserChange(3.0, 2), UserChange(5.0, 1))


@pytest.mark.parametrize(("at_s", "users"), [(-1.0, 0), (0.0, 0), (30.0, 3), (60.0, 5), (359.9, 10), (390.0, 5), (500.0, 0)])
def test_the_curve_of_the_baseline_scenario(at_s, users) -> None:
    """1 m to 5, 5 m to 10, 1 m to 0: half-way up the first ramp 2.5 is three users."""
    stages = [Stage(60, 5), Stage(300, 10), Stage(60, 0)]

    assert users_at(stages, at_s) == users
