"""Every scenario that comes with jivsbench, at its shape: it ends with a verdict, each question with an answer or a reason."""

import json
from pathlib import Path

import pytest
from bundles import find_bundle
from command import run

from jivsbench.config import list_scenarios, load_scenario, scenario_folders
from jivsbench.exitcodes import ExitCode

pytestmark = pytest.mark.alone

_ENDS = (ExitCode.PASSED, ExitCode.GATE_FAILED, ExitCode.CONDITIONAL, ExitCode.INVALID)
_FIGURES = {"knee": "knee.users", "growth": "growth.memory", "recovery": "recovery.time", "capacity": "capacity.jobs"}


@pytest.mark.nightly
@pytest.mark.no_cover
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", list_scenarios(scenario_folders()))
def test_a_scenario_ends_with_a_verdict(tmp_path: Path, name: str) -> None:
    """A twentieth of its length on embedded servers; a shared machine may make it invalid, never silent."""
    ended = run("run", name, "--time-scale", "0.05", cwd=tmp_path, timeout_s=1500)
    bundle = find_bundle(tmp_path)
    found = json.loads((bundle / "run.json").read_text())
    record, summary = found["record"], found["summary"]
    arm, scenario = record["arms"][0], load_scenario(name, scenario_folders())
    totals = arm["totals"]

    assert ended.status in _ENDS, ended.stderr
    assert f"verdict: {found['verdict']['outcome']}" in ended.stdout
    assert totals["created"] == totals["completed"] + totals["failed"] + totals["timed_out"] + totals["cancelled"]
    assert totals["rows_read"] == totals["rows_written"]
    assert len(arm["steps"]) == len(scenario.stages)
    assert all(step["seconds"] for step in arm["steps"])
    for question in scenario.questions:
        answers = [figure for figure in summary["figures"] if figure["metric"] == _FIGURES[question]]
        assert answers
        assert all(answer["value"] is not None or answer["method"].startswith("not measured: ") for answer in answers)
    assert "What this load showed" in (bundle / "report.html").read_text() or not scenario.questions
