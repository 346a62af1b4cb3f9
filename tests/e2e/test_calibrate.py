"""What this machine can show, from the command line; and what a switch gives."""

import json
import signal
import time
from pathlib import Path

import pytest
from bundles import STARVED
from command import run, start

from jivsbench.exitcodes import ExitCode
from tests.machine import leave_out

pytestmark = pytest.mark.alone


def has_starved(ended_error: str) -> bool:
    """Was the machine too busy to offer any load in time? Then nothing can be said, and that is what was said."""
    return "none of 1 trials was valid" in ended_error or any(reason in ended_error for reason in STARVED)


def calibrate(folder: Path, servers: tuple[str, ...]) -> dict:
    """One trial of six pairs; the test is skipped when the machine is too busy even for that."""
    words = ("calibrate", "--trials", "1", "--processes", "1", "--budget", "3s", "--rows", "100", "--json", *servers)
    for _ in range(3):
        ended = run(*words, cwd=folder)
        if ended.status != ExitCode.INVALID:
            break
        assert has_starved(ended.stderr), ended
    else:
        leave_out("three times this machine was too busy to offer any load in time")
    assert ended.status == ExitCode.PASSED, ended
    found: dict = json.loads(ended.stdout)
    return found


@pytest.mark.nightly
@pytest.mark.no_cover
def test_a_machine_is_calibrated_and_its_plan_follows(tmp_path: Path, loaded_source: str, embedded_valkey_url: str) -> None:
    """One short trial; the file holds its noise, and `plan` reads it."""
    calibration = calibrate(tmp_path, ("--source-url", loaded_source, "--cache-url", embedded_valkey_url))
    noises = {(noise["metric"], noise["statistic"]): noise for noise in calibration["noises"]}
    assert noises["job.response", "mean"]["pair_deviation"] > 0
    assert noises["target.cpu_per_million_rows", "mean"]["pair_deviation"] > 0
    assert (calibration["trials"], calibration["pairs"]) == (1, 6)
    kept = json.loads((tmp_path / "reports" / "calibration.json").read_text())
    assert kept["calibrations"] == [calibration]
    assert not (tmp_path / "reports" / "runs").exists()

    plan = json.loads(run("plan", "--effect", "50%", "--processes", "1", "--json", cwd=tmp_path).stdout)
    assert plan["load_s"] == 2 * plan["pairs"] * 0.25


@pytest.mark.nightly
@pytest.mark.no_cover
def test_a_later_comparison_takes_the_calibration_into_its_record(
    tmp_path: Path, loaded_source: str, embedded_valkey_url: str
) -> None:
    """So that its gates end the same wherever they are judged again."""
    servers = ("--source-url", loaded_source, "--cache-url", embedded_valkey_url)
    calibration = calibrate(tmp_path, servers)
    run("compare", "--pairs", "6", "--processes", "1", "--rows", "100", *servers, cwd=tmp_path)

    (bundle,) = (tmp_path / "reports" / "runs").iterdir()
    assert json.loads((bundle / "run.json").read_text())["record"]["calibration"] == calibration


@pytest.mark.nightly
@pytest.mark.no_cover
def test_the_ledger_shows_what_a_pool_gives(tmp_path: Path, loaded_source: str, embedded_valkey_url: str) -> None:
    """A connection a job costs more than one that is kept; the guard is weighed too."""
    sizes = ("--only", "pool", "--only", "sqlguard", "--rounds", "6", "--budget", "18s", "--rows", "100", "--users", "2")
    servers = ("--source-url", loaded_source, "--cache-url", embedded_valkey_url)
    ended = run("ablate", *sizes, "--json", *servers, cwd=tmp_path, timeout_s=600)
    assert ended.status == ExitCode.PASSED, ended

    ledger = json.loads(ended.stdout)
    rows = {row["name"]: row for row in ledger["rows"]}
    assert [row["rounds"] + row["invalid_rounds"] for row in rows.values()] == [6, 6]
    throughput = next(effect for effect in rows["pool"]["effects"] if effect["metric"] == "throughput.records")
    assert throughput["ratio_low"] > 1
    assert rows["sqlguard"]["claim"] is None
    assert "| guard sqlguard |" in (Path(tmp_path) / ledger["folder"] / "ledger.md").read_text()


@pytest.mark.nightly
@pytest.mark.no_cover
def test_ctrl_c_keeps_the_ledger_of_the_rounds_before(tmp_path: Path, loaded_source: str, embedded_valkey_url: str) -> None:
    """Interrupted in the third round: exit code 130, and a ledger of two rounds that says that it is not whole."""
    sizes = ("--only", "pool", "--rounds", "9", "--budget", "18s", "--block", "200ms", "--rows", "100", "--users", "1")
    servers = ("--source-url", loaded_source, "--cache-url", embedded_valkey_url)
    process = start("ablate", *sizes, *servers, cwd=tmp_path)
    pattern = "reports/ablation/*/runs/*/intervals.jsonl"
    give_up_s = time.monotonic() + 120
    while len(list(tmp_path.glob(pattern))) < 3 and time.monotonic() < give_up_s:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)

    assert process.returncode == ExitCode.INTERRUPTED, stderr
    assert "Traceback" not in stderr
    if "before any round was valid" in stderr:
        leave_out("this machine was too busy to offer any load in time")
    (ledger,) = tmp_path.glob("reports/ablation/*/ledger.json")
    found = json.loads(ledger.read_text())
    assert found["is_partial"]
    (row,) = found["rows"]
    assert row["rounds"] + row["invalid_rounds"] >= 2
    assert "Stopped before its last round" in ledger.with_suffix(".md").read_text()
