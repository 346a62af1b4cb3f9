"""The security score: one formula, with caps that no amount of green can lift. Pure.

score = 100 x sum(weight of PASS) / sum(weight of PASS + FAIL + NOT_TESTED), so not looking lowers it. INVALID and
NOT_APPLICABLE checks carry no weight: the first say nothing about the target, the second have nothing to say.
"""

from collections.abc import Sequence
from typing import Final

from jivsbench.model.finding import CheckOutcome, CheckResult, SecurityScore, Severity, SeverityShare

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
_CAPS: Final = ((Severity.CRITICAL, 49.0), (Severity.HIGH, 79.0))


def score(results: Sequence[CheckResult], not_run: int = 0) -> SecurityScore:
    """Score 0 to 100 and letter; both None when no check counts. Adding a failed check or a finding never raises either.

    `not_run` is the number of listed checks without a result. They are not in the score, which says what was measured; but
    a letter says something about the whole, so there is none while a check is not run or INVALID. A suppression changes
    nothing here: it says who answers for a hole, not that there is none.
    """
    shares = tuple(_share(results, severity) for severity in Severity)
    counted = sum(share.counted for share in shares)
    uncapped = 100.0 * sum(share.earned for share in shares) / counted if counted else None
    cap, capped_by = _find_cap(results)
    value = uncapped if uncapped is None or cap is None else min(uncapped, cap)
    invalid = _count(results, CheckOutcome.INVALID)
    letter = None if value is None else _letter(value, is_capped=capped_by is Severity.HIGH)
    if (not_run or invalid) and capped_by is not Severity.CRITICAL:
        letter = None
    return SecurityScore(
        score=value,
        letter=letter,
        passed=_count(results, CheckOutcome.PASS),
        failed=_count(results, CheckOutcome.FAIL),
        not_tested=_count(results, CheckOutcome.NOT_TESTED),
        invalid=invalid,
        not_run=not_run,
        uncapped=uncapped,
        cap=cap,
        capped_by=capped_by,
        shares=shares,
    )


def _share(results: Sequence[CheckResult], severity: Severity) -> SeverityShare:
    own = [result for result in results if result.severity is severity]
    passed, failed, not_tested = (_count(own, outcome) for outcome in _COUNTED)
    return SeverityShare(severity, severity.weight, passed, failed, not_tested)


def _find_cap(results: Sequence[CheckResult]) -> tuple[float | None, Severity | None]:
    open_severities = {severity for result in results for severity in result.open_severities}
    return next(((cap, severity) for severity, cap in _CAPS if severity in open_severities), (None, None))


def _letter(value: float, *, is_capped: bool) -> str:
    """With a HIGH open the best letter is C, whatever the number: 79 alone would read B."""
    best = next((letter for floor, letter in _LETTERS if value >= floor), "F")
    if is_capped and best not in ("C", "D", "F"):
        return "C"
    return best


def _count(results: Sequence[CheckResult], outcome: CheckOutcome) -> int:
    return sum(result.outcome is outcome for result in results)
