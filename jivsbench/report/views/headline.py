"""The first ten seconds: the verdict, why, under which conditions, and every gate."""

from dataclasses import dataclass, replace
from typing import Final

from jivsbench.analysis.validity import has_valid_figures
from jivsbench.analysis.waiving import Suppressions, build_suppressions
from jivsbench.model.comparison import ComparisonOutcome, CriterionResult
from jivsbench.model.finding import CheckResult, Severity
from jivsbench.model.formatting import (
    NOT_MEASURED,
    TIMES,
    format_beside,
    format_confidence,
    format_count,
    format_duration,
    format_interval,
    format_limit,
    format_moment,
    format_ratio,
    format_ratio_interval,
)
from jivsbench.model.gate import GateOutcome, GateSeverity
from jivsbench.model.gate_text import direction_of
from jivsbench.model.metrics import Direction, find_metric
from jivsbench.model.record import RunKind, RunRecord
from jivsbench.model.summary import Approval, GateResult, Summary, Verdict, VerdictOutcome
from jivsbench.report.views.answers import list_answers
from jivsbench.report.views.badges import Badge, badge_approval, badge_comparison, badge_gate, badge_verdict
from jivsbench.report.views.key_figures import format_figure
from jivsbench.report.views.limits import describe_limit

_HEADLINES: Final = (
    ("throughput.records", "rate", "throughput", Direction.HIGHER),
    ("job.response", "p95", "p95 job duration", Direction.LOWER),
)
_OPEN: Final = "Open CRITICAL"


@dataclass(frozen=True, slots=True)
class GateLine:
    """One gate as a row."""

    text: str
    badge: Badge
    is_warning: bool
    value: str
    interval: str
    limit: str
    goal: str
    reason: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """An open CRITICAL finding, shown above everything else, also when somebody answers for it."""

    word: str
    check_id: str
    title: str
    reason: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApprovalLine:
    """Where the version may go."""

    environment: str
    badge: Badge
    note: str


@dataclass(frozen=True, slots=True)
class Headline:
    """The top of the page."""

    badge: Badge
    title: str
    subject: str
    why: str
    effect: str
    answers: tuple[str, ...]
    reasons: tuple[str, ...]
    conditions: tuple[str, ...]
    approvals: tuple[ApprovalLine, ...]
    facts: tuple[str, ...]
    alarms: tuple[Alarm, ...]
    gates: tuple[GateLine, ...]
    is_valid: bool


def build_headline(record: RunRecord, summary: Summary, verdict: Verdict) -> Headline:
    """The verdict and all that belongs beside it."""
    is_valid = has_valid_figures(record, verdict)
    return Headline(
        badge=badge_verdict(verdict.outcome),
        title=record.plan.scenario.title or record.plan.scenario.name,
        subject=describe_subject(record),
        why=explain_verdict(verdict, is_valid=is_valid),
        effect=describe_effect(record, summary) if is_valid else "",
        answers=list_answers(record, summary) if is_valid else (),
        reasons=list_reasons(record, verdict),
        conditions=verdict.conditions,
        approvals=tuple(_build_approval(approval) for approval in verdict.approvals),
        facts=_list_facts(record),
        alarms=find_alarms(record, verdict),
        gates=(
            *(build_criterion_line(record, result, is_valid=is_valid) for result in verdict.criteria),
            *(build_gate_line(result, is_valid=is_valid) for result in verdict.gates),
        ),
        is_valid=is_valid,
    )


def describe_subject(record: RunRecord) -> str:
    """Which profile was measured, and against which."""
    plan = record.plan
    return f"{plan.candidate} against {plan.baseline}" if plan.baseline else f"profile {plan.candidate}"


def _explain_comparison(verdict: Verdict) -> str:
    """One sentence on what the comparison concluded."""
    outcomes = [result.outcome for result in verdict.criteria]
    if ComparisonOutcome.WORSE in outcomes:
        return "The candidate is worse."
    if ComparisonOutcome.INCONCLUSIVE in outcomes:
        return "Whether the candidate is better or worse is not known yet: measure longer."
    if ComparisonOutcome.BETTER in outcomes:
        return "The candidate is better."
    return "The candidate is as good as the baseline, within the margin."


def _is_decided_by_criteria(verdict: Verdict) -> bool:
    """False when the run ended for something else, such as an open finding: then that must be said, not who is better."""
    outcomes = [result.outcome for result in verdict.criteria]
    if verdict.outcome is VerdictOutcome.FAILED:
        return ComparisonOutcome.WORSE in outcomes
    if verdict.outcome is VerdictOutcome.INVALID:
        return ComparisonOutcome.INCONCLUSIVE in outcomes
    return bool(outcomes)


def explain_verdict(verdict: Verdict, *, is_valid: bool) -> str:
    """One sentence on why the run ended as it did. `is_valid`: its figures count."""
    if is_valid and not verdict.gates and _is_decided_by_criteria(verdict):
        return _explain_comparison(verdict)
    missed = [result for result in verdict.gates if not result.outcome.is_green]
    count = len(verdict.gates)
    match verdict.outcome:
        case VerdictOutcome.INVALID if not is_valid:
            return "Nothing valid was measured. The figures below say nothing about the target."
        case VerdictOutcome.INVALID:
            open_count = sum(result.outcome is GateOutcome.INCONCLUSIVE for result in verdict.gates)
            what = f"{open_count} of {_gates(count)} could not" if open_count else "Not all that was asked could"
            return f"The figures below count. {what} be judged by them."
        case VerdictOutcome.PASSED:
            return "No gate was asked, and nothing stands against it." if not count else _all_met(count)
        case VerdictOutcome.CONDITIONAL if not missed:
            return "Approved under conditions."
        case VerdictOutcome.CONDITIONAL:
            return f"Approved under conditions: {len(missed)} of {_gates(count)} not met, none of them decisive."
        case VerdictOutcome.FAILED if not missed:
            return "No gate was missed, but something else stands against it."
        case VerdictOutcome.FAILED:
            return f"{len(missed)} of {_gates(count)} {'is' if len(missed) == 1 else 'are'} not met."


def describe_effect(record: RunRecord, summary: Summary) -> str:
    """In one sentence: what the comparison found for throughput and p95, or what the one arm reached; empty when unknown."""
    if record.plan.baseline is None:
        return _describe_arm(record.plan.candidate, summary)
    parts = []
    for metric, statistic, label, better in _HEADLINES:
        effect = summary.effect(metric, statistic)
        if effect and effect.ratio is not None and effect.ratio_low is not None:
            interval = format_ratio_interval(effect.ratio_low, effect.ratio_high)
            times = format_ratio(effect.ratio, better).removeprefix(TIMES)
            parts.append(f"{times} times the {label} ({format_confidence(effect.confidence)} interval {interval})")
    if not parts:
        return ""
    return f"Measured against {record.plan.baseline}, {record.plan.candidate} has {' and '.join(parts)}."


def list_reasons(record: RunRecord, verdict: Verdict) -> tuple[str, ...]:
    """Why it is not green: what makes the run invalid first, then the verdict's own reasons; each once."""
    return tuple(dict.fromkeys((*record.invalid, *verdict.reasons)))


def find_alarms(record: RunRecord, verdict: Verdict) -> tuple[Alarm, ...]:
    """Every check that leaves a CRITICAL hole open, and every arm that ran with no guard by its profile's own word."""
    suppressions = build_suppressions(verdict.inputs)
    alarms = [_build_alarm(check, suppressions) for check in record.checks if Severity.CRITICAL in check.open_severities]
    if not any(alarm.check_id == "SEC-001" for alarm in alarms):
        alarms += [
            Alarm(_OPEN, "SEC-001", "No SQL guard was in force", f"the profile {arm.profile.name} says guards = []", ())
            for arm in record.arms
            if arm.profile.guards == ()
        ]
    return tuple(alarms)


def _build_alarm(check: CheckResult, suppressions: Suppressions) -> Alarm:
    """Of a check's CRITICAL findings those that nobody answers for; all of them when somebody answers for each."""
    left = suppressions.leave_open(check)
    is_open = left is not None and Severity.CRITICAL in left.open_severities
    shown = left if left is not None and is_open else check
    critical = tuple(finding for finding in shown.findings if finding.severity is Severity.CRITICAL)
    evidence = tuple(finding.evidence for finding in critical if finding.evidence)
    hole = _name_hole(replace(shown, findings=critical))
    return Alarm(_OPEN if is_open else "Suppressed CRITICAL", check.check_id, hole, check.reason, evidence)


def build_gate_line(result: GateResult, *, is_valid: bool) -> GateLine:
    """One gate: what was found beside what was asked, rounded so that the two never look alike by accident."""
    gate = result.gate
    better = direction_of(gate)
    value = format_beside(result.value, gate.limit, gate.unit, better)
    return GateLine(
        text=result.text,
        badge=badge_gate(result.outcome, is_valid=is_valid),
        is_warning=gate.severity is GateSeverity.WARN,
        value=NOT_MEASURED if result.outcome is GateOutcome.NO_DATA else value,
        interval=format_interval(result.low, result.high, gate.unit, gate.limit),
        limit=describe_limit(gate),
        goal="" if gate.goal is None else format_limit(gate.goal, gate.unit),
        reason=f"{result.reason} (limit from: {gate.limit_source})" if gate.limit_source else result.reason,
    )


def build_criterion_line(record: RunRecord, result: CriterionResult, *, is_valid: bool) -> GateLine:
    """One criterion of a comparison: the ratio with its interval beside the margin."""
    metric = find_metric(result.metric)
    rule = record.plan.rule
    interval = "" if result.ratio_low is None else format_ratio_interval(result.ratio_low, result.ratio_high)
    return GateLine(
        text=f"{result.metric} {result.statistic}",
        badge=badge_comparison(result.outcome, is_valid=is_valid),
        is_warning=False,
        value=format_ratio(result.ratio, metric.better if metric else None),
        interval=interval,
        limit=f"no change beyond {rule.margin_ratio * 100:g} %" if rule else "",
        goal="",
        reason=result.reason,
    )


def _build_approval(approval: Approval) -> ApprovalLine:
    count = len(approval.conditions)
    note = "" if approval.is_approved else f"until {'1 point is' if count == 1 else f'{count} points are'} settled"
    return ApprovalLine(approval.environment.value, badge_approval(is_approved=approval.is_approved), note)


def _name_hole(check: CheckResult) -> str:
    # A check's own title says what a pass means; above an alarm it would read as if all were well.
    return check.findings[0].title if check.findings else f"Not so: {check.title}"


def _describe_arm(arm: str, summary: Summary) -> str:
    parts = []
    for metric, statistic, label, _ in _HEADLINES:
        figure = summary.figure(arm, metric, statistic)
        if figure is not None and figure.value is not None:
            parts.append(f"{label} {format_figure(figure)}")
    return f"{arm}: {', '.join(parts)}." if parts else ""


def _all_met(count: int) -> str:
    return "The only gate is met." if count == 1 else f"All {count} gates are met."


def _gates(count: int) -> str:
    return "1 gate" if count == 1 else f"{count} gates"


def _list_facts(record: RunRecord) -> tuple[str, ...]:
    plan = record.plan
    kind = "comparison" if plan.kind is RunKind.COMPARISON else "run"
    facts = [f"{kind} {record.run_id}", format_moment(record.started_at), f"took {format_duration(record.duration_s)}"]
    if record.is_partial:
        facts.append("PARTIAL: cut off before its end")
    if plan.time_scale != 1:
        facts.append(f"durations shortened: {plan.time_scale:g} of the scenario's own")
    facts.append(f"{format_count(plan.table_rows)} rows in {plan.source_label}")
    return tuple(facts)
