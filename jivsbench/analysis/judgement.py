"""From figures to a verdict. More bad news never makes it better: every input can only move it down.

From best to worst: PASSED, CONDITIONAL, INVALID, FAILED. A run whose record names a reason against its validity is
INVALID whatever its figures say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from jivsbench.analysis.comparison import judge_comparison
from jivsbench.analysis.failed_jobs import describe_failed, find_failure
from jivsbench.analysis.findings import count_open, explain_not_run, list_blocked
from jivsbench.analysis.gating import judge_gate
from jivsbench.analysis.waiving import Answer, Waivers
from jivsbench.model.comparison import ComparisonOutcome, CriterionResult
from jivsbench.model.finding import CheckOutcome, CheckResult, Finding, Severity
from jivsbench.model.gate import Gate, GateOutcome, GateSeverity
from jivsbench.model.inputs import Inputs
from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Approval, Environment, GateResult, Summary, Verdict, VerdictOutcome

_ACCEPTED: Final = "what is open is suppressed, each with an owner and a last day: it holds nobody back"


def judge(record: RunRecord, summary: Summary, gates: Sequence[Gate], inputs: Inputs | None = None) -> Verdict:
    """Judge a run by its validity, its gates and its open findings, and by what is brought from outside."""
    results = tuple(judge_gate(gate, summary, record.plan.candidate, record.calibration) for gate in gates)
    waivers = Waivers(inputs, record.checks)
    weighed = _Scales(waivers, failures=list(waivers.list_expired()), doubts=list(record.invalid))
    for result in results:
        weighed.add_gate(result)
    if record.aborted:
        weighed.failures.append(record.aborted)
    criteria = _compare(record)
    for criterion in criteria:
        weighed.add_criterion(criterion)
    weighed.add_failed_jobs(record)
    if not gates and not criteria:
        weighed.conditions.append("no gate judged this run")
    for check in record.checks:
        weighed.add_check(check)
    not_run = explain_not_run(record)
    if not_run is not None:
        weighed.conditions.append(not_run)
    for finding in inputs.findings if inputs else ():
        weighed.add_finding(finding)
    outcome = VerdictOutcome.INVALID if record.invalid else weighed.outcome
    if outcome is VerdictOutcome.CONDITIONAL:
        conditions = (*(weighed.conditions or (_ACCEPTED,)), *weighed.accepted)
        approvals = _approve((), weighed.conditions)
        return Verdict(outcome, results, (), conditions, criteria, approvals=approvals, inputs=inputs)
    # Without an approval there is nothing to attach a condition to: what would be one is a further reason.
    reasons = (*weighed.doubts, *weighed.failures, *weighed.conditions)
    approvals = _approve((*weighed.doubts, *weighed.failures), weighed.conditions)
    return Verdict(outcome, results, reasons, (), criteria, approvals=approvals, inputs=inputs)


def _approve(decisive: Sequence[str], conditions: Sequence[str]) -> tuple[Approval, ...]:
    """Staging may hold a version with known conditions; production waits until each of them is settled.

    A suppressed finding is neither: the run is CONDITIONAL for it, and waits for nobody.
    """
    return tuple(
        Approval(environment, not open_points, tuple(open_points))
        for environment, open_points in (
            (Environment.STAGING, decisive),
            (Environment.PRODUCTION, (*decisive, *conditions)),
        )
    )


def _compare(record: RunRecord) -> tuple[CriterionResult, ...]:
    if record.plan.rule is None or record.sides is None:
        return ()
    baseline, candidate = record.sides
    return judge_comparison(record.plan.rule, baseline.blocks, candidate.blocks)


@dataclass(slots=True)
class _Scales:
    """Collects what speaks against a run, each in the pan where it weighs."""

    waivers: Waivers
    failures: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    """What is open and blocks nothing, because somebody answers for just that."""

    @property
    def outcome(self) -> VerdictOutcome:
        if self.failures:
            return VerdictOutcome.FAILED
        if self.doubts:
            return VerdictOutcome.INVALID
        return VerdictOutcome.CONDITIONAL if self.conditions or self.accepted else VerdictOutcome.PASSED

    def add_gate(self, result: GateResult) -> None:
        if result.outcome.is_green:
            return
        text = f"gate {result.text!r} {result.outcome}: {result.reason}"
        if result.gate.severity is GateSeverity.WARN:
            self.conditions.append(text)
        elif result.outcome is GateOutcome.INCONCLUSIVE:
            self.doubts.append(text)
        else:
            self._fail(text, self.waivers.explain_gate(result))

    def add_criterion(self, result: CriterionResult) -> None:
        text = f"{result.metric} {result.statistic} {result.outcome}: {result.reason}"
        if result.outcome is ComparisonOutcome.WORSE:
            self.failures.append(text)
        elif result.outcome is ComparisonOutcome.INCONCLUSIVE:
            self.doubts.append(text)

    def add_failed_jobs(self, record: RunRecord) -> None:
        if failure := find_failure(record):
            self.failures.append(failure)
        elif failed := describe_failed(record):
            self.conditions.append(failed)

    def add_check(self, check: CheckResult) -> None:
        text = f"check {check.check_id} ({check.title}) {check.outcome}: {check.reason}"
        if check.outcome is CheckOutcome.INVALID:
            self.doubts.append(text)
        elif check.outcome is CheckOutcome.NOT_TESTED:
            self.conditions.append(text)
        elif check.outcome is CheckOutcome.FAIL:
            self._add_failed(check, text)

    def _add_failed(self, check: CheckResult, text: str) -> None:
        for finding in check.findings:
            word = self.waivers.suppressions.explain(finding)
            if word is not None and list_blocked(finding.severity):
                self.accepted.append(f"finding {finding.fingerprint} ({finding.severity}: {finding.title}) is open - {word}")
        left = self.waivers.suppressions.leave_open(check)
        blocked = list_blocked(_find_worst(left)) if left else ()
        if left is None or not blocked:
            return
        told = f"{text} (open: {_count_by_severity(left)}; blocks {' and '.join(blocked)})"
        self._block(blocked, told, check.check_id)

    def add_finding(self, finding: Finding) -> None:
        text = f"reported {finding.check_id} ({finding.severity}): {finding.title}"
        word = self.waivers.suppressions.explain(finding)
        blocked = list_blocked(finding.severity)
        if word is None:
            self._block(blocked, text, finding.check_id)
        elif blocked:
            self.accepted.append(f"{text} - {word}")

    def _block(self, blocked: Sequence[Environment], text: str, check_id: str) -> None:
        """What holds staging fails the run, what holds production alone is a condition."""
        if Environment.STAGING in blocked:
            self._fail(text, self.waivers.explain_check(check_id))
        elif blocked:
            self.conditions.append(text)

    def _fail(self, text: str, answer: Answer | None) -> None:
        """A failure; a condition when somebody answers for it. It is named in both."""
        if answer is None:
            self.failures.append(text)
        else:
            (self.conditions if answer.blocks else self.accepted).append(f"{text} - {answer.text}")


def _find_worst(check: CheckResult) -> Severity:
    return max(check.open_severities, key=lambda severity: severity.weight)


def _count_by_severity(check: CheckResult) -> str:
    counts = [(count_open((check,), severity), severity) for severity in Severity]
    return ", ".join(f"{count} {severity}" for count, severity in counts if count)
