"""What is not green in a run, as one list that every reporter for CI shows in its own way: the worst first, each once."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from jivsbench.analysis.failed_jobs import describe_failed, find_failure
from jivsbench.analysis.findings import explain_not_run
from jivsbench.analysis.waiving import Suppressions, build_suppressions, list_expired
from jivsbench.model.comparison import ComparisonOutcome, CriterionResult
from jivsbench.model.finding import CheckOutcome, CheckResult, Finding, Severity
from jivsbench.model.gate import GateOutcome, GateSeverity
from jivsbench.model.inputs import Inputs
from jivsbench.model.record import RunRecord
from jivsbench.model.summary import GateResult, Verdict, VerdictOutcome

_NOT_GREEN: Final = (ComparisonOutcome.WORSE, ComparisonOutcome.INCONCLUSIVE)


class Weight(IntEnum):
    """How much a problem weighs for the verdict."""

    FAILURE = 0
    DOUBT = 1
    CONDITION = 2
    REMARK = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not green. `rule` is stable between runs: a gate's metric and statistic, or a check's id."""

    rule: str
    title: str
    text: str
    weight: Weight
    severity: Severity | None = None
    """Of a security finding; None for what is none."""
    limit_source: str | None = None
    reproducer: str = ""
    """How to see an open hole again: only for files that few can read, never for a log."""
    suppressed: str = ""
    """By whose word a finding blocks nothing; empty when by nobody's."""


def list_problems(record: RunRecord, verdict: Verdict) -> tuple[Problem, ...]:
    """Why the run is invalid or ended early, whose word expired, gates, checks and findings that are not green; worst first."""
    problems = [Problem("run.invalid", "The run is invalid", reason, Weight.DOUBT) for reason in record.invalid]
    if record.aborted:
        problems.append(Problem("run.aborted", "The load was ended early", record.aborted, Weight.FAILURE))
    problems += _list_expired(verdict.inputs)
    problems += [_describe_gate(result) for result in verdict.gates if not result.outcome.is_green]
    if not record.invalid:
        problems += [_describe_criterion(result) for result in verdict.criteria if result.outcome in _NOT_GREEN]
        problems += _list_failed_jobs(record)
    suppressions = build_suppressions(verdict.inputs)
    for check in record.checks:
        problems += _describe_check(check, suppressions)
    not_run = explain_not_run(record)
    if not_run is not None:
        problems.append(Problem("security.not-run", "Security checks were left out", not_run, Weight.CONDITION))
    reported = verdict.inputs.findings if verdict.inputs else ()
    problems += [_describe_finding(found, found.title, suppressions) for found in reported]
    has_reason = any(problem.weight <= Weight.DOUBT for problem in problems)
    if verdict.outcome in {VerdictOutcome.FAILED, VerdictOutcome.INVALID} and not has_reason:
        # Whatever the verdict says and nothing above does.
        problems += [Problem("run.verdict", f"The run is {verdict.outcome}", text, Weight.FAILURE) for text in verdict.reasons]
    return tuple(sorted(problems, key=lambda problem: problem.weight))


def _list_expired(inputs: Inputs | None) -> Iterator[Problem]:
    """Each fails the run by itself, whatever else does: who reads only the rest would settle the wrong thing."""
    if inputs is None:
        return
    for waiver in inputs.waivers:
        for text in list_expired((waiver,), inputs.judged_on):
            title = f"Nobody answers any more for {waiver.target} {waiver.name}"
            yield Problem("waiver.expired", title, text, Weight.FAILURE)


def _list_failed_jobs(record: RunRecord) -> Iterator[Problem]:
    if failure := find_failure(record):
        yield Problem("run.failed_jobs", "The candidate fails jobs", failure, Weight.FAILURE)
    elif failed := describe_failed(record):
        yield Problem("run.failed_jobs", "Jobs failed whose durations were compared", failed, Weight.CONDITION)


def _describe_criterion(result: CriterionResult) -> Problem:
    name = f"{result.metric} {result.statistic}"
    weight = Weight.FAILURE if result.outcome is ComparisonOutcome.WORSE else Weight.DOUBT
    return Problem(f"comparison/{result.metric}/{result.statistic}", f"{name} is {result.outcome}", result.reason, weight)


def _describe_gate(result: GateResult) -> Problem:
    weight = Weight.FAILURE
    if result.gate.severity is GateSeverity.WARN:
        weight = Weight.CONDITION
    elif result.outcome is GateOutcome.INCONCLUSIVE:
        weight = Weight.DOUBT
    return Problem(
        f"gate/{result.gate.metric}/{result.gate.statistic}",
        f"gate {result.text} is {result.outcome}",
        result.reason,
        weight,
        limit_source=result.gate.limit_source,
    )


def _describe_check(check: CheckResult, suppressions: Suppressions) -> list[Problem]:
    if check.outcome is CheckOutcome.INVALID:
        return [Problem(check.check_id, f"{check.title}: the check failed its self-test", check.reason, Weight.DOUBT)]
    if check.outcome is CheckOutcome.NOT_TESTED:
        return [Problem(check.check_id, f"{check.title}: not tested", check.reason, Weight.CONDITION)]
    if check.outcome is not CheckOutcome.FAIL:
        return []
    found = [_describe_finding(finding, check.reason, suppressions) for finding in check.findings]
    return found or [Problem(check.check_id, check.title, check.reason, _weigh(check.severity), check.severity)]


def _describe_finding(finding: Finding, otherwise: str, suppressions: Suppressions) -> Problem:
    word = suppressions.explain(finding)
    return Problem(
        finding.check_id,
        finding.title,
        finding.evidence or otherwise,
        # Suppressed, it fails nothing; it is still told.
        _weigh(finding.severity) if word is None else max(Weight.CONDITION, _weigh(finding.severity)),
        finding.severity,
        reproducer=finding.reproducer,
        suppressed=word or "",
    )


def _weigh(severity: Severity) -> Weight:
    return {Severity.CRITICAL: Weight.FAILURE, Severity.HIGH: Weight.CONDITION}.get(severity, Weight.REMARK)
