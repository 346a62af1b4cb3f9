"""A reader that goes away, met by real processes with a closed pipe: never exit code 1, which says that a gate failed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jivsbench.exitcodes import ExitCode

# `main` with a command in the place of another one, below the real root.
COMMAND = """
import click, jivsbench.cli as cli
from jivsbench.errors import InvalidRunError

@click.command()
@click.argument("word")
def own(word):
    {body}

cli.root.get_command = lambda context, name: own if name == "doctor" else None
cli.main()
"""


def run_unread(*argv: str, cwd: Path, closes: tuple[str, ...] = ("stdout",)) -> tuple[int, str]:
    """Exit code and what was still read, of a process whose reader has gone before it says a word."""
    reader, writer = os.pipe()
    os.close(reader)
    outputs = {name: writer if name in closes else subprocess.PIPE for name in ("stdout", "stderr")}
    try:
        ended = subprocess.run([sys.executable, *argv], cwd=cwd, **outputs, text=True, timeout=60, check=False)
    finally:
        os.close(writer)
    return ended.returncode, (ended.stdout or "") + (ended.stderr or "")


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("plugins",), ("plugins", "--json"), ("data", "--help")])
def test_a_command_that_nobody_reads_says_nothing_of_gates(tmp_path: Path, words: tuple[str, ...]) -> None:
    """As of other tools that SIGPIPE ends, and without a word of it."""
    assert run_unread("-m", "jivsbench", *words, cwd=tmp_path) == (ExitCode.UNREAD, "")


def test_head_takes_what_it_wants(tmp_path: Path) -> None:
    """The first lines come through a real pipe, and then the reader is gone."""
    command = COMMAND.format(body="[click.echo(str(number)) for number in range(200_000)]")
    with subprocess.Popen([sys.executable, "-c", command, "doctor", "x"], cwd=tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"0\n"
        process.stdout.close()

        assert process.wait(60) == 141


@pytest.mark.parametrize(
    ("words", "status"), [(("gate", "no-such-run"), ExitCode.USAGE), (("gate", "--no-such-option"), ExitCode.USAGE)]
)
def test_an_error_that_nobody_reads_keeps_its_exit_code(tmp_path: Path, words: tuple[str, ...], status: ExitCode) -> None:
    """It is known before the line of the error is written."""
    assert run_unread("-m", "jivsbench", *words, cwd=tmp_path, closes=("stdout", "stderr")) == (status, "")


@pytest.mark.parametrize(
    ("body", "status"),
    [("raise KeyboardInterrupt", ExitCode.INTERRUPTED), ("raise InvalidRunError('x')", ExitCode.INVALID), ("pass", 0)],
)
def test_a_command_that_says_nothing_ends_as_it_ended(tmp_path: Path, body: str, status: int) -> None:
    """Whether its outputs are read matters to what it writes alone."""
    argv = ("-c", COMMAND.format(body=body), "doctor", "x")

    assert run_unread(*argv, cwd=tmp_path, closes=("stdout", "stderr")) == (status, "")


def test_progress_that_nobody_reads_ends_no_measurement(tmp_path: Path) -> None:
    """As in `jivsbench run baseline 2>&1 >result | head`: the load goes on, and its result is told to whoever reads that."""
    body = """from jivsbench.app.progress import Note, Step
    from jivsbench.cli.terminal import Terminal
    with Terminal() as told:
        for number in range(3):
            told(Step(f"step {number}", 1.0))
            told(Note("n"))
    click.echo("measured")"""

    assert run_unread("-c", COMMAND.format(body=body), "doctor", "x", cwd=tmp_path, closes=("stderr",)) == (0, "measured\n")
