"""Outcomes as a word, a tone and a shape: colour alone never carries a meaning."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from jivsbench.model.behaviour import Trend
from jivsbench.model.comparison import ComparisonOutcome
from jivsbench.model.finding import CheckOutcome, Severity
from jivsbench.model.gate import GateOutcome
from jivsbench.model.standards import Coverage
from jivsbench.model.summary import VerdictOutcome


class Tone(StrEnum):
    """The page's four tones."""

    GOOD = "good"
    CAUTION = "caution"
    BAD = "bad"
    MUTED = "muted"


class Shape(StrEnum):
    """The shape beside a word; each is one drawing of `macro icon` in templates/macros.html."""

    CHECK = "check"
    TRIANGLE = "triangle"
    CROSS = "cross"
    QUESTION = "question"
    DASH = "dash"


@dataclass(frozen=True, slots=True)
class Badge:
    """A word in a tone, with a shape."""

    word: str
    tone: Tone
    shape: Shape


_VERDICTS: Final = {
    VerdictOutcome.PASSED: (Tone.GOOD, Shape.CHECK),
    VerdictOutcome.CONDITIONAL: (Tone.CAUTION, Shape.TRIANGLE),
    VerdictOutcome.FAILED: (Tone.BAD, Shape.CROSS),
    VerdictOutcome.INVALID: (Tone.MUTED, Shape.QUESTION),
}
_GATES: Final = {
    GateOutcome.EXCEEDED: (Tone.GOOD, Shape.CHECK),
    GateOutcome.MET: (Tone.GOOD, Shape.CHECK),
    GateOutcome.FAILED: (Tone.BAD, Shape.CROSS),
    GateOutcome.INCONCLUSIVE: (Tone.CAUTION, Shape.TRIANGLE),
    GateOutcome.NO_DATA: (Tone.BAD, Shape.QUESTION),
}
_COMPARISONS: Final = {
    ComparisonOutcome.BETTER: (Tone.GOOD, Shape.CHECK),
    ComparisonOutcome.EQUIVALENT: (Tone.GOOD, Shape.CHECK),
    ComparisonOutcome.WORSE: (Tone.BAD, Shape.CROSS),
    ComparisonOutcome.INCONCLUSIVE: (Tone.CAUTION, Shape.TRIANGLE),
}
_CHECKS: Final = {
    CheckOutcome.PASS: (Tone.GOOD, Shape.CHECK),
    CheckOutcome.FAIL: (Tone.BAD, Shape.CROSS),
    CheckOutcome.NOT_TESTED: (Tone.CAUTION, Shape.QUESTION),
    CheckOutcome.NOT_APPLICABLE: (Tone.MUTED, Shape.DASH),
    CheckOutcome.INVALID: (Tone.CAUTION, Shape.TRIANGLE),
}
_TRENDS: Final = {
    Trend.FLAT: (Tone.GOOD, Shape.CHECK),
    Trend.GROWS: (Tone.BAD, Shape.CROSS),
    Trend.INCONCLUSIVE: (Tone.CAUTION, Shape.TRIANGLE),
    Trend.NOT_MEASURED: (Tone.MUTED, Shape.DASH),
}
_COVERAGES: Final = {
    Coverage.VERIFIED: (Tone.GOOD, Shape.CHECK),
    Coverage.FAILED: (Tone.BAD, Shape.CROSS),
    Coverage.NOT_COVERED: (Tone.CAUTION, Shape.QUESTION),
    Coverage.NOT_APPLICABLE: (Tone.MUTED, Shape.DASH),
}
_SEVERITIES: Final = {
    Severity.CRITICAL: Tone.BAD,
    Severity.HIGH: Tone.BAD,
    Severity.MEDIUM: Tone.CAUTION,
    Severity.LOW: Tone.MUTED,
}


def badge_verdict(outcome: VerdictOutcome) -> Badge:
    """The badge of a whole run."""
    return Badge(outcome.value, *_VERDICTS[outcome])


def badge_gate(outcome: GateOutcome, *, is_valid: bool) -> Badge:
    """The badge of a gate. In an invalid run a green outcome loses its colour: it says nothing about the target."""
    word = outcome.value.replace("_", " ")
    if not is_valid and outcome.is_green:
        return Badge(word, Tone.MUTED, Shape.QUESTION)
    return Badge(word, *_GATES[outcome])


def badge_comparison(outcome: ComparisonOutcome, *, is_valid: bool) -> Badge:
    """The badge of a criterion of a comparison; without colour where the run says nothing."""
    return Badge(outcome.value, *_COMPARISONS[outcome]) if is_valid else Badge(outcome.value, Tone.MUTED, Shape.QUESTION)


def badge_check(outcome: CheckOutcome) -> Badge:
    """The badge of a security check."""
    return Badge(outcome.value.replace("_", " "), *_CHECKS[outcome])


def badge_trend(trend: Trend) -> Badge:
    """The badge of a gauge."""
    return Badge(trend.value, *_TRENDS[trend])


def badge_approval(*, is_approved: bool) -> Badge:
    """The badge of an environment."""
    return Badge("yes", Tone.GOOD, Shape.CHECK) if is_approved else Badge("no", Tone.BAD, Shape.CROSS)


def badge_coverage(state: Coverage) -> Badge:
    """The badge of a standard's row."""
    return Badge(state.value, *_COVERAGES[state])


def tone_of(severity: Severity) -> Tone:
    """The tone of an open finding."""
    return _SEVERITIES[severity]
