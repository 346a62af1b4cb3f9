"""SIGTERM, SIGHUP and Ctrl-C end a command alike, by signals that real processes get; the exit code tells them apart."""

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.machine import free_port
from tests.processes import is_gone

# `main` with a command of its own, which cleans up for a while, as a run does that stops its children and renders its bundle.
COMMAND = """
import time, click, jivsbench.cli as cli
from jivsbench.errors import InterruptedRunError

@click.command()
def root():
    try:
        print("ready", flush=True)
        time.sleep({seconds})
    except KeyboardInterrupt as exc:
        time.sleep(0.3)
        print(f"cleaned up after {{str(exc) or 'Ctrl-C'}}", flush=True)
        raise InterruptedRunError("kept") from None

cli.root = root
cli.main()
"""
SIGNALS = [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM"), (signal.SIGHUP, 129, "SIGHUP")]


def hear_signals() -> None:
    """As in a terminal, whatever this test run was started by: `nohup` has SIGHUP ignored, and a script's `&` SIGINT."""
    for number, _, _ in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def take_terminal() -> None:
    """As the process that the terminal's end is told to."""
    hear_signals()
    fcntl.ioctl(0, termios.TIOCSCTTY)


def start(*argv: str, cwd: Path, prepare: Callable[[], object] = hear_signals) -> subprocess.Popen[str]:
    """A process of its own, with its outputs as pipes."""
    return subprocess.Popen(
        [sys.executable, *argv],
        cwd=cwd,
        env={**os.environ, "TMPDIR": str(cwd)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=prepare,  # noqa: PLW1509 - one call of the system, no locks taken
    )


def read_first(process: subprocess.Popen[str]) -> str:
    """The first line on its standard output."""
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize(("number", "status", "cause"), SIGNALS)
def test_a_signal_ends_a_command_with_its_cleaning_up(tmp_path: Path, number: signal.Signals, status: int, cause: str) -> None:
    """SIGTERM comes twice from `timeout`, to the process and to its group: a second one cuts nothing short."""
    process = start("-c", COMMAND.format(seconds=60), cwd=tmp_path)
    assert read_first(process) == "ready\n"

    process.send_signal(number)
    if number is not signal.SIGINT:
        # Only once the first one was heard: two that wait are one.
        time.sleep(0.1)
        process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)

    assert (process.returncode, stdout, stderr) == (status, f"cleaned up after {cause}\n", "error: kept\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_is_to_be_ignored_is_ignored(tmp_path: Path, number: signal.Signals) -> None:
    """Whoever starts a command that way means it to go on, as `nohup` does."""
    process = start("-c", COMMAND.format(seconds=1), cwd=tmp_path, prepare=lambda: signal.signal(number, signal.SIG_IGN))
    assert read_first(process) == "ready\n"

    process.send_signal(number)

    assert (process.communicate(timeout=30), process.returncode) == (("", ""), 0)


def test_a_command_whose_terminal_is_closed_cleans_up(tmp_path: Path) -> None:
    """What it says on the way goes nowhere: each word to a terminal that is gone is an error."""
    command = COMMAND.format(seconds=60).replace("raise Interrupted", "open('kept', 'w').close()\n        raise Interrupted")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", command],
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=take_terminal,  # noqa: PLW1509 - some calls of the system, no locks taken
    )
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        assert terminal.readline() == b"ready\r\n"

    assert process.wait(30) == 129
    assert (tmp_path / "kept").exists()


@pytest.mark.parametrize(("number", "status", "cause"), SIGNALS)
def test_a_real_command_takes_its_children_with_it(tmp_path: Path, number: signal.Signals, status: int, cause: str) -> None:
    """`worker`, which waits for a master: its load process ends with it, and nothing but one line is said."""
    process = start("-m", "jivsbench", "worker", "--master", "127.0.0.1", "--master-port", str(free_port()), cwd=tmp_path)
    assert process.stderr is not None
    while "load process" not in process.stderr.readline():
        assert process.poll() is None
    children = wait_for_children(process.pid)

    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)

    assert (process.returncode, stdout) == (status, ""), cause
    assert stderr.splitlines()[-1] == "interrupted"
    assert "Traceback" not in stderr
    assert all(is_gone(pid, 5.0) for pid in children)


def wait_for_children(pid: int) -> list[int]:
    """The children of a process, once it has some."""
    while not (children := psutil.Process(pid).children(recursive=True)):
        time.sleep(0.05)
    return [child.pid for child in children]
