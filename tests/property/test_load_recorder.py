"""The recorder: whatever it is given, it gives on, once."""

from collections import Counter
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from jivsbench.load.blocks import OpenBlock
from jivsbench.load.recorder import NS_PER_S, Failure, Recorder, Sample
from jivsbench.model.histogram import HistogramBuilder, merge_histograms
from jivsbench.model.sample import ErrorClass, Interval, OperationKind
from jivsbench.model.scenario import Block, BlockPhase

ORIGIN_NS = 5 * NS_PER_S
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
