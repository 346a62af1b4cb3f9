"""What security checks found, with all that is made of it: score, coverage of standards, who answers for what."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jivsbench.analysis.standards import cover_standards, list_not_run
from jivsbench.analysis.waiving import Suppressions, Waivers
from jivsbench.app.checks import score_results
from jivsbench.app.today import read_today
from jivsbench.config.controls import load_catalogue
from jivsbench.model.finding import CheckOutcome, CheckResult, EarlierResult, SecurityScore
from jivsbench.model.inputs import Inputs, Waiver
from jivsbench.model.standards import CheckFacts, StandardCoverage
from jivsbench.model.summary import Report
from jivsbench.report.bundle import write_reports
from jivsbench.report.check_sarif import render_checks
from jivsbench.report.sarif import SARIF_TYPE


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the checks found."""

    results: tuple[CheckResult, ...]
    score: SecurityScore | None
    standards: tuple[StandardCoverage, ...]
    not_run: tuple[CheckFacts, ...]
    waivers: Waivers
    is_vulnerable: bool = False
    """The target was vulnerable on purpose: this says nothing about any service."""
    earlier: tuple[EarlierResult, ...] | None = None
    """Of an earlier assessment, for what is new; None when nobody asks."""

    @property
    def suppressions(self) -> Suppressions:
        """Whose word it is that a finding may be open."""
        return self.waivers.suppressions

    def has(self, outcome: CheckOutcome) -> bool:
        """True when any check ended so."""
        return any(result.outcome is outcome for result in self.results)

    @property
    def has_open(self) -> bool:
        """True when a check failed by a finding that nobody answers for."""
        failed = (result for result in self.results if result.outcome is CheckOutcome.FAIL)
        return any(self.suppressions.leave_open(result) is not None for result in failed)

    @property
    def expired(self) -> tuple[str, ...]:
        """A failure for each suppression past its last day."""
        return tuple(self.waivers.list_expired())

    @property
    def unused(self) -> tuple[str, ...]:
        """Suppressions of which no finding is left."""
        return self.suppressions.list_unused(self.results)


def assess(
    results: Sequence[CheckResult], suppressed: Sequence[Waiver] = (), today: str = "", *, is_vulnerable: bool = False
) -> Assessment:
    """Everything that follows from the results on a day, an ISO date; by default today."""
    catalogue = load_catalogue()
    return Assessment(
        results=tuple(results),
        score=score_results(tuple(results)),
        standards=cover_standards(catalogue, results),
        not_run=list_not_run(catalogue, results),
        waivers=Waivers(Inputs(today or read_today(), waivers=tuple(suppressed)), results),
        is_vulnerable=is_vulnerable,
    )


def write_sarif(path: Path, found: Assessment) -> None:
    """Write the results as SARIF 2.1.0. Raises OutputError."""
    content = render_checks(found.results, found.score, found.suppressions, found.earlier)
    write_reports(path.parent, [Report("sarif", path.name, SARIF_TYPE, content)])
