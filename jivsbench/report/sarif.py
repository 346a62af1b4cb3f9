"""results.sarif: what is not green as SARIF 2.1.0, for code scanning. A passed run has results too: none.

Code scanning shows a result at a file. A run has none, so each stands at the scenario's file, which is where its gates are.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from jivsbench import __version__
from jivsbench.model.finding import Severity
from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Report, Summary, Verdict, VerdictOutcome
from jivsbench.report.literal import show_literally, show_on_one_line
from jivsbench.report.problems import Problem, Weight, list_problems

SARIF_TYPE: Final = "application/sarif+json"
MAX_RESULTS: Final = 5000
"""Code scanning keeps the first 5,000 results of a run."""
_LEVELS: Final = {Weight.FAILURE: "error", Weight.DOUBT: "error", Weight.CONDITION: "warning", Weight.REMARK: "note"}
SECURITY_SEVERITIES: Final = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.0"}
"""The middle of each band of CVSS that code scanning gives a name to."""


class SarifReporter:
    """Renders one SARIF run with one result for each thing that is not green."""

    name = "sarif"
    filename = "results.sarif"

    def render(self, record: RunRecord, summary: Summary, verdict: Verdict) -> Report:  # noqa: ARG002 - problems hold their figures
        """The log as UTF-8."""
        problems = list_problems(record, verdict)
        rules = list({problem.rule: problem for problem in reversed(problems)}.values())
        places = {problem.rule: place for place, problem in enumerate(rules)}
        is_valid = verdict.outcome is not VerdictOutcome.INVALID
        run = {
            "tool": {
                "driver": {
                    "name": "jivsbench",
                    "semanticVersion": __version__,
                    "rules": [_describe_rule(rule) for rule in rules],
                }
            },
            "invocations": [describe_invocation(len(problems), elsewhere="report.html", is_successful=is_valid)],
            "automationDetails": {"id": f"jivsbench/{quote(record.plan.scenario.name, safe='')}/{quote(record.run_id, safe='')}"},
            "properties": {"verdict": verdict.outcome.value},
            "results": [_describe_result(record, problem, places[problem.rule]) for problem in problems[:MAX_RESULTS]],
        }
        return Report(self.name, self.filename, SARIF_TYPE, dump_log(run))


def dump_log(run: dict[str, Any]) -> bytes:
    """A log of one run, as bytes."""
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=1, ensure_ascii=True).encode() + b"\n"


def describe_invocation(count: int, *, elsewhere: str, is_successful: bool) -> dict[str, Any]:
    """How the run went, and of `count` results how many have no room; they are `elsewhere`."""
    invocation: dict[str, Any] = {"executionSuccessful": is_successful}
    if count > MAX_RESULTS:
        text = f"{count - MAX_RESULTS} of {count} results are left out, the lightest: see {elsewhere}"
        invocation["toolExecutionNotifications"] = [{"level": "warning", "message": {"text": text}}]
    return invocation


def describe_suppression(word: str | None) -> list[dict[str, Any]]:
    """The property `suppressions`: empty says that nobody answers for the result. Without a status it is accepted (3.35.3)."""
    return [{"kind": "external", "justification": show_on_one_line(word)}] if word else []


def _describe_rule(problem: Problem) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "id": show_on_one_line(problem.rule),
        "shortDescription": {"text": show_on_one_line(problem.title)},
        "defaultConfiguration": {"level": _LEVELS[problem.weight]},
    }
    if problem.severity is not None:
        rule["properties"] = {"tags": ["security"], "security-severity": SECURITY_SEVERITIES[problem.severity]}
    return rule


def _describe_result(record: RunRecord, problem: Problem, place: int) -> dict[str, Any]:
    source = f"limit from: {problem.limit_source}" if problem.limit_source else ""
    lines: Sequence[str] = (problem.title, problem.text, source, problem.reproducer)
    text = "\n".join(line for line in lines if line)
    file = quote(f"scenarios/{record.plan.scenario.name}.toml", safe="/")
    identity = hashlib.sha256(
        f"{record.plan.scenario.name}\0{problem.rule}\0{problem.title}".encode("utf-8", "replace")
    ).hexdigest()
    result = {
        "ruleId": show_on_one_line(problem.rule),
        "ruleIndex": place,
        "level": _LEVELS[problem.weight],
        "message": {"text": show_literally(text)},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": file}, "region": {"startLine": 1}}}],
        "partialFingerprints": {"jivsbench/v1": identity},
    }
    return {**result, "suppressions": describe_suppression(problem.suppressed)} if problem.suppressed else result
