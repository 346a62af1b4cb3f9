"""Do the figures of one arm agree with one another? Conservation of jobs and rows, and Little's law."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from jivsbench.model.behaviour import Concurrency, Consistency
from jivsbench.model.record import JobTotals, StepRow
from jivsbench.model.sample import count_errors

TOLERANCE: Final = 0.1
_LEAST_SECONDS: Final = 5
_LEAST_OPERATIONS: Final = 200
# What began before a plateau, or ends after it, is counted where it ended: of long operations that is too much of it.
_MOST_OF_A_STEP: Final = 0.05
# What is under way at a border is longer than the mean: of exponential durations twice as long.
_AT_A_BORDER: Final = 2.0
_MOST_ERRORS: Final = 0.01
_NS_PER_S: Final = 1e9


def check_consistency(totals: JobTotals, steps: Sequence[StepRow], think_time_s: float, *, is_closed_loop: bool) -> Consistency:
    """Conservation over the whole load; Little's law in every plateau of a closed loop that is long enough for it.

    L = X W: users at work = operations per second times their mean response time. In a closed loop without think time a
    user is always within one call or one long poll, so the sum of their response times per second must be the users.
    """
    why = _explain_unchecked(think_time_s, is_closed_loop=is_closed_loop)
    checked = (
        () if why else tuple(_check(step) for before, step in pairwise((None, *steps)) if step and _is_checkable(before, step))
    )
    reasons = (*find_losses(totals), *find_contradictions(checked))
    if not why and not checked:
        why = f"no plateau of at least {_LEAST_SECONDS} s has {_LEAST_OPERATIONS} short operations and few errors"
    return Consistency(checked, TOLERANCE, why, reasons)


def find_contradictions(checked: Sequence[Concurrency]) -> Iterator[str]:
    """The plateaus in which Little's law does not hold: users who were not at work, or time that was counted twice."""
    for one in checked:
        if not one.is_consistent:
            yield (
                f"Little's law does not hold in step {one.step + 1}: {one.users:.0f} users are planned, operations took"
                f" {one.found:.4g} user-seconds a second, at most {TOLERANCE:.0%} off is allowed"
            )


def find_losses(totals: JobTotals) -> Iterator[str]:
    """What was not conserved: created = completed + failed + timed out + cancelled, rows read = rows written."""
    ended = totals.completed + totals.failed + totals.timed_out + totals.cancelled
    if totals.created != ended:
        yield (
            f"{totals.created} created, but {totals.completed} completed + {totals.failed} failed"
            f" + {totals.timed_out} timed out + {totals.cancelled} cancelled = {ended}"
        )
    if totals.rows_read != totals.rows_written:
        yield f"{totals.rows_read} rows read, but {totals.rows_written} written"


def _explain_unchecked(think_time_s: float, *, is_closed_loop: bool) -> str:
    if not is_closed_loop:
        return "Little's law is checked in closed loops: this load is an arrival rate, its concurrency is not planned"
    return "Little's law is checked without think time" if think_time_s else ""


def _is_checkable(before: StepRow | None, step: StepRow) -> bool:
    if step.load_from != step.load_to or not step.load_to or step.seconds < _LEAST_SECONDS:
        return False
    if step.operations < _LEAST_OPERATIONS or count_errors(step.errors) > _MOST_ERRORS * step.operations:
        return False
    most_s = _MOST_OF_A_STEP * step.load_to * step.seconds
    return step.load_to * _mean_s(step) <= most_s and (before is None or _carry_over_s(before) <= most_s)


def _carry_over_s(before: StepRow) -> float:
    """Time that operations under way at a step's end may have taken already, of all its users together."""
    if not before.load_to:
        return 0.0
    return _AT_A_BORDER * before.load_to * _mean_s(before) if before.operations else math.inf


def _mean_s(step: StepRow) -> float:
    return step.busy_ns / step.operations / _NS_PER_S


def _check(step: StepRow) -> Concurrency:
    found = step.busy_ns / _NS_PER_S / step.seconds
    off = found / step.load_to - 1
    return Concurrency(step.index, step.load_to, found, off, abs(off) <= TOLERANCE)
