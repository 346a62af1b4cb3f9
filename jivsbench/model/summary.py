"""Summaries and verdicts: what the numbers say, and what the gates make of it."""

from dataclasses import dataclass
from enum import StrEnum

from jivsbench.model.behaviour import Behaviour
from jivsbench.model.comparison import CriterionResult
from jivsbench.model.gate import WHOLE, Gate, GateOutcome, Unit, Window
from jivsbench.model.inputs import Inputs


class Provenance(StrEnum):
    """Where a figure comes from. Gates accept `measured` and `derived` alone."""

    MEASURED = "measured"
    DERIVED = "derived"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of one arm. `value` is in `unit`; None when it was not measured, and then `method` says why.

    A figure that was fitted has the interval from `low` to `high`. A `low` without a value means "at least that": it was not
    reached while the run lasted.
    """

    arm: str
    metric: str
    statistic: str
    value: float | None
    unit: Unit
    samples: int
    provenance: Provenance
    method: str
    low: float | None = None
    high: float | None = None
    window: Window = WHOLE


@dataclass(frozen=True, slots=True)
class Effect:
    """The candidate's figure divided by the baseline's, from paired blocks. The interval is None when there are too few pairs."""

    metric: str
    statistic: str
    baseline: str
    candidate: str
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    confidence: float
    pairs: int
    method: str
    processes: int = 1
    """How many processes of each arm the pairs were measured against."""


@dataclass(frozen=True, slots=True)
class Summary:
    """All figures and effects of a run."""

    figures: tuple[Figure, ...]
    effects: tuple[Effect, ...]
    behaviour: Behaviour | None = None
    """Answers to the scenario's questions; None for a scenario that asks none, and in a comparison."""

    def figure(self, arm: str, metric: str, statistic: str, window: Window = WHOLE) -> Figure | None:
        """The figure of that name, or None when the run has no such figure."""
        wanted = (arm, metric, statistic, window)
        return next((f for f in self.figures if (f.arm, f.metric, f.statistic, f.window) == wanted), None)

    def effect(self, metric: str, statistic: str) -> Effect | None:
        """The effect of that name, or None when the run compares nothing or lacks it."""
        return next((e for e in self.effects if (e.metric, e.statistic) == (metric, statistic)), None)


class VerdictOutcome(StrEnum):
    """How a run ends. INVALID says nothing about the target."""

    PASSED = "PASSED"
    CONDITIONAL = "CONDITIONAL"
    FAILED = "FAILED"
    INVALID = "INVALID"


class Environment(StrEnum):
    """Where a version goes after its run."""

    STAGING = "staging"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Approval:
    """Whether a version may go to one environment, and what must be settled first where it may not."""

    environment: Environment
    is_approved: bool
    conditions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate and how it ended. `value` is in the gate's unit."""

    gate: Gate
    text: str
    outcome: GateOutcome
    value: float | None
    low: float | None
    high: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of a run: its outcome, every gate, the reasons when it is not green, the conditions when it is conditional."""

    outcome: VerdictOutcome
    gates: tuple[GateResult, ...]
    reasons: tuple[str, ...]
    conditions: tuple[str, ...]
    criteria: tuple[CriterionResult, ...] = ()
    """What a comparison with a rule of its own concludes; empty for every other run."""
    approvals: tuple["Approval", ...] = ()
    """Where the run may go, staging and production apart; empty in files of older versions."""
    inputs: Inputs | None = None
    """What the judgement was given beside the run; None: nothing."""

    @property
    def asked(self) -> tuple[Gate, ...]:
        """The gates it was judged by, which need not be those of the plan."""
        return tuple(result.gate for result in self.gates)


@dataclass(frozen=True, slots=True)
class Report:
    """One rendered file of a run."""

    reporter: str
    filename: str
    media_type: str
    content: bytes
