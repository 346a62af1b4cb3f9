"""SARIF 2.1.0 of other scanners: their open findings, by severity.

A result that the scanner suppressed is open here all the same: whoever accepts it writes a waiver with an owner and an end.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from jivsbench.errors import ConfigError
from jivsbench.model.finding import Finding, Severity
from jivsbench.results.written import load_json, parse_count, read_text

_LEVELS: Final = {"error": Severity.HIGH, "warning": Severity.MEDIUM, "note": Severity.LOW}
# GitHub's scale of `security-severity`, which is CVSS.
_SCORES: Final = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM))
_NOT_OPEN: Final = ("pass", "notApplicable", "informational")


def read_sarif(path: Path) -> tuple[Finding, ...]:
    """Every open result. Raises ConfigError naming a file that is not SARIF."""
    try:
        document: Any = load_json(read_text(path))
    except ConfigError as exc:
        raise ConfigError(f"{path} is not SARIF ({exc}): name a SARIF 2.1.0 file") from exc
    if not isinstance(document, dict) or document.get("version") != "2.1.0" or not isinstance(document.get("runs"), list):
        raise ConfigError(f"{path} is not SARIF 2.1.0: it needs version 2.1.0 and runs")
    try:
        return tuple(finding for run in document["runs"] for finding in _read_run(run))
    except (LookupError, TypeError, AttributeError, ValueError) as exc:
        raise ConfigError(f"{path}: a result is not as SARIF 2.1.0 has it ({exc!r})") from exc


def _read_run(run: Mapping[str, Any]) -> Iterator[Finding]:
    driver = run["tool"]["driver"]
    listed = [*driver.get("rules", ()), *(rule for part in run["tool"].get("extensions", ()) for rule in part.get("rules", ()))]
    rules = {rule["id"]: rule for rule in listed}
    for result in run.get("results") or ():
        if result.get("kind", "fail") in _NOT_OPEN or result.get("baselineState") == "absent":
            continue
        identity = _identify(result, driver)
        rule = rules.get(identity, {})
        text = result["message"].get("text") or identity
        yield Finding(f"{driver['name']}/{identity}", _rate(result, rule), text, _locate(result), "")


def _identify(result: Mapping[str, Any], driver: Mapping[str, Any]) -> str:
    """A result names its rule, or says where it stands in the driver's list. Raises IndexError where nothing stands."""
    reference = result.get("rule") or {}
    named = result.get("ruleId") or reference.get("id")
    if named:
        return str(named)
    index = parse_count(result.get("ruleIndex", reference.get("index", Decimal(-1))))
    if index is None:
        raise ValueError("the index of a rule is no whole number")
    return "unnamed" if index < 0 else str(driver["rules"][index]["id"])


def _rate(result: Mapping[str, Any], rule: Mapping[str, Any]) -> Severity:
    for properties in (result.get("properties") or {}, rule.get("properties") or {}):
        score = properties.get("security-severity")
        if score is not None:
            return next((severity for least, severity in _SCORES if float(score) >= least), Severity.LOW)
    level = result.get("level") or (rule.get("defaultConfiguration") or {}).get("level") or "warning"
    return _LEVELS.get(level, Severity.LOW)


def _locate(result: Mapping[str, Any]) -> str:
    for location in result.get("locations") or ():
        physical = location.get("physicalLocation") or {}
        uri, line = (physical.get("artifactLocation") or {}).get("uri"), (physical.get("region") or {}).get("startLine")
        if uri:
            number = parse_count(line)
            return f"{uri}:{number}" if number else str(uri)
    return ""
