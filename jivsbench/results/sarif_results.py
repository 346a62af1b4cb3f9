"""SARIF 2.1.0 of other scanners: their open findings, by severity.

A result that the scanner suppressed is open here all the same: whoever accepts it writes a waiver with an owner and an end.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from math import isnan
from pathlib import Path
from typing import Any, Final

from jivsbench.errors import ConfigError
from jivsbench.model.finding import Finding, Severity
from jivsbench.results.written import load_json, parse_count, read_text

_LEVELS: Final = {"error": Severity.HIGH, "warning": Severity.MEDIUM, "note": Severity.LOW}
# GitHub's scale of `security-severity`, which is CVSS.
_SCORES: Final = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM))
_ADVICE: Final = "scan again, and name the file of a scan that ran to its end"
_NOT_OPEN: Final = ("pass", "notApplicable", "informational")


def read_sarif(path: Path) -> tuple[Finding, ...]:
    """Every open result. Raises ConfigError naming a file that is not SARIF, or not that of a scan that ran to its end."""
    try:
        document: Any = load_json(read_text(path))
    except ConfigError as exc:
        raise ConfigError(f"{path} is not SARIF ({exc}): name a SARIF 2.1.0 file") from exc
    if not isinstance(document, dict) or document.get("version") != "2.1.0" or not isinstance(document.get("runs"), list):
        raise ConfigError(f"{path} is not SARIF 2.1.0: it needs version 2.1.0 and runs")
    if not document["runs"]:
        raise ConfigError(f"{path} holds no run of a scanner, which is no clean one: {_ADVICE}")
    try:
        return tuple(finding for run in document["runs"] for finding in _read_run(run))
    except ConfigError as exc:
        raise ConfigError(f"{path}: {exc}: {_ADVICE}") from exc
    except (LookupError, TypeError, AttributeError, ValueError) as exc:
        raise ConfigError(f"{path}: a result is not as SARIF 2.1.0 has it ({exc!r})") from exc


def _read_run(run: Mapping[str, Any]) -> Iterator[Finding]:
    results = _list_results(run)
    rules = [rule for part in _list_components(run["tool"]) for rule in part.get("rules") or ()]
    by_id = {rule["id"]: rule for rule in reversed(rules)}
    for result in results:
        if result.get("kind", "fail") in _NOT_OPEN or result.get("baselineState") == "absent":
            continue
        identity, rule = _identify(result, run["tool"], by_id)
        text = result["message"].get("text") or identity
        place = _locate(result)
        # One rule says the same of a hundred lines, and who answers for one of them answers for no other.
        reproducer = f"scan {place} again" if place else ""
        yield Finding(f"{run['tool']['driver']['name']}/{identity}", _rate(result, rule), text, place, reproducer)


def _list_results(run: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The results of a scan that ran to its end. Raises ConfigError for any other: what it did not look at is not clean."""
    if any(invocation.get("executionSuccessful") is False for invocation in run.get("invocations") or ()):
        raise ConfigError("a scan in it did not run to its end (executionSuccessful is false)")
    results = run.get("results")
    if not isinstance(results, list):
        # By the standard (3.14.23) what is left out or null is a run that scanned nothing.
        raise ConfigError("a run in it has no list of results, so nothing was scanned")
    return results


def _list_components(tool: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    return (tool["driver"], *(tool.get("extensions") or ()))


def _identify(
    result: Mapping[str, Any], tool: Mapping[str, Any], by_id: Mapping[str, Mapping[str, Any]]
) -> tuple[str, Mapping[str, Any]]:
    """What a result calls its rule, and that rule; an empty one when the file does not describe it.

    An id may say more than its rule's, as `SQLI/union` does of the rule `SQLI` (SARIF 2.1.0, 3.27.5). So the place in the list
    of rules comes first, unless another rule stands there than the id says.
    """
    reference = result.get("rule") or {}
    named = result.get("ruleId") or reference.get("id")
    try:
        placed = _find_placed(result, reference, tool)
    except LookupError:
        # Some tools number rules that they do not list.
        if not named:
            raise
        placed = None
    if not named:
        return ("unnamed", {}) if placed is None else (str(placed["id"]), placed)
    identity = str(named)
    lineage = _list_lineage(identity)
    if placed is not None and placed["id"] in lineage:
        return identity, placed
    return identity, next((by_id[name] for name in lineage if name in by_id), placed or {})


def _find_placed(result: Mapping[str, Any], reference: Mapping[str, Any], tool: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The rule at the place that a result names, in the driver's list or in an extension's; None when it names none.

    Raises LookupError and ValueError where no rule can stand.
    """
    places = (result.get("ruleIndex"), reference.get("index"))
    index = parse_count(next((place for place in places if place is not None), Decimal(-1)))
    component = parse_count((reference.get("toolComponent") or {}).get("index", Decimal(-1)))
    if index is None or component is None:
        raise ValueError("the index of a rule is no whole number")
    if index < 0:
        return None
    part = tool["driver"] if component < 0 else tool["extensions"][component]
    rule: Mapping[str, Any] = part["rules"][index]
    return rule


def _list_lineage(identity: str) -> tuple[str, ...]:
    """The id and those above it, the nearest first.

    >>> _list_lineage("a/b/c")
    ('a/b/c', 'a/b', 'a')
    """
    parts = identity.split("/")
    return tuple("/".join(parts[:count]) for count in range(len(parts), 0, -1))


def _rate(result: Mapping[str, Any], rule: Mapping[str, Any]) -> Severity:
    for properties in (result.get("properties") or {}, rule.get("properties") or {}):
        score = properties.get("security-severity")
        if score is not None:
            rated = float(score)
            if isnan(rated):
                raise ValueError("security-severity is no number")
            return next((severity for least, severity in _SCORES if rated >= least), Severity.LOW)
    level = result.get("level") or (rule.get("defaultConfiguration") or {}).get("level") or "warning"
    return _LEVELS.get(level, Severity.LOW)


def _locate(result: Mapping[str, Any]) -> str:
    for location in result.get("locations") or ():
        physical = location.get("physicalLocation") or {}
        uri, line = (physical.get("artifactLocation") or {}).get("uri"), (physical.get("region") or {}).get("startLine")
        if uri:
            number = parse_count(line)
            return f"{uri}:{number}" if number else str(uri)
    named = (one for location in result.get("locations") or () for one in location.get("logicalLocations") or ())
    return next((str(name) for one in named if (name := one.get("fullyQualifiedName") or one.get("name"))), "")
