"""The finding that a profile without guards brings about by itself: no attack is needed to know that nothing looks."""

from jivsbench.model.finding import CheckOutcome, CheckResult, Finding, Severity
from jivsbench.model.profile import Profile

_ID = "SEC-001"
_CWE = ("CWE-89",)


def missing_guard_result(profile: Profile) -> CheckResult:
    """SEC-001 as an open CRITICAL, for a profile that says `guards = []`."""
    finding = Finding(
        check_id=_ID,
        severity=Severity.CRITICAL,
        title="no guard reviews extraction requests",
        evidence=f"profile {profile.name!r} says `guards = []`",
        reproducer="POST /api/v1/extractions with any query: nothing reviews it",
    )
    return CheckResult(
        check_id=_ID,
        title="Every extraction request is reviewed by a guard",
        severity=Severity.CRITICAL,
        outcome=CheckOutcome.FAIL,
        reason=f"profile {profile.name!r} runs without guards, as written: remove `guards = []` to have requests reviewed",
        findings=(finding,),
        cwe=_CWE,
    )
