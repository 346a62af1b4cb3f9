"""Whole runs on real servers: they measure, judge and report; cut short, they say so and leave nothing running."""

import json
import os
import signal
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import psutil
import pyarrow.parquet as pq
import pytest
import urllib3
from bundles import find_bundle, read_ended_run, wait_for_load
from command import Ended, run, start

from jivsbench.exitcodes import ExitCode
from tests.processes import is_gone

pytestmark = pytest.mark.alone

SCENARIO = """
name = "short"
title = "Four users extract 500 rows each"
gates = ["job.errors ratio < 1 %", "rows.lost count <= 0", "http.response p95 < 5 s"]
[workload]
name = "extraction"
table = "bench_rows"
rows = 500
[[stages]]
duration = "2s"
users = 4
[[stages]]
duration = "{hold}s"
users = 4
"""
# A plugin of the target: a second process that inherits its socket, and goes on with its start once the first one is gone.
SUCCESSOR = """
import os, pathlib, sys

if pathlib.Path(sys.argv[0]).parent.name == "service":
    end, _held_until_death = os.pipe()
    if os.fork() == 0:
        os.close(_held_until_death)
        os.read(end, 1)
"""


def _scenario(folder: Path, hold_s: int = 6) -> None:
    (folder / "scenarios").mkdir()
    (folder / "scenarios" / "short.toml").write_text(SCENARIO.format(hold=hold_s))


def _wait_until_gone(processes: list[psutil.Process], timeout_s: float = 10) -> list[psutil.Process]:
    return psutil.wait_procs(processes, timeout=timeout_s)[1]


def _check_a_complete_bundle(bundle: Path, ended: Ended) -> None:
    record = read_ended_run(ended, bundle, ExitCode.PASSED)["record"]
    arm = record["arms"][0]
    totals = arm["totals"]

    assert totals["created"] == totals["completed"] + totals["failed"] + totals["timed_out"] + totals["cancelled"]
    assert totals["completed"] > 20
    assert totals["failed"] == 0
    assert totals["rows_read"] == totals["rows_written"] == totals["completed"] * 500
    assert arm["monitor"]
    assert arm["guards"] == ["sqlguard"]
    assert {"report.html", "run.json", "junit.xml", "summary.md", "plan.json", "intervals.jsonl", "monitor.jsonl"} <= {
        path.name for path in bundle.iterdir()
    }
    assert ET.parse(bundle / "junit.xml").getroot().findall(".//failure") == []
    assert f"verdict: {'INVALID' if record['invalid'] else 'PASSED'}" in ended.stdout
    assert str(bundle / "report.html").endswith(ended.stdout.rsplit("report:", 1)[1].strip())


@pytest.mark.nightly
@pytest.mark.no_cover
@pytest.mark.parametrize("profile", ["optimized", "legacy"])
def test_a_scenario_runs_on_a_named_source(tmp_path: Path, loaded_source: str, embedded_valkey_url: str, profile: str) -> None:
    """`run` measures both profiles on servers that the user names, and every row is accounted for."""
    _scenario(tmp_path, hold_s=3)
    ended = run(
        "run",
        "short",
        "--profile",
        profile,
        cwd=tmp_path,
        JIVSBENCH_SOURCE_URL=loaded_source,
        JIVSBENCH_CACHE_URL=embedded_valkey_url,
    )

    _check_a_complete_bundle(find_bundle(tmp_path), ended)


def test_a_finished_run_is_judged_and_rendered_again(tmp_path: Path, loaded_source: str, embedded_valkey_url: str) -> None:
    """`gate` gives the same verdict from the bundle alone, `report` the same bytes; other gates give another verdict."""
    _scenario(tmp_path, hold_s=3)
    first = run(
        "run", "short", "--json", cwd=tmp_path, JIVSBENCH_SOURCE_URL=loaded_source, JIVSBENCH_CACHE_URL=embedded_valkey_url
    )
    bundle = find_bundle(tmp_path)
    page = (bundle / "report.html").read_bytes()
    (tmp_path / "scenarios" / "strict.toml").write_text(
        SCENARIO.format(hold=3).replace('"short"', '"strict"').replace("http.response p95 < 5 s", "http.response p95 < 0.001 ms")
    )
    again = run("gate", "latest", "--json", cwd=tmp_path)
    strict = run("gate", bundle.name, "--gates", "strict", cwd=tmp_path)
    (bundle / "report.html").unlink()
    rendered = run("report", cwd=tmp_path)

    assert first.status == again.status
    read_ended_run(first, bundle, ExitCode.PASSED)
    read_ended_run(strict, bundle, ExitCode.GATE_FAILED)
    assert "FAILED  http.response p95 < 0.001 ms" in strict.stdout
    assert json.loads(first.stdout)["gates"] == json.loads(again.stdout)["gates"]
    assert rendered.status == ExitCode.PASSED
    assert (bundle / "report.html").read_bytes() == page


@pytest.mark.parametrize(
    ("number", "status", "who"),
    [(signal.SIGINT, ExitCode.INTERRUPTED, "the user"), (signal.SIGTERM, ExitCode.TERMINATED, "SIGTERM")],
)
def test_ctrl_c_and_sigterm_keep_the_bundle_and_leave_no_process(
    tmp_path: Path, loaded_source: str, number: signal.Signals, status: ExitCode, who: str
) -> None:
    """Exit code 130 or 143, every child and every extracted row gone, the bundle there and marked invalid."""
    (tmp_path / "temporary").mkdir()
    _scenario(tmp_path, hold_s=60)
    process = start("run", "short", cwd=tmp_path, JIVSBENCH_SOURCE_URL=loaded_source, TMPDIR=str(tmp_path / "temporary"))
    bundle = wait_for_load(tmp_path, process)
    children = psutil.Process(process.pid).children(recursive=True)

    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)

    assert process.returncode == status, stderr
    assert "Traceback" not in stderr
    assert len(children) >= 3
    assert _wait_until_gone(children) == []
    assert list((tmp_path / "temporary").glob("jivsbench-targets-*")) == []
    assert f"interrupted by {who}" in json.loads((bundle / "run.json").read_text())["record"]["invalid"][0]
    assert "INVALID" in (bundle / "summary.md").read_text()


@pytest.mark.nightly
@pytest.mark.no_cover
def test_a_target_that_dies_makes_the_run_invalid(tmp_path: Path, loaded_source: str) -> None:
    """Exit code 4, and the message says which target died and when."""
    _scenario(tmp_path, hold_s=60)
    process = start("run", "short", cwd=tmp_path, JIVSBENCH_SOURCE_URL=loaded_source)
    bundle = wait_for_load(tmp_path, process)
    children = psutil.Process(process.pid).children(recursive=True)
    (target,) = [child for child in children if "jivsbench.service" in child.cmdline()]

    os.kill(target.pid, signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == ExitCode.INVALID, stdout + stderr
    assert "Traceback" not in stderr
    assert "target 'optimized' died" in stdout
    assert _wait_until_gone(children) == []
    assert json.loads((bundle / "run.json").read_text())["verdict"]["outcome"] == "INVALID"


@pytest.mark.nightly
@pytest.mark.no_cover
def test_a_target_that_is_restarted_makes_the_run_invalid(tmp_path: Path, loaded_source: str) -> None:
    """Its successor has its port and its tokens and answers before anybody looks: exit code 4 all the same, and it is ended."""
    _scenario(tmp_path, hold_s=20)
    (tmp_path / "successor.py").write_text(SUCCESSOR)
    (tmp_path / "jivsbench.toml").write_text('[plugins]\nmodules = ["successor"]\n')
    process = start("run", "short", cwd=tmp_path, JIVSBENCH_SOURCE_URL=loaded_source, PYTHONPATH=str(tmp_path))
    bundle = wait_for_load(tmp_path, process)
    (target,) = [child for child in psutil.Process(process.pid).children() if "jivsbench.service" in child.cmdline()]
    (successor,) = target.children()
    (port,) = {line.laddr.port for line in target.net_connections("tcp") if line.status == psutil.CONN_LISTEN}

    process.send_signal(signal.SIGSTOP)
    try:
        target.kill()
        health = urllib3.request("GET", f"http://127.0.0.1:{port}/health", timeout=30, retries=False)
    finally:
        process.send_signal(signal.SIGCONT)
    stdout, stderr = process.communicate(timeout=60)

    assert health.status == 200
    assert process.returncode == ExitCode.INVALID, stdout + stderr
    assert "Traceback" not in stderr
    (reason,) = json.loads((bundle / "run.json").read_text())["record"]["invalid"]
    assert reason.startswith("the target 'optimized' died "), reason
    assert is_gone(successor.pid, 10.0)


@pytest.mark.no_cover
def test_a_profile_without_guards_reports_an_open_critical(tmp_path: Path, loaded_source: str) -> None:
    """`guards = []` runs, and its report carries SEC-001 as an open CRITICAL, so the verdict is FAILED."""
    _scenario(tmp_path, hold_s=2)
    (tmp_path / "jivsbench.toml").write_text('[profiles.bare]\nbase = "optimized"\nguards = []\n')
    ended = run("run", "short", "--profile", "bare", cwd=tmp_path, JIVSBENCH_SOURCE_URL=loaded_source)
    bundle = find_bundle(tmp_path)

    checks = read_ended_run(ended, bundle, ExitCode.GATE_FAILED)["record"]["checks"]
    assert [(c["check_id"], c["outcome"], c["severity"]) for c in checks] == [("SEC-001", "FAIL", "CRITICAL")]
    for name in ("report.html", "summary.md", "junit.xml"):
        assert "SEC-001" in (bundle / name).read_text()


@pytest.mark.no_cover
def test_no_guard_at_all_is_refused(tmp_path: Path, loaded_source: str) -> None:
    """With the guard's plugin disabled and no word of it in the profile, nothing starts: exit code 5."""
    ended = run("run", "baseline", cwd=tmp_path, JIVSBENCH_SOURCE_URL=loaded_source, JIVSBENCH_DISABLE_PLUGINS="sqlguard")

    assert ended.status == ExitCode.ENVIRONMENT, ended.stderr
    assert "guards = []" in ended.error
    assert not (tmp_path / "reports").exists()


@pytest.mark.no_cover
def test_a_run_on_servers_of_others(tmp_path: Path, real_postgres_url: str, real_redis_url: str) -> None:
    """The whole way - data, doctor, baseline, extract, drop - on a PostgreSQL and a Redis that this project did not start."""
    servers = {"JIVSBENCH_SOURCE_URL": real_postgres_url, "JIVSBENCH_CACHE_URL": real_redis_url}
    run("data", "drop", cwd=tmp_path, **servers)
    try:
        loaded = run("data", "load", "10k", cwd=tmp_path, **servers)
        doctor = run("doctor", cwd=tmp_path, **servers)
        verified = run("data", "verify", "10k", cwd=tmp_path, **servers)
        measured = run("run", "baseline", "--time-scale", "0.03", cwd=tmp_path, **servers)
        extracted = run("extract", "main", "bench_rows", "--to", "rows", "--json", cwd=tmp_path, **servers)
    finally:
        dropped = run("data", "drop", cwd=tmp_path, **servers)

    assert [e.status for e in (loaded, doctor, verified, extracted, dropped)] == [ExitCode.PASSED] * 5, (
        doctor.stdout,
        extracted.stderr,
    )
    # Whether the machine keeps the scenario's limits is the machine's affair; that the run counts is ours.
    record = read_ended_run(measured, find_bundle(tmp_path), ExitCode.PASSED, ExitCode.GATE_FAILED)["record"]
    assert record["arms"][0]["totals"]["completed"] > 0
    assert record["environment"]["source_server"].startswith("PostgreSQL")
    assert json.loads(extracted.stdout)["rows_in_source"] == 10_000
    assert sum(pq.read_metadata(path).num_rows for path in (tmp_path / "rows").glob("*.parquet")) == 10_000


MIX = """
name = "short"
title = "Six users, three kinds of sources, every kind of look"
gates = ["job.errors ratio < 1 %", "http.errors ratio < 1 %", "rows.lost count <= 0", "status.response p95 < 5 s"]
[workload]
name = "mixed"
table = "bench_rows"
think_time = "20ms"
think_time_distribution = "exponential"
mix = [
  { weight = 2, source = "database", rows = 500 },
  { weight = 2, source = "files", rows = 300 },
  { weight = 2, source = "rest", rows = 200 },
  { weight = 1, action = "list" },
  { weight = 1, action = "statistics" },
  { weight = 1, action = "logs" },
]
[[stages]]
duration = "5s"
users = 6
step = true
"""


@pytest.mark.nightly  # half a minute; the scenario `performance` has such a mix too
@pytest.mark.no_cover
def test_a_mix_extracts_from_files_and_rest_too(tmp_path: Path, loaded_source: str, embedded_valkey_url: str) -> None:
    """Sources are really created on the target; every size comes back right; the report says what the sources are."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "short.toml").write_text(MIX)

    ended = run("run", "short", "--source-url", loaded_source, "--cache-url", embedded_valkey_url, cwd=tmp_path)

    bundle = find_bundle(tmp_path)
    record = read_ended_run(ended, bundle, ExitCode.PASSED)["record"]
    arm = record["arms"][0]
    counts = {part["operation"]: part["count"] for part in arm["operations"]}
    assert set(counts) == {"create", "start", "status", "wait", "statistics", "list", "logs", "job"}
    assert arm["totals"]["failed"] == 0
    assert arm["totals"]["completed"] > 15
    assert arm["totals"]["rows_read"] == arm["totals"]["rows_written"]
    assert [source["kind"] for source in record["plan"]["sources"]] == ["files", "rest"]
    page = (bundle / "report.html").read_text()
    assert "a paged JSON API of jivsbench itself on the target&#39;s machine" in page
    assert "% 500 rows from database" in page


@pytest.mark.no_cover
def test_a_gate_ends_a_run_that_goes_badly(tmp_path: Path, loaded_source: str, embedded_valkey_url: str) -> None:
    """Half a minute was planned; two seconds miss the limit, and the bundle holds what there was, adding up."""
    _scenario(tmp_path, hold_s=30)
    scenario = tmp_path / "scenarios" / "short.toml"
    scenario.write_text(scenario.read_text().replace("gates = [", 'gates = ["job.response p50 < 1 ms for 2s abort", '))

    ended = run("run", "short", "--source-url", loaded_source, "--cache-url", embedded_valkey_url, cwd=tmp_path)

    record = read_ended_run(ended, find_bundle(tmp_path), ExitCode.GATE_FAILED)["record"]
    arm = record["arms"][0]
    assert record["aborted"].startswith("gate 'job.response p50 < 1 ms for 2s abort' ended the run: ")
    assert record["generator"]["wall_s"] < 15
    assert arm["totals"]["created"] == arm["totals"]["completed"] > 0
    assert arm["blocks"][0]["end_ns"] < 15e9
    (window,) = arm["windows"]
    assert window["value"] > 1
    assert record["aborted"] in " ".join(ended.stdout.split())


@pytest.mark.nightly
@pytest.mark.no_cover
def test_a_killed_run_leaves_a_partial_report(tmp_path: Path, loaded_source: str) -> None:
    """SIGKILL of the parent: its children go, `report` and `gate` show what was measured, marked PARTIAL, exit code 4."""
    _scenario(tmp_path, hold_s=60)
    process = start("run", "short", cwd=tmp_path, JIVSBENCH_SOURCE_URL=loaded_source)
    bundle = wait_for_load(tmp_path, process)
    deadline = time.monotonic() + 30
    while (bundle / "intervals.jsonl").read_bytes().count(b"\n") < 4 and time.monotonic() < deadline:
        time.sleep(0.1)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate(timeout=60)
    still_there = _wait_until_gone(children, timeout_s=45)
    judged, rendered = run("gate", "latest", cwd=tmp_path), run("report", "latest", cwd=tmp_path)

    assert still_there == []
    assert judged.status == ExitCode.INVALID
    assert "PARTIAL: the run was cut off after" in judged.stdout
    assert rendered.status == ExitCode.PASSED
    assert "PARTIAL" in (bundle / "summary.md").read_text()
    record = json.loads((bundle / "run.json").read_text())["record"]
    assert record["arms"][0]["totals"]["completed"] > 0
    assert record["is_partial"]
