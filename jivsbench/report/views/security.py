"""The security checks: how each ended, what it tried, what it found, and what the score is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from jivsbench.analysis.findings import list_blocked
from jivsbench.analysis.waiving import Waivers
from jivsbench.config.controls import load_catalogue
from jivsbench.model.finding import CheckOutcome, CheckResult, Finding, SecurityScore, Severity
from jivsbench.model.formatting import format_count, format_duration
from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Verdict
from jivsbench.report.views.badges import Badge, Tone, badge_check, tone_of
from jivsbench.report.views.standards import StandardView, UntestedLine, build_standards, list_untested


@dataclass(frozen=True, slots=True)
class FindingView:
    """One hole: what showed it, how to see it again, what to do, and what waits for that."""

    check_id: str
    severity: str
    tone: Tone
    title: str
    evidence: str
    reproducer: str
    seed: str
    cwe: str
    remedy: str
    fingerprint: str
    blocks: str
    answer: str
    """Whose word it is that it may be open; empty when nobody's."""


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


@dataclass(frozen=True, slots=True)
class ShareLine:
    """What the checks of one severity bring into the score."""

    severity: str
    weight: str
    passed: str
    failed: str
    not_tested: str
    earned: str
    counted: str


@dataclass(frozen=True, slots=True)
class ScoreView:
    """The score, its letter or why there is none, and how it came about. Empty texts where there is nothing to say."""

    value: str
    letter: str
    letter_note: str
    shares: tuple[ShareLine, ...]
    total: str
    cap: str


@dataclass(frozen=True, slots=True)
class SecurityView:
    """The section on security; `lines` and `findings` are sorted, the worst first."""

    lines: tuple[CheckLine, ...]
    counts: str
    score: ScoreView
    findings: tuple[FindingView, ...]
    standards: tuple[StandardView, ...]
    untested: tuple[UntestedLine, ...]
    not_run: tuple[UntestedLine, ...]

    @property
    def not_run_note(self) -> str:
        """How many checks were left out; empty when none was."""
        count = len(self.not_run)
        if not count:
            return ""
        return (
            "1 check was not run and is not in the score"
            if count == 1
            else f"{count} checks were not run and are not in the score"
        )


_ORDER: Final = (
    CheckOutcome.FAIL,
    CheckOutcome.INVALID,
    CheckOutcome.NOT_TESTED,
    CheckOutcome.PASS,
    CheckOutcome.NOT_APPLICABLE,
)


def build_security(record: RunRecord, verdict: Verdict | None = None) -> SecurityView:
    """The section of a run; suppressions are those that its verdict was given."""
    return describe_security(record.checks, record.score, Waivers(verdict.inputs if verdict else None, record.checks))


def describe_security(results: Sequence[CheckResult], score: SecurityScore | None, waivers: Waivers) -> SecurityView:
    """All checks: the worst first, then by severity and id."""
    ordered = sorted(results, key=lambda check: (_ORDER.index(check.outcome), -check.severity.weight, check.check_id))
    catalogue = load_catalogue()
    untested, not_run = list_untested(catalogue, ordered)
    return SecurityView(
        lines=tuple(_build_line(check) for check in ordered),
        counts=count_outcomes(results),
        score=_build_score(_withhold_letter(score, len(not_run))),
        findings=_list_findings(ordered, waivers),
        standards=build_standards(catalogue, results),
        untested=untested,
        not_run=not_run,
    )


def _withhold_letter(score: SecurityScore | None, not_run: int) -> SecurityScore | None:
    """Records of earlier versions have a letter for a few checks; it speaks for all of them."""
    if score is None or not not_run or score.letter in {None, "F"}:
        return score
    return replace(score, letter=None, not_run=not_run)


def count_outcomes(results: Sequence[CheckResult]) -> str:
    """How many checks ended how, in one line."""
    counts = ((sum(check.outcome is outcome for check in results), outcome) for outcome in _ORDER)
    return ", ".join(f"{count} {outcome.value.replace('_', ' ')}" for count, outcome in counts if count)


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
    )


def _list_findings(ordered: Sequence[CheckResult], waivers: Waivers) -> tuple[FindingView, ...]:
    pairs = [(check, finding) for check in ordered for finding in check.findings]
    pairs.sort(key=lambda pair: (-pair[1].severity.weight, waivers.suppressions.explain(pair[1]) is not None))
    return tuple(_build_finding(check, finding, waivers) for check, finding in pairs)


def _build_finding(check: CheckResult, finding: Finding, waivers: Waivers) -> FindingView:
    word = waivers.suppressions.explain(finding)
    waiver = waivers.explain_check(finding.check_id) if word is None else None
    blocked = list_blocked(finding.severity, is_waived=waiver is not None) if word is None else ()
    answer = word or (waiver.text if waiver else "")
    facts = load_catalogue().find(finding.check_id)
    return FindingView(
        check_id=finding.check_id,
        severity=finding.severity.value,
        tone=tone_of(finding.severity) if word is None else Tone.MUTED,
        title=finding.title,
        evidence=finding.evidence,
        reproducer=finding.reproducer,
        seed=str(check.seed),
        cwe=", ".join(check.cwe),
        remedy=_begin_sentence(facts.remedy) if facts else "",
        fingerprint=finding.fingerprint,
        blocks=f"Blocks {' and '.join(blocked)}." if blocked else "Blocks nothing.",
        answer=_begin_sentence(answer) if answer else "",
    )


def _build_score(score: SecurityScore | None) -> ScoreView:
    if score is None or score.score is None:
        return ScoreView("", "", "", (), "", "")
    shares = tuple(
        ShareLine(
            share.severity.value,
            f"{share.weight:g}",
            str(share.passed),
            str(share.failed),
            str(share.not_tested),
            f"{share.earned:g}",
            f"{share.counted:g}",
        )
        for share in score.shares
    )
    earned, counted = (sum(share.earned for share in score.shares), sum(share.counted for share in score.shares))
    total = "" if score.uncapped is None else f"100 \N{MULTIPLICATION SIGN} {earned:g} / {counted:g} = {_cut(score.uncapped)}"
    return ScoreView(_cut(score.score), score.letter or "", _explain_letter(score), shares, total, _explain_cap(score))


def _cut(score: float) -> str:
    # A score is cut, never rounded up: 79.96 is not 80.
    return f"{int(score * 10) / 10:g}"


def _explain_letter(score: SecurityScore) -> str:
    if score.letter:
        return ""
    missing = [
        f"{score.not_run} of them {'was' if score.not_run == 1 else 'were'} not run" if score.not_run else "",
        f"{score.invalid} ended INVALID" if score.invalid else "",
    ]
    return f"No letter: a letter speaks for all checks, and {' and '.join(filter(None, missing))}."


def _explain_cap(score: SecurityScore) -> str:
    if score.cap is None or score.capped_by is None:
        return ""
    letter = "F" if score.capped_by is Severity.CRITICAL else "at best C"
    return f"An open {score.capped_by} finding: at most {score.cap:g}, and the letter is {letter}."


def _begin_sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
