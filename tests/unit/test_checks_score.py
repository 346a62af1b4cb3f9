from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.checks.missing_guard import missing_guard_result
from jivsbench.checks.score import score
from jivsbench.model.finding import CheckOutcome, CheckResult, Finding, Severity
from jivsbench.model.profile import OPTIMIZED


def build_result(outcome, severity=Severity.MEDIUM, findings=()):
    """A check that ended so."""
    return CheckResult(
        "SEC-X",
        "a check",
        severity,
        CheckOutcome(outcome),
        "",
        findings=tuple(Finding("SEC-X", found, "a hole", "", "") for found in findings),
    )


RESULTS = st.builds(
    build_result,
    st.sampled_from(CheckOutcome),
    st.sampled_from(Severity),
    st.lists(st.sampled_from(Severity), max_size=2),
)


@pytest.mark.parametrize(
    ("results", "value", "letter"),
    [
        ([build_result("PASS")], 100.0, "A+"),
        ([build_result("PASS", Severity.CRITICAL), build_result("FAIL", Severity.LOW)], 80.0, "B+"),
        ([build_result("PASS", Severity.CRITICAL), build_result("NOT_TESTED", Severity.CRITICAL)], 50.0, "D"),
        ([build_result("PASS", Severity.HIGH), build_result("NOT_TESTED", Severity.LOW)], 75.0, "B"),
        ([build_result("NOT_TESTED")], 0.0, "F"),
        ([build_result("PASS"), build_result("NOT_APPLICABLE", Severity.CRITICAL)], 100.0, "A+"),
        ([build_result("PASS"), build_result("INVALID", Severity.CRITICAL)], 100.0, None),
    ],
)
def test_the_score_is_the_passed_share_of_the_weights(results, value, letter):
    """Not testing counts as much as failing; not applicable and invalid count nothing."""
    scored = score(results)

    assert (scored.score, scored.letter) == (value, letter)


def test_an_open_critical_is_grade_f_however_much_is_green():
    """49 at most."""
    scored = score([build_result("PASS", Severity.CRITICAL)] * 35 + [build_result("FAIL", Severity.CRITICAL)])

    assert (scored.score, scored.letter) == (49.0, "F")


def test_an_open_high_is_at_most_c():
    """79 at most, and no better letter than C for it."""
    scored = score([build_result("PASS", Severity.CRITICAL)] * 35 + [build_result("FAIL", Severity.HIGH)])

    assert (scored.score, scored.letter) == (79.0, "C")


def test_a_letter_needs_an_answer_of_every_check():
    """Two green checks of many are no A+; an open CRITICAL is F whatever else was left out."""
    green = [build_result("PASS", Severity.CRITICAL)] * 2

    assert (score(green, not_run=34).score, score(green, not_run=34).letter) == (100.0, None)
    assert score([*green, build_result("FAIL", Severity.CRITICAL)], not_run=33).letter == "F"
    assert score([*green, build_result("FAIL", Severity.HIGH)], not_run=33).letter is None


def test_the_arithmetic_is_told():
    """By severity: what passed of what counts; the score before its cap, the cap, and whose it is."""
    scored = score([build_result("PASS", Severity.CRITICAL)] * 9 + [build_result("FAIL", Severity.HIGH)])
    shares = {share.severity: (share.earned, share.counted) for share in scored.shares}

    assert shares[Severity.CRITICAL] == (90.0, 90.0)
    assert shares[Severity.HIGH] == (0.0, 7.5)
    assert scored.uncapped == pytest.approx(100 * 90 / 97.5)
    assert (scored.cap, scored.capped_by) == (79.0, Severity.HIGH)


def test_a_cap_never_raises_a_score():
    """A target that earned less keeps less."""
    assert score([build_result("FAIL", Severity.CRITICAL)]).score == 0.0
    assert score([build_result("PASS", Severity.LOW), build_result("FAIL", Severity.HIGH)]).letter == "F"


def test_the_findings_decide_the_cap_when_there_are_any():
    """A critical check that found a medium hole is capped by neither; its weight is lost all the same."""
    passed = [build_result("PASS", Severity.CRITICAL)] * 9
    scored = score([*passed, build_result("FAIL", Severity.CRITICAL, [Severity.MEDIUM])])

    assert (scored.score, scored.letter) == (90.0, "A")


def test_nothing_that_counts_has_no_score():
    """None, not 100."""
    scored = score([build_result("INVALID"), build_result("NOT_APPLICABLE")])

    assert (scored.score, scored.letter, scored.invalid) == (None, None, 1)
    assert score([]).score is None


def test_the_outcomes_are_counted():
    """One number an outcome."""
    scored = score([build_result(o) for o in ("PASS", "PASS", "FAIL", "NOT_TESTED", "INVALID")])

    assert (scored.passed, scored.failed, scored.not_tested, scored.invalid) == (2, 1, 1, 1)


@given(st.lists(RESULTS, max_size=8), RESULTS)
def test_another_failed_check_never_raises_the_score(results, extra):
    """Merging is monotone."""
    failed = replace(extra, outcome=CheckOutcome.FAIL)
    before, after = score(results).score, score([*results, failed]).score

    assert after is not None
    assert before is None or after <= before


@given(st.lists(RESULTS, min_size=1, max_size=8), st.sampled_from(Severity))
def test_another_finding_never_raises_the_score(results, severity):
    """A failed check with one more finding scores no better, unless it had named none and was taken at its own severity."""
    first = replace(results[0], outcome=CheckOutcome.FAIL, findings=(Finding("SEC-X", severity, "", "", ""),))
    more = replace(first, findings=(*first.findings, Finding("SEC-X", Severity.LOW, "", "", "")))
    before, after = score([first, *results[1:]]).score, score([more, *results[1:]]).score

    assert before is not None
    assert after is not None
    assert after <= before


def test_a_profile_without_guards_is_an_open_critical():
    """SEC-001 fails without any attack, and caps the score."""
    result = missing_guard_result(replace(OPTIMIZED, guards=()))

    assert (result.check_id, result.outcome, result.findings[0].severity) == ("SEC-001", CheckOutcome.FAIL, Severity.CRITICAL)
    assert score([result, build_result("PASS", Severity.CRITICAL)]).letter == "F"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("table jivsbench_attack_0a1b2c3d4e", "table jivsbench_attack_9f8e7d6c5b", True),
        ("GET http://127.0.0.1:40123/x", "GET http://127.0.0.1:40999/x", True),
        ("open '/tmp/jivsbench-attacked-x1/a'", "open '/var/tmp/jivsbench-attacked-y2/b'", True),
        ("at 2030-01-01T00:00:00+00:00", "at 2031-12-31 23:59:59.5Z", True),
        ("DELETE  FROM a", "DELETE FROM a", True),
        ("name = 'x'' OR 1=1'", "name = 'x'' OR 2=2'", False),
        ("/etc/passwd", "/etc/shadow", False),
        ("plugins/jivsbench-a/src/b.py:3", "plugins/jivsbench-a/src/c.py:9", False),
    ],
)
def test_a_fingerprint_is_that_of_the_hole(one, other, same):
    """Names, ports, folders and moments of one run do not count; what was sent does."""
    first, second = (Finding("SEC-X", Severity.HIGH, "a hole", "", text).fingerprint for text in (one, other))

    assert (first == second) is same


def test_a_fingerprint_knows_check_and_title():
    """The same request can show two holes; how it was seen does not matter."""
    one = Finding("SEC-X", Severity.HIGH, "a hole", "seen so", "x")

    assert one.fingerprint.startswith("SEC-X-")
    assert one.fingerprint == replace(one, evidence="seen otherwise", severity=Severity.LOW).fingerprint
    assert one.fingerprint != replace(one, title="another").fingerprint
    assert one.fingerprint != replace(one, check_id="SEC-Y").fingerprint
