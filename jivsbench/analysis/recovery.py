"""How a target comes back after a peak of load, against what was normal before the first one in the same run.

Never against the peak itself, and never against a stretch that a peak before it may have spoiled.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from jivsbench.analysis.schedule import Step, rows_within
from jivsbench.analysis.spread import measure_spread
from jivsbench.model.behaviour import Band
from jivsbench.model.record import SeriesRow

HOLD_S: Final = 10
LEAST_HOLD_S: Final = 3
_LEAST_BAND_SECONDS: Final = 3
# Of a normal distribution all but 0.1 % lie below that many spreads above its middle.
_SPREADS: Final = 3
_LEAST_WIDTH: Final = 1.1
_NS_PER_S: Final = 1e9


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A stretch of steps above the normal load, and the plateau after it, in which the target is watched coming back."""

    index: int
    peak_load: float
    start_s: float
    end_s: float
    peak: tuple[Step, ...]
    after: Step


@dataclass(frozen=True, slots=True)
class Return:
    """When p95 came back to its band and stayed: s after the disturbance's end; None when it did not within `observed_s`."""

    recovery_s: float | None
    observed_s: float


def find_normal(steps: Sequence[Step]) -> Step | None:
    """The first plateau with users: the normal load of the run."""
    return next((step for step in steps if step.is_plateau and step.load_to > 0), None)


def list_disturbances(steps: Sequence[Step], normal: Step) -> tuple[Disturbance, ...]:
    """Every stretch above the normal load that a plateau at, or below, the normal load follows."""
    found: list[Disturbance] = []
    peak: list[Step] = []
    for step in steps[normal.index + 1 :]:
        if step.load_max > normal.load_to:
            peak.append(step)
        elif peak and step.is_plateau and step.load_to > 0:
            highest = max(one.load_max for one in peak)
            found.append(Disturbance(len(found), highest, peak[0].start_s, peak[-1].end_s, tuple(peak), step))
            peak = []
    return tuple(found)


def measure_band(series: Sequence[SeriesRow], normal: Step) -> Band | str:
    """The per-second p95 of jobs in the normal plateau: up to 3 robust spreads above its median, on a logarithmic scale.

    At least 10 % wide, so that a target of no noise at all is not held to a band of no width. Or why there is none.
    """
    rows = rows_within(series, normal)
    known = [row.job_p95_ns for row in rows if row.job_p95_ns]
    if len(known) < _LEAST_BAND_SECONDS:
        return f"{len(known)} seconds with jobs in the plateau before the peak, at least {_LEAST_BAND_SECONDS} are needed"
    logs = [math.log(value) for value in known]
    middle = median(logs)
    spread = _SPREADS * measure_spread(value - middle for value in logs)
    upper_ns = math.exp(middle + max(spread, math.log(_LEAST_WIDTH)))
    return Band(normal.load_to, len(rows), math.exp(middle), upper_ns, max(map(error_ratio, rows)))


def find_return(series: Sequence[SeriesRow], band: Band, disturbance: Disturbance, hold_s: int) -> Return:
    """The first of `hold_s` seconds in a row that all lie within the band, on the grid of whole seconds.

    A second in which nothing ended, or more failed than before, does not lie within it: failing fast is no recovery.
    """
    by_second = {row.second: row for row in series}
    first, last = math.ceil(disturbance.end_s), math.floor(disturbance.after.end_s)
    observed_s = round(max(disturbance.after.end_s - disturbance.end_s, 0.0), 3)
    run = 0
    for second in range(first, last):
        row = by_second.get(second)
        run = run + 1 if row is not None and is_normal(row, band) else 0
        if run == hold_s:
            return Return(round(max(second - hold_s + 1 - disturbance.end_s, 0.0), 3), observed_s)
    return Return(None, observed_s)


def is_normal(row: SeriesRow, band: Band) -> bool:
    """True for a second that looks like those of the band."""
    return row.job_p95_ns is not None and row.job_p95_ns <= band.p95_ns and error_ratio(row) <= band.error_ratio


def error_ratio(row: SeriesRow) -> float:
    """Errors of a second per operation that ended in it."""
    operations = row.jobs + row.calls
    return min(row.errors / operations, 1.0) if operations else float(bool(row.errors))


def measure_overshoot_s2(series: Sequence[SeriesRow], band: Band, from_s: float, until_s: float) -> float:
    """Area between the per-second p95 and the band's upper edge, in seconds times seconds."""
    over_ns = (
        max(row.job_p95_ns - band.p95_ns, 0.0)
        for row in series
        if row.job_p95_ns is not None and from_s <= row.second + 0.5 < until_s
    )
    return sum(over_ns) / _NS_PER_S


def choose_hold_s(time_scale: float) -> int:
    """For how long a target must stay within its band: 10 s, shortened with the scenario, never below 3 s."""
    return max(LEAST_HOLD_S, math.ceil(HOLD_S * min(time_scale, 1.0)))
