"""What the load generator asks of the kernel, in a process of its own: a test must not change the class of all the others."""

import os
import platform
import subprocess
import sys

import pytest

_ASK = """
import os, sys
from jivsbench.load.worker.precedence import describe_precedence, take_precedence
if "fifo" in sys.argv:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
before = os.sched_getscheduler(0)
print(describe_precedence())
take_precedence()
print(describe_precedence(), os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0) == before, sep="|")
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the calls are Linux's")


def _ask(*argv: str) -> tuple[str, str, str, str]:
    ended = subprocess.run([sys.executable, "-c", _ASK, *argv], check=True, capture_output=True, text=True)
    before, after = ended.stdout.splitlines()
    described, nice, is_same_class = after.split("|")
    return before, described, nice, is_same_class


def _has_own_slices() -> bool:
    major, minor = platform.release().split(".")[:2]
    return (int(major), int(minor)) >= (6, 12) and platform.machine() in {"x86_64", "aarch64"}


def test_what_was_granted_is_what_is_told() -> None:
    """Short slices where the kernel has them, niceness where this user may lower it, and the class is never another."""
    before, described, nice, is_same_class = _ask()

    assert before == "()"
    assert ("time slices of 0.1 ms" in described) == _has_own_slices()
    assert (f"niceness {nice}" in described) == (int(nice) < os.getpriority(os.PRIO_PROCESS, 0))
    assert is_same_class == "True"


def test_a_real_time_class_is_left_alone() -> None:
    """Whoever started it so knows better; niceness means nothing there."""
    try:
        _before, described, nice, is_same_class = _ask("fifo")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this user may take no real-time class: {error.stderr.splitlines()[-1]}")

    assert (described, nice, is_same_class) == ("()", str(os.getpriority(os.PRIO_PROCESS, 0)), "True")
