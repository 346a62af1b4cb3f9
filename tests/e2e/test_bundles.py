"""The check of whole runs itself: what it lets pass, and what it must not."""

import json
from pathlib import Path

import pytest
from bundles import read_ended_run
from command import Ended

from jivsbench.exitcodes import ExitCode

LAG = "the load generator's lag p99 was 7.1 ms, at most 5 ms is allowed"
CPU = "the load generator used 91.00% of its core, at most 85% is allowed"
SHORT = "no interval: in 6 of 6 pairs no job completed in one of the blocks; measure in longer blocks"
OTHER = "3 users were reached of 4 planned, at most 1% off is allowed"


@pytest.fixture
def bundle(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A bundle whose run names these reasons: a doubt about a gate among them, the others against its validity."""
    gates = [{"outcome": "INCONCLUSIVE" if reason == SHORT else "MET", "reason": reason} for reason in request.param]
    record = {"invalid": [reason for reason in request.param if reason != SHORT]}
    (tmp_path / "run.json").write_text(json.dumps({"record": record, "verdict": {"gates": gates}}))
    return tmp_path


@pytest.mark.parametrize(
    ("bundle", "status"),
    [([], ExitCode.PASSED), ([LAG], ExitCode.INVALID), ([CPU, LAG], ExitCode.INVALID)],
    indirect=["bundle"],
)
def test_a_wanted_ending_and_a_starved_load_generator_are_accepted(bundle: Path, status: ExitCode) -> None:
    """The run's file comes back."""
    assert "record" in read_ended_run(Ended(status, "", ""), bundle, ExitCode.PASSED)


@pytest.mark.parametrize(
    ("bundle", "status"),
    [
        ([], ExitCode.INVALID),
        ([], ExitCode.GATE_FAILED),
        ([LAG], ExitCode.PASSED),
        ([OTHER], ExitCode.INVALID),
        ([LAG, OTHER], ExitCode.INVALID),
        ([SHORT], ExitCode.INVALID),
    ],
    indirect=["bundle"],
)
def test_no_other_ending_is_accepted(bundle: Path, status: ExitCode) -> None:
    """INVALID without a reason, for another one, or for another one too; a reason that the exit code does not tell."""
    with pytest.raises(AssertionError, match="status"):
        read_ended_run(Ended(status, "", ""), bundle, ExitCode.PASSED)


@pytest.mark.parametrize("bundle", [[SHORT], [SHORT, LAG]], indirect=True)
def test_blocks_that_a_test_made_short_may_leave_a_gate_open(bundle: Path) -> None:
    """Only where the test says so, and never as a pass."""
    assert "record" in read_ended_run(Ended(ExitCode.INVALID, "", ""), bundle, ExitCode.PASSED, has_short_blocks=True)
    with pytest.raises(AssertionError, match="status"):
        read_ended_run(Ended(ExitCode.PASSED, "", ""), bundle, ExitCode.PASSED, has_short_blocks=True)
