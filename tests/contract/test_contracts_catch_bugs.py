"""The contracts themselves: a suite that nothing fails would prove nothing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

# What is run here is the contracts once for each mutant; the fakes cover them. They change as seldom as the contracts do.
pytestmark = [pytest.mark.no_cover, pytest.mark.nightly]

MUTANTS = Path(__file__).parent / "mutants.py"
NAMES = re.findall(r"^    (\w+),$", MUTANTS.read_text().partition("CONNECTOR_MUTANTS = ")[2], re.MULTILINE)


@pytest.fixture(scope="module")
def caught() -> set[str]:
    """Names of the mutants that failed at least one test of their contract."""
    done = subprocess.run(
        [sys.executable, str(MUTANTS)],
        cwd=MUTANTS.parent,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-2000:]
    assert "ERROR" not in done.stdout, done.stdout[-2000:]
    return set(re.findall(r"^FAILED .*::Test(\w+)::", done.stdout, re.MULTILINE))


@pytest.mark.parametrize("mutant", NAMES)
def test_a_planted_bug_is_caught(caught: set[str], mutant: str) -> None:
    """Each mutant has one bug, and fails at least one test."""
    assert mutant in caught
