"""Messages, intervals, counters and progress of a load: plain values."""

import pytest

from jivsbench.errors import InvalidRunError
from jivsbench.load.blocks import OpenBlock
from jivsbench.load.intervals import format_interval, read_intervals
from jivsbench.load.messages import Done, Progressed, Refused, Started, format_message, parse_message
from jivsbench.load.progress import ArmSecond, LoadProgress, RecentSeconds
from jivsbench.load.spec import LoadArm, LoadOutcome
from jivsbench.load.target_probe import TargetCounters, parse_counters
from jivsbench.load.totals import JobCounts, JobEnd
from jivsbench.model.histogram import Histogram, HistogramBuilder
from jivsbench.model.record import GeneratorFacts, JobTotals
from jivsbench.model.sample import Interval
from jivsbench.model.scenario import Block, BlockPhase

PROGRESS = LoadProgress(1.0, 4.0, "a", 0, 1, 5, 10, 100, 600.0, None, 0, 1e6)
OUTCOME = LoadOutcome((), (("a", JobTotals(1, 1, 0, 0, 0, 5, 5)),), GeneratorFacts(0.1, None, 1, 1, 9, 1.5), 42)


@pytest.mark.parametrize("message", [Started(), Progressed(PROGRESS), Done(OUTCOME), Refused("config", "no")])
def test_a_message_survives_the_pipe(message) -> None:
    """One line, and the same message on the other side."""
    line = format_message(message)

    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert parse_message(line) == message


def test_a_strange_line_is_no_message() -> None:
    """Whatever else stands on the channel is an error, not a message."""
    with pytest.raises(ValueError, match="kind"):
        parse_message(b'{"kind": "hello"}')


def test_a_torn_interval_is_named(tmp_path) -> None:
    """File and line of what cannot be read; the lines before it are given."""
    path = tmp_path / "intervals.jsonl"
    interval = Interval(0, "a", 0, BlockPhase.MEASURED, 3, ())
    path.write_bytes(format_interval(interval) + b'{"second": 1, "ar')
    found = read_intervals(path)

    assert next(found) == interval
    with pytest.raises(InvalidRunError, match=r"line 2 of .*intervals\.jsonl is not an interval"):
        next(found)


def test_missing_intervals_are_named(tmp_path) -> None:
    """No file is no measurement."""
    with pytest.raises(InvalidRunError, match="there is no such file"):
        list(read_intervals(tmp_path / "intervals.jsonl"))


def test_counters_are_summed_over_sources() -> None:
    """Active, idle and waiting of all pools; a look-up that failed is a miss."""
    text = (
        'jivsbench_pool_connections{source="a",state="active"} 1\n'
        'jivsbench_pool_connections{source="b",state="active"} 2\n'
        'jivsbench_pool_connections{source="a",state="idle"} 4\n'
        'jivsbench_pool_waiting{source="a"} 8\n'
        'jivsbench_cache_lookups_total{result="miss"} 16\n'
        'jivsbench_cache_lookups_total{result="error"} 32\n'
        'jivsbench_cache_loads_total{kind="due"} 64\n'
        'jivsbench_cache_loads_total{kind="repeated"} 128\n'
    )

    assert parse_counters(text) == TargetCounters(3, 4, 8, 0, 48, cache_loads=192, cache_loads_repeated=128)


def test_counters_that_are_missing_are_none() -> None:
    """A target without pool and cache has no zeros: it has nothing."""
    assert parse_counters("other_total 3\n") == TargetCounters()


def test_a_job_that_never_ended_shows_in_the_totals() -> None:
    """Created is counted at the beginning, so the sum of the ends can fall short of it."""
    counts = JobCounts()
    for end in (JobEnd.COMPLETED, JobEnd.FAILED, JobEnd.TIMED_OUT, JobEnd.CANCELLED, JobEnd.REFUSED, None):
        counts.begun += 1
        if end is not None:
            counts.end(end, 7, 6)

    assert counts.build() == JobTotals(created=5, completed=1, failed=1, timed_out=1, cancelled=1, rows_read=7, rows_written=6)


def test_progress_shows_the_last_five_seconds() -> None:
    """Sums are of everything, rate and p95 of the window; what becomes known late joins its second."""
    builder = HistogramBuilder()
    builder.record(9_000_000)
    recent = RecentSeconds()
    for second in range(8):
        recent.add(ArmSecond(second, 1_000_000_000, 1, 100, 0, builder.build()))
    recent.add(ArmSecond(7, 0, 1, 100, 1, Histogram()))

    assert (recent.jobs, recent.rows, recent.errors) == (9, 900, 1)
    assert recent.rows_per_min() == pytest.approx(600 / 5 * 60)
    assert recent.job_percentiles_ns() == (9_000_000, 9_000_000, None)


def test_progress_without_a_job_has_no_p95() -> None:
    """None, not zero."""
    recent = RecentSeconds()

    assert recent.job_percentiles_ns() == (None, None, None)
    assert recent.rows_per_min() == 0.0


def test_a_block_shorter_than_its_washout_measured_nothing() -> None:
    """Its measured part has no length, and none that is negative."""
    block = OpenBlock(Block(0, 0, "a", 2.0), 0)
    block.close(1_000_000_000)

    row = block.build_row(0)

    assert row.measured_ns == row.end_ns == row.drained_ns == 1_000_000_000


def test_a_token_is_not_printed() -> None:
    """The arm of a load carries a token, and its repr does not."""
    assert "secret" not in repr(LoadArm("a", "http://127.0.0.1:1", "secret", 1))
