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
try:
    told = open("/proc/self/autogroup").read().split()
except OSError:
    told = []
# Outside all sessions, as in a container, the file is there and empty.
group = told[-1] if told else "none"
print(describe_precedence(), os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0) == before, group, sep="|")
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the calls are Linux's")


def _ask(*argv: str, is_leader: bool = False) -> tuple[str, ...]:
    """What it says of itself before; then that, its niceness, whether its class is the same, and its group's niceness, if any."""
    ended = subprocess.run(
        [sys.executable, "-c", _ASK, *argv], check=False, capture_output=True, text=True, start_new_session=is_leader
    )
    if "PermissionError" in ended.stderr:
        raise PermissionError(ended.stderr)
    assert ended.returncode == 0, ended.stderr
    before, after = ended.stdout.splitlines()
    return (before, *after.split("|"))


def _has_own_slices() -> bool:
    major, minor = platform.release().split(".")[:2]
    return (int(major), int(minor)) >= (6, 12) and platform.machine() in {"x86_64", "aarch64"}


def test_what_was_granted_is_what_is_told() -> None:
    """Short slices where the kernel has them, niceness where this user may lower it, and the class is never another."""
    before, described, nice, is_same_class, _group = _ask()

    assert before == "()"
    assert ("time slices of 0.1 ms" in described) == _has_own_slices()
    assert (f"niceness {nice}" in described) == (int(nice) < 0)
    assert is_same_class == "True"


def test_only_the_group_of_its_own_session_goes_first() -> None:
    """A generator that leads its session takes that along; one within somebody's session leaves it as it was."""
    *_, nice, _is_same_class, own = _ask(is_leader=True)
    *_, shared = _ask()
    if own == "none" or int(nice) >= 0:
        pytest.skip("this machine has no groups of sessions, or this user may lower no niceness")

    assert own == nice
    assert shared != nice


def test_a_real_time_class_is_left_alone() -> None:
    """Whoever started it so knows better; niceness means nothing there."""
    try:
        _before, described, nice, is_same_class, _group = _ask("fifo")
    except PermissionError as error:
        pytest.skip(f"this user may take no real-time class: {str(error).splitlines()[-1]}")

    assert (described, nice, is_same_class) == ("()", str(os.getpriority(os.PRIO_PROCESS, 0)), "True")
