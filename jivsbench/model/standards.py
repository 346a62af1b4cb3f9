"""Standards that findings are evidence for: which controls there are, and how far checks cover them.

Evidence of attacks is technical: no state here says that anybody complies with anything.
"""

from dataclasses import dataclass
from enum import StrEnum

from jivsbench.model.finding import Severity


@dataclass(frozen=True, slots=True)
class Control:
    """One row of a standard, in our own words."""

    id: str
    text: str
    not_by_attack: str = ""
    """Why no attack here shows it; empty when one does."""
    does_not_apply: str = ""
    """Why it has no meaning for an extraction service; empty when it has one."""


@dataclass(frozen=True, slots=True)
class Standard:
    """A standard, with every row of it that is looked at. `rest` says what is not."""

    key: str
    name: str
    rest: str
    controls: tuple[Control, ...]


@dataclass(frozen=True, slots=True)
class CheckFacts:
    """What is known of a check without running it. `controls` holds pairs of a standard's key and the ids of its rows."""

    check_id: str
    title: str
    severity: Severity
    remedy: str
    controls: tuple[tuple[str, tuple[str, ...]], ...]

    def rows_of(self, standard: str) -> tuple[str, ...]:
        """The rows of a standard that the check is evidence for."""
        return dict(self.controls).get(standard, ())


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All standards, and all checks that stand for their rows."""

    standards: tuple[Standard, ...]
    checks: tuple[CheckFacts, ...]

    def find(self, check_id: str) -> CheckFacts | None:
        """The facts of a check; None for one that somebody else brought."""
        return next((check for check in self.checks if check.check_id == check_id), None)


class Coverage(StrEnum):
    """How far the checks of one run cover a row. Only VERIFIED is green."""

    VERIFIED = "verified"
    """At least one check attacked, and all that stand for the row and had something to attack passed."""
    FAILED = "failed"
    NOT_COVERED = "not covered"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class ControlCoverage:
    """One row, its state and why."""

    control: Control
    state: Coverage
    checks: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class StandardCoverage:
    """All rows of one standard."""

    standard: Standard
    rows: tuple[ControlCoverage, ...]

    def count(self, state: Coverage) -> int:
        """How many rows are in a state."""
        return sum(row.state is state for row in self.rows)

    @property
    def applicable(self) -> int:
        """Rows that have a meaning here."""
        return len(self.rows) - self.count(Coverage.NOT_APPLICABLE)
