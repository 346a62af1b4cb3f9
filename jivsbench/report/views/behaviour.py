"""What the load showed: steps and knee, growth of gauges, recovery after peaks, and whether the figures agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jivsbench.model.behaviour import Behaviour, Capacity, Growth, Knee, Recovery, Trend
from jivsbench.model.formatting import (
    MINUS,
    NOT_MEASURED,
    TO,
    format_beside,
    format_change,
    format_count,
    format_decimals,
    format_milliseconds,
    format_number,
    format_quantity,
)
from jivsbench.model.gate import Unit
from jivsbench.model.metrics import Direction
from jivsbench.model.record import RunRecord, StepRow
from jivsbench.model.sample import ErrorCount
from jivsbench.model.summary import Summary
from jivsbench.report.charts import Chart, DataTable
from jivsbench.report.scales import format_clock
from jivsbench.report.views.answers import describe_capacity, describe_drift, describe_knee
from jivsbench.report.views.badges import Badge, badge_trend
from jivsbench.report.views.knee_chart import draw_knee

_NS_PER_MS: Final = 1e6
_PEAK_ROWS: Final = (
    "load at its highest",
    "from, to",
    "HTTP p95 within it (ms)",
    "worst second, p95 of jobs (ms)",
    "that many times the normal median",
    "back to normal after",
    "HTTP p95 in the plateau after it (ms)",
    "overshoot: p95 above normal, over time (s x s)",
    "most jobs waiting for a worker",
    "most callers waiting for a connection",
    "no more of both than before, after",
    "cache misses per job",
    "loads of sources and schemas for the cache",
    "loads of each that was due (1: no key was loaded twice)",
    "refused, in it and after it",
    "timed out, in it and after it",
    "other errors, in it and after it",
)


@dataclass(frozen=True, slots=True)
class KneeView:
    """The steps, the curve, and how far off it lies."""

    sentence: str
    charts: tuple[Chart, ...]
    residuals: DataTable
    note: str


@dataclass(frozen=True, slots=True)
class GrowthLine:
    """One gauge. Without a judgement `why` says so and the figures are empty."""

    gauge: str
    badge: Badge
    level: str
    growth: str
    interval: str
    smallest: str
    readings: str
    why: str


@dataclass(frozen=True, slots=True)
class BehaviourView:
    """Everything that this section shows. What was not asked is empty."""

    steps: DataTable | None
    knee: KneeView | None
    growths: tuple[GrowthLine, ...]
    growth_note: str
    peaks: DataTable | None
    peaks_note: str
    capacity: DataTable | None
    capacity_note: str
    consistency: DataTable | None
    consistency_note: str
    consistency_icon: str


def build_behaviour(record: RunRecord, summary: Summary) -> BehaviourView | None:
    """None when nothing was asked and nothing could be checked: in a comparison, and without an arm."""
    behaviour = summary.behaviour
    if behaviour is None or not record.arms:
        return None
    steps = record.arms[-1].steps
    return BehaviourView(
        steps=_tabulate_steps(steps) if steps else None,
        knee=_build_knee(behaviour.knee, steps) if behaviour.knee is not None else None,
        growths=tuple(_build_growth(growth) for growth in behaviour.growths),
        growth_note=_describe_growth(behaviour.growths),
        peaks=_tabulate_peaks(behaviour.recoveries) if behaviour.recoveries else None,
        peaks_note=_describe_band(behaviour),
        capacity=_tabulate_capacity(record.capacity) if record.capacity is not None else None,
        capacity_note=describe_capacity(record.capacity) if record.capacity is not None else "",
        consistency=_tabulate_consistency(behaviour),
        consistency_note=_describe_consistency(behaviour),
        consistency_icon=_choose_consistency_icon(behaviour),
    )


def _tabulate_steps(steps: Sequence[StepRow]) -> DataTable:
    heads = (
        "step",
        "from",
        "to",
        "load",
        "seconds",
        "records/min",
        "calls",
        "HTTP p95 (ms)",
        "jobs",
        "job p95 (ms)",
        "errors by class",
    )
    return DataTable(heads, tuple(_describe_step(step) for step in steps))


def _describe_step(step: StepRow) -> tuple[str, ...]:
    load = f"{step.load_to:g}" if step.load_from == step.load_to else f"{step.load_from:g} {TO} {step.load_to:g}"
    rate = step.rows * 60 / step.seconds if step.seconds else None
    return (
        str(step.index + 1),
        format_clock(step.start_s),
        format_clock(step.end_s),
        load,
        format_count(step.seconds),
        format_number(rate, Unit.RECORDS_PER_MINUTE, Direction.HIGHER),
        format_count(step.calls.count),
        format_milliseconds(step.calls.percentile_ns(95)),
        format_count(step.jobs),
        format_milliseconds(step.job_response.percentile_ns(95)),
        name_errors(step.errors) if step.seconds else NOT_MEASURED,
    )


def name_errors(errors: Sequence[ErrorCount]) -> str:
    """Errors by class, most of them first."""
    counts: dict[str, int] = {}
    for error in errors:
        counts[error.error.value] = counts.get(error.error.value, 0) + error.count
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{format_count(count)} {name}" for name, count in ordered) or "none"


def _build_knee(knee: Knee, steps: tuple[StepRow, ...]) -> KneeView:
    fit = knee.fit
    rows = tuple(
        (
            f"{point.users:.1f}",
            format_count(point.seconds),
            format_number(point.rows_per_s * 60, Unit.RECORDS_PER_MINUTE, Direction.HIGHER),
            format_number(None if point.fitted_per_s is None else point.fitted_per_s * 60, Unit.RECORDS_PER_MINUTE),
            NOT_MEASURED if point.residual_ratio is None else format_change(point.residual_ratio * 100),
            _percent(point.error_ratio),
        )
        for point in fit.points
    )
    heads = ("users", "seconds", "records/min", "curve", "residual", "standard error")
    parts = [f"{fit.model}" if fit.model else ""]
    parts += (
        [f"parameters {', '.join(f'{value:.4g}' for value in fit.parameters)} (per row and second)"] if fit.parameters else []
    )
    parts += [f"residuals {_percent(fit.rms_residual_ratio)} root mean square"] if fit.rms_residual_ratio is not None else []
    parts += [describe_drift(knee.drift)] if fit.points else []
    charts = (draw_knee(fit),) if fit.points else ()
    return KneeView(describe_knee(knee, steps), charts, DataTable(heads, rows), "; ".join(part for part in parts if part))


def _percent(ratio: float | None) -> str:
    return format_quantity(None if ratio is None else ratio * 100, Unit.PERCENT, Direction.LOWER)


def _build_growth(growth: Growth) -> GrowthLine:
    badge = badge_trend(growth.trend)
    if growth.growth_percent is None:
        return GrowthLine(growth.gauge, badge, "", "", "", "", "", growth.method)
    low = _beside_limit(growth.low_percent, growth, Direction.HIGHER)
    high = _beside_limit(growth.high_percent, growth, Direction.LOWER)
    return GrowthLine(
        gauge=growth.gauge,
        badge=badge,
        level=format_quantity(growth.level, growth.unit, Direction.LOWER),
        growth=_beside_limit(growth.growth_percent, growth, Direction.LOWER),
        interval=f"{low.removesuffix(' %')} {TO} {high}",
        smallest=format_quantity(growth.smallest_percent, Unit.PERCENT, Direction.LOWER),
        readings=format_count(growth.samples),
        why="",
    )


def _beside_limit(percent: float | None, growth: Growth, better: Direction) -> str:
    return format_beside(percent, growth.limit_percent, Unit.PERCENT, better)


def _describe_growth(growths: Sequence[Growth]) -> str:
    judged = next((growth for growth in growths if growth.trend is not Trend.NOT_MEASURED), None)
    if judged is None:
        return ""
    return (
        f"Over {judged.judged_s:.0f} s of one load, after its first fifth. GROWS: p < 0.01 by Mann-Kendall with corrections for "
        f"autocorrelation, and an estimate above {judged.limit_percent:g} %. FLAT: the whole 99 % interval lies within it. "
        "Smallest: what a run as long and as noisy as this would have shown four times in five. A gate may ask for another limit."
    )


def _tabulate_capacity(capacity: Capacity) -> DataTable:
    rows = tuple(
        (
            str(place),
            format_number(one.rate_per_s, Unit.JOBS_PER_SECOND),
            format_number(one.achieved_per_s, Unit.JOBS_PER_SECOND, Direction.HIGHER),
            _milliseconds_beside(one.p95_ns, capacity.p95_limit_ns),
            {True: "yes", False: "no", None: "not known"}[one.kept],
            one.reason,
        )
        for place, one in enumerate(capacity.plateaus, start=1)
    )
    return DataTable(("plateau", "arrivals/s offered", "arrivals/s ended", "HTTP p95 (ms)", "kept", "why"), rows)


def _milliseconds_beside(found_ns: float | None, limit_ns: float) -> str:
    """Without the unit, which the column's head names."""
    found_ms = None if found_ns is None else found_ns / _NS_PER_MS
    return format_beside(found_ms, limit_ns / _NS_PER_MS, Unit.MILLISECONDS, Direction.LOWER).removesuffix(" ms")


def _tabulate_peaks(recoveries: Sequence[Recovery]) -> DataTable:
    """One column per peak, so that they can be read beside each other."""
    columns = [_describe_peak(one) for one in recoveries]
    heads = ("figure", *(f"peak {one.index + 1}" for one in recoveries))
    return DataTable(heads, tuple((name, *values) for name, *values in zip(_PEAK_ROWS, *columns, strict=True)))


def _describe_peak(one: Recovery) -> tuple[str, ...]:
    return (
        f"{one.peak_load:g}",
        f"{format_clock(one.start_s)} {TO} {format_clock(one.end_s)}",
        format_milliseconds(one.peak_p95_ns),
        format_milliseconds(one.worst_p95_ns),
        format_decimals(one.degradation_ratio, 1, Direction.LOWER),
        f"not within {one.observed_s:g} s" if one.recovery_s is None else _seconds(one.recovery_s),
        format_milliseconds(one.after_p95_ns),
        format_decimals(one.overshoot_s2, 2, Direction.LOWER),
        NOT_MEASURED if one.queued_peak is None else format_count(one.queued_peak),
        NOT_MEASURED if one.waiting_peak is None else format_count(one.waiting_peak),
        f"not within {one.observed_s:g} s" if one.drain_s is None else _seconds(one.drain_s),
        format_decimals(one.misses_per_job, 2, Direction.LOWER),
        NOT_MEASURED if one.cache_loads is None else format_count(one.cache_loads),
        _describe_loads(one),
        format_count(one.refused),
        format_count(one.timed_out),
        format_count(one.other_errors),
    )


def _describe_loads(one: Recovery) -> str:
    if one.cache_loads == 0:
        return "none was due"
    return format_decimals(one.loads_per_entry, 2, Direction.LOWER)


def _seconds(duration_s: float | None) -> str:
    return format_quantity(duration_s, Unit.SECONDS, Direction.LOWER)


def _describe_band(behaviour: Behaviour) -> str:
    band = behaviour.band
    if band is None:
        return f"not measured: {behaviour.why_no_band}" if behaviour.why_no_band else ""
    hold = behaviour.recoveries[0].hold_s if behaviour.recoveries else 0
    up_to, middle = format_milliseconds(band.p95_ns), format_milliseconds(band.median_ns)
    return (
        f"Normal is what {format_count(band.seconds)} s at a load of {band.load:g} showed before the first peak: "
        f"a second's p95 of jobs up to {up_to} ms (median {middle} ms), errors up to {band.error_ratio * 100:.2g} %. "
        f"A target is back at the first of {hold} normal seconds in a row, counted from the end of the peak."
    )


def _tabulate_consistency(behaviour: Behaviour) -> DataTable | None:
    if behaviour.consistency is None or not behaviour.consistency.checked:
        return None
    rows = tuple(
        (
            str(one.step + 1),
            f"{one.users:g}",
            f"{one.found:.2f}",
            _describe_off(one.off_ratio, behaviour.consistency.tolerance_ratio),
            "yes" if one.is_consistent else "no",
        )
        for one in behaviour.consistency.checked
    )
    return DataTable(("step", "users planned", "user-seconds per second", "off", "within the tolerance"), rows)


def _describe_off(off_ratio: float, tolerance_ratio: float) -> str:
    """The difference with its sign, and the digits that tell it from the tolerance."""
    sign = "" if off_ratio == 0 else "+" if off_ratio > 0 else MINUS
    return sign + format_beside(abs(off_ratio) * 100, round(tolerance_ratio * 100, 6), Unit.PERCENT, Direction.LOWER)


def _choose_consistency_icon(behaviour: Behaviour) -> str:
    if behaviour.consistency is None or behaviour.consistency.why_unchecked:
        return "question"
    return "cross" if behaviour.consistency.reasons else "check"


def _describe_consistency(behaviour: Behaviour) -> str:
    consistency = behaviour.consistency
    if consistency is None:
        return NOT_MEASURED
    if consistency.why_unchecked:
        return f"Not checked: {consistency.why_unchecked}."
    return (
        "Users at work = operations per second times their mean time. A user of a closed loop is always within one call or one "
        f"long poll, so all of these together must last as many seconds per second as there are users, within "
        f"{consistency.tolerance_ratio * 100:.0f} %."
    )
