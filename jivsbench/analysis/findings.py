"""Open findings, counted so that one more can never make a verdict better."""

from collections.abc import Sequence

from jivsbench.analysis.figures import Known, build_figure, named_metric
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench.model.summary import Figure, Provenance

_RAN = (CheckOutcome.PASS, CheckOutcome.FAIL)


def count_open(checks: Sequence[CheckResult], severity: Severity) -> int:
    """Open findings of a severity. A failed check of that severity counts once even when it lists none of it."""
    return sum(_count_in(check, severity) for check in checks)


def list_finding_figures(arm: str, checks: Sequence[CheckResult]) -> tuple[Figure, ...]:
    """The counts of open CRITICAL and HIGH findings; without a check that ran they are unknown, not 0."""
    severities = (("findings.critical", Severity.CRITICAL), ("findings.high", Severity.HIGH))
    return tuple(build_figure(arm, named_metric(name), "count", _count(checks, severity)) for name, severity in severities)


def _count(checks: Sequence[CheckResult], severity: Severity) -> Known | str:
    ran = sum(check.outcome in _RAN for check in checks)
    if not ran:
        return "no security check ran to its end"
    method = f"open {severity} findings of {ran} checks that ran, of {len(checks)}"
    return Known(count_open(checks, severity), ran, Provenance.MEASURED, method)


def _count_in(check: CheckResult, severity: Severity) -> int:
    if check.outcome is not CheckOutcome.FAIL:
        return 0
    listed = sum(finding.severity is severity for finding in check.findings)
    return max(listed, check.severity is severity)
