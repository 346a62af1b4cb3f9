"""What the checks are technical evidence for, standard by standard, and what nobody tested."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jivsbench.analysis.standards import cover_standards, list_not_run
from jivsbench.model.finding import CheckOutcome, CheckResult
from jivsbench.model.standards import Catalogue, ControlCoverage, Coverage, StandardCoverage
from jivsbench.report.views.badges import Badge, badge_coverage


@dataclass(frozen=True, slots=True)
class RowView:
    """One row of a standard."""

    id: str
    text: str
    badge: Badge
    reason: str


@dataclass(frozen=True, slots=True)
class StandardView:
    """One standard: how many rows are verified, of how many that apply, of how many that are listed."""

    name: str
    verified: str
    failed: str
    not_covered: str
    applicable: str
    listed: str
    rest: str
    is_failed: bool
    rows: tuple[RowView, ...]


@dataclass(frozen=True, slots=True)
class UntestedLine:
    """A check that says nothing about the target."""

    check_id: str
    title: str
    severity: str
    outcome: str
    reason: str


_UNTESTED: Final = (CheckOutcome.INVALID, CheckOutcome.NOT_TESTED, CheckOutcome.NOT_APPLICABLE)


def build_standards(catalogue: Catalogue, results: Sequence[CheckResult]) -> tuple[StandardView, ...]:
    """Every standard with all of its rows."""
    return tuple(_build_standard(found) for found in cover_standards(catalogue, results))


def list_untested(
    catalogue: Catalogue, results: Sequence[CheckResult]
) -> tuple[tuple[UntestedLine, ...], tuple[UntestedLine, ...]]:
    """Checks that ran and tested nothing, with their reason; and checks that were not run at all."""
    untested = tuple(
        UntestedLine(r.check_id, r.title, r.severity.value, r.outcome.value.replace("_", " "), r.reason)
        for r in results
        if r.outcome in _UNTESTED
    )
    not_run = tuple(
        UntestedLine(check.check_id, check.title, check.severity.value, "not run", "")
        for check in list_not_run(catalogue, results)
    )
    return untested, not_run


def _build_standard(found: StandardCoverage) -> StandardView:
    failed = found.count(Coverage.FAILED)
    return StandardView(
        name=found.standard.name,
        verified=str(found.count(Coverage.VERIFIED)),
        failed=str(failed),
        not_covered=str(found.count(Coverage.NOT_COVERED)),
        applicable=str(found.applicable),
        listed=str(len(found.rows)),
        rest=found.standard.rest,
        is_failed=failed > 0,
        rows=tuple(_build_row(row) for row in found.rows),
    )


def _build_row(row: ControlCoverage) -> RowView:
    return RowView(row.control.id, row.control.text, badge_coverage(row.state), row.reason)
