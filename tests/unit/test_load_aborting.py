"""A gate that ends a run: at the first window that misses the limit, while the intervals are written."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from jivsbench.errors import InvalidRunError
from jivsbench.load.aborting import AbortWatch
from jivsbench.load.blocks import OpenBlock
from jivsbench.load.intervals import format_interval
from jivsbench.load.recorder import NS_PER_S, Recorder, Sample
from jivsbench.model.gate_text import parse_gate
from jivsbench.model.sample import Interval, OperationKind
from jivsbench.model.scenario import Block, BlockPhase
from tests.unit.analysis_records import build_operation

GATE = parse_gate("job.response p95 < 100 ms for 3s abort")


@dataclass(frozen=True)
class Seen:
    """A job whose end was seen and whose rows are not checked yet."""

    seen_ns: int


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
        reasons.append(watch.look(number + 1))

    first = next(number for number, reason in enumerate(reasons) if reason)
    assert first == 6
    assert reasons[first].startswith("gate 'job.response p95 < 100 ms for 3s abort' ended the run: 5")
    assert reasons[first].endswith("from 4 s to 7 s of the load")


def test_half_a_line_is_read_when_it_is_whole(tmp_path: Path) -> None:
    """The child may be writing: what has no end yet is left for the next look."""
    path = tmp_path / "intervals.jsonl"
    for number in range(4):
        write(path, number, 20.0 if number < 3 else 500.0)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    watch = AbortWatch([GATE], "a", path, 60)

    assert watch.look(3) is None
    path.write_bytes(whole)
    assert watch.look(4) is not None


def test_a_line_of_somebody_else_makes_the_run_invalid(tmp_path: Path) -> None:
    """With the file's name, and without a traceback."""
    path = tmp_path / "intervals.jsonl"
    path.write_bytes(b'{"second": 0, "ar{"second": 1}\n')

    with pytest.raises(InvalidRunError, match=r"a line of .*intervals\.jsonl is not an interval"):
        AbortWatch([GATE], "a", path, 60).look(1)


def test_a_second_waits_for_jobs_whose_end_was_seen(tmp_path: Path) -> None:
    """Ten jobs end every second and are checked 1.5 s later: a rate of ten, as the verdict will say, and never one of five."""
    path = tmp_path / "intervals.jsonl"
    watch = AbortWatch([parse_gate("throughput.jobs rate >= 9 jobs/s for 3s abort")], "a", path, 60)
    block = OpenBlock(Block(0, 0, "a", 0.0), 0)

    with path.open("ab", buffering=0) as stream:
        recorder = Recorder(stream.write)
        recorder.open_block(block)
        for tenth in range(120):
            seen_ns = tenth * NS_PER_S // 10
            recorder.open_jobs.add(Seen(seen_ns))
            for job in [job for job in recorder.open_jobs if job.seen_ns + 1_500_000_000 <= seen_ns]:
                recorder.open_jobs.remove(job)
                recorder.record(block, Sample("job", OperationKind.JOB, 0, 0, job.seen_ns, 100))
            recorder.flush(seen_ns)
            assert watch.look(recorder.settled_s()) is None

    assert recorder.settled_s() == 10


@pytest.mark.parametrize("gates", [[], [parse_gate("job.response p95 < 100 ms for 3s")]])
def test_gates_that_do_not_abort_are_left_to_the_verdict(tmp_path: Path, gates) -> None:
    """Without `abort` nothing ends a run, however bad it goes."""
    path = tmp_path / "intervals.jsonl"
    for number in range(9):
        write(path, number, 500.0)

    assert AbortWatch(gates, "a", path, 60).look(9) is None


def test_seconds_in_which_nothing_ends_are_seconds_too(tmp_path: Path) -> None:
    """A target that answers nobody any more: throughput of three seconds is nothing, and no line says so."""
    path = tmp_path / "intervals.jsonl"
    watch = AbortWatch([parse_gate("throughput.jobs rate >= 1 jobs/s for 3s abort")], "a", path, 60)
    write(path, 0, 20.0)

    assert watch.look(3) is None
    assert "0 jobs/s from 1 s to 4 s" in (watch.look(4) or "")


def test_another_arms_seconds_do_not_count(tmp_path: Path) -> None:
    """And neither does a file that is not there yet."""
    path = tmp_path / "intervals.jsonl"
    watch = AbortWatch([GATE], "a", path, 60)

    assert watch.look(1) is None
    for number in range(9):
        write(path, number, 500.0, arm="b")
    assert watch.look(9) is None


def test_the_drain_is_not_judged(tmp_path: Path) -> None:
    """Ten seconds of a steady load, then a drain with one late end: fewer jobs a second, and nobody to blame."""
    path = tmp_path / "intervals.jsonl"
    gates = [GATE, parse_gate("throughput.jobs rate >= 1 jobs/s for 3s abort")]
    watch = AbortWatch(gates, "a", path, 10)
    for number in range(10):
        write(path, number, 20.0)

    assert [watch.look(number) for number in (10, 14, 20)] == [None] * 3
    write(path, 20, 500.0)
    assert watch.look(21) is None
    assert watch.look(40) is None


def test_the_last_window_of_the_schedule_is_judged(tmp_path: Path) -> None:
    """It is known only in the drain, and misses the limit all the same."""
    path = tmp_path / "intervals.jsonl"
    watch = AbortWatch([GATE], "a", path, 10)
    for number in range(10):
        write(path, number, 20.0 if number < 9 else 500.0)

    assert watch.look(9) is None
    assert (watch.look(10) or "").endswith("from 7 s to 10 s of the load")
