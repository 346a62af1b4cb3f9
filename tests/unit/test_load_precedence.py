"""What the load generator asks of the kernel, in a process of its own: a test must not change the class of all the others."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

# What the kernel tells of a process, beside what the process tells of itself. Machines and containers withhold some of it.
_ASK = """
import json, os, sys
from pathlib import Path
from jivsbench.load.worker.precedence import describe_precedence, take_precedence

def read(name):
    try:
        return Path("/proc/self", name).read_text()
    except OSError:
        return ""

if "fifo" in sys.argv:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
told = {"before": describe_precedence(), "class before": os.sched_getscheduler(0)}
take_precedence()
slices = [line.split()[-1] for line in read("sched").splitlines() if line.startswith("se.slice ")]
group = read("autogroup").split()
told |= {
    "after": describe_precedence(),
    "class after": os.sched_getscheduler(0),
    "nice": os.getpriority(os.PRIO_PROCESS, 0),
    "slice_ns": int(slices[0]) if slices else None,
    "group's nice": int(group[-1]) if group else None,
}
print(json.dumps(told))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the calls are Linux's")


def _ask(*argv: str, is_leader: bool = False) -> dict[str, Any]:
    """The answers of a process that takes precedence. PermissionError where this user may not have the class it asks for."""
    ended = subprocess.run(
        [sys.executable, "-c", _ASK, *argv], check=False, capture_output=True, text=True, start_new_session=is_leader
    )
    if "PermissionError" in ended.stderr:
        raise PermissionError(ended.stderr.splitlines()[-1])
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_what_was_granted_is_what_is_told() -> None:
    """Short slices and a lower niceness, each said if and only if the kernel gave it; the class is never another."""
    told = _ask()

    assert told["before"] == []
    assert told["class after"] == told["class before"]
    assert (f"niceness {told['nice']}" in told["after"]) == (told["nice"] < 0)
    assert told["slice_ns"] is None or ("time slices of 0.1 ms" in told["after"]) == (told["slice_ns"] == 100_000)


def test_only_the_group_of_its_own_session_goes_first() -> None:
    """A generator that leads its session takes that along; one within somebody's session leaves it as it was."""
    own, shared = _ask(is_leader=True), _ask()
    if own["group's nice"] is None or own["nice"] >= 0 or not os.access("/proc/self/autogroup", os.W_OK):
        pytest.skip("this machine has no groups of sessions, or this user may lower no niceness")

    assert own["group's nice"] == own["nice"]
    assert shared["group's nice"] != shared["nice"]


def test_a_real_time_class_is_left_alone() -> None:
    """Whoever started it so knows better; niceness means nothing there."""
    try:
        told = _ask("fifo")
    except PermissionError as error:
        pytest.skip(f"this user may take no real-time class: {error}")

    assert told["after"] == []
    assert told["nice"] == os.getpriority(os.PRIO_PROCESS, 0)
    assert told["class after"] == told["class before"] == os.SCHED_FIFO
