"""junit.xml: gates and security checks as test cases, for CI. Green is what was measured and met, nothing else."""

import xml.etree.ElementTree as ET
from typing import Final

from jivsbench.analysis.validity import has_valid_figures
from jivsbench.analysis.waiving import Suppressions, build_suppressions
from jivsbench.model.comparison import ComparisonOutcome
from jivsbench.model.finding import CheckOutcome, CheckResult, Finding
from jivsbench.model.formatting import NOT_MEASURED
from jivsbench.model.record import RunRecord
from jivsbench.model.summary import GateResult, Report, Summary, Verdict, VerdictOutcome
from jivsbench.report.literal import show_literally, show_on_one_line
from jivsbench.report.views.headline import build_gate_line, list_reasons

_SKIPPED: Final = (CheckOutcome.NOT_TESTED, CheckOutcome.NOT_APPLICABLE)


class JunitReporter:
    """Renders one suite each for the run as a whole, its gates and its security checks."""

    name = "junit"
    filename = "junit.xml"

    def render(self, record: RunRecord, summary: Summary, verdict: Verdict) -> Report:  # noqa: ARG002 - gates hold their figures
        """The XML as UTF-8."""
        is_valid = verdict.outcome is not VerdictOutcome.INVALID
        suppressions = build_suppressions(verdict.inputs)
        suites = [
            _build_suite("run", record, [_build_validity(record, verdict, is_valid=is_valid), _build_verdict(record, verdict)]),
            *_build_criteria(record, verdict),
            _build_suite(
                "gates", record, [_build_gate(result, is_valid=has_valid_figures(record, verdict)) for result in verdict.gates]
            ),
            _build_suite("security", record, [_build_check(check, suppressions) for check in record.checks]),
        ]
        root = ET.Element("testsuites", name=_text(f"jivsbench {record.plan.scenario.name}"), time=f"{record.duration_s:.3f}")
        for attribute in ("tests", "failures", "errors", "skipped"):
            root.set(attribute, str(sum(int(suite.get(attribute, "0")) for suite in suites)))
        root.extend(suites)
        ET.indent(root)
        content = ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"
        return Report(self.name, self.filename, "application/xml", content)


def _build_suite(name: str, record: RunRecord, cases: list[ET.Element]) -> ET.Element:
    counts = {tag: sum(case.find(tag) is not None for case in cases) for tag in ("failure", "error", "skipped")}
    suite = ET.Element(
        "testsuite",
        name=f"jivsbench.{name}",
        tests=str(len(cases)),
        failures=str(counts["failure"]),
        errors=str(counts["error"]),
        skipped=str(counts["skipped"]),
        time=f"{sum(float(case.get('time', '0')) for case in cases):.3f}",
        # Readers want the moment without a zone; the record's is UTC.
        timestamp=_text(record.started_at[:19]),
    )
    suite.extend(cases)
    return suite


def _build_case(suite: str, name: str, duration_s: float = 0.0) -> ET.Element:
    return ET.Element("testcase", classname=f"jivsbench.{suite}", name=_text(name), time=f"{duration_s:.3f}")


def _build_validity(record: RunRecord, verdict: Verdict, *, is_valid: bool) -> ET.Element:
    case = _build_case("run", "the run is valid")
    if not is_valid:
        reasons = list_reasons(record, verdict) or ("no reason was given",)
        _add(case, "error", "INVALID", reasons[0], "\n".join(reasons))
    return case


def _build_verdict(record: RunRecord, verdict: Verdict) -> ET.Element:
    """A case of its own: a run can fail for a reason that no gate and no check stands for."""
    case = _build_case("run", "the run did not fail")
    if verdict.outcome is VerdictOutcome.FAILED:
        reasons = list_reasons(record, verdict) or ("no reason was given",)
        _add(case, "failure", "FAILED", reasons[0], "\n".join(reasons))
    elif verdict.outcome is VerdictOutcome.INVALID:
        _add(case, "skipped", "", "the run is invalid")
    return case


def _build_gate(result: GateResult, *, is_valid: bool) -> ET.Element:
    case = _build_case("gates", result.text)
    line = build_gate_line(result, is_valid=is_valid)
    found = line.value if line.value == NOT_MEASURED else f"found {line.value}"
    if not is_valid:
        _add(case, "skipped", "", f"the run is invalid; {result.outcome.value} does not count")
    elif not result.outcome.is_green:
        kind = f"{result.outcome.value} ({result.gate.severity.value})"
        _add(case, "failure", kind, result.reason or found, f"{result.outcome.value}: {found}, asked {line.limit}\n{line.reason}")
    return case


def _build_criteria(record: RunRecord, verdict: Verdict) -> list[ET.Element]:
    """One suite with a case for each criterion of a comparison; none for a run that has no criteria."""
    cases = []
    for result in verdict.criteria:
        case = _build_case("comparison", f"{result.metric} {result.statistic}")
        if not has_valid_figures(record, verdict):
            _add(case, "skipped", "", f"the run is invalid; {result.outcome.value} does not count")
        elif result.outcome in (ComparisonOutcome.WORSE, ComparisonOutcome.INCONCLUSIVE):
            _add(case, "failure", result.outcome.value, result.reason)
        cases.append(case)
    return [_build_suite("comparison", record, cases)] if cases else []


def _build_check(check: CheckResult, suppressions: Suppressions) -> ET.Element:
    """A check of which somebody answers for every finding is skipped, with their word: it fails nothing, and did not pass."""
    case = _build_case("security", f"{check.check_id} {check.title}", check.duration_s)
    reason = check.reason or check.outcome.value
    if check.outcome is CheckOutcome.FAIL:
        detail = "\n\n".join([reason, *(_describe(finding, suppressions) for finding in check.findings)])
        if suppressions.leave_open(check) is None:
            _add(case, "skipped", "", f"FAIL ({check.severity.value}), {_join_words(check, suppressions)}", detail)
        else:
            _add(case, "failure", f"FAIL ({check.severity.value})", reason, detail)
    elif check.outcome is CheckOutcome.INVALID:
        _add(case, "error", "INVALID", reason)
    elif check.outcome in _SKIPPED:
        _add(case, "skipped", "", f"{check.outcome.value}: {check.reason}")
    return case


def _join_words(check: CheckResult, suppressions: Suppressions) -> str:
    return "; ".join(dict.fromkeys(word for finding in check.findings if (word := suppressions.explain(finding))))


def _describe(finding: Finding, suppressions: Suppressions) -> str:
    word = suppressions.explain(finding)
    lines = (
        f"{finding.severity.value}: {finding.title}" + (f" - {word}" if word else ""),
        f"Evidence: {finding.evidence}",
        f"Smallest reproducer: {finding.reproducer}",
    )
    return "\n".join(lines)


def _add(case: ET.Element, tag: str, kind: str, message: str, detail: str = "") -> None:
    element = ET.SubElement(case, tag, message=_text(message))
    if kind:
        element.set("type", kind)
    if detail:
        element.text = show_literally(detail)


def _text(text: str) -> str:
    return show_on_one_line(text)
