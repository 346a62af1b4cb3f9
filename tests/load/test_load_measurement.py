"""What a load says of a target whose times and failures are known."""

import statistics
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from jivsbench.analysis.cut_off import rebuild_totals
from jivsbench.load.intervals import read_intervals
from jivsbench.load.launcher import run_load
from jivsbench.load.shape import users_at
from jivsbench.load.spec import LoadArm
from jivsbench.model.histogram import Histogram, merge_histograms
from jivsbench.model.sample import ErrorClass, OperationInterval, OperationKind
from jivsbench.model.scenario import Block, BlockPhase, Stage, WorkloadSpec
from tests.load.scheduler import watch_scheduler

# How much later than the server, at the end of a block, a client may see an answer.
SLACK_NS = 20e6


def ignore(progress) -> None:
    """A listener for tests that look at the outcome alone."""
    del progress


def read_operations(spec, phase=None) -> list[OperationInterval]:
    """Every operation of every interval that the load wrote."""
    intervals = list(read_intervals(Path(spec.intervals_path)))
    return [part for interval in intervals if phase in (None, interval.phase) for part in interval.operations]


def service_of(spec, operation: str) -> Histogram:
    """Service times of one operation."""
    return merge_histograms(part.service for part in read_operations(spec) if part.operation == operation)


def count_errors(spec) -> Counter:
    """Errors by operation, class and code."""
    counts: Counter = Counter()
    for part in read_operations(spec):
        for error in part.errors:
            counts[part.operation, error.error, error.code] += error.count
    return counts


@pytest.mark.no_cover
def test_percentiles_of_a_known_service_time(plant, load, tmp_path) -> None:
    """Nine in ten calls take 100 ms and one takes 300 ms: p50 and p95 say so within 1 %, and never less than was planted."""
    target = plant(call_ms=100, slow_call_ms=300, slow_every=10)
    spec = load(target.arm(), stages=(Stage(4.0, 5, is_step=True),))

    with watch_scheduler() as lateness:
        run_load(spec, tmp_path, ignore)

    service = service_of(spec, "create")
    # 2 ms is what the planted service takes to read a request before its own clock starts.
    slack_ns = 2e6 + 3 * lateness.build().percentile_ns(90)
    assert service.count > 40
    for percent, planted_ns in ((50, 100e6), (95, 300e6)):
        found_ns = service.percentile_ns(percent)
        assert planted_ns * 0.999 <= found_ns <= planted_ns * 1.01 + slack_ns, percent


def test_what_is_settled_gets_nothing_more(plant, load, tmp_path) -> None:
    """A job counts where its end was seen, and its rows are checked 1.5 s later: until then that second is not settled."""
    spec = load(plant(job_ms=50, statistics_ms=1500).arm(), stages=(Stage(4.0, 5, is_step=True),))
    looks = []

    def count_jobs(before_s: int) -> int:
        known = [interval for interval in read_intervals(Path(spec.intervals_path)) if interval.second < before_s]
        return sum(part.count for interval in known for part in interval.operations if part.kind is OperationKind.JOB)

    run_load(spec, tmp_path, lambda progress: looks.append((progress.settled_s, count_jobs(progress.settled_s))))

    assert [settled_s for settled_s, _ in looks] == sorted(settled_s for settled_s, _ in looks)
    assert looks[-1][0] >= 3
    assert looks[-1][1] > 0
    assert [count_jobs(settled_s) for settled_s, _ in looks] == [jobs for _, jobs in looks]


@pytest.mark.no_cover
def test_the_pause_before_a_poll_is_repeated_is_no_lag(plant, load, tmp_path) -> None:
    """Every second long poll fails and is asked again 0.1 s later: the user waits for that, and the generator is not late."""
    spec = load(plant(job_ms=20, wait_500_every=2).arm(), stages=(Stage(2.0, 2, is_step=True),))

    outcome = run_load(spec, tmp_path, ignore)

    waits = [part for part in read_operations(spec) if part.operation == "wait"]
    response = merge_histograms(part.response for part in waits)
    assert response.max_ns > 100e6
    assert sum(count for bucket, count in response.buckets if 1.002**bucket > 99e6) >= 5
    assert outcome.generator.lag_p99_ns is not None
    assert outcome.generator.lag_p99_ns < 80e6
    jobs = merge_histograms(part.response for part in read_operations(spec) if part.operation == "job")
    assert jobs.max_ns > 120e6


def test_every_job_is_accounted_for(plant, load, tmp_path) -> None:
    """Each planted failure is counted once, in its class, with its code; created = completed + failed + timed out + cancelled."""
    planted = {"fail_every": 7, "cancel_every": 11, "create_500_every": 13, "create_422_every": 17, "start_503_every": 19}
    target = plant(job_ms=2, lose_row_every=5, **planted)
    spec = load(target.arm(), stages=(Stage(1.5, 4, is_step=True),))

    outcome = run_load(spec, tmp_path, ignore)

    facts = target.facts
    totals = dict(outcome.totals)["a"]
    assert totals.created == facts["jobs"] > 60
    assert totals.created == totals.completed + totals.failed + totals.timed_out + totals.cancelled
    expected: Counter = Counter()
    lost = 0
    for number in range(1, facts["requests"]["create"] + 1):
        if number % 13 == 0:
            expected["create", ErrorClass.SERVER, "500"] += 1
            expected["job", ErrorClass.REFUSED, "broken"] += 1
        elif number % 17 == 0:
            expected["create", ErrorClass.CLIENT, "422"] += 1
            expected["job", ErrorClass.REFUSED, "guard-refused"] += 1
        elif number % 19 == 0:
            expected["start", ErrorClass.REFUSED, "503"] += 1
            expected["job", ErrorClass.JOB_FAILED, "queue-full"] += 1
        elif number % 7 == 0:
            expected["job", ErrorClass.JOB_FAILED, "verification"] += 1
        elif number % 11 == 0:
            expected["job", ErrorClass.JOB_CANCELLED, "cancelled"] += 1
        elif number % 5 == 0:
            lost += 1
            expected["job", ErrorClass.WRONG_ROWS, "fewer"] += 1
    assert count_errors(spec) == expected
    assert totals.rows_read - totals.rows_written == lost > 0
    assert totals.cancelled == expected["job", ErrorClass.JOB_CANCELLED, "cancelled"] > 0
    requests = sum(facts["requests"].values())
    assert sum(part.count for part in read_operations(spec) if part.kind is not OperationKind.JOB) == requests


def test_rows_of_wrong_jobs_do_not_count_as_done(plant, load, tmp_path) -> None:
    """A target that loses a row of every job has no throughput at all, in its blocks and in its intervals."""
    target = plant(lose_row_every=1)
    spec = load(target.arm())

    outcome = run_load(spec, tmp_path, ignore)

    block = outcome.blocks[0]
    assert (block.jobs, block.rows) == (0, 0)
    assert block.errors > 0
    assert sum(part.rows for part in read_operations(spec)) == 0
    assert dict(outcome.totals)["a"].completed > 0


def test_a_broken_connection_is_one_failure(plant, load, tmp_path) -> None:
    """A request whose connection is cut is counted once and never sent again behind our back."""
    target = plant(cut_statistics_every=3)
    spec = load(target.arm(), stages=(Stage(1.0, 2, is_step=True),))

    run_load(spec, tmp_path, ignore)

    asked = target.facts["requests"]["statistics"]
    assert count_errors(spec) == {("statistics", ErrorClass.CONNECTION, "closed"): asked // 3}
    assert sum(part.count for part in read_operations(spec) if part.operation == "statistics") == asked


def test_a_refused_connection_creates_no_job(plant, load, tmp_path) -> None:
    """Nobody listens: every attempt is refused, none is a job, and users pause instead of spinning."""
    alive = plant()
    spec = load(LoadArm("a", "http://127.0.0.1:1", "t", alive.process.pid))

    outcome = run_load(spec, tmp_path, ignore)

    errors = count_errors(spec)
    attempts = errors["create", ErrorClass.REFUSED, "connect"]
    assert 0 < attempts <= 60
    assert errors["job", ErrorClass.REFUSED, "no-answer"] == attempts
    assert dict(outcome.totals)["a"].created == 0


def test_a_job_that_never_ends_times_out_with_its_block(plant, load, tmp_path) -> None:
    """What is in flight at a block's end gets its time and is then counted as timed out, in the drain."""
    target = plant(never_ends=True)
    spec = load(target.arm(), drain_limit_s=0.5)

    outcome = run_load(spec, tmp_path, ignore)

    totals, block = dict(outcome.totals)["a"], outcome.blocks[0]
    assert (totals.created, totals.timed_out) == (5, 5)
    assert rebuild_totals("a", read_intervals(Path(spec.intervals_path))) == totals
    assert count_errors(spec) == {("wait", ErrorClass.TIMEOUT, "drain"): 5, ("job", ErrorClass.TIMEOUT, "drain"): 5}
    assert 0.5e9 <= block.drained_ns - block.end_ns < 1.5e9
    assert all(part.kind is not OperationKind.JOB for part in read_operations(spec, BlockPhase.MEASURED))


def test_blocks_alternate_and_never_overlap(plant, load, tmp_path) -> None:
    """Each block talks to its own arm alone, begins after the one before has drained, and its requests lie inside it."""
    targets = {"a": plant(call_ms=3, job_ms=20), "b": plant(call_ms=3, job_ms=20)}
    order = ("a", "b", "b", "a", "a", "b")
    blocks = tuple(Block(index, index // 2, arm, 0.1) for index, arm in enumerate(order))
    arms = [target.arm(name) for name, target in targets.items()]
    spec = load(*arms, blocks=blocks, stages=(Stage(0.4, 3, is_step=True),))

    outcome = run_load(spec, tmp_path, ignore)

    rows = outcome.blocks
    assert tuple(row.arm for row in rows) == order
    for before, after in pairwise(rows):
        assert before.start_ns < before.measured_ns < before.end_ns <= before.drained_ns <= after.start_ns
    for arm, target in targets.items():
        own = [(row.start_ns, row.drained_ns) for row in rows if row.arm == arm]
        spans = [(start - outcome.started_ns, end - outcome.started_ns) for start, end in target.facts["spans"]]
        assert len(spans) > 50
        assert all(any(low <= start and end <= high + SLACK_NS for low, high in own) for start, end in spans)
    assert sum(row.jobs for row in rows) == sum(
        part.count for part in read_operations(spec, BlockPhase.MEASURED) if part.kind is OperationKind.JOB
    )


@pytest.mark.no_cover
def test_users_follow_the_curve(plant, load, tmp_path) -> None:
    """At any moment as many requests are in flight as the curve has users, within two; nobody is cut off on the way down."""
    target = plant(job_ms=150)
    stages = (Stage(1.0, 4), Stage(1.0, 10, is_step=True), Stage(1.0, 2))
    spec = load(target.arm(), stages=stages)

    outcome = run_load(spec, tmp_path, ignore)

    spans = [(start - outcome.started_ns, end - outcome.started_ns) for start, end in target.facts["spans"]]

    def count_in_flight(at_ns: float) -> int:
        return sum(start <= at_ns <= end for start, end in spans)

    # A long poll is in flight for nearly all of an iteration; a user on its way out may have up to one iteration left. Users
    # who came together begin their next jobs together, so the median of an iteration's time counts.
    for at_s in (0.5, 0.9, 1.3, 1.6, 1.9, 2.5):
        at_ns = at_s * 1e9 + outcome.blocks[0].start_ns
        in_flight = statistics.median(count_in_flight(at_ns + step * 10e6) for step in range(-8, 9))
        leaving = max(users_at(stages, at_s - 0.3), users_at(stages, at_s))
        assert users_at(stages, at_s) - 2 <= in_flight <= leaving + 1, at_s
    assert (outcome.generator.users_planned_max, outcome.generator.users_reached_max) == (10, 10)
    assert count_errors(spec) == {}


@pytest.mark.no_cover
def test_a_step_is_a_step(plant, load, tmp_path) -> None:
    """Forty users come within some ms and not one after the other by the second; their lag is the clock's, not the step's."""
    target = plant(call_ms=400)
    stages = (Stage(0.6, 1, is_step=True), Stage(0.8, 40, is_step=True))
    spec = load(target.arm(), stages=stages)

    outcome = run_load(spec, tmp_path, ignore)

    step_ns = outcome.started_ns + outcome.blocks[0].start_ns + round(0.6e9)
    arrivals = sorted(start - step_ns for start, _end in target.facts["spans"] if start >= step_ns)[:39]
    assert len(arrivals) == 39
    assert arrivals[-1] < 0.35e9
    assert arrivals[20] > 0.01e9
    assert outcome.generator.users_reached_max == 40


@pytest.mark.no_cover
def test_the_same_seed_gives_the_same_windows(plant, load, tmp_path) -> None:
    """Both arms, and a second run, are asked for the same windows in the same order; another seed asks for others."""
    stages = (Stage(0.5, 1, is_step=True),)
    asked = []
    for seed in (7, 7, 8):
        targets = {"a": plant(), "b": plant()}
        spec = load(*(target.arm(name) for name, target in targets.items()), stages=stages, seed=seed)
        run_load(spec, tmp_path, ignore)
        asked += [target.facts["windows"][:8] for target in targets.values()]

    assert len(asked[0]) == 8
    assert asked[0] == asked[1] == asked[2] == asked[3]
    assert asked[4] == asked[5] != asked[0]
    assert all(first >= 1 and last == first + 1000 <= 100_001 for first, last in asked[0])


@pytest.mark.no_cover
def test_think_time_is_kept(plant, load, tmp_path) -> None:
    """A user that thinks for 100 ms begins ten iterations a second, and its lag is the clock's, not the wait's."""
    target = plant()
    workload = WorkloadSpec("extraction", "bench_rows", 1000, think_time_s=0.1)
    spec = load(target.arm(), workload=workload, stages=(Stage(2.0, 1, is_step=True),))

    outcome = run_load(spec, tmp_path, ignore)

    assert 12 <= outcome.blocks[0].jobs <= 20
    lag = merge_histograms(part.lag for part in read_operations(spec) if part.operation == "create")
    assert lag.percentile_ns(50) < 20e6


@pytest.mark.no_cover
def test_progress_is_told_every_second(plant, load, tmp_path) -> None:
    """One message a second, with the arm's figures so far."""
    target = plant(job_ms=5)
    told = []

    outcome = run_load(load(target.arm(), stages=(Stage(3.2, 2, is_step=True),)), tmp_path, told.append)

    assert len(told) == 3
    assert [round(progress.elapsed_s) for progress in told] == [1, 2, 3]
    last = told[-1]
    assert (last.arm, last.block, last.blocks, last.users, last.errors) == ("a", 0, 1, 2, 0)
    assert 0 < last.jobs < outcome.blocks[0].jobs
    assert last.rows == last.jobs * 1000
    assert last.rows_per_min == pytest.approx(last.rows / last.elapsed_s * 60, rel=0.2)
    assert last.job_p95_ns >= 5e6


@pytest.mark.no_cover
def test_a_frozen_generator_shows_in_its_lag(plant, load, tmp_path) -> None:
    """One blocking call of 1.2 s in a workload is reported as lag, however many fast operations surround it."""
    workload = WorkloadSpec("freezing", "bench_rows", 1000)
    spec = load(plant().arm(), workload=workload, stages=(Stage(2.5, 2, is_step=True),))

    outcome = run_load(spec, tmp_path, ignore)

    assert outcome.generator.lag_p99_ns > 1.0e9


def test_the_generator_describes_itself(plant, load, tmp_path) -> None:
    """CPU, wall time and operations of the child, from its own clocks."""
    before_s = time.monotonic()

    outcome = run_load(load(plant(call_ms=10).arm()), tmp_path, ignore)

    facts = outcome.generator
    assert 0 < facts.cpu_ratio < 1
    assert facts.times_jobs is True
    # A load of a second is its own busiest stretch.
    assert facts.cpu_highest_ratio == pytest.approx(facts.cpu_ratio, rel=0.1)
    assert 1.0 <= facts.wall_s < time.monotonic() - before_s
    assert facts.operations > 50
    assert facts.users_planned_max == facts.users_reached_max == 5
