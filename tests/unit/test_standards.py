"""The catalogue of controls, and how far the checks of a run cover its rows."""

from dataclasses import replace

import pytest

from jivsbench.analysis.standards import cover_standards, list_not_run
from jivsbench.config.controls import load_catalogue, read_catalogue
from jivsbench.errors import ConfigError
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench.model.standards import Catalogue, CheckFacts, Control, Coverage, Standard
from jivsbench.plugins import load_registry

CATALOGUE = load_catalogue()
ONE = Standard("s", "a standard", "the rest is not looked at", (Control("1", "a row"),))
SMALL = Catalogue((ONE,), tuple(CheckFacts(f"C-{n}", "", Severity.HIGH, "", (("s", ("1",)),)) for n in (1, 2)))


def build_results(*outcomes):
    """One result an outcome; None leaves a check out."""
    named = enumerate(outcomes, 1)
    return [CheckResult(f"C-{n}", "", Severity.HIGH, CheckOutcome(outcome), "") for n, outcome in named if outcome]


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        (("PASS", "PASS"), Coverage.VERIFIED),
        (("PASS", "NOT_APPLICABLE"), Coverage.VERIFIED),
        (("PASS", None), Coverage.NOT_COVERED),
        (("PASS", "NOT_TESTED"), Coverage.NOT_COVERED),
        (("PASS", "INVALID"), Coverage.NOT_COVERED),
        (("PASS", "FAIL"), Coverage.FAILED),
        ((None, "FAIL"), Coverage.FAILED),
        (("NOT_APPLICABLE", "NOT_APPLICABLE"), Coverage.NOT_APPLICABLE),
        ((None, None), Coverage.NOT_COVERED),
    ],
)
def test_a_row_is_green_only_when_all_its_checks_passed(outcomes, state):
    """Whatever was not looked at leaves it uncovered; one failed check fails it."""
    (standard,) = cover_standards(SMALL, build_results(*outcomes))

    assert [row.state for row in standard.rows] == [state]
    assert standard.applicable == (0 if state is Coverage.NOT_APPLICABLE else 1)


def test_the_worst_of_two_results_of_one_check_counts():
    """A profile without guards brings a second result of SEC-001."""
    results = build_results("PASS", "PASS")
    (standard,) = cover_standards(SMALL, [replace(results[0], outcome=CheckOutcome.FAIL), *results])

    assert standard.rows[0].state is Coverage.FAILED


@pytest.mark.parametrize(
    ("control", "state"),
    [
        (Control("1", "", not_by_attack="it asks for a document"), Coverage.NOT_COVERED),
        (Control("1", "", does_not_apply="no web page"), Coverage.NOT_APPLICABLE),
        (Control("2", ""), Coverage.NOT_COVERED),
    ],
)
def test_a_row_that_no_attack_can_show_is_never_green(control, state):
    """However green its checks are, and the reason is told."""
    catalogue = replace(SMALL, standards=(replace(ONE, controls=(control,)),))
    (standard,) = cover_standards(catalogue, build_results("PASS", "PASS"))

    assert standard.rows[0].state is state
    assert standard.rows[0].reason


def test_every_row_counts_in_the_denominator():
    """Verified, failed, uncovered and inapplicable rows add up to all that are listed."""
    for standard in cover_standards(CATALOGUE, ()):
        assert sum(standard.count(state) for state in Coverage) == len(standard.rows) == len(standard.standard.controls)
        assert standard.count(Coverage.VERIFIED) == 0


def test_the_catalogue_lists_what_it_should():
    """36 checks in order; ten categories in each edition of the OWASP Top 10; a check for every row."""
    assert [check.check_id for check in CATALOGUE.checks] == [f"SEC-{n:03}" for n in range(1, 37)]
    sizes = {standard.key: len(standard.controls) for standard in CATALOGUE.standards}
    assert (sizes["owasp-2021"], sizes["owasp-2025"]) == (10, 10)
    for standard in CATALOGUE.standards:
        used = {row for check in CATALOGUE.checks for row in check.rows_of(standard.key)}
        assert used == {control.id for control in standard.controls}


def test_the_catalogue_says_of_a_check_what_the_check_says():
    """Severity and weaknesses."""
    for check in load_registry().checks:
        facts = CATALOGUE.find(check.id)
        assert facts is not None, check.id
        assert facts.severity is check.severity, check.id
        assert set(getattr(check, "cwe", ())) <= set(facts.rows_of("cwe")), check.id


@pytest.mark.parametrize(
    ("standard", "row", "state"),
    [
        ("asvs-5", "11.4.4", Coverage.NOT_APPLICABLE),
        ("asvs-5", "15.2.5", Coverage.NOT_COVERED),
        ("asvs-5", "16.3.4", Coverage.NOT_COVERED),
        ("gdpr", "32(1)(d)", Coverage.NOT_COVERED),
        ("cwe", "CWE-1104", Coverage.NOT_COVERED),
    ],
)
def test_what_no_check_tries_is_not_verified_by_36_green_checks(standard, row, state):
    """No fence around plugins, no slow derivation, no regularity, no upkeep, no unexpected error is looked at by any of them."""
    green = [CheckResult(check.check_id, "", check.severity, CheckOutcome.PASS, "") for check in CATALOGUE.checks]
    (found,) = [one for one in cover_standards(CATALOGUE, green) if one.standard.key == standard]

    assert [(one.state, bool(one.reason)) for one in found.rows if one.control.id == row] == [(state, True)]


def test_checks_without_a_result_are_named():
    """Not run is not measured."""
    assert [check.check_id for check in list_not_run(SMALL, build_results("PASS", None))] == ["C-2"]


def test_a_row_that_nobody_lists_is_refused(tmp_path):
    """With file, line and key."""
    file = tmp_path / "controls.toml"
    file.write_text(
        '[standards.s]\nname = "s"\nrest = "none"\n[standards.s.controls]\n"1" = "a row"\n'
        '[checks.C-1]\ntitle = "t"\nseverity = "LOW"\nremedy = "r"\ns = ["2"]\n'
    )

    with pytest.raises(ConfigError, match=r"controls.toml:10: checks.C-1.s: s lists no 2"):
        read_catalogue(file)
