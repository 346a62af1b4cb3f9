"""The figures of a scenario's questions, for its gates. What has no answer is None with the reason."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from jivsbench.analysis.figures import Known, build_figure, named_metric
from jivsbench.model.behaviour import Behaviour, Capacity, Growth, Knee, Recovery
from jivsbench.model.record import ArmRecord, StepRow
from jivsbench.model.scenario import Question
from jivsbench.model.summary import Figure, Provenance

_NS_PER_MS: Final = 1e6


def list_answer_figures(
    arm: ArmRecord, behaviour: Behaviour, questions: Sequence[Question], capacity: Capacity | None
) -> Iterator[Figure]:
    """One figure for every metric of the questions that were asked."""
    name = arm.profile.name
    if Question.CAPACITY in questions:
        yield _capacity(name, capacity)
    if Question.KNEE in questions and behaviour.knee is not None:
        yield _knee_step(name, behaviour.knee, arm.steps)
        yield _knee_fit(name, behaviour.knee)
        yield _knee_http(name, behaviour.knee, arm.steps)
    if Question.RECOVERY in questions:
        yield _recovery_time(name, behaviour)
        yield _worst(name, "peak.http", [one.peak_p95_ns for one in behaviour.recoveries], behaviour.why_no_band)
        yield _worst(name, "after_peak.http", [one.after_p95_ns for one in behaviour.recoveries], behaviour.why_no_band)
    if Question.GROWTH in questions:
        yield from (_growth(name, growth) for growth in behaviour.growths)


def _capacity(arm: str, capacity: Capacity | None) -> Figure:
    metric = named_metric("capacity.jobs")
    if capacity is None:
        return build_figure(arm, metric, "rate", "the search was not carried out")
    plateaus = len(capacity.plateaus)
    if capacity.low_per_s is None or capacity.high_per_s is None:
        return replace(build_figure(arm, metric, "rate", capacity.reason), low=capacity.low_per_s)
    method = f"highest rate that kept an HTTP p95 of {capacity.p95_limit_ns / _NS_PER_MS:.0f} ms; {capacity.reason}"
    figure = build_figure(arm, metric, "rate", Known(capacity.low_per_s, plateaus, Provenance.MEASURED, method))
    return replace(figure, low=capacity.low_per_s, high=capacity.high_per_s)


def _knee_step(arm: str, knee: Knee, steps: Sequence[StepRow]) -> Figure:
    metric, limit = named_metric("knee.users"), _name_limit(knee)
    if knee.grown_step is None:
        return build_figure(arm, metric, "step", "fewer than two steps of the climb hold a second of load")
    if knee.kept_step is None:
        return build_figure(arm, metric, "step", Known(0.0, 0, Provenance.DERIVED, f"not even the first step kept {limit}"))
    step = next(step for step in steps if step.index == knee.kept_step and step.seconds)
    rate = step.rows / step.seconds
    grew = f"grew by more than {100 * knee.least_ratio:.3g} %"
    method = f"last step whose throughput {grew}{f' and kept {limit}' if limit else ''}: {rate:.0f} rows/s"
    if knee.still_growing and knee.kept_step == knee.grown_step:
        figure = build_figure(arm, metric, "step", f"throughput still grew in the last step, to {rate:.0f} rows/s")
        return replace(figure, low=step.load_from)
    # A ramp may begin with nobody, but what grew in it was the work of one user at least.
    low = max(step.load_from, min(1.0, step.load_to))
    known = Known((low + step.load_to) / 2, step.jobs, Provenance.DERIVED, f"{method}; the step is a range of users")
    return replace(build_figure(arm, metric, "step", known), low=low, high=step.load_to)


def _knee_fit(arm: str, knee: Knee) -> Figure:
    metric, fit = named_metric("knee.users"), knee.fit
    if fit.users is None:
        return replace(build_figure(arm, metric, "fit", fit.refused), low=fit.low)
    method = f"{fit.model}, {len(fit.points)} load points, {fit.confidence:.0%} interval by wild bootstrap"
    known = Known(fit.users, len(fit.points), Provenance.DERIVED, method)
    return replace(build_figure(arm, metric, "fit", known), low=fit.low, high=fit.high)


def _knee_http(arm: str, knee: Knee, steps: Sequence[StepRow]) -> Figure:
    metric = named_metric("knee.http")
    if knee.grown_step is None:
        return build_figure(arm, metric, "p95", "there is no knee by the steps")
    climbed = [step for step in steps if step.index <= knee.grown_step and step.calls.count]
    worst = max(climbed, key=lambda step: step.calls.percentile_ns(95) or 0.0, default=None)
    p95_ns = worst.calls.percentile_ns(95) if worst else None
    if worst is None or p95_ns is None:
        return build_figure(arm, metric, "p95", "no call ended up to the knee")
    method = f"worst of {len(climbed)} steps, the one that ends at {worst.load_to:g} users; intended start to end"
    return build_figure(arm, metric, "p95", Known(p95_ns / _NS_PER_MS, worst.calls.count, Provenance.MEASURED, method))


def _recovery_time(arm: str, behaviour: Behaviour) -> Figure:
    metric, recoveries = named_metric("recovery.time"), behaviour.recoveries
    if not recoveries:
        return build_figure(arm, metric, "max", behaviour.why_no_band or "no plateau at the normal load follows a peak")
    lost = [one for one in recoveries if one.recovery_s is None]
    if lost:
        # It is not over before the time that it was watched for, less what the hold takes to show it.
        least = max(max(one.observed_s - one.hold_s, 0.0) for one in lost)
        return replace(build_figure(arm, metric, "max", _describe_lost(lost, len(recoveries))), low=least)
    times = [one.recovery_s for one in recoveries if one.recovery_s is not None]
    method = (
        f"longest of {len(times)} peaks; p95 of each second within the band of before the first peak for {recoveries[0].hold_s} s"
    )
    return build_figure(arm, metric, "max", Known(max(times), len(times), Provenance.DERIVED, method))


def _describe_lost(lost: Sequence[Recovery], peaks: int) -> str:
    watched = ", ".join(f"{one.observed_s:.0f} s" for one in lost)
    return f"after {len(lost)} of {peaks} peaks p95 did not come back to stay while it was watched ({watched})"


def _worst(arm: str, name: str, values: Sequence[float | None], why_none: str) -> Figure:
    metric = named_metric(name)
    if not values:
        return build_figure(arm, metric, "p95", why_none or "no plateau at the normal load follows a peak")
    found = [value for value in values if value is not None]
    if len(found) < len(values):
        return build_figure(arm, metric, "p95", why_none or "no call ended in one of those stretches")
    known = Known(max(found) / _NS_PER_MS, len(found), Provenance.MEASURED, f"worst of {len(found)} peaks; intended start to end")
    return build_figure(arm, metric, "p95", known)


def _growth(arm: str, growth: Growth) -> Figure:
    metric = named_metric(f"growth.{growth.gauge}")
    if growth.growth_percent is None:
        return build_figure(arm, metric, "trend", growth.method.removeprefix("not measured: "))
    shown = f"{growth.trend}; the smallest growth that this run could have shown is {growth.smallest_percent:.3g} %"
    known = Known(growth.growth_percent, growth.samples, Provenance.DERIVED, f"{growth.method}: {shown}")
    return replace(build_figure(arm, metric, "trend", known), low=growth.low_percent, high=growth.high_percent)


def _name_limit(knee: Knee) -> str:
    return "" if knee.p95_limit_ns is None else f"an HTTP p95 of {knee.p95_limit_ns / _NS_PER_MS:.0f} ms"
