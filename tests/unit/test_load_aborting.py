"""A gate that ends a run: at the first window that misses the limit, while the intervals are written."""

from pathlib import Path

import pytest

from jivsbench.load.aborting import AbortWatch
from jivsbench.load.intervals import format_interval
from jivsbench.model.gate_text import parse_gate
from jivsbench.model.sample import Interval, OperationKind
from jivsbench.model.scenario import BlockPhase
from tests.unit.analysis_records import build_operation

GATE = parse_gate("job.response p95 < 100 ms for 3s abort")


def write(path: Path, number: int, job_ms: float, arm: str = "a") -> None:
    """Append one second in which ten jobs took as long."""
    job = build_operation("job", OperationKind.JOB, [job_ms] * 10)
    with path.open("ab") as stream:
        stream.write(format_interval(Interval(number, arm, 0, BlockPhase.MEASURED, 1, (job,))))


def test_it_ends_the_run_at_the_first_window_that_misses(tmp_path: Path) -> None:
    """Fast for six seconds, slow from then on: nothing before, then the gate, the figure and the stretch."""
    path = tmp_path / "intervals.jsonl"
    watch = AbortWatch([GATE], "a", path, 60)
    reasons = []

    for number in range(12):
        write(path, number, 20.0 if number < 6 else 500.0)
        reasons.append(watch.look(number + 1.0))

    first = next(number for number, reason in enumerate(reasons) if reason)
    assert first == 7
    assert reasons[first].startswith("gate 'job.response p95 < 100 ms for 3s abort' ended the run: 5")
    assert reasons[first].endswith("from 4 s to 7 s of the load")


def test_half_a_line_is_read_when_it_is_whole(tmp_path: Path) -> None:
    """The child may be writing: what has no end yet is left for the next look."""
    path = tmp_path / "intervals.jsonl"
    for number in range(4):
        write(path, number, 500.0)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    watch = AbortWatch([GATE], "a", path, 60)

    assert watch.look(3.0) is None
    path.write_bytes(whole)
    assert watch.look(4.0) is not None


@pytest.mark.parametrize("gates", [[], [parse_gate("job.response p95 < 100 ms for 3s")]])
def test_gates_that_do_not_abort_are_left_to_the_verdict(tmp_path: Path, gates) -> None:
    """Without `abort` nothing ends a run, however bad it goes."""
    path = tmp_path / "intervals.jsonl"
    for number in range(9):
        write(path, number, 500.0)

    assert AbortWatch(gates, "a", path, 60).look(9.0) is None


def test_seconds_in_which_nothing_ends_are_seconds_too(tmp_path: Path) -> None:
    """A target that answers nobody any more: throughput of three seconds is nothing, and no line says so."""
    path = tmp_path / "intervals.jsonl"
    watch = AbortWatch([parse_gate("throughput.jobs rate >= 1 jobs/s for 3s abort")], "a", path, 60)
    write(path, 0, 20.0)

    assert watch.look(4.0) is None
    assert "0 jobs/s from 1 s to 4 s" in (watch.look(7.0) or "")


def test_another_arms_seconds_do_not_count(tmp_path: Path) -> None:
    """And neither does a file that is not there yet."""
    path = tmp_path / "intervals.jsonl"
    watch = AbortWatch([GATE], "a", path, 60)

    assert watch.look(1.0) is None
    for number in range(9):
        write(path, number, 500.0, arm="b")
    assert watch.look(9.0) is None


def test_the_drain_is_not_judged(tmp_path: Path) -> None:
    """Ten seconds of a steady load, then a drain with one late end: fewer jobs a second, and nobody to blame."""
    path = tmp_path / "intervals.jsonl"
    gates = [GATE, parse_gate("throughput.jobs rate >= 1 jobs/s for 3s abort")]
    watch = AbortWatch(gates, "a", path, 10)
    for number in range(10):
        write(path, number, 20.0)

    assert [watch.look(number) for number in (10.0, 14.0, 20.0)] == [None] * 3
    write(path, 20, 500.0)
    assert watch.look(21.0) is None
    assert watch.look(40.0) is None


def test_the_last_window_of_the_schedule_is_judged(tmp_path: Path) -> None:
    """It is known only in the drain, and misses the limit all the same."""
    path = tmp_path / "intervals.jsonl"
    watch = AbortWatch([GATE], "a", path, 10)
    for number in range(10):
        write(path, number, 20.0 if number < 9 else 500.0)

    assert watch.look(10.0) is None
    assert (watch.look(13.0) or "").endswith("from 7 s to 10 s of the load")
