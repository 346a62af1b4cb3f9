"""A scenario's questions answered in one sentence each, for whoever reads nothing else."""

import math
from collections.abc import Iterator

from jivsbench.model.behaviour import Behaviour, Capacity, Drift, Knee, KneeModel, Recovery, Trend
from jivsbench.model.formatting import TO, format_limit, format_number, format_quantity
from jivsbench.model.gate import Unit
from jivsbench.model.metrics import Direction
from jivsbench.model.record import RunRecord, StepRow
from jivsbench.model.summary import Summary


def list_answers(record: RunRecord, summary: Summary) -> tuple[str, ...]:
    """One sentence for each question that the scenario asked."""
    behaviour = summary.behaviour
    if behaviour is None or not record.arms:
        return ()
    answers = [describe_knee(behaviour.knee, record.arms[-1].steps)] if behaviour.knee is not None else []
    answers += [describe_capacity(record.capacity)] if record.capacity is not None else []
    answers += [describe_growth(behaviour)] if behaviour.growths else []
    answers += [describe_recovery(behaviour)] if behaviour.recoveries or behaviour.why_no_band else []
    return tuple(answers)


def describe_knee(knee: Knee, steps: tuple[StepRow, ...]) -> str:
    """By the steps first, for that is what was seen; then by the curve; then by how much the machine itself may have changed."""
    parts = [_describe_steps(knee, steps), _describe_fit(knee)]
    if knee.drift is not None and knee.drift.size_ratio >= knee.least_ratio:
        parts.append(f"{describe_drift(knee.drift)}, so no smaller growth counts as growth")
    return f"Knee: {'; '.join(parts)}."


def describe_drift(drift: Drift | None) -> str:
    """Throughput at one load before and after the climb, in words."""
    if drift is None:
        return "the schedule does not return to the load that it climbed from: whether the machine changed meanwhile is not known"
    change = f"{abs(drift.ratio) * 100:.3g} % {'lower' if drift.ratio < 0 else 'higher'}"
    return f"throughput with {drift.load:g} users was {change} after the climb than before it"


def describe_capacity(capacity: Capacity) -> str:
    """Between which rates it lies, and why the search ended."""
    limit = f"at an HTTP p95 of {format_limit(capacity.p95_limit_ns / 1e6, Unit.MILLISECONDS)}"
    low = format_number(capacity.low_per_s, Unit.JOBS_PER_SECOND, Direction.HIGHER)
    high = format_number(capacity.high_per_s, Unit.JOBS_PER_SECOND, Direction.LOWER)
    if capacity.low_per_s is not None:
        found = f"at least {low} arrivals per second" if capacity.high_per_s is None else f"{low} {TO} {high} arrivals per second"
    else:
        found = "not found" if capacity.high_per_s is None else f"below {high} arrivals per second"
    return f"Capacity {limit}: {found}; {capacity.reason}."


def describe_growth(behaviour: Behaviour) -> str:
    """Which gauges grow, which do not, and which nobody can tell."""
    parts = []
    for trend, words in _TRENDS:
        names = [growth.gauge for growth in behaviour.growths if growth.trend is trend]
        if names:
            parts.append(f"{words}: {', '.join(names)}")
    return f"Growth. {'; '.join(parts)}."


def describe_recovery(behaviour: Behaviour) -> str:
    """How long each peak took, or that it was not over while it was watched."""
    if not behaviour.recoveries:
        return f"Recovery: not measured, {behaviour.why_no_band}."
    return f"Recovery: {', '.join(_describe_peaks(behaviour.recoveries))}."


_TRENDS = (
    (Trend.GROWS, "Grows"),
    (Trend.FLAT, "Does not grow"),
    (Trend.INCONCLUSIVE, "This run could not tell"),
    (Trend.NOT_MEASURED, "Not measured"),
)


def _describe_steps(knee: Knee, steps: tuple[StepRow, ...]) -> str:
    by_index = {step.index: step for step in steps}
    grown = by_index.get(knee.grown_step) if knee.grown_step is not None else None
    if grown is None:
        return "by the steps it was not measured"
    where = name_load(grown)
    text = f"throughput still grew in the last step ({where})" if knee.still_growing else f"throughput last grew at {where}"
    if knee.p95_limit_ns is None:
        return text
    limit = f"an HTTP p95 of {format_limit(knee.p95_limit_ns / 1e6, Unit.MILLISECONDS)}"
    kept = by_index.get(knee.kept_step) if knee.kept_step is not None else None
    if kept is None:
        return f"{text}, and no step kept {limit}"
    if kept is grown:
        return f"{text}, and up to there {limit} was kept"
    return f"{text}, but {limit} was kept only up to {name_load(kept)}"


def _describe_fit(knee: Knee) -> str:
    fit = knee.fit
    if fit.users is None or fit.low is None:
        return f"no curve gives it: {fit.refused}"
    low = math.floor(fit.low)
    interval = f"{low} or more" if fit.high is None else f"{low} {TO} {math.ceil(fit.high)}"
    curve = "either fitted curve" if fit.model is KneeModel.EITHER else f"the fitted curve ({fit.model})"
    users = format_number(fit.users, Unit.COUNT, Direction.HIGHER)
    return f"{curve} puts it at {users} users, {fit.confidence:.0%} interval {interval}"


def name_load(step: StepRow) -> str:
    """The users of a step in words."""
    low, high = sorted((step.load_from, step.load_to))
    return f"{low:g} users" if low == high else f"{low:g} to {high:g} users"


def _describe_peaks(recoveries: tuple[Recovery, ...]) -> Iterator[str]:
    for one in recoveries:
        peak = f"peak {one.index + 1} of {one.peak_load:g}"
        if one.recovery_s is None:
            yield f"{peak}: not back within the {one.observed_s:g} s that it was watched"
        else:
            yield f"{peak}: back after {format_quantity(one.recovery_s, Unit.SECONDS, Direction.LOWER)}"
