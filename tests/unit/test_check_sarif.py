"""SARIF of security checks: valid by the schema, every outcome with its kind, and what is new told from what is not."""

import json
from dataclasses import replace

import pytest
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif

from jivsbench.analysis.waiving import Suppressions
from jivsbench.checks.score import score
from jivsbench.errors import ConfigError
from jivsbench.model.finding import FINGERPRINT_KEY, CheckOutcome, Severity
from jivsbench.model.inputs import Waiver, WaiverTarget
from jivsbench.report.check_sarif import render_checks
from jivsbench.report.sarif import MAX_RESULTS
from jivsbench.results.check_baseline import read_baseline
from jivsbench.results.sarif_results import read_sarif
from tests.gold.sample_runs import HOSTILE_TEXT, script_checks

CHECKS = script_checks()
NOBODY = Suppressions((), "2030-01-01")


def render(checks=CHECKS, suppressions=NOBODY, earlier=None):
    """The one run of the log, after the schema has seen it."""
    log = json.loads(render_checks(checks, score(checks), suppressions, earlier))
    Sarif.model_validate(log)
    (run,) = log["runs"]
    return run


def write(folder, checks=CHECKS, earlier=None):
    """A file of an assessment."""
    path = folder / "checks.sarif"
    path.write_bytes(render_checks(checks, score(checks), NOBODY, earlier))
    return path


def without_findings(checks, check_id, outcome=CheckOutcome.PASS):
    """The same, with one check that found nothing."""
    return [replace(check, outcome=outcome, findings=()) if check.check_id == check_id else check for check in checks]


def test_every_outcome_has_its_kind():
    """PASS, FAIL, NOT_TESTED, NOT_APPLICABLE and INVALID; a level only where something failed; each result at its own rule."""
    run = render()
    rules = run["tool"]["driver"]["rules"]
    kinds = {result["ruleId"]: result["kind"] for result in run["results"]}

    assert {kinds[name] for name in ("SEC-001", "SEC-005", "SEC-016", "SEC-014", "SEC-008")} == {
        "pass", "fail", "open", "notApplicable", "review",
    }  # fmt: skip
    assert all((result["level"] == "none") == (result["kind"] != "fail") for result in run["results"])
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])
    assert len(rules) == len(CHECKS)
    assert run["invocations"][0]["executionSuccessful"] is False


def test_a_finding_has_a_severity_a_remedy_and_a_fingerprint():
    """CRITICAL from 9; the fingerprint is the one that suppressions name."""
    run = render()
    (rule,) = [rule for rule in run["tool"]["driver"]["rules"] if rule["id"] == "SEC-005"]
    found = [result for result in run["results"] if result["ruleId"] == "SEC-005"]

    assert float(rule["properties"]["security-severity"]) >= 9
    assert "external/cwe/cwe-89" in rule["properties"]["tags"]
    assert rule["help"]["text"]
    assert [result["partialFingerprints"][FINGERPRINT_KEY] for result in found] == [f.fingerprint for f in CHECKS[4].findings]
    assert all("baselineState" not in result for result in run["results"])


def test_a_suppression_is_there_with_its_word():
    """By whom, until when; everything else says that nobody answers for it."""
    chosen = CHECKS[4].findings[0].fingerprint
    waiver = Waiver(WaiverTarget.FINDING, chosen, "ops", "the release of June", "2030-06-30")
    run = render(suppressions=Suppressions([waiver], "2030-01-01"))
    told = {result["partialFingerprints"][FINGERPRINT_KEY]: result["suppressions"] for result in run["results"]}

    assert told.pop(chosen) == [{"kind": "external", "justification": "suppressed by ops until 2030-06-30: the release of June"}]
    assert not any(told.values())


def test_what_is_new_unchanged_and_gone(tmp_path):
    """Against an earlier file: a closed hole is absent, a new one new, all others unchanged."""
    earlier = read_baseline(write(tmp_path, without_findings(CHECKS, "SEC-011")))
    run = render(without_findings(CHECKS, "SEC-027"), earlier=earlier)
    states = [(result["ruleId"], result["kind"], result["baselineState"]) for result in run["results"]]

    assert ("SEC-011", "fail", "new") in states
    assert ("SEC-005", "fail", "unchanged") in states
    assert ("SEC-001", "pass", "unchanged") in states
    assert {state for state in states if state[0] == "SEC-027"} == {("SEC-027", "pass", "new"), ("SEC-027", "fail", "absent")}


@pytest.mark.parametrize("outcome", [CheckOutcome.NOT_TESTED, CheckOutcome.INVALID])
def test_a_hole_that_nobody_looked_at_is_not_gone(tmp_path, outcome):
    """Only a check that ran to its end can say that its finding is absent."""
    run = render(without_findings(CHECKS, "SEC-027", outcome), earlier=read_baseline(write(tmp_path)))

    assert not [result for result in run["results"] if result["baselineState"] == "absent"]


def test_what_is_gone_stays_gone(tmp_path):
    """A baseline's own absent results are no findings of that day."""
    first = write(tmp_path)
    second = write(tmp_path, without_findings(CHECKS, "SEC-027"), read_baseline(first))
    run = render(without_findings(CHECKS, "SEC-027"), earlier=read_baseline(second))

    assert not [result for result in run["results"] if result["baselineState"] == "absent"]


@pytest.mark.no_cover
def test_what_has_no_room_is_the_lightest_and_said(tmp_path):
    """Code scanning takes 5,000 results, those that are gone among them: what passed goes first, what is open stays."""
    low = next(check for check in CHECKS if check.check_id == "SEC-027")
    many = tuple(replace(low.findings[0], title=f"hole {n}") for n in range(MAX_RESULTS))
    flood = [replace(check, findings=many) if check is low else check for check in CHECKS]
    earlier = read_baseline(write(tmp_path, [replace(c, findings=many[:20]) if c is low else c for c in flood]))
    run = render(without_findings(flood, "SEC-011"), earlier=earlier)
    left_out = run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    critical = [finding for check in CHECKS for finding in check.findings if finding.severity is Severity.CRITICAL]

    assert len(run["results"]) == MAX_RESULTS
    assert left_out.endswith("results are left out, the lightest: see --json")
    assert [result["level"] for result in run["results"][: len(critical)]] == ["error"] * len(critical)
    assert "none" not in {result["level"] for result in run["results"]}


@pytest.mark.no_cover
def test_what_is_gone_is_within_the_limit(tmp_path):
    """An earlier file that was full, and a clean check now: no result beyond the limit."""
    low = next(check for check in CHECKS if check.check_id == "SEC-027")
    many = tuple(replace(low.findings[0], title=f"hole {n}") for n in range(MAX_RESULTS))
    earlier = read_baseline(write(tmp_path, [replace(low, findings=many)]))
    run = render(without_findings(CHECKS, "SEC-027"), earlier=earlier)

    assert len(run["results"]) == MAX_RESULTS


def test_our_own_reader_counts_open_findings_alone(tmp_path):
    """A gate that reads the file sees its findings, and nothing of what passed; of one with an INVALID check it reads nothing."""
    with pytest.raises(ConfigError, match="did not run to its end"):
        read_sarif(write(tmp_path))
    path = write(tmp_path, [check for check in CHECKS if check.outcome is not CheckOutcome.INVALID])
    findings = read_sarif(path)

    assert sum(finding.severity == "CRITICAL" for finding in findings) == 2
    assert {finding.check_id.rpartition("/")[2] for finding in findings} >= {"SEC-005", "SEC-011", "SEC-013", "SEC-027"}
    assert "jivsbench/SEC-001" not in {finding.check_id for finding in findings}


def test_hostile_text_is_text():
    """No control character, and no direction mark, reaches whoever reads the file."""
    finding = replace(CHECKS[4].findings[0], title=HOSTILE_TEXT, evidence=HOSTILE_TEXT)
    (result,) = render([replace(CHECKS[4], title=HOSTILE_TEXT, findings=(finding,))])["results"]

    assert not set(result["message"]["text"]) & {"\x00", "\x1b", "\u202e"}


@pytest.mark.parametrize("content", ["", "{}", '{"runs": [{"results": [{"ruleId": "a"}]}]}', '{"version": "2.1.0", "runs": []}'])
def test_another_file_is_no_baseline(tmp_path, content):
    """A file without our fingerprints would make everything new."""
    path = tmp_path / "other.sarif"
    path.write_text(content)

    with pytest.raises(ConfigError, match="is no file that 'jivsbench check --sarif' wrote"):
        read_baseline(path)
