"""What `jivsbench check` says of its results: the table of all, the exit code, and the JSON."""

import io
import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

import jivsbench.app.attack as app_attack
from jivsbench.app.assessment import assess, write_sarif
from jivsbench.app.checks import build_vulnerable, choose_checks
from jivsbench.app.scenarios import DEMO_CHECKS
from jivsbench.app.servers import Servers
from jivsbench.cli.assessment import build_json, find_exit_code, print_assessment
from jivsbench.cli.root import root
from jivsbench.errors import EnvironmentProblem, UsageError
from jivsbench.exitcodes import ExitCode
from jivsbench.model.finding import CheckOutcome
from jivsbench.model.inputs import Waiver, WaiverTarget
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.plugins import load_registry
from tests.gold.sample_runs import HOSTILE_TEXT, script_checks

CHECKS = script_checks()
GREEN = tuple(replace(check, outcome=CheckOutcome.PASS, findings=()) for check in CHECKS)
TODAY = "2030-06-15"


def suppress(*checks, expires="2030-12-31"):
    """Somebody's word on every finding of these checks."""
    findings = [finding for check in checks for finding in check.findings]
    return [Waiver(WaiverTarget.FINDING, finding.fingerprint, "ops", "June", expires) for finding in findings]


def show(found, width=80):
    """The assessment as a terminal of that width shows it, without colours."""
    stream = io.StringIO()
    print_assessment(Console(file=stream, width=width, highlight=False), found)
    return stream.getvalue()


def with_one(outcome):
    """All green but one."""
    return (replace(CHECKS[4], outcome=outcome, findings=CHECKS[4].findings if outcome == "FAIL" else ()), *GREEN[:4], *GREEN[5:])


@pytest.mark.parametrize(
    ("results", "suppressed", "code"),
    [
        (GREEN, [], ExitCode.PASSED),
        (with_one(CheckOutcome.FAIL), [], ExitCode.GATE_FAILED),
        (with_one(CheckOutcome.FAIL), suppress(CHECKS[4]), ExitCode.CONDITIONAL),
        (with_one(CheckOutcome.FAIL), suppress(CHECKS[4])[:1], ExitCode.GATE_FAILED),
        (with_one(CheckOutcome.FAIL), suppress(CHECKS[4], expires="2030-06-14"), ExitCode.GATE_FAILED),
        (GREEN, suppress(CHECKS[4], expires="2030-06-14"), ExitCode.GATE_FAILED),
        (with_one(CheckOutcome.NOT_TESTED), [], ExitCode.CONDITIONAL),
        (with_one(CheckOutcome.INVALID), [], ExitCode.INVALID),
        ((), [], ExitCode.INVALID),
    ],
)
def test_the_exit_code(results, suppressed, code):
    """1 for what is open or expired, 4 for what proved nothing, 3 for what is left, 0 when all passed."""
    assert find_exit_code(assess(results, suppressed, TODAY)) is code


@pytest.mark.parametrize("width", [80, 130, 200])
def test_every_check_is_one_line(width):
    """Id, severity, outcome, attacks, reached and seconds are whole on any terminal; only the title gives way."""
    lines = show(assess(CHECKS, (), TODAY), width).splitlines()

    assert lines[0].split()[:6] == ["check", "severity", "outcome", "attacks", "reached", "time"]
    for line, check in zip(lines[1:37], CHECKS, strict=True):
        assert line.startswith(f"{check.check_id}  {check.severity:<8}  {check.outcome.value.replace('_', ' '):<14}")
    assert max(map(len, lines[:37])) <= width


def test_findings_score_and_standards_are_told():
    """The worst first, with remedy, effect and fingerprint; arithmetic and cap; rows verified, applicable, listed."""
    text = show(assess(CHECKS, suppress(CHECKS[10]), TODAY))

    assert text.index("CRITICAL SEC-005") < text.index("HIGH SEC-011") < text.index("LOW SEC-027")
    assert "Blocks nothing. Suppressed by ops until 2030-12-31: June." in text
    assert "Blocks staging and production." in text
    assert CHECKS[4].findings[0].fingerprint in text
    assert "100 \N{MULTIPLICATION SIGN} 205 / 242.5 = 84.5" in text
    assert "score 49 of 100, grade F" in text
    assert "OWASP Top 10 2021      4 / 9 / 10" in text
    assert "compliant" not in text.lower()


def test_what_was_not_run_is_named():
    """A selection has no letter, and says of how many checks nothing is known."""
    text = show(assess([GREEN[0], GREEN[2]], (), TODAY))

    assert "34 checks were not run and are not in the score: SEC-002, SEC-004" in text
    assert "1 check was not run and is not in the score: SEC-036" in show(assess(GREEN[:35], (), TODAY))
    assert "No letter" in text
    assert "34 of them were not run" in text
    assert "grade" not in text


def test_expired_and_unused_suppressions_are_told():
    """An expired one fails; one of nothing is to be removed."""
    text = show(assess(GREEN, [*suppress(CHECKS[4]), *suppress(CHECKS[10], expires="2030-06-14")], TODAY))

    assert "expired: the suppression of finding" in text
    assert f"no finding has the suppressed fingerprint {CHECKS[4].findings[0].fingerprint}" in text


def test_hostile_text_does_nothing_to_a_terminal():
    """What a check read from its target is shown, not obeyed."""
    finding = replace(CHECKS[4].findings[0], check_id=HOSTILE_TEXT, title=HOSTILE_TEXT, evidence=HOSTILE_TEXT)
    finding = replace(finding, reproducer="[bold]x[/]")
    text = show(assess([replace(CHECKS[4], title=HOSTILE_TEXT, reason=HOSTILE_TEXT, findings=(finding,))], (), TODAY), 200)

    assert not set(text) & {"\x00", "\x1b", "\u202e"}
    assert "[bold]x[/]" in text


def test_the_json_holds_everything():
    """Fingerprints, suppressions, rows of standards, what was not run; plain values alone."""
    found = json.loads(json.dumps(build_json(assess(CHECKS[:20], suppress(CHECKS[4]), TODAY))))

    assert found["results"][4]["findings"][0]["fingerprint"] == CHECKS[4].findings[0].fingerprint
    assert found["results"][4]["findings"][0]["suppressed"].startswith("suppressed by ops")
    assert found["not_run"] == [f"SEC-{n:03}" for n in range(21, 37)]
    assert {row["state"] for standard in found["standards"] for row in standard["rows"]} >= {"verified", "failed", "not covered"}


def test_the_sarif_file_is_its_owners_alone(tmp_path):
    """It holds reproducers of open holes."""
    path = tmp_path / "checks.sarif"
    write_sarif(path, assess(CHECKS, (), TODAY))

    assert path.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def attacked(monkeypatch, tmp_path):
    """Stands in for the servers: `check` finds the results that are put here. The current folder is a new one."""
    results = []
    monkeypatch.chdir(tmp_path)
    source = DataSource("main", "postgres", Secret("postgresql://h/d"))
    servers = Servers(source, source, "none", None, source_is_embedded=False, cache_is_embedded=False)
    monkeypatch.setattr(app_attack, "open_servers", lambda *_: nullcontext(servers))
    monkeypatch.setattr(app_attack, "test_source", lambda *_: None)
    monkeypatch.setattr(app_attack, "attack", lambda *_: tuple(results))
    return results


@pytest.mark.parametrize(
    ("results", "code"), [(CHECKS, ExitCode.GATE_FAILED), (GREEN, ExitCode.ENVIRONMENT)], ids=["open", "green"]
)
@pytest.mark.parametrize("words", [(), ("--json",)], ids=["text", "json"])
def test_a_sarif_file_that_cannot_be_written_hides_nothing(results, code, words, attacked):
    """What was found is shown, the file's error is told, and an open finding decides the exit code."""
    Path("file").touch()
    attacked.extend(results)
    answer = CliRunner().invoke(root, ["check", "--sarif", "file/checks.sarif", *words], standalone_mode=False)

    assert answer.return_value == code
    assert CHECKS[4].check_id in answer.stdout
    assert (CHECKS[4].findings[0].title in answer.stdout) == (code is ExitCode.GATE_FAILED)
    assert answer.stderr.startswith("error: checks.sarif belongs into file, but it cannot be written")


def test_the_sarif_file_says_what_is_new(attacked):
    """The baseline is read before the attack, and answers in the file."""
    attacked.extend(GREEN)
    CliRunner().invoke(root, ["check", "--sarif", "first.sarif"])
    attacked[:] = CHECKS
    answer = CliRunner().invoke(root, ["check", "--sarif", "a/second.sarif", "--baseline", "first.sarif"], standalone_mode=False)

    states = {result.get("baselineState") for result in json.loads(Path("a/second.sarif").read_text())["runs"][0]["results"]}
    assert answer.return_value == ExitCode.GATE_FAILED
    assert "new" in states


def test_a_baseline_needs_a_place_for_its_answer():
    """Before any server starts."""
    answer = CliRunner().invoke(root, ["check", "--baseline", "x.sarif"])

    assert isinstance(answer.exception, UsageError)
    assert "--sarif" in str(answer.exception)


@pytest.mark.parametrize("command", [["check"], ["check", "--only", "SEC-001"], ["run", "baseline", "--check"], ["demo"]])
def test_no_check_installed_is_an_error(command, monkeypatch, tmp_path):
    """Attacking nothing would look like finding nothing; it is said before any server starts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JIVSBENCH_DISABLE_PLUGINS", "security")
    answer = CliRunner().invoke(root, command)

    assert isinstance(answer.exception, EnvironmentProblem), answer.output
    assert "none is installed" in str(answer.exception)


def test_a_check_that_is_named_twice_runs_once():
    """It would count twice in the score."""
    assert [check.id for check in choose_checks(load_registry(), ["SEC-003", "SEC-001", "SEC-003"])] == ["SEC-003", "SEC-001"]


def test_the_vulnerable_target_has_nearly_every_hole():
    """All but what must be alone share one; two checks alone share theirs."""
    checks = load_registry().checks
    whole = build_vulnerable(checks)
    few = build_vulnerable(choose_checks(load_registry(), ["SEC-001", "SEC-003"]))

    assert len(whole.plugins) >= 30
    assert set(few.plugins) < set(whole.plugins)
    assert {whole.name, few.name} == {"vulnerable"}


def test_the_vulnerable_target_is_told_and_never_written_down():
    """Its findings are nobody's: no SARIF, no suppression."""
    text = show(assess(CHECKS, (), TODAY, is_vulnerable=True))
    answer = CliRunner().invoke(root, ["check", "--vulnerable", "--sarif", "x.sarif"])

    assert text.startswith("The target was vulnerable on purpose")
    assert build_json(assess(CHECKS, (), TODAY, is_vulnerable=True))["is_vulnerable_on_purpose"] is True
    assert isinstance(answer.exception, UsageError)


def test_no_result_is_no_crash():
    """Nothing counts, and that is said."""
    assert "no score" in show(assess((), (), TODAY))


def test_the_demo_has_time_for_two():
    """SEC-001 and SEC-003; the report names the others."""
    assert DEMO_CHECKS == ("SEC-001", "SEC-003")
