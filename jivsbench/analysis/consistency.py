"""Do the figures of one arm agree with one another? Conservation of jobs and rows, and Little's law."""

from collections.abc import Iterator, Sequence
from typing import Final

from jivsbench.model.behaviour import Concurrency, Consistency
from jivsbench.model.record import JobTotals, StepRow
from jivsbench.model.sample import count_errors

TOLERANCE: Final = 0.1
_LEAST_SECONDS: Final = 5
_LEAST_OPERATIONS: Final = 200
# What began before a plateau, or ends after it, is counted where it ended: of long operations that is too much of it.
_MOST_OF_A_STEP: Final = 0.05
_MOST_ERRORS: Final = 0.01
_NS_PER_S: Final = 1e9


def check_consistency(totals: JobTotals, steps: Sequence[StepRow], think_time_s: float, *, is_closed_loop: bool) -> Consistency:
    """Conservation over the whole load; Little's law in every plateau of a closed loop that is long enough for it.

    L = X W: users at work = operations per second times their mean response time. In a closed loop without think time a
    user is always within one call or one long poll, so the sum of their response times per second must be the users.
    """
    reasons = list(find_losses(totals))
    why = _explain_unchecked(think_time_s, is_closed_loop=is_closed_loop)
    checked = () if why else tuple(_check(step) for step in steps if _is_checkable(step))
    reasons += [
        f"Little's law does not hold in step {one.step + 1}: {one.users:.0f} users are planned,"
        f" operations took {one.found:.4g} user-seconds a second"
        for one in checked
        if not one.is_consistent
    ]
    if not why and not checked:
        why = f"no plateau of at least {_LEAST_SECONDS} s has {_LEAST_OPERATIONS} short operations and few errors"
    return Consistency(checked, TOLERANCE, why, tuple(reasons))


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


def _is_checkable(step: StepRow) -> bool:
    if step.load_from != step.load_to or not step.load_to or step.seconds < _LEAST_SECONDS:
        return False
    if step.operations < _LEAST_OPERATIONS or count_errors(step.errors) > _MOST_ERRORS * step.operations:
        return False
    return step.busy_ns / step.operations / _NS_PER_S <= _MOST_OF_A_STEP * step.seconds


def _check(step: StepRow) -> Concurrency:
    found = step.busy_ns / _NS_PER_S / step.seconds
    off = found / step.load_to - 1
    return Concurrency(step.index, step.load_to, found, off, abs(off) <= TOLERANCE)
