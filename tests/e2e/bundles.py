"""What a whole run leaves behind: where it lies, that its load has begun, and whether it ended as it should."""

import json
import subprocess
import time
from pathlib import Path

from command import Ended

from jivsbench.exitcodes import ExitCode

STARVED = ("the load generator's lag p99 was ", "the load generator used ", "the hypervisor stole ")
"""How the reasons begin that speak of a machine too busy to offer the load in time."""
SHORT = "measure in longer blocks"
"""How the reason of a gate ends that needs longer blocks than a test has time for."""


def find_bundle(folder: Path) -> Path:
    """The folder of the only run below `folder`."""
    (bundle,) = (folder / "reports" / "runs").iterdir()
    return bundle


def wait_for_load(folder: Path, process: subprocess.Popen[str]) -> Path:
    """The bundle of the run below `folder`, once operations have been recorded."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for intervals in folder.glob("reports/runs/*/intervals.jsonl"):
            if intervals.stat().st_size:
                return intervals.parent
        time.sleep(0.1)
    raise AssertionError(f"the load did not begin: {process.communicate(timeout=10)}")


def read_ended_run(ended: Ended, bundle: Path, *wanted: ExitCode, has_short_blocks: bool = False) -> dict:
    """The run's file, after checking that the run ended in a wanted way.

    A busy machine may have spoilt it, which is not the fault that the tests look for: INVALID is accepted as well, but only
    when the file names reasons and each of them is that the load generator, or its machine, was starved - or, for blocks that
    the test made short, that a gate cannot be judged in blocks so short.
    """
    found = json.loads((bundle / "run.json").read_text())
    reasons = found["record"]["invalid"]
    said = f"status {ended.status}, reasons {reasons}, verdict {found['verdict']}\n{ended.stdout}{ended.stderr}"
    doubts = [gate["reason"] for gate in found["verdict"]["gates"] if gate["outcome"] == "INCONCLUSIVE"]

    assert "Traceback" not in ended.stderr, said
    assert [reason for reason in reasons if not reason.startswith(STARVED)] == [], said
    assert [doubt for doubt in doubts if not (has_short_blocks and doubt.endswith(SHORT))] == [], said
    assert ended.status in ({ExitCode.INVALID} if reasons or doubts else set(wanted)), said
    return found
