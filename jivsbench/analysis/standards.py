"""Which rows of standards the checks of one run are evidence for. Pure.

A row is green only when at least one check attacked and everything that stands for it passed. What was not run, not tested or
invalid leaves it uncovered: a row is never half green.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from jivsbench.model.finding import CheckOutcome, CheckResult
from jivsbench.model.standards import Catalogue, CheckFacts, Control, ControlCoverage, Coverage, Standard, StandardCoverage

_WORST_FIRST: Final = (
    CheckOutcome.FAIL,
    CheckOutcome.INVALID,
    CheckOutcome.NOT_TESTED,
    CheckOutcome.PASS,
    CheckOutcome.NOT_APPLICABLE,
)
_UNANSWERED: Final = (CheckOutcome.INVALID, CheckOutcome.NOT_TESTED, None)


def cover_standards(catalogue: Catalogue, results: Sequence[CheckResult]) -> tuple[StandardCoverage, ...]:
    """Every row of every standard, with its state."""
    outcomes = _take_worst(results)
    return tuple(
        StandardCoverage(standard, tuple(_cover(standard, control, catalogue.checks, outcomes) for control in standard.controls))
        for standard in catalogue.standards
    )


def list_not_run(catalogue: Catalogue, results: Sequence[CheckResult]) -> tuple[CheckFacts, ...]:
    """Checks of the catalogue without any result."""
    seen = {result.check_id for result in results}
    return tuple(check for check in catalogue.checks if check.check_id not in seen)


def _take_worst(results: Iterable[CheckResult]) -> dict[str, CheckOutcome]:
    outcomes: dict[str, CheckOutcome] = {}
    for result in results:
        known = outcomes.get(result.check_id, result.outcome)
        outcomes[result.check_id] = min(known, result.outcome, key=_WORST_FIRST.index)
    return outcomes


def _cover(
    standard: Standard, control: Control, checks: Sequence[CheckFacts], outcomes: Mapping[str, CheckOutcome]
) -> ControlCoverage:
    ids = tuple(check.check_id for check in checks if control.id in check.rows_of(standard.key))
    state, reason = _judge(control, {name: outcomes.get(name) for name in ids})
    return ControlCoverage(control, state, ids, reason)


def _judge(control: Control, found: Mapping[str, CheckOutcome | None]) -> tuple[Coverage, str]:
    if control.does_not_apply:
        return Coverage.NOT_APPLICABLE, control.does_not_apply
    failed = [name for name, outcome in found.items() if outcome is CheckOutcome.FAIL]
    if failed:
        return Coverage.FAILED, f"{', '.join(failed)} failed"
    if control.not_by_attack:
        return Coverage.NOT_COVERED, control.not_by_attack
    if not found:
        return Coverage.NOT_COVERED, "no check stands for it"
    open_ = [f"{name} {_name(outcome)}" for name, outcome in found.items() if outcome in _UNANSWERED]
    if open_:
        return Coverage.NOT_COVERED, ", ".join(open_)
    passed = [name for name, outcome in found.items() if outcome is CheckOutcome.PASS]
    if not passed:
        return Coverage.NOT_APPLICABLE, f"nothing to attack here: {', '.join(found)}"
    return Coverage.VERIFIED, ", ".join(passed)


def _name(outcome: CheckOutcome | None) -> str:
    return "not run" if outcome is None else outcome.value.replace("_", " ").lower()
