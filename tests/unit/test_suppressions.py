"""Suppressions: one finding that somebody answers for, until a day. It stays visible, costs the score, and blocks nothing."""

import itertools
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.analysis import judge, summarize
from jivsbench.analysis.findings import list_blocked
from jivsbench.analysis.waiving import Suppressions
from jivsbench.checks.score import score
from jivsbench.config.gate_files import load_suppressions
from jivsbench.errors import ConfigError
from jivsbench.model.finding import CheckOutcome, CheckResult, Finding, Severity
from jivsbench.model.gate_text import parse_gate
from jivsbench.model.inputs import Inputs, Waiver, WaiverTarget
from jivsbench.model.summary import Environment, VerdictOutcome
from jivsbench.report.junit import JunitReporter
from jivsbench.report.problems import Weight, list_problems
from jivsbench.report.views.headline import find_alarms
from jivsbench.report.views.security import build_security
from tests.unit.analysis_records import build_arm_record, build_record

TODAY = "2030-06-15"
GATE = "findings.critical count <= 0"
FILE = """
[[suppressions]]
fingerprint = "SEC-001-0123456789abcdef"
owner = "ops@example.org"
reason = "closed by the next release"
expires = 2030-12-31
"""


def build_failed(*severities, check_id="SEC-001"):
    """A failed check with a finding of each severity, as severe as the worst."""
    findings = tuple(Finding(check_id, severity, f"hole {n}", "seen", f"request {n}") for n, severity in enumerate(severities))
    worst = min(severities, key=list(Severity).index)
    return CheckResult(check_id, "a check", worst, CheckOutcome.FAIL, "found", 5, 5, 1, 1, findings)


def suppress(*findings, expires="2030-12-31"):
    """Somebody's word on each."""
    return tuple(Waiver(WaiverTarget.FINDING, f.fingerprint, "ops", "the release of June", expires) for f in findings)


def judge_checks(checks, waivers=(), gates=(GATE,)):
    """The verdict of a run with these checks."""
    record = replace(build_record(build_arm_record()), checks=tuple(checks))
    inputs = Inputs(TODAY, waivers=tuple(waivers))
    return judge(record, summarize(record, inputs), tuple(map(parse_gate, gates)), inputs)


def approvals_of(verdict):
    """Where the run may go."""
    return [approval.environment for approval in verdict.approvals if approval.is_approved]


def test_a_suppressed_critical_blocks_nothing_and_is_named():
    """CONDITIONAL, never PASSED; staging and production may have it; who answers for it until when is a condition."""
    check = build_failed(Severity.CRITICAL)
    verdict = judge_checks([check], suppress(*check.findings))

    assert verdict.outcome is VerdictOutcome.CONDITIONAL
    assert approvals_of(verdict) == [Environment.STAGING, Environment.PRODUCTION]
    assert any(check.findings[0].fingerprint in text and "by ops until 2030-12-31" in text for text in verdict.conditions)
    assert any(GATE in text and "each of them is suppressed: SEC-001" in text for text in verdict.conditions)


def test_one_finding_of_two_is_not_enough():
    """What is not suppressed fails the run as before."""
    check = build_failed(Severity.CRITICAL, Severity.CRITICAL)
    verdict = judge_checks([check], suppress(check.findings[0]))

    assert verdict.outcome is VerdictOutcome.FAILED
    assert any("open: 1 CRITICAL; blocks staging and production" in reason for reason in verdict.reasons)


def test_a_suppressed_high_lets_production_go():
    """Without it staging alone may."""
    check = build_failed(Severity.HIGH)

    assert approvals_of(judge_checks([check])) == [Environment.STAGING]
    assert approvals_of(judge_checks([check], suppress(*check.findings))) == [Environment.STAGING, Environment.PRODUCTION]


def test_an_expired_suppression_fails():
    """By itself, and the finding is open again; it holds on its last day."""
    check = build_failed(Severity.HIGH)
    verdict = judge_checks([check], suppress(*check.findings, expires="2030-06-14"))

    assert verdict.outcome is VerdictOutcome.FAILED
    assert any("the suppression of finding" in reason and "expired on 2030-06-14" in reason for reason in verdict.reasons)
    assert judge_checks([check], suppress(*check.findings, expires=TODAY)).outcome is VerdictOutcome.CONDITIONAL
    assert judge_checks([], suppress(*check.findings, expires="2030-06-14")).outcome is VerdictOutcome.FAILED


def test_a_suppression_leaves_the_score_alone():
    """It says who answers for a hole, not that there is none: the score does not even know of it."""
    check = build_failed(Severity.CRITICAL)
    left = Suppressions(suppress(*check.findings), TODAY).leave_open(check)

    assert left is None
    assert (score([check]).score, score([check]).letter) == (0.0, "F")


def test_a_waived_check_still_holds_production():
    """A waiver is for whatever a check finds, so production waits; a suppression beside it changes nothing."""
    check = build_failed(Severity.CRITICAL, Severity.CRITICAL)
    waiver = Waiver(WaiverTarget.CHECK, "SEC-001", "ops", "known", "2030-12-31")
    verdict = judge_checks([check], (waiver, *suppress(check.findings[0])))

    assert verdict.outcome is VerdictOutcome.CONDITIONAL
    assert approvals_of(verdict) == [Environment.STAGING]


@pytest.mark.parametrize("severity", Severity)
def test_what_a_finding_blocks_is_what_the_verdict_withholds(severity):
    """The list beside each finding and the approvals say the same."""
    verdict = judge_checks([build_failed(severity)], gates=("rows.lost count <= 0",))

    assert [a.environment for a in verdict.approvals if not a.is_approved] == list(list_blocked(severity))


_OUTCOMES = [VerdictOutcome.PASSED, VerdictOutcome.CONDITIONAL, VerdictOutcome.FAILED]


@given(st.lists(st.lists(st.sampled_from(Severity), min_size=1, max_size=3), max_size=3), st.data())
def test_suppressing_never_makes_a_verdict_worse_nor_passed(groups, data):
    """Between the verdict without it and CONDITIONAL."""
    checks = [build_failed(*severities, check_id=f"SEC-{n:03}") for n, severities in enumerate(groups)]
    findings = list(itertools.chain.from_iterable(check.findings for check in checks))
    chosen = data.draw(st.lists(st.sampled_from(findings), unique=True)) if findings else []
    before, after = judge_checks(checks).outcome, judge_checks(checks, suppress(*chosen)).outcome

    assert _OUTCOMES.index(after) <= _OUTCOMES.index(before)
    assert after is not VerdictOutcome.PASSED or before is VerdictOutcome.PASSED


def test_a_suppression_of_nothing_is_told():
    """What was closed needs no suppression any more."""
    check = build_failed(Severity.HIGH)
    found = Suppressions((*suppress(*check.findings), *suppress(Finding("SEC-9", Severity.LOW, "gone", "", ""))), TODAY)

    assert [name.rpartition("-")[0] for name in found.list_unused([check])] == ["SEC-9"]


def test_a_file_of_suppressions_is_read(tmp_path):
    """Fingerprint, owner, reason and last day."""
    file = tmp_path / "suppressions.toml"
    file.write_text(FILE)
    (found,) = load_suppressions(file)

    assert found == Waiver(
        WaiverTarget.FINDING, "SEC-001-0123456789abcdef", "ops@example.org", "closed by the next release", "2030-12-31"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("owner = ", "# ", "the key 'owner' is missing"),
        ("reason = ", "# ", "the key 'reason' is missing"),
        ("expires = 2030-12-31", "", "must be a date"),
        ("SEC-001-0123456789abcdef", "SEC-001", "fingerprint: it is none"),
        ("[[suppressions]]", FILE + "[[suppressions]]", "it stands here twice"),
        ("owner", "who", "did you mean|no key of"),
    ],
)
def test_what_is_no_suppression_is_refused(tmp_path, old, new, message):
    """Nothing may be left out, and nobody may answer for a whole check with one."""
    file = tmp_path / "suppressions.toml"
    file.write_text(FILE.replace(old, new))

    with pytest.raises(ConfigError, match=message):
        load_suppressions(file)


MIXED = [(check, finding) for check in Severity for finding in Severity]


@pytest.mark.parametrize(("of_check", "of_finding"), MIXED)
def test_one_hole_is_equally_bad_wherever_it_is_told(of_check, of_finding):
    """Verdict, cap, alarm, annotation and what is said to wait: all by the finding's severity, whatever the check's."""
    check = replace(build_failed(of_finding), severity=of_check)
    record = replace(build_record(build_arm_record()), checks=(check,), score=score([check]))
    verdict = judge(record, summarize(record), (parse_gate("rows.lost count <= 0"),))
    (shown,) = build_security(record, verdict).findings
    (problem,) = list_problems(record, verdict)
    withheld = [approval.environment for approval in verdict.approvals if not approval.is_approved]

    assert withheld == list(list_blocked(of_finding))
    assert shown.blocks == (f"Blocks {' and '.join(withheld)}." if withheld else "Blocks nothing.")
    assert bool(find_alarms(record, verdict)) == (of_finding is Severity.CRITICAL)
    assert problem.weight is {0: Weight.REMARK, 1: Weight.CONDITION, 2: Weight.FAILURE}[len(withheld)]
    assert score([check]).capped_by is (of_finding if withheld else None)
    assert Counter(check.open_severities)[of_finding] == 1


def test_an_alarm_shows_what_is_critical_alone():
    """Of a check with several findings; suppressed when somebody answers for the CRITICAL one, whatever else is open."""
    check = build_failed(Severity.HIGH, Severity.CRITICAL)
    record = replace(build_record(build_arm_record()), checks=(check,))
    inputs = Inputs(TODAY, waivers=suppress(check.findings[1]))
    (loud,) = find_alarms(record, judge(record, summarize(record), ()))
    (quiet,) = find_alarms(record, judge(record, summarize(record, inputs), (), inputs))

    assert (loud.word, loud.title) == ("Open CRITICAL", "hole 1")
    assert (quiet.word, quiet.title) == ("Suppressed CRITICAL", "hole 1")


def test_a_suppressed_check_is_skipped_in_junit():
    """It fails nothing and did not pass; one finding that nobody answers for is a failure, beside the words for the others."""
    check = build_failed(Severity.HIGH, Severity.MEDIUM)
    record = replace(build_record(build_arm_record()), checks=(check,))

    def read_case(*suppressed):
        inputs = Inputs(TODAY, waivers=suppress(*suppressed))
        verdict = judge(record, summarize(record, inputs), (), inputs)
        root = ET.fromstring(JunitReporter().render(record, summarize(record, inputs), verdict).content)
        (case,) = [case for case in root.iter("testcase") if case.get("classname") == "jivsbench.security"]
        return case

    skipped, failed = read_case(*check.findings), read_case(check.findings[0])
    assert [part.tag for part in skipped] == ["skipped"]
    assert skipped[0].get("message") == "FAIL (HIGH), suppressed by ops until 2030-12-31: the release of June"
    assert [part.tag for part in failed] == ["failure"]
    assert failed[0].text.count("suppressed by ops") == 1


@pytest.mark.parametrize("severity", Severity)
def test_what_a_waived_finding_blocks_is_what_the_verdict_withholds(severity):
    """A waiver of its check lets it go to staging; the word stands beside the finding."""
    check = build_failed(severity)
    record = replace(build_record(build_arm_record()), checks=(check,))
    inputs = Inputs(TODAY, waivers=(Waiver(WaiverTarget.CHECK, "SEC-001", "ops", "known", "2030-12-31"),))
    verdict = judge(record, summarize(record, inputs), (parse_gate("rows.lost count <= 0"),), inputs)
    (shown,) = build_security(record, verdict).findings
    withheld = [approval.environment for approval in verdict.approvals if not approval.is_approved]

    assert shown.blocks == (f"Blocks {' and '.join(withheld)}." if withheld else "Blocks nothing.")
    assert shown.answer == "Waived by ops until 2030-12-31: known."
