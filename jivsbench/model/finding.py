"""Security findings and the outcome of the checks that raise them."""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

FINGERPRINT_KEY: Final = "jivsbench/finding/v1"
"""Under which a finding's fingerprint stands in SARIF: written there, and read back as a baseline."""
# What differs between two runs that find the same hole: folders, names and ports made for the run, seeds, moments, processes.
_OF_ONE_RUN: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<![\w.-])/(?:[^\s/'\"]+/)*(?:jivsbench|check)-[^\s'\"]*",
        r"(?<=127\.0\.0\.1:)\d+",
        r"(?<=localhost:)\d+",
        r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.]*(?:Z|[+-]\d\d:?\d\d)?",
        r"(?<![0-9a-z])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9a-z])",
        r"(?<=_)[0-9a-f]{8,}(?![0-9a-z])",
        r"(?<![0-9a-z])(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}(?![0-9a-z])",
        r"(?<=--seed )\d+",
        r"(?<=\bpid )\d+",
    )
)


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

    @property
    def fingerprint(self) -> str:
        """The same for the same hole in another run: check, title and reproducer, without what was made for one run alone."""
        text = self.reproducer
        for pattern in _OF_ONE_RUN:
            text = pattern.sub("*", text)
        parts = (self.check_id, self.title, " ".join(text.split()))
        return f"{self.check_id}-{hashlib.sha256(chr(0).join(parts).encode('utf-8', 'replace')).hexdigest()[:16]}"


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

    @property
    def open_severities(self) -> tuple[Severity, ...]:
        """One for each hole that a failed check leaves open: its findings' own, or the check's when it names none.

        Whatever counts, weighs or caps open holes asks here, so that no two places call the same hole differently bad.
        """
        if self.outcome is not CheckOutcome.FAIL:
            return ()
        return tuple(finding.severity for finding in self.findings) or (self.severity,)


@dataclass(frozen=True, slots=True)
class EarlierResult:
    """What an earlier assessment said, as far as it takes to tell what is new. `text` is its message."""

    check_id: str
    fingerprint: str
    is_open: bool
    text: str


@dataclass(frozen=True, slots=True)
class SeverityShare:
    """What the checks of one severity bring into the score."""

    severity: Severity
    weight: float
    passed: int
    failed: int
    not_tested: int

    @property
    def earned(self) -> float:
        """Weight of what passed."""
        return self.weight * self.passed

    @property
    def counted(self) -> float:
        """Weight of all that counts."""
        return self.weight * (self.passed + self.failed + self.not_tested)


@dataclass(frozen=True, slots=True)
class SecurityScore:
    """Score 0 to 100 and letter over the checks that ran.

    The score is None when none of them counts. The letter is None as well while a listed check has no answer, because it was
    not run or proved nothing; an open CRITICAL finding is F all the same.
    """

    score: float | None
    letter: str | None
    passed: int
    failed: int
    not_tested: int
    invalid: int
    not_run: int = 0
    """Checks of the catalogue that this run left out."""
    uncapped: float | None = None
    """The score before its cap."""
    cap: float | None = None
    """The most that an open finding allows; None when none caps."""
    capped_by: Severity | None = None
    shares: tuple[SeverityShare, ...] = ()
    """The arithmetic, by severity; empty in files of older versions."""
