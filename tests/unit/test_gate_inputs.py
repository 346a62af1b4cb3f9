"""What is brought to a judgement: JUnit, coverage, findings, waivers, gate files; and what comes of it."""

import json

import pytest

from jivsbench.analysis import judge, summarize
from jivsbench.config.gate_files import load_gates, load_sections, load_waivers
from jivsbench.config.scenarios import scenario_folders
from jivsbench.errors import ConfigError, GateError, UnknownNameError
from jivsbench.model.finding import CheckOutcome, Severity
from jivsbench.model.gate import GateOutcome
from jivsbench.model.gate_text import parse_gate
from jivsbench.model.inputs import Coverage, Inputs, SuiteResults, Waiver, WaiverTarget
from jivsbench.model.summary import Environment, VerdictOutcome
from jivsbench.report.run_file import dump_run
from jivsbench.results.coverage_results import read_coverage
from jivsbench.results.junit_results import read_junit
from jivsbench.results.sarif_results import read_sarif
from tests.unit.analysis_records import build_arm_record, build_check, build_record

TODAY = "2030-06-15"
RECORD = build_record(build_arm_record())
SLOW = "job.response p95 < 50 ms"


def write(folder, name, content):
    """A file with that content."""
    path = folder / name
    path.write_text(content)
    return path


def verdict_of(record=RECORD, gates=(SLOW,), **inputs):
    """The verdict of a run with what is brought to it."""
    given = Inputs(TODAY, **inputs)
    return judge(record, summarize(record, given), tuple(map(parse_gate, gates)), given)


def waiver(name=SLOW, target=WaiverTarget.GATE, expires="2030-12-31"):
    """Somebody's word."""
    return Waiver(target, name, "ops@example.org", "the index is being built", expires)


MIXED = "<testcase name='a'/><testcase name='b'><failure/></testcase><testcase name='c'><skipped/></testcase>"
THREE = "<testcase name='a'/><testcase name='b'/><testcase name='c'/>"
JACOCO = """<report><package><counter type="LINE" missed="1" covered="2"/></package>
<counter type="LINE" missed="10" covered="90"/></report>"""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f"<testsuites><testsuite tests='3'>{MIXED}</testsuite></testsuites>", (1, 1, 1)),
        ('<testsuite><testcase name="a"><error/></testcase></testsuite>', (0, 1, 0)),
        ('<testsuite><testcase name="a"><failure/><error/></testcase></testsuite>', (0, 1, 0)),
        ('<testsuite><testcase name="a"><skipped/><failure/></testcase></testsuite>', (0, 1, 0)),
        ('<testsuite errors="2" failures="1"><testcase name="a"/><testcase name="b"/></testsuite>', (0, 3, 0)),
        (f"<testsuites failures='1' errors='1'><testsuite>{THREE}</testsuite></testsuites>", (1, 2, 0)),
        ("<testsuites/>", (0, 0, 0)),
        ('<testsuite><testcase name="a" status="run" result="completed"/><testcase status="notrun"/></testsuite>', (1, 0, 1)),
        ('<testsuite><testcase status="notrun" result="suppressed"/></testsuite>', (0, 0, 1)),
        ('<testsuite><testcase status="run" result="skipped"><skipped/></testcase></testsuite>', (0, 0, 1)),
        ('<testsuite><testcase status="notrun"><failure/></testcase></testsuite>', (0, 1, 0)),
        ('<testsuite tests="500" failures="0"/>', (0, 0, 0)),
    ],
)  # fmt: skip
def test_junit_cases_are_counted(tmp_path, content, expected):
    """Cases count; failures that a suite admits beyond its cases count too; a claimed test without a case does not."""
    found = read_junit([write(tmp_path, "junit.xml", content)])

    assert (found.passed, found.failed, found.skipped) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<testsuites><testcase>", "is not whole XML"),
        ("<html/>", "is not JUnit XML: its root is <html>"),
        ("", "is not whole XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><testsuites>&b;</testsuites>', "declares an entity"),
    ],
)
def test_what_is_not_junit_is_refused(tmp_path, content, message):
    """A report that was cut short proves nothing; an entity is refused, not expanded."""
    with pytest.raises(ConfigError, match=message):
        read_junit([write(tmp_path, "junit.xml", content)])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            '<coverage lines-valid="200" lines-covered="181" branches-valid="0" branches-covered="0" line-rate="0.99"/>',
            (181, 200, None, None),
        ),
        ('<coverage lines-valid="200" lines-covered="181" branches-valid="40" branches-covered="30"/>', (181, 200, 30, 40)),
        (JACOCO, (90, 100, None, None)),
        (
            '{"totals": {"covered_lines": 9, "num_statements": 10, "covered_branches": 1, "num_branches": 4}}',
            (9, 10, 1, 4),
        ),
        ("SF:a\nLF:10\nLH:8\nBRF:4\nBRH:2\nend_of_record\nSF:b\nLF:2\nLH:2\nend_of_record\n", (10, 12, 2, 4)),
    ],
)  # fmt: skip
def test_coverage_is_read_from_its_counts(tmp_path, content, expected):
    """Four formats; a rate beside the counts is not believed."""
    found = read_coverage(write(tmp_path, "coverage", content))

    assert (found.lines_covered, found.lines, found.branches_covered, found.branches) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<html/>", "neither Cobertura nor JaCoCo"),
        ("{}", "is not the JSON of coverage.py"),
        ("hello", "is no coverage file that is known"),
        ('<coverage lines-valid="2" lines-covered="3"/>', "says that 3 of 2 are covered"),
        ('<coverage lines-valid="2" lines-covered="x"/>', "is missing or no whole number"),
    ],
)
def test_what_is_no_coverage_is_refused(tmp_path, content, message):
    """More covered than there is cannot be, and is not taken for 100 %."""
    with pytest.raises(ConfigError, match=message):
        read_coverage(write(tmp_path, "coverage", content))


HUGE = ("1e999999999", "1e99999999999999999999", "9" * 5000, "9" * 400)


@pytest.mark.parametrize("number", [*HUGE, "2.5"])
@pytest.mark.parametrize("key", ["covered_lines", "num_statements", "covered_branches", "num_branches"])
def test_a_number_that_counts_nothing_is_refused_in_json(tmp_path, number, key):
    """Written out it would fill the memory; half a line is none."""
    known = {"covered_lines": "1", "num_statements": "2", "covered_branches": "1", "num_branches": "2"} | {key: number}
    content = ", ".join(f'"{name}": {value}' for name, value in known.items())

    with pytest.raises(ConfigError, match="coverage"):
        read_coverage(write(tmp_path, "coverage.json", f'{{"totals": {{{content}}}}}'))


@pytest.mark.parametrize("number", [*HUGE, "\u00b2", "2.5", "x"])
def test_a_number_that_counts_nothing_is_refused_in_every_file(tmp_path, number):
    """Whatever is taken for a digit somewhere: it could be any number of lines, or of failures."""
    with pytest.raises(ConfigError, match="no whole number"):
        read_coverage(write(tmp_path, "lcov", f"LF:{number}\nLH:1\nend_of_record\n"))
    with pytest.raises(ConfigError, match="no whole number"):
        read_coverage(write(tmp_path, "c.xml", f'<coverage lines-valid="{number}" lines-covered="1"/>'))
    with pytest.raises(ConfigError, match="no whole number"):
        read_junit([write(tmp_path, "j.xml", f'<testsuite failures="{number}"><testcase name="a"/></testsuite>')])


@pytest.mark.parametrize("number", HUGE)
def test_a_place_that_no_file_has_is_none(tmp_path, number):
    """A rule must be found, so its place must be; a line may be missing."""
    place = {"physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": "LINE"}}}
    content = sarif({"ruleId": "A", "message": {"text": "hole"}, "locations": [place]}).replace('"LINE"', number)

    if number.startswith("1e9999999999999"):
        with pytest.raises(ConfigError, match="exponent"):
            read_sarif(write(tmp_path, "scan.sarif", content))
    else:
        assert read_sarif(write(tmp_path, "scan.sarif", content))[0].evidence == "a.py"
    indexed = sarif({"ruleIndex": "PLACE", "message": {"text": "hole"}}).replace('"PLACE"', number)
    with pytest.raises(ConfigError, match="SARIF"):
        read_sarif(write(tmp_path, "indexed.sarif", indexed))


def test_half_a_character_is_kept_as_a_question_mark(tmp_path):
    """JSON can name it, and run.json could not hold it; a whole one in two halves stays."""
    content = sarif({"ruleId": "\ud800", "message": {"text": "a\udfffb \U0001f600"}})
    (found,) = read_sarif(write(tmp_path, "scan.sarif", content))
    inputs = Inputs(TODAY, findings=(found,), findings_files=("scan.sarif",))
    summary = summarize(RECORD, inputs)

    assert (found.check_id, found.title) == ("scan/?", "a?b \U0001f600")
    assert dump_run(RECORD, summary, judge(RECORD, summary, (), inputs))


def sarif(*results, rules=()):
    """A SARIF file of one tool."""
    return json.dumps(
        {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "scan", "rules": list(rules)}}, "results": list(results)}]}
    )


def test_findings_of_other_scanners_are_read_by_severity(tmp_path):
    """The score decides, then the level; what passed or is gone is not open; a suppressed one is."""
    place = {"physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 7}}}
    rules = ({"id": "A", "properties": {"security-severity": "9.8"}}, {"id": "B", "defaultConfiguration": {"level": "error"}})
    content = sarif(
        {"ruleId": "A", "message": {"text": "hole"}, "locations": [place], "suppressions": [{"kind": "external"}]},
        {"ruleId": "B", "message": {"text": "hole"}},
        {"ruleId": "C", "message": {"text": "hole"}, "level": "note"},
        {"ruleId": "D", "message": {"text": "fine"}, "kind": "pass"},
        {"ruleId": "E", "message": {"text": "gone"}, "baselineState": "absent"},
        rules=rules,
    )

    found = read_sarif(write(tmp_path, "scan.sarif", content))

    assert [(f.check_id, f.severity, f.evidence) for f in found] == [
        ("scan/A", Severity.CRITICAL, "a.py:7"), ("scan/B", Severity.HIGH, ""), ("scan/C", Severity.LOW, ""),
    ]  # fmt: skip
    assert verdict_of(gates=(), findings=found).outcome is VerdictOutcome.FAILED
    assert verdict_of(gates=(), findings=found[1:]).outcome is VerdictOutcome.CONDITIONAL
    count = verdict_of(gates=("findings.critical count <= 0",), findings=found, findings_files=("scan.sarif",)).gates[0]
    assert (count.outcome, count.value) == (GateOutcome.FAILED, 1)


def test_who_answers_for_one_line_answers_for_no_other(tmp_path):
    """One rule with one text at three places, one of them no file: suppressing the first leaves the two others open."""
    file, line = {"uri": "a.py"}, {"startLine": 7}
    places = (
        {"physicalLocation": {"artifactLocation": file, "region": line}},
        {"physicalLocation": {"artifactLocation": {"uri": "payment.py"}, "region": line}},
        {"logicalLocations": [{"fullyQualifiedName": "shop.pay"}]},
    )
    rules = ({"id": "A", "properties": {"security-severity": "9.8"}},)
    content = sarif(*({"ruleId": "A", "message": {"text": "hole"}, "locations": [place]} for place in places), rules=rules)
    found = read_sarif(write(tmp_path, "scan.sarif", content))
    word = Waiver(WaiverTarget.FINDING, found[0].fingerprint, "ops", "looked at", "2030-12-31")

    assert [finding.evidence for finding in found] == ["a.py:7", "payment.py:7", "shop.pay"]
    assert verdict_of(gates=(), findings=found[:1], waivers=(word,)).outcome is VerdictOutcome.CONDITIONAL
    for other in found[1:]:
        assert verdict_of(gates=(), findings=(found[0], other), waivers=(word,)).outcome is VerdictOutcome.FAILED


def test_a_severity_that_is_no_number_is_refused(tmp_path):
    """NaN is below every limit and would read as LOW."""
    content = sarif({"ruleId": "A", "message": {"text": "hole"}, "properties": {"security-severity": "NaN"}})

    with pytest.raises(ConfigError, match="security-severity is no number"):
        read_sarif(write(tmp_path, "scan.sarif", content))


def test_findings_find_their_rule_wherever_it_is_listed(tmp_path):
    """By its place in the driver's list, and in the list of an extension: the score of the rule counts, not a default."""
    scored = {"properties": {"security-severity": "9.8"}}
    content = json.loads(sarif({"ruleIndex": 0, "message": {"text": "a"}}, {"ruleId": "X", "message": {"text": "b"}}))
    tool = content["runs"][0]["tool"]
    tool["driver"]["rules"] = [{"id": "A", **scored}]
    tool["extensions"] = [{"name": "more", "rules": [{"id": "X", **scored}]}]

    found = read_sarif(write(tmp_path, "scan.sarif", json.dumps(content)))

    assert [(f.check_id, f.severity) for f in found] == [("scan/A", Severity.CRITICAL), ("scan/X", Severity.CRITICAL)]


def test_an_id_that_says_more_than_its_rules_has_that_rule(tmp_path):
    """`SQLI/union` is of the rule SQLI, by its place or by its name; a place at which another rule stands is not believed."""
    rules = (
        {"id": "SQLI", "properties": {"security-severity": "9.8"}},
        {"id": "NOTE", "defaultConfiguration": {"level": "note"}},
    )
    hole = {"message": {"text": "hole"}}
    content = sarif(
        {"ruleId": "SQLI/union", "ruleIndex": 0, **hole},
        {"ruleId": "SQLI/union/blind", **hole},
        {"rule": {"id": "SQLI/union", "index": 0}, **hole},
        {"ruleId": "SQLI", "ruleIndex": 1, **hole},
        {"ruleId": "SQLI", "ruleIndex": 7, **hole},
        {"ruleId": "own name", "ruleIndex": 0, **hole},
        {"ruleId": "NOTE/x", "ruleIndex": None, **hole},
        rules=rules,
    )

    found = read_sarif(write(tmp_path, "scan.sarif", content))

    assert [f.severity for f in found] == [Severity.CRITICAL] * 6 + [Severity.LOW]
    assert found[0].check_id == "scan/SQLI/union"


def test_a_rule_of_an_extension_is_found_by_its_place_there(tmp_path):
    """The first rule of the driver is another one."""
    content = json.loads(sarif({"rule": {"index": 0, "toolComponent": {"index": 0}}, "message": {"text": "a"}}))
    tool = content["runs"][0]["tool"]
    tool["driver"]["rules"] = [{"id": "A"}]
    tool["extensions"] = [{"name": "more", "rules": [{"id": "X", "properties": {"security-severity": "9.8"}}]}]

    (found,) = read_sarif(write(tmp_path, "scan.sarif", json.dumps(content)))

    assert (found.check_id, found.severity) == ("scan/X", Severity.CRITICAL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"invocations": [{"executionSuccessful": True}, {"executionSuccessful": False}]}, "did not run to its end"),
        ({"results": None}, "nothing was scanned"),
        ({"results": {}}, "nothing was scanned"),
    ],
)
def test_a_scan_that_crashed_is_no_clean_one(tmp_path, change, message):
    """No finding of it was looked for to the end, and of none nothing is known."""
    run = {"tool": {"driver": {"name": "scan"}}, "results": []}

    assert read_sarif(write(tmp_path, "scan.sarif", json.dumps({"version": "2.1.0", "runs": [run]}))) == ()
    with pytest.raises(ConfigError, match=f"{message}.*scan again"):
        read_sarif(write(tmp_path, "scan.sarif", json.dumps({"version": "2.1.0", "runs": [run | change]})))
    with pytest.raises(ConfigError, match="holds no run of a scanner"):
        read_sarif(write(tmp_path, "scan.sarif", '{"version": "2.1.0", "runs": []}'))


@pytest.mark.parametrize("content", ["{", "[]", '{"version": "1.0"}', '{"version": "2.1.0", "runs": [{"results": []}]}'])
def test_what_is_not_sarif_is_refused(tmp_path, content):
    """An unreadable scan is an error, never an empty one."""
    with pytest.raises(ConfigError, match="SARIF"):
        read_sarif(write(tmp_path, "scan.sarif", content))


@pytest.mark.parametrize(
    ("tests", "gate", "outcome"),
    [
        (SuiteResults(("j.xml",), 10, 0, 0), "tests.failed count <= 0", GateOutcome.MET),
        (SuiteResults(("j.xml",), 10, 1, 0), "tests.failed count <= 0", GateOutcome.FAILED),
        (SuiteResults(("j.xml",), 0, 0, 7), "tests.failed count <= 0", GateOutcome.NO_DATA),
        (SuiteResults((), 0, 0, 0), "tests.passed count >= 1", GateOutcome.NO_DATA),
        (None, "tests.failed count <= 0", GateOutcome.NO_DATA),
    ],
)
def test_a_build_is_green_by_its_tests_alone(tests, gate, outcome):
    """No file, no test and nothing but skipped ones are NO_DATA."""
    assert verdict_of(gates=(gate,), tests=tests).gates[0].outcome is outcome


def test_coverage_without_branches_has_no_branch_figure():
    """What the file does not count is not 0 and not 100 %."""
    verdict = verdict_of(
        gates=("coverage.lines ratio >= 90 %", "coverage.branches ratio >= 1 %"), coverage=Coverage("c.xml", 95, 100)
    )

    assert [result.outcome for result in verdict.gates] == [GateOutcome.MET, GateOutcome.NO_DATA]


def test_a_waiver_makes_a_condition_of_a_failure_and_hides_nothing():
    """The gate stays FAILED, its reason is named with owner, day and reason; staging yes, production no."""
    verdict = verdict_of(waivers=(waiver(),))

    assert verdict_of().outcome is VerdictOutcome.FAILED
    assert verdict.outcome is VerdictOutcome.CONDITIONAL
    assert verdict.gates[0].outcome is GateOutcome.FAILED
    assert verdict.conditions[0].endswith("waived by ops@example.org until 2030-12-31: the index is being built")
    assert [(a.environment, a.is_approved, len(a.conditions)) for a in verdict.approvals] == [
        (Environment.STAGING, True, 0), (Environment.PRODUCTION, False, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("gate", [SLOW, "http.response p95 < 5000 ms"])
def test_an_expired_waiver_is_a_failure(gate):
    """Whether its gate fails or is met by now: the day after its last one, it fails by itself."""
    assert verdict_of(gates=(gate,), waivers=(waiver(gate, expires=TODAY),)).outcome is not VerdictOutcome.FAILED
    verdict = verdict_of(gates=(gate,), waivers=(waiver(gate, expires="2030-06-14"),))

    assert verdict.outcome is VerdictOutcome.FAILED
    assert "expired on 2030-06-14" in verdict.reasons[0]


def test_what_was_not_measured_cannot_be_waived():
    """NO_DATA stays what it is: nobody can answer for what nobody knows."""
    gate = "tests.failed count <= 0"

    assert verdict_of(gates=(gate,), waivers=(waiver(gate),)).outcome is VerdictOutcome.FAILED


def test_waived_findings_cover_the_gate_that_counts_them():
    """One waived CRITICAL finding is a condition, its count too; a second one that is not waived fails both."""
    hole = build_check("SEC-002", Severity.CRITICAL, CheckOutcome.FAIL, [Severity.CRITICAL])
    other = build_check("SEC-003", Severity.CRITICAL, CheckOutcome.FAIL)
    gates = ("findings.critical count <= 0",)
    accepted = (waiver("SEC-002", WaiverTarget.CHECK),)

    one = verdict_of(build_record(build_arm_record(), checks=[hole]), gates, waivers=accepted)
    two = verdict_of(build_record(build_arm_record(), checks=[hole, other]), gates, waivers=accepted)

    assert (one.outcome, one.gates[0].outcome) == (VerdictOutcome.CONDITIONAL, GateOutcome.FAILED)
    assert any("SEC-002" in condition for condition in one.conditions)
    assert two.outcome is VerdictOutcome.FAILED


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ('[[waivers]]\ngate = "x"\nowner = "a"\nreason = "b"\nexpires = 2030-01-01', GateError, "no metric is called 'x'"),
        ('[[waivers]]\nowner = "a"', ConfigError, "for one gate or for one check"),
        ('[[waivers]]\ncheck = "SEC-1"\nreason = "b"\nexpires = 2030-01-01', ConfigError, "the key 'owner' is missing"),
        ('[[waivers]]\ncheck = "SEC-1"\nowner = "a"\nreason = "b"', ConfigError, "the key 'expires' must be a date"),
        ('[[waivers]]\ncheck = "SEC-1"\nowner = "a"\nreason = "b"\nexpires = "soon"', ConfigError, "must be a date"),
        (
            '[[waivers]]\ngate = "rows.lost count <= 0"\nowner = "a"\nreason = "b"\nexpires = 2030-01-01',
            ConfigError,
            "cannot be waived",
        ),
        ('[[waiver]]\ncheck = "SEC-1"', ConfigError, "waivers"),
    ],
)
def test_a_waiver_needs_everything(tmp_path, content, error, message):
    """No owner, no reason, no last day: no waiver. Lost rows are nobody's to waive."""
    with pytest.raises(error, match=message):
        load_waivers(write(tmp_path, "waivers.toml", content))


def test_a_waiver_names_its_gate_in_any_spelling(tmp_path):
    """`0.05 s` and `50 ms` are one limit."""
    (found,) = load_waivers(
        write(
            tmp_path,
            "w.toml",
            '[[waivers]]\ngate = "job.response  p95 < 0.05 s"\nowner = "a"\nreason = "b"\nexpires = 2030-01-01',
        )
    )

    assert found.name == SLOW


def test_gate_files_say_where_limits_come_from(tmp_path):
    """A gate is a text or a table; sections are added by name; the default file gives every limit a source."""
    sourced = f'gates = ["{SLOW}", {{ gate = "job.errors ratio < 1 %", source = "agreement 7" }}]'
    path = write(tmp_path, "g.toml", f'{sourced}\n[staging]\ngates = ["rows.lost count <= 0"]')
    folders = scenario_folders()

    assert [gate.limit_source for gate in load_gates(str(path), folders)] == [None, "agreement 7"]
    assert [gate.metric for gate in load_sections(str(path), folders, ["staging"])] == ["rows.lost"]
    with pytest.raises(UnknownNameError, match="did you mean 'staging'"):
        load_sections(str(path), folders, ["stagin"])
    default = load_gates("quality-gate", folders) + load_sections("quality-gate", folders, ("staging", "tests", "coverage"))
    assert len(default) == 14
    assert all(gate.limit_source for gate in default)
