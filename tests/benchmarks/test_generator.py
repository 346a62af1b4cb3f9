"""How much an open loop can offer, how late it sends, and what its books cost: in ratio to the machine as it is just now."""

import json
import statistics
import subprocess
import sys
import timeit
from collections.abc import Iterator
from math import log
from pathlib import Path

import pytest

from jivsbench.load.intervals import read_intervals
from jivsbench.load.launcher import run_load
from jivsbench.load.spec import LoadArm, LoadOutcome, LoadSpec
from jivsbench.model.scenario import Arrival, Block, Stage, WorkloadSpec
from tests.benchmarks.test_recorder import make_open_recorder, make_samples
from tests.load.scheduler import watch_scheduler

LOAD_TESTS = Path(__file__).parents[1] / "load"
RATE_PER_S = 3_000
RUNS = 3
SECONDS = 5.0
SOAK_S = 600.0


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoadArm]:
    """A trivial endpoint, in a process of its own on the same machine."""
    monkeypatch.setenv("PYTHONPATH", str(LOAD_TESTS))
    argv = [sys.executable, str(LOAD_TESTS / "ping_service.py"), json.dumps({})]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield LoadArm("a", f"http://127.0.0.1:{int(process.stdout.readline())}", "token", process.pid)
        process.kill()


def offer(arm: LoadArm, folder: Path, rate_per_s: float, duration_s: float, **limits: int) -> tuple[LoadOutcome, int]:
    """One open loop of trivial requests; its outcome, and how many were answered."""
    spec = LoadSpec(
        arms=(arm,),
        source="none",
        table_rows=1,
        workload=WorkloadSpec("ping", "none", 1),
        stages=(Stage(duration_s, is_step=True, rate_per_s=rate_per_s),),
        blocks=(Block(0, 0, arm.arm, 0.0),),
        seed=1,
        intervals_path=str(folder / "intervals.jsonl"),
        plugins=("planted_plugin",),
        disabled_plugins=("builtin",),
        arrival=Arrival.RATE,
        **limits,
    )
    outcome = run_load(spec, folder, lambda _progress: None)
    return outcome, sum(interval.achieved or 0 for interval in read_intervals(Path(spec.intervals_path)))


@pytest.mark.benchmark(group="generator: 3,000 operations a second, open loop")
def test_three_thousand_a_second_are_all_sent_in_time(benchmark, target: LoadArm, tmp_path: Path) -> None:
    """Every arrival of three runs is sent and answered, and the median of their lag p99 is below 2 ms.

    Or below three times what the machine itself lets a sleeping process wait at its p99 meanwhile: on cores that others use
    too, that is not the generator's fault.
    """
    runs: list[tuple[LoadOutcome, int]] = []
    with watch_scheduler() as lateness:
        benchmark.pedantic(lambda: runs.append(offer(target, tmp_path, RATE_PER_S, SECONDS)), rounds=RUNS, iterations=1)

    lags_ms = [outcome.generator.lag_p99_ns / 1e6 for outcome, _achieved in runs if outcome.generator.lag_p99_ns]
    machine_ms = lateness.build().percentile_ns(99) / 1e6
    benchmark.extra_info.update(lag_p99_ms=lags_ms, machine_p99_ms=machine_ms)
    assert [achieved for _outcome, achieved in runs] == [round(RATE_PER_S * SECONDS)] * RUNS
    assert all(outcome.generator.arrivals_not_sent == 0 for outcome, _achieved in runs)
    assert statistics.median(lags_ms) < max(2.0, 3 * machine_ms), (lags_ms, machine_ms)


def test_a_sample_costs_no_more_than_ten_counts(benchmark) -> None:
    """Three clocks in three histograms and all else, beside one logarithm counted in one dict, which takes 0.2 us: 2 us.

    The two take turns, and each is judged by its quickest turn: a shared machine is twice as slow from one second to the next.
    """
    recorder, block = make_open_recorder(lambda _line: None)
    samples = make_samples(1000)
    counts: dict[int, int] = {}

    def count_logarithms() -> None:
        for sample in samples:
            bucket = int(log(sample.ended_ns - sample.intended_ns) / 0.002)
            counts[bucket] = counts.get(bucket, 0) + 1

    def record() -> None:
        for sample in samples:
            recorder.record(block, sample)

    benchmark(record)
    turns = [(timeit.timeit(record, number=1), timeit.timeit(count_logarithms, number=1)) for _ in range(200)]
    ours, base = min(turn[0] for turn in turns), min(turn[1] for turn in turns)

    benchmark.extra_info.update(microseconds_a_sample=ours * 1e3, counts=ours / base)
    assert ours < 10 * base


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_a_soak_of_ten_minutes_keeps_the_generator_s_memory(target: LoadArm, tmp_path: Path) -> None:
    """200 operations a second for 10 minutes: less than 5 MB more than at the beginning; every arrival sent."""
    outcome, achieved = offer(target, tmp_path, 200, SOAK_S, in_flight_limit=64)

    assert achieved == 200 * SOAK_S
    assert outcome.generator.rss_growth_bytes is not None
    assert outcome.generator.rss_growth_bytes < 5e6
