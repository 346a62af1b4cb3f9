"""From figures to a verdict. More bad news never makes it better: every input can only move it down.

From best to worst: PASSED, CONDITIONAL, INVALID, FAILED. A run whose record names a reason against its validity is
INVALID whatever its figures say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from jivsbench.analysis.comparison import judge_comparison
from jivsbench.analysis.findings import count_open
from jivsbench.analysis.gating import judge_gate
from jivsbench.model.comparison import ComparisonOutcome, CriterionResult
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench.model.gate import Gate, GateOutcome, GateSeverity
from jivsbench.model.record import RunRecord
from jivsbench.model.summary import GateResult, Summary, Verdict, VerdictOutcome

_APPROVAL: Final = "staging yes, production no"


def judge(record: RunRecord, summary: Summary, gates: Sequence[Gate]) -> Verdict:
    """Judge a run by its validity, its gates and its open findings."""
    results = tuple(judge_gate(gate, summary, record.plan.candidate, record.calibration) for gate in gates)
    weighed = _Scales(doubts=list(record.invalid))
    for result in results:
        weighed.add_gate(result)
    if record.aborted:
        weighed.failures.append(record.aborted)
    criteria = _compare(record)
    for criterion in criteria:
        weighed.add_criterion(criterion)
    if not gates and not criteria:
        weighed.conditions.append("no gate judged this run")
    for check in record.checks:
        weighed.add_check(check)
    outcome = VerdictOutcome.INVALID if record.invalid else weighed.outcome
    if outcome is VerdictOutcome.CONDITIONAL:
        return Verdict(outcome, results, (), (_APPROVAL, *weighed.conditions), criteria)
    # Without an approval there is nothing to attach a condition to: what would be one is a further reason.
    return Verdict(outcome, results, (*weighed.doubts, *weighed.failures, *weighed.conditions), (), criteria)


def _compare(record: RunRecord) -> tuple[CriterionResult, ...]:
    arms = {arm.profile.name: arm.blocks for arm in record.arms}
    baseline, candidate = arms.get(record.plan.baseline or ""), arms.get(record.plan.candidate)
    if record.plan.rule is None or baseline is None or candidate is None:
        return ()
    return judge_comparison(record.plan.rule, baseline, candidate)


@dataclass(slots=True)
class _Scales:
    """Collects what speaks against a run, each in the pan where it weighs."""

    failures: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> VerdictOutcome:
        if self.failures:
            return VerdictOutcome.FAILED
        if self.doubts:
            return VerdictOutcome.INVALID
        return VerdictOutcome.CONDITIONAL if self.conditions else VerdictOutcome.PASSED

    def add_gate(self, result: GateResult) -> None:
        if result.outcome.is_green:
            return
        text = f"gate {result.text!r} {result.outcome}: {result.reason}"
        if result.gate.severity is GateSeverity.WARN:
            self.conditions.append(text)
        elif result.outcome is GateOutcome.INCONCLUSIVE:
            self.doubts.append(text)
        else:
            self.failures.append(text)

    def add_criterion(self, result: CriterionResult) -> None:
        text = f"{result.metric} {result.statistic} {result.outcome}: {result.reason}"
        if result.outcome is ComparisonOutcome.WORSE:
            self.failures.append(text)
        elif result.outcome is ComparisonOutcome.INCONCLUSIVE:
            self.doubts.append(text)

    def add_check(self, check: CheckResult) -> None:
        text = f"check {check.check_id} ({check.title}) {check.outcome}: {check.reason}"
        if check.outcome is CheckOutcome.INVALID:
            self.doubts.append(text)
        elif check.outcome is CheckOutcome.NOT_TESTED:
            self.conditions.append(text)
        elif count_open((check,), Severity.CRITICAL):
            self.failures.append(text)
        elif count_open((check,), Severity.HIGH):
            self.conditions.append(text)
