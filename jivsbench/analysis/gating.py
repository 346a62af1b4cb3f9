"""One gate against a summary: which number it asks for, what is known of it, and whether the condition holds.

An absolute gate compares the unrounded figure of the candidate. A relative gate compares the bound of the effect's
interval that is worse for the candidate; only a figure that an arm has once is judged by its plain ratio.
"""

from dataclasses import dataclass, replace
from typing import Final

from jivsbench.model.gate import WHOLE, Change, Gate, GateOutcome
from jivsbench.model.gate_text import format_gate, format_quantity
from jivsbench.model.metrics import convert_unit, find_metric
from jivsbench.model.summary import Effect, Figure, GateResult, Provenance, Summary

_ACCEPTED: Final = (Provenance.MEASURED, Provenance.DERIVED)
_PERCENT: Final = 100.0


@dataclass(frozen=True, slots=True)
class Judged:
    """The number a gate judges, in the gate's unit, with the range it lies in (the number itself when it is exact)."""

    value: float
    low: float
    high: float


def judge_gate(gate: Gate, summary: Summary, candidate: str) -> GateResult:
    """How one gate ends. Whatever is unknown is NO_DATA or INCONCLUSIVE, never green."""
    if gate.change is None:
        return _judge_figure(gate, summary.figure(candidate, gate.metric, gate.statistic, gate.window))
    return _judge_change(gate, gate.change, summary)


def _judge_figure(gate: Gate, figure: Figure | None) -> GateResult:
    if figure is None and gate.window != WHOLE:
        return _end(
            gate, GateOutcome.NO_DATA, f"the run took no figure over the window {str(gate.window)!r}: its plan named none"
        )
    if figure is None:
        return _end(gate, GateOutcome.NO_DATA, "the run has no such figure")
    if figure.value is None:
        return _end(gate, GateOutcome.NO_DATA, figure.method)
    if figure.provenance not in _ACCEPTED:
        return _end(gate, GateOutcome.NO_DATA, f"the figure is {figure.provenance}, not measured by this run")
    value = convert_unit(figure.value, figure.unit, gate.unit)
    if value is None:
        return _end(gate, GateOutcome.NO_DATA, f"the figure is in {figure.unit}, the limit in {gate.unit}")
    result = _compare(gate, Judged(value, value, value))
    return result if gate.window == WHOLE else replace(result, reason=f"{result.reason}: {figure.method}")


def _judge_change(gate: Gate, change: Change, summary: Summary) -> GateResult:
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
        return _compare(gate, Judged(value, bounds[0], bounds[1]))
    if _exists_once(gate):
        return _compare(gate, Judged(value, value, value))
    return _end(gate, GateOutcome.INCONCLUSIVE, f"{gate.change} is {value:.4g} %, but {effect.method}", value)


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
    return GateResult(gate, format_gate(gate), outcome, judged.value, judged.low, judged.high, _describe(gate, judged, outcome))


def _describe(gate: Gate, judged: Judged, outcome: GateOutcome) -> str:
    subject = gate.change or gate.statistic
    text = f"{subject} is {_show(judged.value, gate)}"
    if judged.low != judged.high:
        text += f", between {_show(judged.low, gate)} and {_show(judged.high, gate)}"
    if outcome is GateOutcome.INCONCLUSIVE:
        return f"{text}: the limit of {format_quantity(gate.limit, gate.unit)} lies inside, more pairs are needed"
    limit = f"limit {gate.comparator} {format_quantity(gate.limit, gate.unit)}"
    return f"{text} ({limit}, goal {format_quantity(gate.goal, gate.unit)})" if gate.goal is not None else f"{text} ({limit})"


def _show(value: float, gate: Gate) -> str:
    """As few digits as tell the value from the limit (and the goal): rounding must not turn a miss into a hit."""
    marks = [mark for mark in (gate.limit, gate.goal) if mark is not None]
    for digits in (4, 6, 9, 12):
        rounded = float(f"{value:.{digits}g}")
        if all((rounded > mark) == (value > mark) and (rounded < mark) == (value < mark) for mark in marks):
            return format_quantity(rounded, gate.unit)
    return format_quantity(value, gate.unit)


def _end(gate: Gate, outcome: GateOutcome, reason: str, value: float | None = None) -> GateResult:
    return GateResult(gate, format_gate(gate), outcome, value, None, None, reason)
