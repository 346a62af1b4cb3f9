"""What becomes of a check that cannot go on."""

import os
from types import SimpleNamespace

import pytest

from jivsbench.api import TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import CheckOutcome, Finding, Severity
from jivsbench_security.hostile_check import HostileCheck


class Check(HostileCheck):
    """Any check."""

    id = "SEC-000"
    title = "nothing"
    severity = Severity.LOW
    cwe = ("CWE-1",)
    vulnerable = TargetVariant("none")


class Session(SimpleNamespace):
    """One harmless request that works, and no text that is not answered."""

    attempted = reached = 1
    unanswered = 0

    def describe(self) -> str:
        """One line."""
        return "nothing"

    def run_benign(self) -> int:
        """It works."""
        return 1


def interrupt() -> None:
    """The server's user may not do what comes next."""
    raise InvalidRunError("may not look")


def test_a_hole_that_was_found_stays_one_when_the_check_cannot_go_on() -> None:
    """Without a finding nothing is known; with one the target has failed."""
    context = SimpleNamespace(seed=1, pid=os.getpid())
    hole = Finding("SEC-000", Severity.LOW, "a hole", "seen", "so")

    assert Check()._attack(context, Session(findings=[hole]), interrupt).outcome is CheckOutcome.FAIL
    with pytest.raises(InvalidRunError):
        Check()._attack(context, Session(findings=[]), interrupt)
