"""The recorder: whatever it is given, it gives on, once."""

import math
import random
import tracemalloc
from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from jivsbench.analysis.arms import build_arm
from jivsbench.load.blocks import OpenBlock
from jivsbench.load.intervals import prepare_format, read_intervals
from jivsbench.load.recorder import NS_PER_S, Dropped, Failure, Recorder, Sample
from jivsbench.model.histogram import HistogramBuilder, merge_histograms
from jivsbench.model.profile import OPTIMIZED
from jivsbench.model.record import JobTotals
from jivsbench.model.sample import ErrorClass, Interval, OperationKind
from jivsbench.model.scenario import Block, BlockPhase

ORIGIN_NS = 5_000 * NS_PER_S
END_NS = ORIGIN_NS + 3 * NS_PER_S
INTERVAL = TypeAdapter(Interval)

DURATIONS = st.integers(0, 2 * NS_PER_S)
SAMPLES = st.lists(
    st.builds(
        lambda operation, ended_ns, service_ns, lag_ns, rows, failure: Sample(
            operation,
            OperationKind.JOB if operation == "job" else OperationKind.CALL,
            ended_ns - service_ns - lag_ns,
            ended_ns - service_ns,
            ended_ns,
            rows,
            failure,
        ),
        operation=st.sampled_from(["create", "start", "job"]),
        ended_ns=st.integers(ORIGIN_NS, ORIGIN_NS + 5 * NS_PER_S),
        service_ns=DURATIONS,
        lag_ns=DURATIONS,
        rows=st.integers(0, 1000),
        failure=st.none() | st.builds(Failure, st.sampled_from(ErrorClass), st.sampled_from(["a", "b"])),
    ),
    max_size=40,
)
FLUSHES = st.lists(st.integers(0, 7), max_size=4)


def record_all(samples, flushes=(), pause=None):
    """Record into one block that is closed after 3 s, flushing now and then; give intervals and recorder."""
    lines: list[bytes] = []
    recorder = Recorder(lines.append, ORIGIN_NS)
    block = OpenBlock(Block(0, 0, "a", 1.0), ORIGIN_NS)
    recorder.open_block(block)
    block.close(END_NS)
    for number, sample in enumerate(samples):
        recorder.record(block, sample)
        if number < len(flushes):
            recorder.flush(ORIGIN_NS + flushes[number] * NS_PER_S, pause)
    recorder.close()
    return [INTERVAL.validate_json(line) for line in lines], recorder, block


@given(SAMPLES, FLUSHES)
def test_every_sample_is_in_exactly_one_interval(samples, flushes) -> None:
    """Counts, rows and errors of all intervals are those of all samples, however late samples come and whenever it flushes."""
    intervals, recorder, _block = record_all(samples, flushes)

    parts = [part for interval in intervals for part in interval.operations]
    assert sum(part.count for part in parts) == len(samples) == recorder.operations
    assert sum(part.rows for part in parts) == sum(sample.rows for sample in samples)
    errors: Counter = Counter()
    for part in parts:
        for error in part.errors:
            errors[part.operation, error.error, error.code] += error.count
    assert errors == Counter((s.operation, *s.failure) for s in samples if s.failure)


@given(SAMPLES, FLUSHES)
def test_merged_intervals_are_everything(samples, flushes) -> None:
    """The three histograms of all intervals together are those of the samples, to the bucket."""
    intervals, _recorder, _block = record_all(samples, flushes)

    parts = [part for interval in intervals for part in interval.operations]
    clocks = {
        "response": lambda s: s.ended_ns - s.intended_ns,
        "service": lambda s: s.ended_ns - s.started_ns,
        "lag": lambda s: s.started_ns - s.intended_ns,
    }
    for clock, duration in clocks.items():
        whole = HistogramBuilder()
        for sample in samples:
            whole.record(duration(sample))

        assert merge_histograms(getattr(part, clock) for part in parts) == whole.build()


@given(SAMPLES)
def test_intervals_say_when_and_in_which_phase(samples) -> None:
    """Second and phase are those of the moment at which a sample ended: 1 s of washout, closed after 3 s."""
    intervals, _recorder, _block = record_all(samples)

    expected = Counter()
    for sample in samples:
        second = (sample.ended_ns - ORIGIN_NS) // NS_PER_S
        phase = BlockPhase.WASHOUT if second < 1 else BlockPhase.MEASURED if second < 3 else BlockPhase.DRAIN
        expected[second, phase] += 1
    found = Counter({(i.second, i.phase): sum(part.count for part in i.operations) for i in intervals})
    assert found == expected
    assert [i.second for i in intervals] == sorted(i.second for i in intervals)


@given(SAMPLES)
def test_the_row_of_the_block_counts_by_the_rules_of_its_phases(samples) -> None:
    """Jobs and rows that succeeded, and errors, only while measured; durations of jobs while measured and drained."""
    _intervals, _recorder, block = record_all(samples)

    row = block.build_row(ORIGIN_NS)

    measured = [s for s in samples if ORIGIN_NS + NS_PER_S <= s.ended_ns < END_NS]
    done = [s for s in measured if s.operation == "job" and not s.failure]
    timed = [s.ended_ns - s.intended_ns for s in samples if s.operation == "job" and s.ended_ns >= ORIGIN_NS + NS_PER_S]
    assert (row.jobs, row.rows) == (len(done), sum(s.rows for s in done))
    assert row.errors == sum(bool(s.failure) for s in measured)
    assert row.job_mean_ns == (sum(timed) / len(timed) if timed else None)
    assert (row.start_ns, row.measured_ns, row.end_ns) == (0, NS_PER_S, 3 * NS_PER_S)
    assert row.drained_ns == max([s.ended_ns - ORIGIN_NS for s in samples] + [3 * NS_PER_S])


class NeverBackError(Exception):
    pass


@given(SAMPLES.filter(bool), st.integers(0, 8))
def test_a_flush_that_never_comes_back_loses_nothing(samples, pauses) -> None:
    """The writer is ended in one of its pauses: closing writes what it had in its hands, once."""
    lines: list[bytes] = []
    recorder = Recorder(lines.append, ORIGIN_NS)
    block = OpenBlock(Block(0, 0, "a", 0.0), ORIGIN_NS)
    recorder.open_block(block)
    for sample in samples:
        recorder.record(block, sample)
    left = iter(range(pauses))

    def pause() -> None:
        if next(left, None) is None:
            raise NeverBackError

    with suppress(NeverBackError):
        recorder.flush(ORIGIN_NS + 9 * NS_PER_S, pause)
    recorder.close()

    intervals = [INTERVAL.validate_json(line) for line in lines]
    assert sum(part.count for interval in intervals for part in interval.operations) == len(samples)


def test_codes_are_bounded() -> None:
    """A target that answers with a new code each time fills one class with 50 codes and the word `other`."""
    failures = [Failure(ErrorClass.JOB_FAILED, f"code-{number}") for number in range(200)]
    samples = [Sample("job", OperationKind.JOB, ORIGIN_NS, ORIGIN_NS, ORIGIN_NS, 0, failure) for failure in failures]

    intervals, _recorder, _block = record_all(samples)

    errors = {error.code: error.count for error in intervals[0].operations[0].errors}
    assert len(errors) == 51
    assert errors["other"] == 150


def test_a_second_without_an_end_has_its_line() -> None:
    """A target that stands still is seen: the users are there and nothing ended."""
    lines: list[bytes] = []
    recorder = Recorder(lines.append)
    block = OpenBlock(Block(0, 0, "a", 0.0), 0)
    recorder.open_block(block)
    for second in range(3):
        recorder.note_users(block, second * NS_PER_S, 7 - second)
    recorder.note_users(block, 2 * NS_PER_S, 4)

    recorder.flush(3 * NS_PER_S)

    intervals = [INTERVAL.validate_json(line) for line in lines]
    assert [(i.second, i.users, i.operations) for i in intervals] == [(0, 7, ()), (1, 6, ()), (2, 5, ())]


def test_memory_is_bounded_by_open_seconds() -> None:
    """After a flush nothing of a past second is kept: a soak of hours needs no more than a minute."""
    recorder = Recorder(lambda _line: None)
    block = OpenBlock(Block(0, 0, "a", 0.0), 0)
    recorder.open_block(block)
    for second in range(300):
        recorder.record(block, Sample("create", OperationKind.CALL, second * NS_PER_S, second * NS_PER_S, second * NS_PER_S + 1))
        recorder.flush(second * NS_PER_S)

        assert len(recorder._open) <= 1


@pytest.mark.parametrize("median_ns", [200_000, 5_000_000, 2_000_000_000])
def test_reported_percentiles_are_within_a_hundredth_of_the_truth(median_ns) -> None:
    """Log-normal durations around 0.2 ms, 5 ms and 2 s, by all three clocks: the report against the sorted list."""
    source = random.Random(median_ns)
    services = [round(source.lognormvariate(math.log(median_ns), 0.8)) for _ in range(20_000)]
    lags = [round(source.lognormvariate(math.log(median_ns / 10), 0.8)) for _ in range(20_000)]
    samples = [
        Sample("create", OperationKind.CALL, END_NS - service_ns - lag_ns, END_NS - service_ns, END_NS - number % 7)
        for number, (service_ns, lag_ns) in enumerate(zip(services, lags, strict=True))
    ]

    intervals, _recorder, _block = record_all(samples)

    parts = [part for interval in intervals for part in interval.operations]
    truths = {
        "response": [sample.ended_ns - sample.intended_ns for sample in samples],
        "service": [sample.ended_ns - sample.started_ns for sample in samples],
        "lag": lags,
    }
    for clock, truth in truths.items():
        found = merge_histograms(getattr(part, clock) for part in parts)
        for percent in (50, 90, 95, 99, 99.9):
            exact = sorted(truth)[math.ceil(len(truth) * percent / 100) - 1]

            assert found.percentile_ns(percent) == pytest.approx(exact, rel=0.01), (clock, percent)


def test_waiting_for_a_place_is_in_the_response_and_not_in_the_lag() -> None:
    """Due at 0, a place at 700, sent at 710: the lag is 10, whatever the response is."""
    sample = Sample("create", OperationKind.CALL, ORIGIN_NS, ORIGIN_NS + 710, ORIGIN_NS + 900, ready_ns=ORIGIN_NS + 700)

    intervals, _recorder, _block = record_all([sample])

    part = intervals[0].operations[0]
    assert (part.response.max_ns, part.service.max_ns, part.lag.max_ns) == (900, 190, 10)


def test_what_is_not_sent_counts_where_it_found_no_room() -> None:
    """Dropped in second 1 of a block that ends with second 3: an error there, 1.5 s slow, without service time or lag."""
    lines: list[bytes] = []
    recorder = Recorder(lines.append, ORIGIN_NS)
    block = OpenBlock(Block(0, 0, "a", 0.0), ORIGIN_NS)
    recorder.open_block(block)
    block.close(END_NS)
    at_ns = ORIGIN_NS + NS_PER_S + NS_PER_S // 2

    first = (("create", OperationKind.CALL), ("job", OperationKind.JOB))
    recorder.record_not_sent(block, first, Dropped(at_ns, at_ns, END_NS, "overflow"))
    recorder.flush(ORIGIN_NS + 2 * NS_PER_S)

    (interval,) = [INTERVAL.validate_json(line) for line in lines]
    assert (interval.second, interval.phase) == (1, BlockPhase.MEASURED)
    for part in interval.operations:
        assert (part.count, [error.count for error in part.errors]) == (1, [1])
        assert (part.response.count, part.response.max_ns) == (1, NS_PER_S + NS_PER_S // 2)
        assert (part.service.count, part.lag.count) == (0, 0)
    assert recorder.lag_p99_ns() is None
    assert (block.build_row(ORIGIN_NS).errors, recorder.operations) == (2, 2)


def test_arrivals_are_counted_where_they_belong() -> None:
    """Planned in the second that they were due in, offered in the one they were released in; both are there without a sample."""
    lines: list[bytes] = []
    recorder = Recorder(lines.append, counts_arrivals=True)
    block = OpenBlock(Block(0, 0, "a", 0.0), 0)
    recorder.open_block(block)
    recorder.note_arrival(block, NS_PER_S // 2, NS_PER_S // 2 + 5)
    recorder.note_arrival(block, NS_PER_S - 1, NS_PER_S + 1)
    recorder.note_achieved(block, NS_PER_S + 9)

    recorder.close()

    intervals = [INTERVAL.validate_json(line) for line in lines]
    assert [(i.second, i.planned, i.offered, i.achieved) for i in intervals] == [(0, 2, 1, 0), (1, 0, 1, 1)]


@given(SAMPLES, st.integers(1, 4))
def test_what_machines_counted_adds_up_to_what_one_would_have(samples, machines) -> None:
    """Samples dealt out to several recorders and absorbed by one give the intervals and the block of a single recorder."""
    samples = [sample._replace(rows=0) if sample.failure else sample for sample in samples]
    whole, _recorder, block = record_all(samples)
    lines: list[bytes] = []
    master, joint = Recorder(lines.append, ORIGIN_NS), OpenBlock(Block(0, 0, "a", 1.0), ORIGIN_NS)
    master.open_block(joint)
    for machine in range(machines):
        for interval in record_all(samples[machine::machines])[0]:
            master.absorb(machine, joint, interval)
    master.close()
    joint.close(END_NS)
    joint.last_ns = block.last_ns

    assert [INTERVAL.validate_json(line) for line in lines] == whole
    assert joint.build_row(ORIGIN_NS) == block.build_row(ORIGIN_NS)
    assert master.operations == len(samples)


def record_seconds(seconds: int, each: int) -> int:
    """Record so many seconds of so many samples, flushing as a load does; the most memory that was held, in bytes."""
    prepare_format()
    source = random.Random(3)
    durations = [int(source.lognormvariate(15, 1.0)) for _ in range(each)]
    recorder = Recorder(lambda _line: None)
    block = OpenBlock(Block(0, 0, "a", 0.0), 0)
    recorder.open_block(block)
    tracemalloc.start()
    for second in range(seconds):
        base_ns = second * NS_PER_S
        for number, duration_ns in enumerate(durations):
            ended_ns = base_ns + number * (NS_PER_S // each)
            recorder.record(
                block, Sample("create", OperationKind.CALL, ended_ns - duration_ns, ended_ns - duration_ns // 2, ended_ns)
            )
        recorder.flush(base_ns)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("short", "long", "each"),
    [(10, 60, 200), pytest.param(100, 5_000, 2_000, marks=pytest.mark.nightly)],
    ids=["12,000 samples", "10 M samples"],
)
def test_memory_does_not_grow_with_the_number_of_samples(short, long, each) -> None:
    """Six times as many samples, or fifty times, 10 million of them, hold as much memory at their worst, to a tenth."""
    record_seconds(short, each)  # What is made once, on first use, belongs to neither.

    assert record_seconds(long, each) < 1.1 * record_seconds(short, each)


def test_arrivals_that_are_minutes_late_leave_the_lines_in_order(tmp_path):
    """Three in five go out: after 200 s they are 80 s late. Whoever reads the file finds all of them, and no second too late."""
    path = tmp_path / "intervals.jsonl"
    with path.open("wb", buffering=0) as stream:
        recorder = Recorder(stream.write, counts_arrivals=True)
        block = OpenBlock(Block(0, 0, OPTIMIZED.name, 0.0), 0)
        recorder.open_block(block)
        for second in range(200):
            now_ns = second * NS_PER_S
            recorder.flush(now_ns)
            for number in range(3):
                recorder.note_arrival(block, now_ns * 6 // 10 + number, now_ns + number)
        recorder.close()

    arm = build_arm(OPTIMIZED, (), read_intervals(path), (), JobTotals(0, 0, 0, 0, 0, 0, 0), ())

    assert sum(row.planned for row in arm.series) == sum(row.offered for row in arm.series) == 600
    # What is late by less than a minute is planned where it was due.
    due = Counter(second * 6 // 10 for second in range(200))
    assert [row.planned for row in arm.series[:60]] == [3 * due[row.second] for row in arm.series[:60]]
