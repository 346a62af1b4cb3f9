"""Windows of a load: warm-ups that were planted are cut off, and the worst stretch is found where it was put."""

import random
from dataclasses import replace

import pytest

from jivsbench.analysis.schedule import list_steps
from jivsbench.analysis.steady import cut_warm_up, find_plateau, find_steady_window
from jivsbench.analysis.windows import Second, SlidingWindow, measure_windows, read_window
from jivsbench.model.gate import WindowKind
from jivsbench.model.gate_text import parse_gate
from jivsbench.model.record import SeriesRow, SteadyWindow
from jivsbench.model.sample import ErrorClass, ErrorCount, Interval, OperationKind
from jivsbench.model.scenario import Arrival, BlockPhase, Scenario, Stage, WorkloadSpec
from tests.unit.analysis_records import MS, SECOND, build_block, build_operation

HOLD = (Stage(20, 10), Stage(100, 10), Stage(10, 0))


def plan(stages=HOLD, arrival=Arrival.USERS) -> Scenario:
    """A scenario of these stages."""
    return Scenario("s", "s", WorkloadSpec("extraction", "t", 10), stages, (), arrival)


def play(jobs, duration_ms=None) -> tuple[SeriesRow, ...]:
    """One row a second: so many jobs, each of that median duration."""
    durations = [20.0] * len(jobs) if duration_ms is None else duration_ms
    return tuple(
        SeriesRow(second, 10, count, count * 10, 0, 0, ms * MS, ms * MS, ms * MS)
        for second, (count, ms) in enumerate(zip(jobs, durations, strict=True))
    )


def block(seconds: int):
    """The only block of a run, from its first second on."""
    return replace(build_block("a", 0), start_ns=0, measured_ns=0, end_ns=seconds * SECOND)


@pytest.mark.parametrize("warm_up_s", [0, 10, 25, 40])
def test_a_planted_warm_up_is_cut_off(warm_up_s: int) -> None:
    """Throughput climbs over so many seconds of a plateau of 100 s and then stays, with noise: the cut is within one batch."""
    source = random.Random(warm_up_s)
    climb = [100 * min(1.0, 0.3 + 0.7 * (second + 1) / (warm_up_s or 1)) for second in range(100)]
    jobs = [50] * 20 + [round(level + source.gauss(0, 2)) for level in climb] + [5] * 10

    found = find_steady_window(plan(), (block(130),), play(jobs))

    assert found.start_s is not None, found.method
    assert 20 + warm_up_s - 5 <= found.start_s <= 20 + warm_up_s + 10
    assert found.end_s == 120


def test_a_warm_up_of_latency_alone_is_cut_off_too() -> None:
    """Throughput is steady from the start, durations fall for 30 s: the later end counts."""
    source = random.Random(1)
    durations = [20.0] * 20 + [max(20.0, 200.0 - 6 * s) + source.random() for s in range(100)] + [20.0] * 10

    found = find_steady_window(plan(), (block(130),), play([100 + source.randrange(3) for _ in range(130)], durations))

    assert found.start_s is not None
    assert 45 <= found.start_s <= 60


def test_what_never_settles_has_no_steady_window() -> None:
    """Throughput that climbs to the end: the rule wants to discard more than half."""
    found = find_steady_window(plan(), (block(130),), play([50] * 20 + [10 + 3 * s for s in range(100)] + [5] * 10))

    assert found.start_s is None
    assert "more than half: it never settled" in found.method


@pytest.mark.parametrize(("correlation", "most_unsettled"), [(0.0, 0), (0.5, 2), (0.8, 14)])
def test_a_steady_series_keeps_nearly_all(correlation: float, most_unsettled: int) -> None:
    """200 settled series of 60 batches, more and more autocorrelated: the median cut is nothing, and few are called unsettled."""
    cuts = [cut_warm_up(draw_settled(seed, 60, correlation)) for seed in range(200)]

    assert sorted(cuts)[100] == 0
    assert sum(cut > 30 for cut in cuts) <= most_unsettled


def test_a_series_that_climbs_to_its_end_is_called_unsettled() -> None:
    """200 climbs with noise, of 12, 20 and 60 batches: found in at least 2 of 3, 4 of 5 and 9 of 10."""
    for count, least in ((12, 130), (20, 160), (60, 180)):
        cuts = []
        for seed in range(200):
            source = random.Random(seed)
            cuts.append(cut_warm_up([30 + 70 * place / count + source.gauss(0, 2) for place in range(count)]))

        assert sum(cut * 2 > count for cut in cuts) >= least, count


def draw_settled(seed: int, count: int, correlation: float) -> list[float]:
    """An autoregressive series of one level."""
    source, values, last = random.Random(seed), [], 0.0
    for _ in range(count):
        last = correlation * last + source.gauss(0, 5) * (1 - correlation**2) ** 0.5
        values.append(100 + last)
    return values


@pytest.mark.parametrize(
    ("stages", "problem"),
    [
        ((Stage(60, 5), Stage(60, 10)), "never holds its load"),
        ((Stage(5, 5), Stage(11, 5)), "has 11 whole seconds, at least 12"),
    ],
)
def test_without_a_plateau_there_is_none(stages, problem: str) -> None:
    """Ramps alone, or too short a hold: the reason is said."""
    found = find_steady_window(plan(stages), (block(120),), play([10] * 120))

    assert found.start_s is None
    assert problem in found.method


def test_a_short_plateau_is_read_second_by_second() -> None:
    """Batches of five seconds would be too few: the method says what was done instead."""
    found = find_steady_window(plan((Stage(5, 5), Stage(20, 5))), (block(25),), play([10] * 25))

    assert found.method.startswith("MSER-1 on jobs/s")
    assert (found.start_s, found.end_s) == (5, 25)


def test_a_comparison_has_no_steady_window() -> None:
    """Its blocks are judged in pairs."""
    assert find_steady_window(plan(), (block(10), block(10)), play([1] * 10)) is None


def test_the_longest_plateau_counts_and_of_equals_the_highest() -> None:
    """Adjacent stretches of one load are one; a plateau without load is none."""
    loads = ((10, 5), (10, 5), (15, 9), (20, 20), (99, 0))
    users = tuple(Stage(duration_s, users, is_step=True) for duration_s, users in loads)
    rates = (Stage(10, rate_per_s=5), Stage(30, rate_per_s=5))

    assert find_plateau(list_steps(users)) == (35, 55)
    assert find_plateau(list_steps(rates, Arrival.RATE)) == (10, 40)


def second(number: int, job_ms: float, *, jobs: int = 4, failed: int = 0, arm: str = "a") -> Interval:
    """Jobs of 10 rows that all took as long, and as many calls of 5 ms."""
    job = build_operation("job", OperationKind.JOB, [job_ms] * jobs, rows=10 * (jobs - failed))
    job = replace(job, errors=(ErrorCount(ErrorClass.JOB_FAILED, "x", failed),) if failed else ())
    call = build_operation("create", OperationKind.CALL, [5.0] * jobs)
    return Interval(number, arm, 0, BlockPhase.MEASURED, 1, (job, call))


def measure(text: str, intervals, steady=None, end_s: int = 30):
    """The one figure that a gate asks for."""
    (figure,) = measure_windows("a", [parse_gate(text)], intervals, steady, end_s)
    return figure


def test_the_worst_window_is_found_where_it_was_planted() -> None:
    """Three slow seconds among thirty: the window of five that holds them, and not the mean of all."""
    intervals = [second(number, 400.0 if 12 <= number < 15 else 20.0) for number in range(30)]

    found = measure("job.response p50 < 100 ms for 5s", intervals)

    assert found.value == pytest.approx(400, rel=0.002)
    assert (found.at_s, found.windows, found.samples) == (10, 26, 20)


def test_the_worst_throughput_is_the_lowest() -> None:
    """A second without any job counts as nothing, and rows of failed jobs do not count."""
    intervals = [second(number, 20.0, failed=2 if number == 20 else 0) for number in range(30) if number != 7]

    records, jobs = (
        measure("throughput.records rate >= 1 records/min for 2s", intervals),
        measure("throughput.jobs rate >= 1 jobs/s for 1s", intervals),
    )

    assert records.value == pytest.approx((40 + 0) / 2 * 60)
    assert (jobs.value, jobs.at_s) == (0.0, 7)


def test_errors_are_a_share_of_the_window() -> None:
    """Three of four jobs of one second are three of eight in two seconds."""
    intervals = [second(number, 20.0, failed=3 if number == 9 else 0) for number in range(30)]

    assert measure("job.errors ratio < 1 % for 2s", intervals).value == pytest.approx(37.5)
    assert measure("http.errors ratio < 1 % for 2s", intervals).value == 0.0


def test_what_becomes_known_late_belongs_to_its_second() -> None:
    """A line for a second that was written before is added to it; another arm's is not."""
    intervals = [second(number, 20.0) for number in range(20)] + [second(3, 900.0), second(19, 20.0), second(4, 5000.0, arm="b")]

    found = measure("job.response max < 100 ms for 1s", intervals, end_s=20)

    assert (found.value, found.at_s) == (pytest.approx(900), 3)


def test_a_p99_of_too_few_samples_is_not_measured() -> None:
    """Windows of 4 jobs tell no p99; of 30 s they do."""
    intervals = [second(number, 20.0) for number in range(30)]

    assert measure("job.response p99 < 100 ms for 5s", intervals).value is None
    assert measure("job.response p99 < 100 ms for 30s", intervals).value == pytest.approx(20, rel=0.002)


def test_the_steady_window_leaves_out_what_lies_outside() -> None:
    """Slow at first and at the end; steady in between."""
    intervals = [second(number, 900.0 if number < 10 or number >= 25 else 20.0) for number in range(30)]
    steady = SteadyWindow(5.0, 10, 25, "MSER-5")

    found = measure("job.response p95 < 100 ms steady", intervals, steady)
    rate = measure("throughput.records rate >= 1 records/min steady", intervals, steady)

    assert (found.value, found.samples, found.at_s) == (pytest.approx(20, rel=0.002), 60, 10)
    assert rate.value == pytest.approx(40 * 60)
    assert found.window.kind is WindowKind.STEADY


def test_without_a_steady_window_nothing_is_measured() -> None:
    """The figure has no value, and the reason why there is no window."""
    found = measure("job.response p95 < 100 ms steady", [second(1, 20.0)], SteadyWindow(0.0, None, 30, "it never settled"))

    assert found.value is None
    assert found.method == "not measured: it never settled"


def walk(text: str, intervals, steady, end_s: int):
    """The same figure by walking through every second, empty or not; lines in the order of their seconds."""
    gate = parse_gate(text)
    window, kept = SlidingWindow(gate), []
    for number in range(end_s):
        found = Second()
        for interval in intervals:
            if interval.second == number:
                found.add(gate.metric, interval.operations)
        if gate.window.kind is WindowKind.SLIDING:
            window.slide(number, found)
        kept += [found] if steady.start_s <= number < steady.end_s else []
    if gate.window.kind is WindowKind.SLIDING:
        return window.build_figure()
    reading = read_window(gate.metric, gate.statistic, kept, steady.start_s)
    return replace(measure(text, (), steady, end_s), value=reading.value, samples=reading.samples)


@pytest.mark.parametrize("seed", range(30))
def test_seconds_without_a_line_count_as_they_always_did(seed: int) -> None:
    """Long gaps, at the beginning and the end as well: each window and its number, the worst one and its place."""
    source = random.Random(seed)
    end_s = source.randrange(20, 60)
    numbers = sorted(source.sample(range(end_s + 5), source.randrange(6)))
    intervals = [second(number, source.choice((20.0, 400.0)), failed=source.randrange(3)) for number in numbers]
    steady = SteadyWindow(5.0, source.randrange(10), end_s - source.randrange(10), "MSER-5")

    for metric in ("throughput.jobs rate >= 1 jobs/s", "job.response p50 < 9 ms", "job.errors ratio < 1 %"):
        for where in ("for 1s", "for 7s", "for 20s"):
            text = f"{metric} {where}"
            assert measure(text, intervals, steady, end_s) == walk(text, intervals, steady, end_s)
        found, expected = (way(f"{metric} steady", intervals, steady, end_s) for way in (measure, walk))
        assert (found.value, found.samples) == (expected.value, expected.samples)


def test_a_number_in_a_file_costs_no_time() -> None:
    """A line for a second in thirty thousand years, of a block that ends later still."""
    intervals = [second(0, 20.0), second(10**12, 20.0)]

    found = measure("throughput.jobs rate >= 1 jobs/s for 10s", intervals, end_s=10**12 + 20)

    assert (found.value, found.at_s, found.windows) == (0.0, 1, 10**12 + 11)
