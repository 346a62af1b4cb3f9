"""The knee of a target: from the steps themselves, and from a curve fitted to throughput over users.

Two curves are tried. The Universal Scalability Law (Gunther, Guerrilla Capacity Planning, 2007) describes contention and
coherency; a target that saturates at a number of servers is not of its shape: fitted to one, it put the knee at twice its
place with a narrow interval. So a second curve stands beside it, and the one that lies closer to the points is taken.
Both are linear in their parameters when written as N / X, so ordinary least squares on relative residuals fits them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import stdev
from typing import Final

from jivsbench.analysis.curves import Curve, Resampling, fit_servers, fit_usl
from jivsbench.analysis.drift import measure_drift
from jivsbench.analysis.schedule import Step, rows_within
from jivsbench.analysis.spread import measure_spread
from jivsbench.model.behaviour import Knee, KneeFit, KneeModel, LoadPoint
from jivsbench.model.record import SeriesRow, StepRow

MIN_POINTS: Final = 6
GREW_BY: Final = 0.05
CONFIDENCE: Final = 0.99
_PARTS_OF_A_RAMP: Final = 4
_LEAST_SECONDS: Final = 2
# A line from nothing to one point is no growth that was seen.
_LEAST_BELOW: Final = 2
_SURE: Final = 3.0
# By how much a correlation of 0.5 from second to second widens the error of a mean: sqrt((1 + 0.5) / (1 - 0.5)).
_CORRELATED: Final = 3**0.5
_RESAMPLES: Final = 1000
# Points that scatter more than this around both curves are described by neither.
_MOST_RESIDUAL: Final = 0.15
# Sums of squares of both curves within this factor: some twenty points cannot tell the curves apart.
_ALIKE: Final = 1.5


def find_knee(
    series: Sequence[SeriesRow], rows: Sequence[StepRow], steps: Sequence[Step], p95_limit_ns: float | None, seed: int
) -> Knee:
    """The knee of a climb: of all steps up to the one that ends at the highest load.

    A machine whose speed changed on the way looks like a target that grew or shrank: what is smaller than the change that the
    load before and after the climb saw is no growth, and widens the interval of the fit.
    """
    climb = _list_climb(steps)
    measured = [row for row in rows if row.index in {step.index for step in climb} and row.seconds]
    spreads = {step.index: _standard_error(series, step) for step in climb}
    drift = measure_drift(series, steps)
    drift_ratio = drift.size_ratio if drift is not None else 0.0
    least_ratio = max(GREW_BY, drift_ratio)
    grown = _last_grown(measured, spreads, least_ratio)
    kept = _last_kept(measured, grown, p95_limit_ns)
    still_growing = bool(measured) and grown == measured[-1].index
    fit = fit_knee(list_load_points(series, climb), seed, drift_ratio)
    return Knee(grown, kept, still_growing, p95_limit_ns, fit, least_ratio, drift)


def list_load_points(series: Sequence[SeriesRow], climb: Sequence[Step]) -> tuple[LoadPoint, ...]:
    """Throughput at the loads that a climb went through: a plateau is one point, a ramp is cut into equal parts.

    The very first second of a load is left out: nothing that takes longer can have ended in it.
    """
    scatter = _measure_scatter([row.rows for step in climb for row in rows_within(series, step)])
    points = []
    for step in climb:
        rows = [row for row in rows_within(series, step) if row.second > series[0].second]
        parts = 1 if step.is_plateau else max(1, min(_PARTS_OF_A_RAMP, len(rows) // _LEAST_SECONDS))
        for part in range(parts):
            held = rows[part * len(rows) // parts : (part + 1) * len(rows) // parts]
            users = sum(step.load_at(row.second + 0.5) for row in held) / len(held) if held else 0.0
            rate = sum(row.rows for row in held) / len(held) if held else 0.0
            if users >= 1 and rate > 0:
                error_ratio = None if scatter is None else scatter * min(_CORRELATED / len(held) ** 0.5, 1.0)
                points.append(LoadPoint(users, rate, len(held), error_ratio=error_ratio))
    return tuple(points)


def fit_knee(points: Sequence[LoadPoint], seed: int, drift_ratio: float = 0.0) -> KneeFit:
    """Fit both curves, take the closer one, and say how far off its knee may be; refused with the reason otherwise.

    `drift_ratio` is by how much throughput at one load changed while the points were measured, one after the other.
    """
    known = tuple(points)
    loads = {round(point.users, 3) for point in known}
    if len(loads) < MIN_POINTS:
        return KneeFit(known, f"{len(loads)} load points; a curve needs at least {MIN_POINTS}")
    users, rates = [point.users for point in known], [point.rows_per_s for point in known]
    usl, servers = fit_usl(users, rates), fit_servers(users, rates)
    if isinstance(usl, str) and isinstance(servers, str):
        return KneeFit(known, f"{usl}; {servers}")
    chosen = _choose(usl, servers)
    drawn = tuple(replace(point, fitted_per_s=chosen[0].rate(point.users)) for point in known)
    rms = (min(curve.squares for curve in chosen) / len(known)) ** 0.5
    if rms > _MOST_RESIDUAL:
        return KneeFit(drawn, f"points lie {rms:.0%} off the curve (root mean square): no curve of ours describes this target")
    lasted_s = sum(point.seconds for point in known)
    wander = tuple(math.log1p(drift_ratio) * (point.seconds / lasted_s) ** 0.5 for point in known)
    how = Resampling(seed, _RESAMPLES, CONFIDENCE, tuple(point.error_ratio or 0.0 for point in known), wander)
    bounds = [curve.resample(how) for curve in chosen]
    low = min(low for low, _ in bounds)
    highs = [high for _, high in bounds]
    high = None if None in highs else max(high for high in highs if high is not None)
    model = KneeModel.EITHER if len(chosen) > 1 else chosen[0].model
    top, about = max(users), chosen[0]
    below = {load for load in loads if load < about.knee}
    if len(below) < _LEAST_BELOW:
        where = f"the knee lies near {about.knee:.0f} users or below"
        why = f"throughput no longer grew at the lowest loads: {where}, load lower to find it"
        return KneeFit(drawn, why, model, None, None, None, CONFIDENCE, about.parameters, rms)
    if about.knee >= top:
        found = f"the fitted knee of {about.knee:.0f} users lies beyond the load of at most {top:.0f}: load higher to find it"
        return KneeFit(drawn, found, model, None, low, None, CONFIDENCE, about.parameters, rms)
    return KneeFit(drawn, "", model, about.knee, low, high, CONFIDENCE, about.parameters, rms)


def _choose(usl: Curve | str, servers: Curve | str) -> tuple[Curve, ...]:
    """The closer curve; both, the closer one first, when the points cannot tell them apart."""
    known = sorted((curve for curve in (usl, servers) if not isinstance(curve, str)), key=lambda curve: curve.squares)
    if len(known) > 1 and known[1].squares > _ALIKE * known[0].squares:
        return (known[0],)
    return tuple(known)


def _list_climb(steps: Sequence[Step]) -> tuple[Step, ...]:
    """All steps until the last one at the highest load."""
    top = max((step.load_to for step in steps), default=0.0)
    last = max((step.index for step in steps if step.load_to == top), default=-1)
    return tuple(step for step in steps if step.index <= last and step.load_from <= step.load_to)


def _measure_scatter(rates: Sequence[int]) -> float | None:
    """Standard deviation of the logarithm of a second's throughput, from how neighbours differ: ramps and stalls decide nothing.

    Neighbours that correlate by one half differ by as much as each of them scatters. None without two that can be compared.
    """
    changes = [math.log(after / before) for before, after in pairwise(rates) if before and after]
    return measure_spread(changes) if changes else None


def _standard_error(series: Sequence[SeriesRow], step: Step) -> float:
    """Of the mean rows per second, as if neighbouring seconds were correlated by one half; 0 when it is not known."""
    rates = [float(row.rows) for row in rows_within(series, step)]
    return stdev(rates) / len(rates) ** 0.5 * _CORRELATED if len(rates) > 1 else 0.0


def _last_grown(rows: Sequence[StepRow], errors: Mapping[int, float], least_ratio: float) -> int | None:
    """Index of the last step whose throughput was above all before it, by more than that ratio and more than noise explains.

    None without two steps. Noise: three standard errors of the difference.
    """
    if len(rows) < 2:  # noqa: PLR2004 - growth needs a before and an after
        return None
    first, *others = rows
    best, best_error, grown = first.rows / first.seconds, errors.get(first.index, 0.0), first.index
    for row in others:
        rate, error = row.rows / row.seconds, errors.get(row.index, 0.0)
        if rate - best > max(least_ratio * best, _SURE * math.hypot(error, best_error)):
            grown = row.index
        if rate > best:
            best, best_error = rate, error
    return grown


def _last_kept(rows: Sequence[StepRow], grown: int | None, p95_limit_ns: float | None) -> int | None:
    kept = None
    for row in rows:
        p95_ns = row.calls.percentile_ns(95)
        if grown is None or row.index > grown or (p95_limit_ns is not None and (p95_ns is None or p95_ns > p95_limit_ns)):
            break
        kept = row.index
    return kept
