"""The end of a run when a reporter fails: what was measured and judged is kept, and the missing report is no green end."""

import json
from dataclasses import dataclass, replace

import pytest
from click.testing import CliRunner

from jivsbench import __version__
from jivsbench.app.audit import audit_file
from jivsbench.app.conclusion import conclude, judge_again
from jivsbench.cli.outcome import finish
from jivsbench.cli.root import root
from jivsbench.errors import ConfigError, InvalidRunError
from jivsbench.exitcodes import ExitCode
from jivsbench.model.summary import Report
from jivsbench.plugins import load_registry
from jivsbench.report.manifest import read_manifest
from tests.unit.analysis_records import build_arm_record, build_record

RECORD = build_record(build_arm_record())


@dataclass(frozen=True)
class FailingReporter:
    """Sorts before every reporter of the host, and renders nothing."""

    filename: str = "acme.txt"
    name: str = "acme"

    def render(self, *_: object) -> Report:
        """As a plugin that knows no key of a newer version."""
        raise KeyError("figure")


@dataclass(frozen=True)
class StrayReporter(FailingReporter):
    """Renders to a place outside of the run's folder."""

    filename: str = "../acme.txt"

    def render(self, *_: object) -> Report:
        """A report that may not be written there."""
        return Report(self.name, self.filename, "text/plain", b"")


def registry_with(*reporters):
    """The host's own reporters after these."""
    registry = load_registry()
    return replace(registry, reporters=(*reporters, *registry.reporters))


@pytest.mark.parametrize(
    ("reporter", "told"),
    [
        (FailingReporter(), "acme.txt is missing: the reporter acme raised KeyError"),
        (StrayReporter(), "../acme.txt is missing: "),
    ],
)
def test_a_reporter_that_fails_spoils_no_run(tmp_path, reporter, told):
    """Every other report is there and sealed; the verdict is the same."""
    ended = conclude(RECORD, tmp_path, registry_with(reporter))

    assert ended.unwritten[0].startswith(told)
    assert judge_again(tmp_path).verdict == ended.verdict
    assert {"run.json", "report.html", "junit.xml"} <= read_manifest(tmp_path).hashes.keys()


def test_a_report_of_an_earlier_verdict_does_not_stay(tmp_path):
    """Nobody takes what an earlier version of the plugin wrote for this verdict's; nor are sums kept of it."""
    (tmp_path / "acme.txt").write_text("PASSED")
    conclude(RECORD, tmp_path, registry_with())
    assert "acme.txt" in read_manifest(tmp_path).hashes

    conclude(RECORD, tmp_path, registry_with(FailingReporter()))

    assert not (tmp_path / "acme.txt").exists()
    assert "acme.txt" not in read_manifest(tmp_path).hashes


def test_a_missing_report_is_no_green_end(tmp_path, capsys):
    """Whoever reads that report hears nothing: exit code 5, with the reason, as text and as JSON."""
    ended = conclude(RECORD, tmp_path, registry_with(FailingReporter()))

    assert ended.verdict.outcome in {"PASSED", "CONDITIONAL"}
    assert finish(ended, as_json=False) == ExitCode.ENVIRONMENT
    assert "report: acme.txt is missing" in capsys.readouterr().out
    assert finish(replace(ended, problems=("plugin x raised",)), as_json=True) == ExitCode.ENVIRONMENT
    said = json.loads(capsys.readouterr().out)
    assert said["unwritten"] == list(ended.unwritten)
    assert said["problems"] == ["plugin x raised"]


def test_audit_names_the_reporter_that_fails(tmp_path):
    """As something that cannot be computed again, beside everything else that can."""
    record = replace(RECORD, environment=replace(RECORD.environment, jivsbench_version=__version__))
    conclude(record, tmp_path, registry_with())
    (tmp_path / "acme.txt").write_text("x")

    audit = audit_file(tmp_path, str(tmp_path), registry_with(FailingReporter()))
    (found,) = [one for one in audit.relations if one.part == "acme.txt" and "computed" in one.arithmetic]

    assert not found.holds
    assert "reporter acme raised KeyError" in found.arithmetic


@pytest.mark.parametrize("command", [("gate", "b", "--against", "a"), ("compare", "a", "b")])
def test_a_load_that_was_ended_early_is_held_against_nothing(tmp_path, command):
    """Seconds of a ramp are not the run that was planned."""
    ended = "gate 'job.errors ratio < 1 % for 5s abort' ended the run"
    for name, record in (("a", replace(RECORD, aborted=ended)), ("b", RECORD)):
        conclude(replace(record, run_id=name), tmp_path / "runs" / name, registry_with())

    found = CliRunner().invoke(root, [*command, "--reports-dir", str(tmp_path)], standalone_mode=False).exception

    assert isinstance(found, InvalidRunError)
    assert "run a was ended early" in str(found)


@pytest.mark.parametrize(
    "command", [("gate", "a"), ("gate", "b", "--against", "a"), ("compare", "b", "a"), ("history", "add", "a")]
)
def test_figures_that_were_changed_by_hand_are_judged_by_nobody(tmp_path, command):
    """The run's own file is not what its sums say."""
    for name in "ab":
        conclude(replace(RECORD, run_id=name), tmp_path / "runs" / name, registry_with())
    file = tmp_path / "runs" / "a" / "run.json"
    file.write_text(file.read_text().replace('"failed": 0', '"failed": 1'))

    found = CliRunner().invoke(root, [*command, "--reports-dir", str(tmp_path)], standalone_mode=False).exception

    assert isinstance(found, ConfigError)
    assert "run.json is not as it was written (SHA-256 differs)" in str(found)
