"""Waivers: which known misses somebody answers for, until when. A waiver hides nothing and saves nobody for good."""

from collections.abc import Iterator, Sequence
from typing import Final

from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench.model.gate import GateOutcome
from jivsbench.model.inputs import Inputs, Waiver, WaiverTarget
from jivsbench.model.summary import GateResult

_SEVERITIES: Final = {"findings.critical": Severity.CRITICAL, "findings.high": Severity.HIGH}


class Waivers:
    """The waivers of one judgement, on its day."""

    __slots__ = ("_checks", "_gates", "_inputs", "_results")

    def __init__(self, inputs: Inputs | None, checks: Sequence[CheckResult]) -> None:
        self._inputs = inputs
        self._results = checks
        valid = [waiver for waiver in inputs.waivers if not waiver.has_expired(inputs.judged_on)] if inputs else []
        self._gates = {waiver.name: waiver for waiver in valid if waiver.target is WaiverTarget.GATE}
        self._checks = {waiver.name: waiver for waiver in valid if waiver.target is WaiverTarget.CHECK}

    def list_expired(self) -> Iterator[str]:
        """A failure for each waiver past its last day, whatever has become of what it was for."""
        for waiver in self._inputs.waivers if self._inputs else ():
            if waiver.has_expired(self._inputs.judged_on if self._inputs else ""):
                yield (
                    f"the waiver of {waiver.target} {waiver.name!r} by {waiver.owner} expired on {waiver.expires}:"
                    " settle it, or renew it with a new date"
                )

    def explain_gate(self, result: GateResult) -> str | None:
        """By whose word a missed gate is accepted; None when by nobody's. What was not measured cannot be waived."""
        if result.outcome is not GateOutcome.FAILED:
            return None
        waiver = self._gates.get(result.text)
        if waiver is not None:
            return _explain(waiver)
        severity = _SEVERITIES.get(result.gate.metric)
        return self._explain_count(severity) if severity else None

    def explain_check(self, check_id: str) -> str | None:
        """By whose word an open finding is accepted; None when by nobody's."""
        waiver = self._checks.get(check_id)
        return _explain(waiver) if waiver else None

    def _explain_count(self, severity: Severity) -> str | None:
        """A count of findings is accepted when every one that it counts is."""
        reported = self._inputs.findings if self._inputs else ()
        open_ids = {finding.check_id for finding in reported if finding.severity is severity}
        for check in self._results:
            if check.outcome is CheckOutcome.FAIL and (
                check.severity is severity or any(finding.severity is severity for finding in check.findings)
            ):
                open_ids.add(check.check_id)
        if open_ids and open_ids <= self._checks.keys():
            return f"each of them is waived: {', '.join(sorted(open_ids))}"
        return None


def _explain(waiver: Waiver) -> str:
    return f"waived by {waiver.owner} until {waiver.expires}: {waiver.reason}"
