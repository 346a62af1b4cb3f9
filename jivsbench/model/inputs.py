"""What is brought to a judgement from outside a run: test results, coverage, findings of other tools, waivers.

All of it is read from files, never asserted. It can only make a verdict worse; waivers and suppressions, each with an owner and
an end, turn a failure into a condition and into nothing else.
"""

from dataclasses import dataclass
from enum import StrEnum

from jivsbench.model.finding import Finding


@dataclass(frozen=True, slots=True)
class SuiteResults:
    """What JUnit files hold. A test that was skipped did not pass."""

    files: tuple[str, ...]
    passed: int
    failed: int
    """Failures and errors together."""
    skipped: int

    @property
    def total(self) -> int:
        """Every test case."""
        return self.passed + self.failed + self.skipped


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a coverage file counts; branches are None where it counts none."""

    file: str
    lines_covered: int
    lines: int
    branches_covered: int | None = None
    branches: int | None = None


class WaiverTarget(StrEnum):
    """What a waiver is for."""

    GATE = "gate"
    CHECK = "check"
    FINDING = "finding"
    """One finding by its fingerprint: a suppression. Somebody has looked at just this one."""


@dataclass(frozen=True, slots=True)
class Waiver:
    """Somebody's word that a known miss is accepted until a day. `name` is a gate's text, a check's id or a fingerprint."""

    target: WaiverTarget
    name: str
    owner: str
    reason: str
    expires: str
    """ISO date; the last day on which it holds."""

    def has_expired(self, today: str) -> bool:
        """True after its last day. ISO dates sort as text."""
        return today > self.expires


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that a judgement was given beside the run. `judged_on` is the ISO date by which waivers expire."""

    judged_on: str
    tests: SuiteResults | None = None
    coverage: Coverage | None = None
    findings: tuple[Finding, ...] = ()
    findings_files: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()
