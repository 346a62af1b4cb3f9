"""Runs the command line as a user does: a process of its own, its exit code, its two outputs."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def error(self) -> str:
        """The error line, after checking that it is the only one and no traceback."""
        assert "Traceback" not in self.stderr, self.stderr
        lines = [line for line in self.stderr.splitlines() if line.startswith(("error: ", "Error: "))]
        assert len(lines) == 1, self.stderr
        return lines[0]


def clean_environment(**variables: str) -> dict[str, str]:
    """The environment without any jivsbench settings of the machine, plus the given ones."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JIVSBENCH_")}
    return {**kept, **variables}


def start(*args: str, cwd: Path, **variables: str) -> subprocess.Popen[str]:
    """Start `jivsbench ...` in a session of its own, so that the test's Ctrl-C hits it alone."""
    return subprocess.Popen(
        [sys.executable, "-m", "jivsbench", *args],
        cwd=cwd,
        env=clean_environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(*args: str, cwd: Path, timeout_s: float = 120, **variables: str) -> Ended:
    """Run `jivsbench ...` to its end."""
    process = start(*args, cwd=cwd, **variables)
    try:
        stdout, stderr = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
        raise AssertionError(f"jivsbench {' '.join(args)} did not end within {timeout_s} s: {stderr}") from None
    return Ended(process.returncode, stdout, stderr)
