"""Waivers and suppressions: what somebody answers for, until when. They hide nothing and save nobody for good.

A waiver is for a gate or a whole check, whatever it finds: production waits all the same. A suppression is for one finding by
its fingerprint, which somebody has looked at: it blocks nothing, is shown as before, and costs the score what it cost before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from jivsbench.model.finding import CheckOutcome, CheckResult, Finding, Severity
from jivsbench.model.gate import GateOutcome
from jivsbench.model.inputs import Inputs, Waiver, WaiverTarget
from jivsbench.model.summary import GateResult

_SEVERITIES: Final = {"findings.critical": Severity.CRITICAL, "findings.high": Severity.HIGH}


@dataclass(frozen=True, slots=True)
class Answer:
    """Somebody's word on a miss. It keeps a run from failing; production waits while it `blocks`."""

    text: str
    blocks: bool


class Suppressions:
    """The suppressions that hold on a day."""

    __slots__ = ("_by_fingerprint",)

    def __init__(self, waivers: Sequence[Waiver], today: str) -> None:
        self._by_fingerprint = {
            waiver.name: waiver for waiver in waivers if waiver.target is WaiverTarget.FINDING and not waiver.has_expired(today)
        }

    def explain(self, finding: Finding) -> str | None:
        """By whose word a finding is accepted; None when by nobody's."""
        waiver = self._by_fingerprint.get(finding.fingerprint)
        return f"suppressed by {waiver.owner} until {waiver.expires}: {waiver.reason}" if waiver else None

    def leave_open(self, check: CheckResult) -> CheckResult | None:
        """The check with the findings that nobody answers for; None when each of them is suppressed."""
        if check.outcome is not CheckOutcome.FAIL or not check.findings:
            return check
        left = tuple(finding for finding in check.findings if self.explain(finding) is None)
        return replace(check, findings=left) if left else None

    def list_unused(self, checks: Sequence[CheckResult]) -> tuple[str, ...]:
        """Fingerprints that no finding of these checks has."""
        found = {finding.fingerprint for check in checks for finding in check.findings}
        return tuple(name for name in self._by_fingerprint if name not in found)


def list_expired(waivers: Sequence[Waiver], today: str) -> Iterator[str]:
    """A failure for each waiver and suppression past its last day, whatever has become of what it was for."""
    for waiver in waivers:
        if waiver.has_expired(today):
            kind = "suppression" if waiver.target is WaiverTarget.FINDING else "waiver"
            yield (
                f"the {kind} of {waiver.target} {waiver.name!r} by {waiver.owner} expired on {waiver.expires}:"
                " settle it, or renew it with a new date"
            )


def build_suppressions(inputs: Inputs | None) -> Suppressions:
    """Those of a judgement, on its day."""
    return Suppressions(inputs.waivers, inputs.judged_on) if inputs else Suppressions((), "")


class Waivers:
    """The waivers of one judgement, on its day."""

    __slots__ = ("_checks", "_gates", "_inputs", "_results", "suppressions")

    def __init__(self, inputs: Inputs | None, checks: Sequence[CheckResult]) -> None:
        self._inputs = inputs
        self._results = checks
        self.suppressions = build_suppressions(inputs)
        valid = [waiver for waiver in inputs.waivers if not waiver.has_expired(inputs.judged_on)] if inputs else []
        self._gates = {waiver.name: waiver for waiver in valid if waiver.target is WaiverTarget.GATE}
        self._checks = {waiver.name: waiver for waiver in valid if waiver.target is WaiverTarget.CHECK}

    def list_expired(self) -> Iterator[str]:
        """A failure for each of them past its last day."""
        return list_expired(self._inputs.waivers, self._inputs.judged_on) if self._inputs else iter(())

    def explain_gate(self, result: GateResult) -> Answer | None:
        """By whose word a missed gate is accepted; None when by nobody's. What was not measured cannot be waived."""
        if result.outcome is not GateOutcome.FAILED:
            return None
        waiver = self._gates.get(result.text)
        if waiver is not None:
            return _explain(waiver)
        severity = _SEVERITIES.get(result.gate.metric)
        return self._explain_count(severity) if severity else None

    def explain_check(self, check_id: str) -> Answer | None:
        """By whose word an open finding is accepted; None when by nobody's."""
        waiver = self._checks.get(check_id)
        return _explain(waiver) if waiver else None

    def _explain_count(self, severity: Severity) -> Answer | None:
        """A count of findings is accepted when every one that it counts is."""
        reported = self._inputs.findings if self._inputs else ()
        open_ids: set[str] = set()
        suppressed_ids: set[str] = set()
        for finding in reported:
            if finding.severity is severity:
                (suppressed_ids if self.suppressions.explain(finding) else open_ids).add(finding.check_id)
        for check in self._results:
            if severity not in check.open_severities:
                continue
            left = self.suppressions.leave_open(check)
            (open_ids if left is not None and severity in left.open_severities else suppressed_ids).add(check.check_id)
        if open_ids and open_ids <= self._checks.keys():
            return Answer(f"each of them is waived: {', '.join(sorted(open_ids | suppressed_ids))}", blocks=True)
        if suppressed_ids and not open_ids:
            return Answer(f"each of them is suppressed: {', '.join(sorted(suppressed_ids))}", blocks=False)
        return None


def _explain(waiver: Waiver) -> Answer:
    return Answer(f"waived by {waiver.owner} until {waiver.expires}: {waiver.reason}", blocks=True)
