"""Open findings, counted so that one more can never make a verdict better."""

from collections.abc import Sequence
from typing import Final

from jivsbench.analysis.figures import Known, build_figure, named_metric
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench.model.inputs import Inputs
from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Environment, Figure, Provenance

_RAN = (CheckOutcome.PASS, CheckOutcome.FAIL)
_BLOCKED: Final = {
    Severity.CRITICAL: (Environment.STAGING, Environment.PRODUCTION),
    Severity.HIGH: (Environment.PRODUCTION,),
}


def count_open(checks: Sequence[CheckResult], severity: Severity) -> int:
    """Open findings of a severity. A failed check that names none counts as one of its own."""
    return sum(check.open_severities.count(severity) for check in checks)


def list_blocked(severity: Severity, *, is_waived: bool = False) -> tuple[Environment, ...]:
    """Where a version may not go while a finding of that severity is open and not suppressed. A waiver lets it go to staging."""
    blocked = _BLOCKED.get(severity, ())
    return tuple(environment for environment in blocked if not is_waived or environment is not Environment.STAGING)


def explain_not_run(record: RunRecord) -> str | None:
    """What a run that speaks of security leaves unproven; None when every listed check has a result, or none was asked for."""
    count = record.score.not_run if record.score else 0
    if not count:
        return None
    checks, were, they = ("check", "was", "it") if count == 1 else ("checks", "were", "they")
    return f"{count} security {checks} {were} not run, so nothing is known of what {they} would have attacked"


def list_finding_figures(arm: str, checks: Sequence[CheckResult], inputs: Inputs | None = None) -> tuple[Figure, ...]:
    """The counts of open CRITICAL and HIGH findings; without a check that ran they are unknown, not 0.

    Findings that other tools reported are added; they alone do not make a count, for they say nothing of our own checks.
    """
    severities = (("findings.critical", Severity.CRITICAL), ("findings.high", Severity.HIGH))
    return tuple(
        build_figure(arm, named_metric(name), "count", _count(checks, severity, inputs)) for name, severity in severities
    )


def _count(checks: Sequence[CheckResult], severity: Severity, inputs: Inputs | None) -> Known | str:
    ran = sum(check.outcome in _RAN for check in checks)
    reported = sum(finding.severity is severity for finding in inputs.findings) if inputs else 0
    if not ran:
        return "no security check ran to its end"
    method = f"open {severity} findings of {ran} checks that ran, of {len(checks)}"
    if inputs and inputs.findings_files:
        method += f"; {reported} more from {', '.join(inputs.findings_files)}"
    return Known(count_open(checks, severity) + reported, ran, Provenance.MEASURED, method)
