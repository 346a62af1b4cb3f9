"""The security score: one formula, with caps that no amount of green can lift. Pure.

score = 100 x sum(weight of PASS) / sum(weight of PASS + FAIL + NOT_TESTED), so not looking lowers it. INVALID and
NOT_APPLICABLE checks carry no weight: the first say nothing about the target, the second have nothing to say.
"""

from collections.abc import Sequence
from typing import Final

from jivsbench.model.finding import CheckOutcome, CheckResult, SecurityScore, Severity

_LETTERS: Final = (
    (95.0, "A+"),
    (90.0, "A"),
    (85.0, "A-"),
    (80.0, "B+"),
    (75.0, "B"),
    (70.0, "B-"),
    (65.0, "C+"),
    (60.0, "C"),
    (50.0, "D"),
)
_COUNTED: Final = (CheckOutcome.PASS, CheckOutcome.FAIL, CheckOutcome.NOT_TESTED)
_CRITICAL_CAP: Final = 49.0
_HIGH_CAP: Final = 79.0


def score(results: Sequence[CheckResult]) -> SecurityScore:
    """Score 0 to 100 and letter; both None when no check counts. Adding a failed check or a finding never raises either."""
    value = _value(results)
    open_severities = {severity for result in results for severity in find_open_severities(result)}
    letter = None
    if value is not None:
        if Severity.CRITICAL in open_severities:
            value = min(value, _CRITICAL_CAP)
        elif Severity.HIGH in open_severities:
            value = min(value, _HIGH_CAP)
        letter = _letter(value, is_capped=Severity.HIGH in open_severities)
    return SecurityScore(
        score=value,
        letter=letter,
        passed=_count(results, CheckOutcome.PASS),
        failed=_count(results, CheckOutcome.FAIL),
        not_tested=_count(results, CheckOutcome.NOT_TESTED),
        invalid=_count(results, CheckOutcome.INVALID),
    )


def find_open_severities(result: CheckResult) -> frozenset[Severity]:
    """Severities of what a failed check leaves open: its findings', or its own when it names none."""
    if result.outcome is not CheckOutcome.FAIL:
        return frozenset()
    return frozenset(finding.severity for finding in result.findings) or frozenset({result.severity})


def _value(results: Sequence[CheckResult]) -> float | None:
    counted = sum(result.severity.weight for result in results if result.outcome in _COUNTED)
    passed = sum(result.severity.weight for result in results if result.outcome is CheckOutcome.PASS)
    return 100.0 * passed / counted if counted else None


def _letter(value: float, *, is_capped: bool) -> str:
    """With a HIGH open the best letter is C, whatever the number: 79 alone would read B."""
    best = next((letter for floor, letter in _LETTERS if value >= floor), "F")
    if is_capped and best not in ("C", "D", "F"):
        return "C"
    return best


def _count(results: Sequence[CheckResult], outcome: CheckOutcome) -> int:
    return sum(result.outcome is outcome for result in results)
