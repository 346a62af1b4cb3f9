"""The knee of a target: from the steps themselves, and from a curve fitted to throughput over users.

Two curves are tried. The Universal Scalability Law (Gunther, Guerrilla Capacity Planning, 2007) describes contention and
coherency; a target that saturates at a number of servers is not of its shape: fitted to one, it put the knee at twice its
place with a narrow interval. So a second curve stands beside it, and the one that lies closer to the points is taken.
Both are linear in their parameters when written as N / X, so ordinary least squares on relative residuals fits them.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import stdev
from typing import Final

from jivsbench.analysis.curves import Curve, fit_servers, fit_usl
from jivsbench.analysis.schedule import Step, rows_within
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
    """The knee of a climb: of all steps up to the one that ends at the highest load."""
    climb = _list_climb(steps)
    measured = [row for row in rows if row.index in {step.index for step in climb} and row.seconds]
    spreads = {step.index: _standard_error(series, step) for step in climb}
    grown = _last_grown(measured, spreads)
    kept = _last_kept(measured, grown, p95_limit_ns)
    still_growing = bool(measured) and grown == measured[-1].index
    fit = fit_knee(list_load_points(series, climb), seed)
    return Knee(grown, kept, still_growing, p95_limit_ns, fit)


def list_load_points(series: Sequence[SeriesRow], climb: Sequence[Step]) -> tuple[LoadPoint, ...]:
    """Throughput at the loads that a climb went through: a plateau is one point, a ramp is cut into equal parts.

    The very first second of a load is left out: nothing that takes longer can have ended in it.
    """
    points = []
    for step in climb:
        rows = [row for row in rows_within(series, step) if row.second > series[0].second]
        parts = 1 if step.is_plateau else max(1, min(_PARTS_OF_A_RAMP, len(rows) // _LEAST_SECONDS))
        for part in range(parts):
            held = rows[part * len(rows) // parts : (part + 1) * len(rows) // parts]
            users = sum(step.load_at(row.second + 0.5) for row in held) / len(held) if held else 0.0
            rate = sum(row.rows for row in held) / len(held) if held else 0.0
            if users >= 1 and rate > 0:
                points.append(LoadPoint(users, rate, len(held)))
    return tuple(points)


def fit_knee(points: Sequence[LoadPoint], seed: int) -> KneeFit:
    """Fit both curves, take the closer one, and say how far off its knee may be; refused with the reason otherwise."""
    known = tuple(points)
    loads = {round(point.users, 3) for point in known}
    if len(loads) < MIN_POINTS:
        return KneeFit(known, f"{len(loads)} load points; a curve needs at least {MIN_POINTS}")
    users, rates = [point.users for point in known], [point.rows_per_s for point in known]
    usl, servers = fit_usl(users, rates), fit_servers(users, rates)
    if isinstance(usl, str) and isinstance(servers, str):
        return KneeFit(known, f"{usl}; {servers}")
    chosen = _choose(usl, servers)
    drawn = tuple(LoadPoint(p.users, p.rows_per_s, p.seconds, chosen[0].rate(p.users)) for p in known)
    rms = (min(curve.squares for curve in chosen) / len(known)) ** 0.5
    if rms > _MOST_RESIDUAL:
        return KneeFit(drawn, f"points lie {rms:.0%} off the curve (root mean square): no curve of ours describes this target")
    bounds = [curve.resample(seed, _RESAMPLES, CONFIDENCE) for curve in chosen]
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


def _standard_error(series: Sequence[SeriesRow], step: Step) -> float:
    """Of the mean rows per second, as if neighbouring seconds were correlated by one half; 0 when it is not known."""
    rates = [float(row.rows) for row in rows_within(series, step)]
    return stdev(rates) / len(rates) ** 0.5 * _CORRELATED if len(rates) > 1 else 0.0


def _last_grown(rows: Sequence[StepRow], errors: Mapping[int, float]) -> int | None:
    """Index of the last step whose throughput was above all before it, by more than 5 % and more than noise explains.

    None without two steps. Noise: three standard errors of the difference.
    """
    if len(rows) < 2:  # noqa: PLR2004 - growth needs a before and an after
        return None
    first, *others = rows
    best, best_error, grown = first.rows / first.seconds, errors.get(first.index, 0.0), first.index
    for row in others:
        rate, error = row.rows / row.seconds, errors.get(row.index, 0.0)
        if rate - best > max(GREW_BY * best, _SURE * math.hypot(error, best_error)):
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
