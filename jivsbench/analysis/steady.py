"""Where a plateau's warm-up ends: MSER-5 on what ended in each second (White 1997; White, Cobb and Spratt 2000).

The marginal standard error rule cuts off as many batches at the beginning as make the standard error of the mean of the rest
smallest. When it wants to cut off more than half, the plateau never settled: there is no steady window, and a figure over one
would be a figure over a warm-up. Two things keep chance out (docs/decisions/0019): at least 40 % are kept, since a few batches at
the end are sometimes alike, and of cuts whose errors differ by less than a tenth the smallest is taken.
"""

from collections.abc import Sequence
from math import ceil
from typing import Final

from jivsbench.analysis.schedule import Step, list_steps
from jivsbench.model.record import BlockRow, SeriesRow, SteadyWindow
from jivsbench.model.scenario import Scenario

BATCH_S: Final = 5
WANTED_BATCHES: Final = 60
LEAST_BATCHES: Final = 12
_LEAST_KEPT: Final = 0.4
_ALIKE: Final = 1.1
_MIDDLE: Final = 0.5
_NS_PER_S: Final = 1e9


def find_steady_window(scenario: Scenario, blocks: Sequence[BlockRow], series: Sequence[SeriesRow]) -> SteadyWindow | None:
    """The steady window of a run of one block; None for a comparison, whose blocks are judged in pairs.

    Jobs per second and their median duration are looked at; the later end of both warm-ups counts.
    """
    if len(blocks) != 1:
        return None
    block_end_s = int(blocks[0].end_ns / _NS_PER_S)
    plateau = find_plateau(list_steps(scenario.stages, scenario.arrival, blocks[0].start_ns / _NS_PER_S))
    if plateau is None:
        return SteadyWindow(0.0, None, block_end_s, "the schedule never holds its load, so it has no steady part")
    start_s, end_s = plateau
    # As everywhere: a second belongs to what its middle lies in.
    first, last = ceil(start_s - _MIDDLE), min(ceil(end_s - _MIDDLE), block_end_s)
    jobs, durations = _read_series(series, first, last)
    batch_s = min(max((last - first) // WANTED_BATCHES, 1), BATCH_S)
    batches = max(last - first, 0) // batch_s
    if batches < LEAST_BATCHES:
        why = f"the longest plateau has {max(last - first, 0)} whole seconds, at least {LEAST_BATCHES} are needed"
        return SteadyWindow(start_s, None, last, why)
    cut = max(cut_warm_up(_batch(values, batch_s)) for values in (jobs, durations))
    discarded_s = cut * batch_s
    found = f"MSER-{batch_s} on jobs/s and median job duration of the plateau from {first} s to {last} s"
    if cut * 2 > batches:
        return SteadyWindow(start_s, None, last, f"{found} discards {discarded_s} s, more than half: it never settled")
    return SteadyWindow(start_s, first + discarded_s, last, f"{found} discards {discarded_s} s")


def find_plateau(steps: Sequence[Step]) -> tuple[float, float] | None:
    """The longest stretch of one load above zero, from and to; of equally long ones that of the highest load."""
    stretches: list[tuple[float, float, float]] = []
    for step in steps:
        if not step.is_plateau or not step.load_to:
            continue
        if stretches and stretches[-1][1] == step.start_s and stretches[-1][2] == step.load_to:
            stretches[-1] = (stretches[-1][0], step.end_s, step.load_to)
        else:
            stretches.append((step.start_s, step.end_s, step.load_to))
    longest = max(stretches, key=lambda one: (round(one[1] - one[0], 6), one[2]), default=None)
    return None if longest is None else longest[:2]


def cut_warm_up(batches: Sequence[float]) -> int:
    """How many batches at the beginning are warm-up.

    >>> cut_warm_up([9.0, 7.0, 5.0] + [1.0, 2.0] * 10)
    3
    """
    count = len(batches)
    total, squares = 0.0, 0.0
    level = batches[-1] if batches else 0.0
    errors: list[float] = []
    for kept, value in enumerate(reversed(batches), start=1):
        # From one of them on: squares of nanoseconds would leave no digits for their differences.
        total += value - level
        squares += (value - level) ** 2
        if kept >= count * _LEAST_KEPT:
            errors.append(max(squares - total * total / kept, 0.0) / kept**2)
    limit = min(errors, default=0.0) * _ALIKE
    return next((cut for cut, error in enumerate(reversed(errors)) if error <= limit), 0)


def _read_series(series: Sequence[SeriesRow], first: int, last: int) -> tuple[list[float], list[float]]:
    """Jobs and median duration of each second; a second in which no job ended has the duration of the one before."""
    by_second = {row.second: row for row in series}
    jobs, durations = [], []
    latest = next((row.job_p50_ns for row in series if row.second >= first and row.job_p50_ns is not None), 0.0)
    for second in range(first, last):
        row = by_second.get(second)
        latest = row.job_p50_ns if row is not None and row.job_p50_ns is not None else latest
        jobs.append(float(row.jobs) if row else 0.0)
        durations.append(latest)
    return jobs, durations


def _batch(values: Sequence[float], size: int) -> list[float]:
    """Means of so many seconds each; what is left over at the end belongs to the last batch."""
    count = len(values) // size
    parts = [values[place * size : (place + 1) * size if place < count - 1 else len(values)] for place in range(count)]
    return [sum(part) / len(part) for part in parts]
