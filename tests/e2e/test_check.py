"""`check` and `run --check` as CI calls them: a profile without guards is caught, answered for, closed, and told in SARIF."""

import json
import shutil
from pathlib import Path

import pytest
from bundles import find_bundle, read_ended_run
from command import Ended, run

from jivsbench.exitcodes import ExitCode
from jivsbench.model.finding import FINGERPRINT_KEY

# What the commands do is covered by the tests of their parts.
pytestmark = [pytest.mark.no_cover, pytest.mark.timeout(600)]  # three targets a command, on whatever machine
CONFIG = """
[plugins]
modules = ["one_check"]
disable = ["security"]

[profiles.open]
guards = []
"""
ONE_CHECK = """
from jivsbench.api import hookimpl

@hookimpl
def jivsbench_register_checks():
    from jivsbench_security.sql.raw_query import RawQueryCheck
    return [RawQueryCheck()]
"""
SCENARIO = """
name = "short"
title = "Two users extract 100 rows each"
gates = ["rows.lost count <= 0"]
[workload]
name = "extraction"
table = "bench_rows"
rows = 100
[[stages]]
duration = "1s"
users = 2
[[stages]]
duration = "4s"
users = 2
"""
ONE_START = """
import pathlib, sys
from jivsbench.api import hookimpl

if "service" in sys.argv[0]:
    mark = pathlib.Path(__file__).with_name("started")
    if mark.exists():
        raise RuntimeError("one service was enough")
    mark.touch()
"""
SUPPRESSION = """
[[suppressions]]
fingerprint = "{}"
owner = "ops@example.org"
reason = "the service is reached by its tests alone"
expires = {}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration with a profile without guards, one check of the shipped ones alone, and a short scenario."""
    folder = tmp_path_factory.mktemp("check")
    (folder / "jivsbench.toml").write_text(CONFIG)
    (folder / "one_check.py").write_text(ONE_CHECK)
    (folder / "scenarios").mkdir()
    (folder / "scenarios" / "short.toml").write_text(SCENARIO)
    return folder


@pytest.fixture(scope="module")
def found_open(folder: Path) -> Ended:
    """The check against the profile without guards; its SARIF is open.sarif."""
    return run("check", "--profile", "open", "--sarif", "open.sarif", cwd=folder, timeout_s=280, PYTHONPATH=str(folder))


def read_results(path: Path) -> list[dict]:
    """The results of a SARIF file."""
    return json.loads(path.read_text())["runs"][0]["results"]


def write_suppressions(folder: Path, last_day: str) -> Path:
    """Somebody's word, until a day, on everything that was found open."""
    found = [result for result in read_results(folder / "open.sarif") if result["kind"] == "fail"]
    path = folder / f"suppressions-{last_day}.toml"
    path.write_text("".join(SUPPRESSION.format(result["partialFingerprints"][FINGERPRINT_KEY], last_day) for result in found))
    return path


def test_a_baseline_tells_what_is_new_and_what_is_gone(folder: Path, found_open: Ended) -> None:
    """Without guards SEC-001 and SEC-003 are open; with them SEC-003's are absent, and nobody looked at SEC-001 again."""
    closed = run(
        "check", "--sarif", "closed.sarif", "--baseline", "open.sarif", cwd=folder, timeout_s=280, PYTHONPATH=str(folder)
    )
    before, after = read_results(folder / "open.sarif"), read_results(folder / "closed.sarif")

    assert found_open.status == ExitCode.GATE_FAILED, found_open.stderr
    assert {result["ruleId"] for result in before if result["kind"] == "fail"} == {"SEC-001", "SEC-003"}
    assert all("baselineState" not in result for result in before)
    assert closed.status == ExitCode.PASSED, closed.stdout + closed.stderr
    assert {(result["ruleId"], result["kind"], result["baselineState"]) for result in after} == {
        ("SEC-003", "pass", "new"),
        ("SEC-003", "fail", "absent"),
    }


@pytest.mark.nightly
def test_a_suppressed_run_is_conditional_and_an_expired_one_fails(folder: Path, found_open: Ended) -> None:
    """What somebody answers for blocks nothing, and is named; the checks that were left out hold production all the same."""
    assert found_open.status == ExitCode.GATE_FAILED, found_open.stderr
    file = write_suppressions(folder, "2999-12-31")
    ended = run(
        "run",
        "short",
        "--profile",
        "open",
        "--check",
        "--suppressions",
        file.name,
        cwd=folder,
        timeout_s=280,
        PYTHONPATH=str(folder),
    )
    bundle = find_bundle(folder)
    found = read_ended_run(ended, bundle, ExitCode.CONDITIONAL)
    verdict, checks = found["verdict"], {check["check_id"]: check for check in found["record"]["checks"]}
    said = "\n".join((*verdict["conditions"], *verdict["reasons"]))

    assert {name: check["outcome"] for name, check in checks.items()} == {"SEC-001": "FAIL", "SEC-003": "FAIL"}
    assert "suppressed by ops@example.org until 2999-12-31" in said
    assert "34 security checks were not run" in said
    expired = write_suppressions(folder, "2020-01-01")
    again = run("gate", bundle.name, "--suppressions", expired.name, cwd=folder, timeout_s=280, PYTHONPATH=str(folder))
    assert again.status == (ExitCode.INVALID if found["record"]["invalid"] else ExitCode.GATE_FAILED), again.stdout
    assert "expired on 2020-01-01" in again.stdout


@pytest.mark.nightly
def test_a_target_that_does_not_start_for_the_checks_leaves_the_load_measured(folder: Path, tmp_path: Path) -> None:
    """INVALID with the reason, and the arm is there: it was measured before."""
    shutil.copytree(folder / "scenarios", tmp_path / "scenarios")
    (tmp_path / "one_check.py").write_text(ONE_CHECK)
    (tmp_path / "one_start.py").write_text(ONE_START)
    (tmp_path / "jivsbench.toml").write_text(CONFIG.replace('"one_check"', '"one_check", "one_start"'))
    ended = run("run", "short", "--check", cwd=tmp_path, timeout_s=280, PYTHONPATH=str(tmp_path))
    assert ended.status == ExitCode.INVALID, ended.stderr
    record = json.loads((find_bundle(tmp_path) / "run.json").read_text())["record"]

    assert record["invalid"] == ["the security checks had no target to attack (PluginLoadError): see its log"]
    assert record["arms"][0]["totals"]["completed"] > 0
