"""Phases on their way: from a service's metrics to what the load added, and to where the p99 went."""

import pytest

from jivsbench.analysis.slow_jobs import compare_slow_jobs
from jivsbench.load.phase_metrics import add_phases, parse_phase_counters, subtract_phases
from jivsbench.model.job import ExtractionResult, Phase, PhaseTime
from jivsbench.model.phase_times import BOUNDS_S, PhaseHistogram, PhaseTimes
from jivsbench.service.metrics import JobMetrics


def finish(metrics: JobMetrics, *, fetch_ms: float, encode_ms: float, times: int = 1) -> None:
    """So many jobs that spent their time in two phases, and nothing in all others."""
    milliseconds = {Phase.FETCH: fetch_ms, Phase.ENCODE: encode_ms}
    phases = tuple(PhaseTime(phase, round(milliseconds.get(phase, 0.0) * 1e6)) for phase in Phase)
    for _ in range(times):
        duration_ns = round((fetch_ms + encode_ms) * 1e6)
        metrics.extracted(ExtractionResult("f", (), 10, 10, 10, 1, None, phases, duration_ns))


def read(metrics: JobMetrics):
    """The counters as the monitor reads them."""
    return parse_phase_counters(metrics.format().decode())


def test_what_the_load_added_is_the_difference_of_two_readings() -> None:
    """Jobs of before the load are not in it; counts and sums are those that were put in."""
    metrics = JobMetrics()
    finish(metrics, fetch_ms=900, encode_ms=5, times=7)
    before = read(metrics)
    finish(metrics, fetch_ms=20, encode_ms=8, times=40)
    finish(metrics, fetch_ms=3_000, encode_ms=8)

    times = subtract_phases(before, read(metrics))

    assert times is not None
    fetch = next(histogram for histogram in times.phases if histogram.phase == "fetch")
    assert fetch.count == 41
    assert fetch.sum_s == pytest.approx(3.8)
    assert (fetch.percentile_bound_s(50), fetch.percentile_bound_s(99)) == (0.025, 4.0)
    assert [(bucket.upper_s, bucket.jobs) for bucket in times.by_duration] == [(0.04, 40), (4.0, 1)]


def test_processes_one_after_the_other_add_up() -> None:
    """What each has done, whatever it had done before; a phase that only one of them met counts."""
    old, new = JobMetrics(), JobMetrics()
    finish(old, fetch_ms=900, encode_ms=5, times=7)
    before = [read(old), read(new)]
    finish(old, fetch_ms=20, encode_ms=8, times=40)
    finish(new, fetch_ms=3_000, encode_ms=8)

    times = subtract_phases(add_phases(before), add_phases([read(old), read(new)]))

    assert times is not None
    fetch = next(histogram for histogram in times.phases if histogram.phase == "fetch")
    assert (fetch.count, fetch.sum_s) == (41, pytest.approx(3.8))
    assert [(bucket.upper_s, bucket.jobs) for bucket in times.by_duration] == [(0.04, 40), (4.0, 1)]


def test_the_slowest_jobs_say_where_the_p99_went() -> None:
    """Three of 300 jobs were slow because of `encode`: that phase is named, although `fetch` takes most of all time together."""
    metrics = JobMetrics()
    before = read(metrics)
    finish(metrics, fetch_ms=50, encode_ms=5, times=297)
    finish(metrics, fetch_ms=55, encode_ms=700, times=3)

    slow = compare_slow_jobs(subtract_phases(before, read(metrics)))

    assert slow is not None
    assert (slow.jobs, slow.slow_jobs, slow.longer_than_s) == (300, 3, 0.063)
    cause = slow.largest_gain
    assert cause is not None
    assert cause.phase == "encode"
    assert cause.slow_mean_s == pytest.approx(0.7)
    assert cause.slow_share == pytest.approx(700 / 755)
    assert max(slow.shares, key=lambda one: one.all_share).phase == "fetch"


def test_shares_of_all_jobs_add_up() -> None:
    """Every moment of a job is in one phase."""
    metrics = JobMetrics()
    before = read(metrics)
    finish(metrics, fetch_ms=50, encode_ms=5, times=10)

    slow = compare_slow_jobs(subtract_phases(before, read(metrics)))

    assert slow is not None
    assert sum(one.all_share for one in slow.shares) == pytest.approx(1.0)
    assert slow.slow_jobs == slow.jobs
    assert slow.largest_gain is None


def test_a_target_that_tells_nothing_has_no_phases() -> None:
    """Another service, a restart, no job: None or empty, never zeros that look measured."""
    empty = parse_phase_counters("jivsbench_pool_waiting 3\n")
    metrics = JobMetrics()
    finish(metrics, fetch_ms=1, encode_ms=1)

    assert subtract_phases(empty, empty) is None
    assert subtract_phases(read(metrics), read(JobMetrics())) is None
    assert compare_slow_jobs(PhaseTimes((), ())) is None


def test_what_took_longer_than_the_last_bound_has_no_bound() -> None:
    """200 s are more than 100 s, and nothing finer is known."""
    counts = [0] * len(BOUNDS_S) + [1]

    assert PhaseHistogram("fetch", tuple(counts), 200.0).percentile_bound_s(50) is None
