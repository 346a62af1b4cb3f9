"""A load generator that is really frozen or starved: whatever the target did, the run says nothing of it, and ends so."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from bundles import wait_for_load
from command import start

from jivsbench.exitcodes import ExitCode
from tests.machine import free_port

pytestmark = pytest.mark.alone

SCENARIO = """
name = "clocked"
title = "Extractions of 500 rows by the clock"
arrival = "rate"
gates = ["job.errors ratio < 50 %"]
[workload]
name = "extraction"
table = "bench_rows"
rows = 500
[[stages]]
duration = "5s"
rate = 20
step = true
"""
HOG = "import time\nend = time.monotonic() + 30\nwhile time.monotonic() < end: pass"


def start_clocked(folder: Path, source_url: str, *options: str) -> tuple[subprocess.Popen[str], psutil.Process, Path]:
    """A run whose load has begun, its load child, and its bundle."""
    (folder / "scenarios").mkdir()
    (folder / "scenarios" / "clocked.toml").write_text(SCENARIO)
    process = start("run", "clocked", *options, cwd=folder, JIVSBENCH_SOURCE_URL=source_url)
    bundle = wait_for_load(folder, process)
    children = psutil.Process(process.pid).children(recursive=True)
    (worker,) = [child for child in children if "jivsbench.load.worker" in child.cmdline()]
    return process, worker, bundle


def read_reasons(process: subprocess.Popen[str], bundle: Path) -> list[str]:
    """Why the run is invalid, once it has ended with exit code 4."""
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INVALID, stdout + stderr
    assert "Traceback" not in stderr
    run = json.loads((bundle / "run.json").read_text())
    assert run["verdict"]["outcome"] == "INVALID"
    return run["record"]["invalid"]


@contextmanager
def hog_core(core: int, hogs: int) -> Iterator[None]:
    """Processes that do nothing but use one core."""
    running = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(hogs)]
    try:
        for hog in running:
            psutil.Process(hog.pid).cpu_affinity([core])
        yield
    finally:
        for hog in running:
            hog.kill()
            hog.wait()


@pytest.mark.nightly
@pytest.mark.no_cover
def test_a_frozen_generator_is_invalid(tmp_path: Path, loaded_source: str) -> None:
    """Stopped for 1.5 s and let go on: exit code 4, for the lag of its sends and for what it offered off the plan."""
    process, worker, bundle = start_clocked(tmp_path, loaded_source)

    os.kill(worker.pid, signal.SIGSTOP)
    time.sleep(1.5)
    os.kill(worker.pid, signal.SIGCONT)

    reasons = read_reasons(process, bundle)
    assert any(reason.startswith("the load generator's lag p99 was ") for reason in reasons), reasons
    assert any("were offered more than 0.1 s late" in reason for reason in reasons), reasons


@pytest.mark.nightly
@pytest.mark.no_cover
def test_a_starved_generator_is_invalid(tmp_path: Path, loaded_source: str) -> None:
    """One core for it and four greedy processes, and the lowest priority: exit code 4, for the lag of its sends."""
    process, worker, bundle = start_clocked(tmp_path, loaded_source)
    core = max(worker.cpu_affinity())

    with hog_core(core, 4):
        worker.cpu_affinity([core])
        worker.nice(19)
        reasons = read_reasons(process, bundle)

    assert any(reason.startswith("the load generator's lag p99 was ") for reason in reasons), reasons


@pytest.mark.nightly
@pytest.mark.no_cover
def test_a_run_that_loses_its_load_machine_is_invalid(tmp_path: Path, loaded_source: str) -> None:
    """`jivsbench worker` is killed in the middle of its load: exit code 4, with the machine and the moment."""
    port = str(free_port())
    machine = start("worker", "--master", "127.0.0.1", "--master-port", port, cwd=tmp_path)
    process, _master, bundle = start_clocked(tmp_path, loaded_source, "--expect-workers", "1", "--master-port", port)

    machine.kill()
    machine.communicate(timeout=10)

    (reason,) = read_reasons(process, bundle)
    assert reason.startswith("load machine 1 of 1 was lost "), reason
    assert "s into the load" in reason
