"""Conservation and Little's law: figures that contradict each other are named."""

from dataclasses import replace

import pytest

from jivsbench.analysis.consistency import check_consistency
from jivsbench.analysis.schedule import list_steps
from jivsbench.model.behaviour import Consistency
from jivsbench.model.record import JobTotals, StepRow
from jivsbench.model.sample import ErrorClass, ErrorCount
from jivsbench.model.scenario import Stage
from tests.planted_load import step_row

_TOTALS = JobTotals(100, 97, 1, 1, 1, 5000, 5000)
_PLATEAU = list_steps([Stage(10, 20, is_step=True)])[0]


def _check(*steps: StepRow, totals: JobTotals = _TOTALS, think_time_s: float = 0.0, is_closed_loop: bool = True) -> Consistency:
    return check_consistency(totals, steps, think_time_s, is_closed_loop=is_closed_loop)


@pytest.mark.parametrize(("off", "holds"), [(0.0, True), (0.09, True), (-0.09, True), (0.12, False), (-0.12, False)])
def test_littles_law_within_ten_percent(off, holds) -> None:
    """20 users for 10 s are 200 user-seconds."""
    found = _check(step_row(_PLATEAU, rows=1, busy_s=200 * (1 + off)))

    assert [one.is_consistent for one in found.checked] == [holds]
    assert found.checked[0].off_ratio == pytest.approx(off)
    assert bool(found.reasons) is not holds


def test_a_lost_job_is_named() -> None:
    """101 created, 100 ended."""
    found = _check(totals=replace(_TOTALS, created=101))

    assert found.reasons == ("101 created, but 97 completed + 1 failed + 1 timed out + 1 cancelled = 100",)


def test_a_lost_row_is_named() -> None:
    """Rows that were read and not written."""
    assert _check(totals=replace(_TOTALS, rows_written=4999)).reasons == ("5000 rows read, but 4999 written",)


def test_what_cannot_be_checked_says_why() -> None:
    """An open loop has no planned users, think time is no operation, and a ramp or a short step has no steady users."""
    ramp = list_steps([Stage(10, 20)])[0]
    failing = replace(step_row(_PLATEAU, rows=1), errors=(ErrorCount(ErrorClass.TIMEOUT, "x", 30),))

    assert "arrival rate" in _check(step_row(_PLATEAU, rows=1), is_closed_loop=False).why_unchecked
    assert "think time" in _check(step_row(_PLATEAU, rows=1), think_time_s=1.0).why_unchecked
    for step in (step_row(ramp, rows=1), step_row(_PLATEAU, rows=1, seconds=4), failing):
        assert "no plateau" in _check(step).why_unchecked
        assert _check(step).reasons == ()


def test_a_plateau_after_a_peak_is_not_blamed_for_what_the_peak_left() -> None:
    """180 users of the peak had operations of 1 s under way, which end in a plateau of 20 users: not checked, so not blamed."""
    steps = list_steps([Stage(10, 200, is_step=True), Stage(10, 20, is_step=True)])
    peak = replace(step_row(steps[0], rows=1), operations=2000)
    after = step_row(steps[1], rows=1, busy_s=200 + 180)

    assert [one.step for one in _check(peak, after).checked] == []
    assert [one.step for one in _check(step_row(_PLATEAU, rows=1), after).checked] == [0, 1]
