import random

import pytest

from jivsbench.analysis import build_arm
from jivsbench.analysis.schedule import Step
from jivsbench.errors import InvalidRunError
from jivsbench.model.profile import LEGACY, OPTIMIZED
from jivsbench.model.sample import ErrorClass, ErrorCount, Interval, OperationInterval, OperationKind
from jivsbench.model.scenario import BlockPhase
from tests.unit.analysis_records import MS, build_block, build_histogram, build_look, build_operation, build_totals

FAILED = (ErrorCount(ErrorClass.SERVER, "500", 2),)


def build_interval(second, phase=BlockPhase.MEASURED, operations=(), arm="optimized", users=10):
    """One second of load."""
    return Interval(second, arm, 0, phase, users, tuple(operations))


def build_jobs(values_ms, errors=()):
    """Whole jobs of 1,000 rows."""
    response = build_histogram(values_ms)
    count = len(values_ms)
    return OperationInterval("job", OperationKind.JOB, count, count * 1000, errors, response, response, build_histogram([]))


def aggregate(intervals, blocks=(), profile=OPTIMIZED):
    """The arm of these intervals."""
    return build_arm(profile, ("sqlguard",), iter(intervals), blocks, build_totals(), (build_look(0),))


def test_latency_counts_measured_and_drain_but_not_washout():
    """Operations that ended in the washout belong to the arm before."""
    arm = aggregate(
        [
            build_interval(0, BlockPhase.WASHOUT, [build_jobs([900.0])]),
            build_interval(1, BlockPhase.MEASURED, [build_jobs([10.0, 20.0])]),
            build_interval(2, BlockPhase.DRAIN, [build_jobs([30.0])]),
        ]
    )

    (job,) = arm.operations
    assert (job.count, job.rows) == (3, 3000)
    assert job.response == build_histogram([10.0, 20.0, 30.0])


def test_errors_count_in_every_phase():
    """A failure during the washout is a failure."""
    arm = aggregate(
        [
            build_interval(0, BlockPhase.WASHOUT, [build_jobs([5.0, 5.0], FAILED)]),
            build_interval(1, BlockPhase.DRAIN, [build_jobs([5.0, 5.0], FAILED)]),
        ]
    )

    assert arm.job_errors == 4
    assert arm.all_errors == (ErrorCount(ErrorClass.SERVER, "500", 4),)
    assert arm.call_errors == 0


def test_a_long_poll_is_a_request_but_not_a_call_of_the_series():
    """A failed long poll is a failed request; its wait is nobody's latency."""
    wait = OperationInterval(
        "wait", OperationKind.WAIT, 3, 0, FAILED, build_histogram([9.0] * 3), build_histogram([9.0] * 3), build_histogram([])
    )
    arm = aggregate([build_interval(0, operations=[wait, build_operation("create", OperationKind.CALL, [1.0, 2.0])])])

    assert (arm.call_count, arm.call_errors) == (5, 2)
    assert [part.operation for part in arm.operations] == ["create", "wait"]
    assert (arm.series[0].calls, arm.series[0].errors) == (2, 2)


def test_the_series_has_one_row_per_second_over_all_phases():
    """Intervals of one second are joined: histograms merged, counts added, the most users taken."""
    arm = aggregate(
        [
            build_interval(7, BlockPhase.WASHOUT, [build_jobs([10.0])], users=4),
            build_interval(7, BlockPhase.MEASURED, [build_jobs([30.0, 50.0])], users=6),
            build_interval(9, BlockPhase.MEASURED, users=6),
        ]
    )

    first, second = arm.series
    assert (first.second, first.users, first.jobs, first.rows) == (7, 6, 3, 3000)
    assert first.job_p50_ns == pytest.approx(30 * MS, rel=0.001)
    assert first.job_p99_ns == 50 * MS
    assert (second.second, second.jobs, second.job_p50_ns) == (9, 0, None)


def test_other_arms_are_passed_over():
    """A comparison writes both arms into one file."""
    blocks = (build_block("legacy", 0), build_block("optimized", 0))
    intervals = [
        build_interval(0, operations=[build_jobs([9.0])], arm="legacy"),
        build_interval(0, operations=[build_jobs([1.0, 1.0])]),
    ]

    arm = aggregate(intervals, blocks)
    assert arm.operations[0].count == 2
    assert arm.blocks == blocks[1:]
    assert aggregate(intervals, blocks, LEGACY).operations[0].count == 1


def test_slightly_late_seconds_are_joined_and_very_late_ones_refused():
    """A second may come up to a minute late; later its row is closed, and saying nothing would hide that."""
    jobs = [build_jobs([1.0])]
    late = [build_interval(second, operations=jobs) for second in (50, 0, 59, 0)]

    assert [(row.second, row.jobs) for row in aggregate(late).series] == [(0, 2), (50, 1), (59, 1)]
    with pytest.raises(InvalidRunError, match=r"second 0 came after second 200.*measure again"):
        aggregate([*late, build_interval(200, operations=jobs), build_interval(0, operations=jobs)])


def test_hours_of_seconds_equal_one_histogram_of_all_samples():
    """Adding up second by second loses nothing: the total is that of all samples together."""
    source = random.Random(3)
    seconds = [[source.lognormvariate(3, 1) for _ in range(3)] for _ in range(400)]

    arm = aggregate(build_interval(second, operations=[build_jobs(values)]) for second, values in enumerate(seconds))
    assert arm.operations[0].response == build_histogram(value for values in seconds for value in values)
    assert len(arm.series) == 400


def test_nothing_measured_gives_an_empty_arm():
    """No interval is no operation, not an operation of zeros."""
    arm = aggregate([])

    assert (arm.operations, arm.series, arm.call_count) == ((), (), 0)


def test_a_second_that_is_written_again_later_is_one_second_of_its_step():
    """Long jobs are known a second or two after they ended: two seconds of load in five lines are two seconds."""
    calls = [build_operation("create", OperationKind.CALL, [250.0] * 4)]
    seconds = [build_interval(second, operations=calls if second < 2 else ()) for second in (0, 1, 0, 2, 1, 0)]
    step = Step(0, 0.0, 2.0, 2.0, 2.0)

    (row,) = build_arm(OPTIMIZED, (), iter(seconds), (), build_totals(), (), (step,)).steps

    assert (row.seconds, row.operations) == (2, 20)
    assert row.busy_ns == pytest.approx(20 * 250 * MS, rel=0.01)
