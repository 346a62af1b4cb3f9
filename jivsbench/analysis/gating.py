"""One gate against a summary: which number it asks for, what is known of it, and whether the condition holds.

An absolute gate compares the unrounded figure of the candidate, and of a fitted figure its whole interval. A relative gate
compares the bound of the effect's interval that is worse for the candidate; only a figure that an arm has once is judged by
its plain ratio.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

from jivsbench.analysis.detectability import detectable_here
from jivsbench.analysis.trend import classify
from jivsbench.model.behaviour import Growth, Trend
from jivsbench.model.calibration import Calibration
from jivsbench.model.formatting import format_beside, format_interval, format_limit
from jivsbench.model.gate import WHOLE, Change, Comparator, Gate, GateOutcome
from jivsbench.model.gate_text import direction_of, format_gate
from jivsbench.model.metrics import Direction, convert_unit, find_metric
from jivsbench.model.summary import Effect, Figure, GateResult, Provenance, Summary

_ACCEPTED: Final = (Provenance.MEASURED, Provenance.DERIVED)
_PERCENT: Final = 100.0
_TRENDS: Final = {
    Trend.GROWS: GateOutcome.FAILED,
    Trend.FLAT: GateOutcome.MET,
    Trend.INCONCLUSIVE: GateOutcome.INCONCLUSIVE,
}


@dataclass(frozen=True, slots=True)
class Judged:
    """The number a gate judges, in the gate's unit, with the range it lies in (the number itself when it is exact)."""

    value: float
    low: float
    high: float


def judge_gate(gate: Gate, summary: Summary, candidate: str, calibration: Calibration | None = None) -> GateResult:
    """How one gate ends. Whatever is unknown is NO_DATA or INCONCLUSIVE, never green.

    With the `calibration` of the machine, a gate that asks for less than can be shown there is INCONCLUSIVE as well.
    """
    growth = _find_growth(gate, summary)
    if growth is not None and growth.growth_percent is not None:
        bounds = (growth.growth_percent, growth.low_percent, growth.high_percent, growth.p_value)
        if None in bounds:
            return _end(gate, GateOutcome.NO_DATA, "the growth has no interval")
        return _judge_growth(gate, growth)
    if gate.change is None:
        return _judge_figure(gate, summary.figure(candidate, gate.metric, gate.statistic, gate.window))
    return _judge_change(gate, gate.change, summary, calibration)


def _judge_figure(gate: Gate, figure: Figure | None) -> GateResult:
    if figure is None and gate.window != WHOLE:
        return _end(
            gate, GateOutcome.NO_DATA, f"the run took no figure over the window {str(gate.window)!r}: its plan named none"
        )
    metric = find_metric(gate.metric)
    option = metric.input_option if metric else None
    if figure is None:
        return _end(
            gate, GateOutcome.NO_DATA, f"no file was read: name one with {option}" if option else "the run has no such figure"
        )
    if figure.value is None:
        return _judge_least(gate, figure)
    if figure.provenance not in _ACCEPTED and not (option and figure.provenance is Provenance.IMPORTED):
        return _end(gate, GateOutcome.NO_DATA, f"the figure is {figure.provenance}, not measured by this run")
    value = convert_unit(figure.value, figure.unit, gate.unit)
    if value is None:
        return _end(gate, GateOutcome.NO_DATA, f"the figure is in {figure.unit}, the limit in {gate.unit}")
    if gate.window != WHOLE:
        result = _compare(gate, Judged(value, value, value))
        return replace(result, reason=f"{result.reason}: {figure.method}")
    if figure.unit is not gate.unit or (figure.low is None and figure.high is None):
        return _compare(gate, Judged(value, value, value))
    low, high = -math.inf if figure.low is None else figure.low, math.inf if figure.high is None else figure.high
    return _compare(gate, Judged(value, low, high))


def _judge_least(gate: Gate, figure: Figure) -> GateResult:
    """A figure that was not reached while the run lasted is at least its `low`, which can be enough to judge it."""
    if figure.low is None or figure.unit is not gate.unit:
        return _end(gate, GateOutcome.NO_DATA, figure.method)
    reason = f"{_show_least(figure.low, gate)}: {figure.method.removeprefix('not measured: ')}"
    is_rising = gate.comparator in (Comparator.GREATER, Comparator.GREATER_OR_EQUAL)
    if gate.comparator.holds(figure.low, gate.limit) == is_rising:
        # What lies above the limit already: enough for a floor, too much for a ceiling.
        return _end(gate, GateOutcome.MET if is_rising else GateOutcome.FAILED, reason, figure.low)
    return _end(gate, GateOutcome.NO_DATA, reason)


def _find_growth(gate: Gate, summary: Summary) -> Growth | None:
    growths = summary.behaviour.growths if summary.behaviour else ()
    return next((growth for growth in growths if gate.metric == f"growth.{growth.gauge}" and gate.change is None), None)


def _judge_growth(gate: Gate, growth: Growth) -> GateResult:
    """By the calibrated rule at the gate's own limit: it fails what grows, and is met by what cannot have grown."""
    value, low, high, p_value = growth.growth_percent, growth.low_percent, growth.high_percent, growth.p_value
    assert value is not None, "looked at before"
    assert low is not None, "looked at before"
    assert high is not None, "looked at before"
    assert p_value is not None, "looked at before"
    outcome = _TRENDS[classify(value, (low, high), p_value, gate.limit)]
    interval = format_interval(low, high, gate.unit, gate.limit)
    reason = ", ".join(filter(None, (f"growth is {_show(value, gate)}", interval, f"p = {p_value:.2g}")))
    if outcome is GateOutcome.INCONCLUSIVE:
        reason += f": this run could not have shown less than {growth.smallest_percent:.3g} %, run it longer"
    return GateResult(gate, format_gate(gate), outcome, value, low, high, reason)


def _judge_change(gate: Gate, change: Change, summary: Summary, calibration: Calibration | None) -> GateResult:
    effect = summary.effect(gate.metric, gate.statistic)
    if effect is None:
        return _end(gate, GateOutcome.NO_DATA, "the run compares no such figure")
    imported = _find_imported(effect, summary)
    if imported is not None:
        return _end(gate, GateOutcome.NO_DATA, f"the figure of {imported.arm} is {imported.provenance}, not measured by this run")
    if effect.ratio is None:
        return _end(gate, GateOutcome.NO_DATA, effect.method)
    value = _change_percent(change, effect.ratio)
    if effect.ratio_low is not None and effect.ratio_high is not None:
        bounds = sorted((_change_percent(change, effect.ratio_low), _change_percent(change, effect.ratio_high)))
        result = _compare(gate, Judged(value, bounds[0], bounds[1]))
        return _doubt(result, detectable_here(calibration, gate.metric, gate.statistic, effect.pairs, effect.processes))
    if _exists_once(gate):
        return _compare(gate, Judged(value, value, value))
    return _end(gate, GateOutcome.INCONCLUSIVE, f"{gate.change} is {_show(value, gate)}, but {effect.method}", value)


def _doubt(result: GateResult, detectable_ratio: float | None) -> GateResult:
    """The result; INCONCLUSIVE in place of green when neither the limit nor what was found is as large as can be shown."""
    if detectable_ratio is None or not result.outcome.is_green or result.value is None:
        return result
    asked, cleared = abs(result.gate.limit), abs(result.value - result.gate.limit)
    if max(asked, cleared) >= detectable_ratio * _PERCENT:
        return result
    reason = (
        f"{result.reason}; but the smallest change that so many pairs can show on this machine is "
        f"{detectable_ratio * _PERCENT:.3g} %: measure longer (`jivsbench plan`) or ask for more"
    )
    return replace(result, outcome=GateOutcome.INCONCLUSIVE, reason=reason)


def _find_imported(effect: Effect, summary: Summary) -> Figure | None:
    figures = (summary.figure(arm, effect.metric, effect.statistic) for arm in (effect.baseline, effect.candidate))
    return next((figure for figure in figures if figure is not None and figure.provenance not in _ACCEPTED), None)


def _exists_once(gate: Gate) -> bool:
    metric = find_metric(gate.metric)
    return metric is not None and gate.statistic in metric.plain


def _change_percent(change: Change, ratio: float) -> float:
    return (1 - ratio if change is Change.REDUCTION else ratio - 1) * _PERCENT


def _compare(gate: Gate, judged: Judged) -> GateResult:
    holds = [gate.comparator.holds(bound, gate.limit) for bound in (judged.low, judged.high)]
    if all(holds):
        reached = gate.goal is not None and all(gate.comparator.holds(bound, gate.goal) for bound in (judged.low, judged.high))
        outcome = GateOutcome.EXCEEDED if reached else GateOutcome.MET
    else:
        outcome = GateOutcome.INCONCLUSIVE if any(holds) else GateOutcome.FAILED
    low, high = (bound if math.isfinite(bound) else None for bound in (judged.low, judged.high))
    return GateResult(gate, format_gate(gate), outcome, judged.value, low, high, _describe(gate, judged, outcome))


def _describe(gate: Gate, judged: Judged, outcome: GateOutcome) -> str:
    text = f"{gate.change or gate.statistic} is {_show(judged.value, gate)}{_show_interval(judged, gate)}"
    if outcome is GateOutcome.INCONCLUSIVE:
        more = "more pairs are" if gate.change else "a longer run is"
        return f"{text}: the limit of {format_limit(gate.limit, gate.unit)} lies inside, {more} needed"
    limit = f"limit {gate.comparator} {format_limit(gate.limit, gate.unit)}"
    return f"{text} ({limit}, goal {format_limit(gate.goal, gate.unit)})" if gate.goal is not None else f"{text} ({limit})"


def _show(value: float, gate: Gate) -> str:
    """As the reports write it: rounding must not turn a miss into a hit, nor one figure into two."""
    return format_beside(value, gate.limit, gate.unit, direction_of(gate))


def _show_interval(judged: Judged, gate: Gate) -> str:
    if judged.low == judged.high:
        return ""
    if math.isfinite(judged.low) and math.isfinite(judged.high):
        return f", {format_interval(judged.low, judged.high, gate.unit, gate.limit)}"
    return f", {_show_least(judged.low, gate)}" if math.isfinite(judged.low) else f", {_show_most(judged.high, gate)}"


def _show_least(low: float, gate: Gate) -> str:
    return f"at least {format_beside(low, gate.limit, gate.unit, Direction.HIGHER)}"


def _show_most(high: float, gate: Gate) -> str:
    return f"at most {format_beside(high, gate.limit, gate.unit, Direction.LOWER)}"


def _end(gate: Gate, outcome: GateOutcome, reason: str, value: float | None = None) -> GateResult:
    return GateResult(gate, format_gate(gate), outcome, value, None, None, reason)
