"""An open loop against targets whose stalls and times are known: everything that was planned is accounted for."""

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from jivsbench.analysis.cut_off import rebuild_totals
from jivsbench.load.intervals import read_intervals
from jivsbench.load.launcher import run_load
from jivsbench.load.spec import LoadSpec
from jivsbench.model.arrivals import arrival_times_ns
from jivsbench.model.histogram import Histogram, merge_histograms
from jivsbench.model.record import JobTotals
from jivsbench.model.sample import ErrorClass, Interval, OperationInterval
from jivsbench.model.scenario import Arrival, Block, BlockPhase, Gaps, Stage, WorkloadSpec

PING = WorkloadSpec("ping", "bench_rows", 1)


def ignore(progress) -> None:
    """A listener for tests that look at the outcome alone."""
    del progress


def read(spec: LoadSpec) -> list[Interval]:
    """Every interval that the load wrote."""
    return list(read_intervals(Path(spec.intervals_path)))


def parts_of(spec: LoadSpec) -> list[OperationInterval]:
    """Every operation of every interval."""
    return [part for interval in read(spec) for part in interval.operations]


def merge(spec: LoadSpec, clock: str) -> Histogram:
    """One clock over all operations."""
    return merge_histograms(getattr(part, clock) for part in parts_of(spec))


def count_errors(spec: LoadSpec) -> Counter:
    """Errors by operation, class and code."""
    counts: Counter = Counter()
    for part in parts_of(spec):
        for error in part.errors:
            counts[part.operation, error.error, error.code] += error.count
    return counts


@pytest.mark.no_cover
def test_a_stall_is_in_the_response_time_of_everything_that_was_planned_meanwhile(plant_ping, load, tmp_path) -> None:
    """2 s of stall at 200 a second: 900 of 900 are sent and answered, nearly half of them waited, and the p99 says so."""
    target = plant_ping(stall_after=100, stall_s=2.0)
    spec = load(target.arm(), workload=PING, arrival=Arrival.RATE, stages=(Stage(4.5, is_step=True, rate_per_s=200),))

    outcome = run_load(spec, tmp_path, ignore)

    response, facts = merge(spec, "response"), outcome.generator
    assert response.count == facts.arrivals_planned == facts.arrivals_offered == target.facts["requests"] == 900
    assert facts.arrivals_not_sent == 0
    assert count_errors(spec) == {}
    assert response.percentile_ns(99) >= 1.5e9
    assert response.percentile_ns(50) < 1e9
    assert facts.in_flight_max > 300
    waited = sum(count for bucket, count in response.buckets if 1.002**bucket > 0.5e9)
    assert waited == pytest.approx(300, abs=80)


@pytest.mark.no_cover
def test_what_finds_no_room_counts_as_failed_and_as_slow(plant_ping, load, tmp_path) -> None:
    """Two under way, three waiting, a stall of 1 s at 100 a second: the rest is not sent, and is in errors and response times."""
    target = plant_ping(stall_after=50, stall_s=1.0)
    stages = (Stage(3.0, is_step=True, rate_per_s=100),)
    spec = load(target.arm(), workload=PING, arrival=Arrival.RATE, stages=stages, in_flight_limit=2, queue_limit=3)

    outcome = run_load(spec, tmp_path, ignore)

    facts, response = outcome.generator, merge(spec, "response")
    assert facts.arrivals_planned == response.count == 300
    # The stall lasts from 0.5 s to 1.5 s. Later a busy machine may stand still for so long that the queue overflows once more.
    late = sum(error.count for row in read(spec) if row.second > 1 for part in row.operations for error in part.errors)
    assert late <= 20
    assert 60 < facts.arrivals_not_sent - late < 110
    assert facts.times_jobs is False
    assert count_errors(spec) == {("ping", ErrorClass.NOT_SENT, "overflow"): facts.arrivals_not_sent}
    assert target.facts["requests"] == 300 - facts.arrivals_not_sent
    assert (facts.in_flight_max, facts.queued_max) == (2, 3)
    # Nothing that was planned within the stall, which ended 1.5 s before the block, may look fast.
    slow = sum(count for bucket, count in response.buckets if 1.002**bucket > 1.4e9)
    assert slow == pytest.approx(facts.arrivals_not_sent - late, abs=5)
    # To wait for a place is not the generator's fault, and no lag; what nobody sent has none, and was not served.
    assert merge(spec, "lag").percentile_ns(99) < 0.5e9
    assert merge(spec, "lag").count == merge(spec, "service").count == target.facts["requests"]
    assert sum(interval.achieved or 0 for interval in read(spec)) == 300 - facts.arrivals_not_sent


def test_what_still_waits_at_the_end_was_not_sent(plant, load, tmp_path) -> None:
    """A job that never ends holds the only place: it times out in the drain, and all others were never begun."""
    stages = (Stage(0.5, is_step=True, rate_per_s=10),)
    limits = {"in_flight_limit": 1, "queue_limit": 100, "drain_limit_s": 0.5}
    spec = load(plant(never_ends=True).arm(), arrival=Arrival.RATE, stages=stages, **limits)

    outcome = run_load(spec, tmp_path, ignore)

    assert count_errors(spec) == {
        ("wait", ErrorClass.TIMEOUT, "drain"): 1,
        ("job", ErrorClass.TIMEOUT, "drain"): 1,
        ("create", ErrorClass.NOT_SENT, "drain"): 4,
        ("job", ErrorClass.NOT_SENT, "drain"): 4,
    }
    assert dict(outcome.totals)["a"] == rebuild_totals("a", read(spec)) == JobTotals(1, 0, 0, 1, 0, 0, 0)
    assert (outcome.generator.arrivals_planned, outcome.generator.arrivals_not_sent) == (5, 4)


@pytest.mark.no_cover
@pytest.mark.parametrize("gaps", [pytest.param(Gaps.EVEN, marks=pytest.mark.nightly), Gaps.POISSON])
def test_what_is_offered_is_what_was_planned(plant_ping, load, tmp_path, gaps) -> None:
    """A ramp, a step and a fall, second by second: planned is the pure schedule, and it was offered and answered."""
    stages = (Stage(1.0, rate_per_s=200), Stage(1.0, is_step=True, rate_per_s=50), Stage(1.0, rate_per_s=0))
    spec = load(plant_ping().arm(), workload=PING, arrival=Arrival.RATE, gaps=gaps, stages=stages)

    outcome = run_load(spec, tmp_path, ignore)

    schedule = list(arrival_times_ns(stages, gaps, spec.seed))
    offset_ns = outcome.blocks[0].start_ns
    planned: Counter = Counter()
    offered: Counter = Counter()
    for interval in read(spec):
        planned[interval.second] += interval.planned
        offered[interval.second] += interval.offered
    expected = Counter((time_ns + offset_ns) // 1_000_000_000 for time_ns in schedule)
    assert +planned == +expected
    assert offered.total() == len(schedule) == outcome.generator.arrivals_offered
    assert sum(interval.achieved for interval in read(spec)) == len(schedule)
    assert sum(abs(offered[second] - planned[second]) for second in range(4)) <= 0.1 * len(schedule)


@pytest.mark.no_cover
def test_arms_take_turns_in_an_open_loop(plant, load, tmp_path) -> None:
    """A fast and a slow arm get the same arrivals, which ask for the same rows; what ends after the planned end is drain."""
    targets = {"a": plant(), "b": plant(job_ms=60)}
    blocks = (Block(0, 0, "a", 0.1), Block(1, 0, "b", 0.1))
    arms = [target.arm(name) for name, target in targets.items()]
    stages = (Stage(0.5, is_step=True, rate_per_s=40),)
    spec = load(*arms, blocks=blocks, arrival=Arrival.RATE, gaps=Gaps.POISSON, stages=stages)

    outcome = run_load(spec, tmp_path, ignore)

    first, second = outcome.blocks
    assert first.end_ns - first.start_ns == second.end_ns - second.start_ns == 500_000_000
    assert first.drained_ns <= second.start_ns
    assert {interval.phase for interval in read(spec)} == set(BlockPhase)
    asked = [target.facts["windows"] for target in targets.values()]
    assert sorted(asked[0]) == sorted(asked[1])
    assert len(asked[0]) == len(list(arrival_times_ns(stages, Gaps.POISSON, spec.seed, 0)))


@pytest.mark.nightly
@pytest.mark.no_cover
def test_a_target_that_never_answers_times_out(plant_ping, load, tmp_path) -> None:
    """Stopped, it keeps connections and says nothing: after 35 s each request is a timeout of the network, as slow as that."""
    target = plant_ping()
    stages = (Stage(3.0, is_step=True, rate_per_s=10),)
    spec = load(target.arm(), workload=PING, arrival=Arrival.RATE, stages=stages, drain_limit_s=60.0)
    stopped: list[int] = []

    def stop(progress) -> None:
        if not stopped and progress.elapsed_s > 1:
            stopped.append(target.process.pid)
            os.kill(target.process.pid, signal.SIGSTOP)

    run_load(spec, tmp_path, stop)

    errors, response = count_errors(spec), merge(spec, "response")
    assert set(errors) == {("ping", ErrorClass.TIMEOUT, "network")}
    assert errors.total() == pytest.approx(20, abs=8)
    assert response.count == 30
    assert response.percentile_ns(95) == pytest.approx(35e9, rel=0.05)
