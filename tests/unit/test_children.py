"""Child processes end when they are told to, and never outlive their parent."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jivsbench.children import start_child
from tests.processes import is_gone


def test_stop_ends_the_child_and_its_children(tmp_path: Path) -> None:
    """A grandchild goes with its parent, even when both ignore SIGTERM."""
    code = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "p = subprocess.Popen([sys.executable, '-c', 'import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)']);"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    child = start_child("stubborn", [sys.executable, "-c", code], log=tmp_path / "log", reads_stdout=True)
    grandchild = int(child.stdout.readline())

    status = child.stop(grace_s=0.3)

    assert status == -signal.SIGKILL
    assert not child.is_alive
    assert is_gone(grandchild, 5.0)


def test_a_child_sees_its_parent_die(tmp_path: Path) -> None:
    """The standard input of a child ends when its parent is killed."""
    inner = "import sys; sys.stdin.read()"
    outer = (
        "import sys, time; from pathlib import Path; from jivsbench.children import start_child;"
        f"c = start_child('inner', [sys.executable, '-c', {inner!r}], log=Path({str(tmp_path / 'log')!r}));"
        "print(c.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", outer], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())

    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()

    assert is_gone(pid, 5.0)


def test_ctrl_c_reaches_the_parent_alone(tmp_path: Path) -> None:
    """A child lives in a session of its own, so the terminal's SIGINT does not hit it."""
    child = start_child("quiet", [sys.executable, "-c", "import sys; sys.stdin.read()"], log=tmp_path / "log")
    try:
        assert os.getpgid(child.pid) == child.pid
        assert os.getpgid(child.pid) != os.getpgid(0)
    finally:
        assert child.stop() in (0, -signal.SIGTERM)


def test_errors_of_a_child_go_to_its_log(tmp_path: Path) -> None:
    """What a child writes to standard error can be read after its end."""
    child = start_child("talker", [sys.executable, "-c", "raise SystemExit('it broke')"], log=tmp_path / "log")
    child.process.wait(10)
    child.stop()

    assert "it broke" in (tmp_path / "log").read_text()


def test_reading_a_stream_that_was_not_opened_is_an_error(tmp_path: Path) -> None:
    """Asking for the output of a child whose output goes to the log names the child."""
    child = start_child("mute", [sys.executable, "-c", "pass"], log=tmp_path / "log", holds_stdin=False)
    try:
        with pytest.raises(ValueError, match="mute"):
            _ = child.stdout
        with pytest.raises(ValueError, match="mute"):
            child.send("x")
    finally:
        child.stop()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("print('one', flush=True); time.sleep(60)", b"one\n"),
        ("sys.stdout.write('o'); sys.stdout.flush(); time.sleep(0.1); print('ne', flush=True); time.sleep(60)", b"one\n"),
        ("time.sleep(60)", TimeoutError),
        ("sys.stdout.write('half'); sys.stdout.flush(); time.sleep(60)", TimeoutError),
        ("", EOFError),
    ],
)
def test_an_answer_is_waited_for_as_long_as_told(tmp_path: Path, code: str, expected) -> None:
    """A whole line, or an error that says whether the child was silent or gone."""
    child = start_child("teller", [sys.executable, "-c", f"import sys, time; {code}"], log=tmp_path / "log", reads_stdout=True)
    try:
        if isinstance(expected, bytes):
            assert child.read_line(10.0) == expected
        else:
            with pytest.raises(expected):
                child.read_line(10.0 if expected is EOFError else 0.5)
    finally:
        child.stop(0.0)
