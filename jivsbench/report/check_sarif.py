"""SARIF 2.1.0 of the security checks alone: every check has a result, also the one that passed, and the one that could not look.

`kind` says how it ended, `baselineState` what is new against an earlier file, `suppressions` who answers for what. A check has no
line of code: each result stands at the configuration of the service that was attacked, which is where most remedies begin.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from jivsbench import __version__
from jivsbench.analysis.waiving import Suppressions
from jivsbench.config import CONFIG_FILENAME
from jivsbench.config.controls import load_catalogue
from jivsbench.model.finding import FINGERPRINT_KEY, CheckOutcome, CheckResult, EarlierResult, Finding, SecurityScore, Severity
from jivsbench.report.literal import show_literally, show_on_one_line
from jivsbench.report.sarif import MAX_RESULTS, SECURITY_SEVERITIES, describe_invocation, describe_suppression, dump_log

_KINDS: Final = {
    CheckOutcome.PASS: "pass",
    CheckOutcome.FAIL: "fail",
    CheckOutcome.NOT_TESTED: "open",
    CheckOutcome.NOT_APPLICABLE: "notApplicable",
    CheckOutcome.INVALID: "review",
}
_LEVELS: Final = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note"}
_WORST_FIRST: Final = ("error", "warning", "note", "none")
_LOOKED: Final = (CheckOutcome.PASS, CheckOutcome.FAIL)


def render_checks(
    results: Sequence[CheckResult],
    score: SecurityScore | None,
    suppressions: Suppressions,
    earlier: Sequence[EarlierResult] | None = None,
) -> bytes:
    """One SARIF run. With `earlier`, its findings that are gone are there as well, as `absent`, when their check looked again."""
    rules = {result.check_id: result for result in reversed(results)}
    places = {check_id: place for place, check_id in enumerate(rules)}
    described = [_describe(result, finding, suppressions) for result in results for finding in result.findings or (None,)]
    if earlier is not None:
        known = {result.fingerprint for result in earlier}
        for one in described:
            one["baselineState"] = "unchanged" if one["partialFingerprints"][FINGERPRINT_KEY] in known else "new"
        described += _list_absent(results, described, earlier)
    # The worst first, and those that are gone among them: what has no room is the lightest of all.
    described.sort(key=lambda one: _WORST_FIRST.index(one["level"]))
    kept = described[:MAX_RESULTS]
    for one in kept:
        one["ruleIndex"] = places[one["ruleId"]]
        one["ruleId"] = show_on_one_line(one["ruleId"])
    is_sound = all(result.outcome is not CheckOutcome.INVALID for result in results)
    driver = {"name": "jivsbench", "semanticVersion": __version__, "rules": [_describe_rule(rule) for rule in rules.values()]}
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "invocations": [describe_invocation(len(described), elsewhere="--json", is_successful=is_sound)],
        "automationDetails": {"id": "jivsbench/checks/"},
        "properties": {"score": score.score if score else None, "letter": score.letter if score else None},
        "results": kept,
    }
    return dump_log(run)


def _describe_rule(result: CheckResult) -> dict[str, Any]:
    facts = load_catalogue().find(result.check_id)
    tags = ["security", *(f"external/cwe/{weakness.lower()}" for weakness in result.cwe)]
    rule: dict[str, Any] = {
        "id": show_on_one_line(result.check_id),
        "shortDescription": {"text": show_on_one_line(result.title)},
        "defaultConfiguration": {"level": _LEVELS[result.severity]},
        "properties": {"tags": tags, "security-severity": SECURITY_SEVERITIES[result.severity]},
    }
    return {**rule, "help": {"text": f"{facts.remedy}."}} if facts else rule


def _describe(result: CheckResult, finding: Finding | None, suppressions: Suppressions) -> dict[str, Any]:
    severity = finding.severity if finding else result.severity
    lines = (finding.title, finding.evidence, finding.reproducer) if finding else (result.reason or result.outcome.value,)
    fingerprint = finding.fingerprint if finding else _identify(result)
    is_open = result.outcome is CheckOutcome.FAIL
    described: dict[str, Any] = {
        "ruleId": result.check_id,
        "kind": _KINDS[result.outcome],
        "level": _LEVELS[severity] if is_open else "none",
        "message": {"text": show_literally("\n".join(line for line in lines if line))},
        "locations": [_locate(result.check_id)],
        "partialFingerprints": {FINGERPRINT_KEY: show_on_one_line(fingerprint)},
        "suppressions": describe_suppression(suppressions.explain(finding) if finding else None),
        "properties": {"attempted": result.attempted, "reached": result.reached, "seed": result.seed},
    }
    if is_open:
        described["properties"]["security-severity"] = SECURITY_SEVERITIES[severity]
    return described


def _list_absent(
    results: Sequence[CheckResult], described: Sequence[dict[str, Any]], earlier: Sequence[EarlierResult]
) -> Iterator[dict[str, Any]]:
    """What was open before and is not any more. A check that could not look this time leaves open what it had found."""
    present = {one["partialFingerprints"][FINGERPRINT_KEY] for one in described}
    looked = {result.check_id for result in results if result.outcome in _LOOKED}
    for gone in earlier:
        if gone.is_open and gone.fingerprint not in present and gone.check_id in looked:
            yield {
                "ruleId": gone.check_id,
                "kind": "fail",
                "level": "note",
                "message": {"text": show_literally(gone.text)},
                "locations": [_locate(gone.check_id)],
                "partialFingerprints": {FINGERPRINT_KEY: gone.fingerprint},
                "suppressions": [],
                "baselineState": "absent",
            }


def _locate(check_id: str) -> dict[str, Any]:
    return {
        "physicalLocation": {"artifactLocation": {"uri": CONFIG_FILENAME}, "region": {"startLine": 1}},
        "logicalLocations": [{"fullyQualifiedName": show_on_one_line(check_id), "kind": "resource"}],
    }


def _identify(result: CheckResult) -> str:
    """Of a result that is no finding: the check and how it ended."""
    identity = hashlib.sha256(f"{result.check_id}\0{result.outcome}".encode("utf-8", "replace")).hexdigest()
    return f"{result.check_id}-{identity[:16]}"
