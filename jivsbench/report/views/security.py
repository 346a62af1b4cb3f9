"""The security checks: how each ended, what it tried, and the evidence of what it found."""

from dataclasses import dataclass

from jivsbench.model.finding import CheckOutcome, CheckResult, Finding
from jivsbench.model.record import RunRecord
from jivsbench.report.formatting import format_count, format_duration
from jivsbench.report.views.badges import Badge, Tone, badge_check, tone_of


@dataclass(frozen=True, slots=True)
class FindingView:
    """One hole: what showed it, and how to see it again."""

    severity: str
    tone: Tone
    title: str
    evidence: str
    reproducer: str


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One check as a row."""

    check_id: str
    title: str
    severity: str
    badge: Badge
    is_open: bool
    reason: str
    attempted: str
    reached: str
    benign: str
    duration: str
    seed: str
    cwe: str
    findings: tuple[FindingView, ...]


@dataclass(frozen=True, slots=True)
class Security:
    """The section on security; `lines` are sorted, open ones first."""

    lines: tuple[CheckLine, ...]
    score: str
    letter: str
    counts: str


_ORDER = (CheckOutcome.FAIL, CheckOutcome.INVALID, CheckOutcome.NOT_TESTED, CheckOutcome.PASS, CheckOutcome.NOT_APPLICABLE)


def build_security(record: RunRecord) -> Security:
    """All checks: the worst first, then by severity and id."""
    ordered = sorted(record.checks, key=lambda check: (_ORDER.index(check.outcome), -check.severity.weight, check.check_id))
    score = record.score
    counts = ", ".join(
        f"{count} {outcome.value.replace('_', ' ')}"
        for outcome in _ORDER
        if (count := sum(check.outcome is outcome for check in record.checks))
    )
    # A score is cut, never rounded up: 79.96 is not 80.
    shown = "" if score is None or score.score is None else f"{int(score.score * 10) / 10:g}"
    return Security(tuple(_build_line(check) for check in ordered), shown, (score.letter or "") if score else "", counts)


def _build_line(check: CheckResult) -> CheckLine:
    was_run = check.attempted > 0
    return CheckLine(
        check_id=check.check_id,
        title=check.title,
        severity=check.severity.value,
        badge=badge_check(check.outcome),
        is_open=check.outcome is CheckOutcome.FAIL,
        reason=check.reason,
        attempted=format_count(check.attempted) if was_run else "none",
        reached=format_count(check.reached) if was_run else "none",
        benign=f"{format_count(check.benign_before)} / {format_count(check.benign_after)}",
        duration=format_duration(round(check.duration_s, 2)),
        seed=str(check.seed),
        cwe=", ".join(check.cwe),
        findings=tuple(_build_finding(finding) for finding in check.findings),
    )


def _build_finding(finding: Finding) -> FindingView:
    return FindingView(finding.severity.value, tone_of(finding.severity), finding.title, finding.evidence, finding.reproducer)
