"""Security findings and the outcome of the checks that raise them."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad an open finding is; the weights are those of the score."""

    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"

    @property
    def weight(self) -> float:
        """Weight in the security score: 10, 7.5, 5 or 2.5."""
        return {"CRITICAL": 10.0, "HIGH": 7.5, "MEDIUM": 5.0, "LOW": 2.5}[self.value]


class CheckOutcome(StrEnum):
    """How a check ended. Only PASS is green."""

    PASS = "PASS"  # noqa: S105 - an outcome, not a password
    FAIL = "FAIL"
    NOT_TESTED = "NOT_TESTED"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    INVALID = "INVALID"


@dataclass(frozen=True, slots=True)
class Finding:
    """One hole, with the evidence that shows it and the smallest request that reproduces it."""

    check_id: str
    severity: Severity
    title: str
    evidence: str
    reproducer: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check did against one target. `attempted` attacks were sent; `reached` of them met the target's own code."""

    check_id: str
    title: str
    severity: Severity
    outcome: CheckOutcome
    reason: str
    attempted: int = 0
    reached: int = 0
    benign_before: int = 0
    benign_after: int = 0
    findings: tuple[Finding, ...] = ()
    seed: int = 0
    duration_s: float = 0.0
    cwe: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SecurityScore:
    """Score 0 to 100 and letter over the checks that ran; None when none of them counts."""

    score: float | None
    letter: str | None
    passed: int
    failed: int
    not_tested: int
    invalid: int
