"""Several load machines play one load: together they send what one would, and none may be lost."""

import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from jivsbench.errors import EnvironmentProblem, InvalidRunError, JivsbenchError, PortInUseError
from jivsbench.load.intervals import read_intervals
from jivsbench.load.launcher import join_load, run_load
from jivsbench.load.progress import LoadMachines
from jivsbench.load.spec import JoinSpec, LoadOutcome, Meeting
from jivsbench.model.arrivals import arrival_times_ns
from jivsbench.model.histogram import merge_histograms
from jivsbench.model.scenario import Arrival, Gaps, Stage, WorkloadSpec
from tests.load.slow_link import slow_link
from tests.machine import free_port

PING = WorkloadSpec("ping", "bench_rows", 1)


def ignore(progress) -> None:
    """A listener for tests that look at the outcome alone."""
    del progress


def find_machine(number: int) -> psutil.Process:
    """The load child of one machine, told apart from the others by its log."""
    children = (child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE)
    return next(child for child in children if any(f"machine-{number}.log" in file.path for file in child.open_files()))


@contextmanager
def join(spec, folder: Path, machines: int, port: int | None = None) -> Iterator[list[LoadOutcome | JivsbenchError]]:
    """That many load machines, each a process of its own, until their load has ended; how each of them ended."""
    ends: list[LoadOutcome | JivsbenchError] = []
    joining = JoinSpec("127.0.0.1", port or spec.meeting.port, spec.plugins, spec.disabled_plugins)

    def play(number: int) -> None:
        try:
            ends.append(join_load(joining, folder / f"machine-{number}.log", ignore))
        except JivsbenchError as exc:
            ends.append(exc)

    threads = [threading.Thread(target=play, args=(number,)) for number in range(machines)]
    for thread in threads:
        thread.start()
    yield ends
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.no_cover
def test_two_machines_send_what_one_would(plant_ping, load, tmp_path) -> None:
    """Every planned second of the one schedule, every arrival once, all of it answered; and their histograms are one."""
    target = plant_ping()
    stages = (Stage(1.0, rate_per_s=200), Stage(1.5, is_step=True, rate_per_s=120))
    spec = load(target.arm(), workload=PING, arrival=Arrival.RATE, gaps=Gaps.POISSON, stages=stages)
    spec = replace(spec, meeting=Meeting(2, port=free_port()))

    with join(spec, tmp_path, 2) as ends:
        outcome = run_load(spec, tmp_path, ignore)

    schedule = list(arrival_times_ns(stages, Gaps.POISSON, spec.seed))
    intervals = list(read_intervals(Path(spec.intervals_path)))
    planned: Counter = Counter()
    for interval in intervals:
        planned[interval.second] += interval.planned
    assert +planned == +Counter(time_ns // 1_000_000_000 for time_ns in schedule)
    parts = [part for interval in intervals for part in interval.operations]
    assert merge_histograms(part.response for part in parts).count == len(schedule) == target.facts["requests"]
    assert sum(interval.achieved for interval in intervals) == len(schedule)
    facts = outcome.generator
    assert (facts.workers, facts.arrivals_planned, facts.operations) == (2, len(schedule), len(schedule))
    assert sorted(end.generator.operations for end in ends) == [len(schedule) // 2, (len(schedule) + 1) // 2]
    assert [interval.second for interval in intervals] == sorted(interval.second for interval in intervals)


@pytest.mark.no_cover
def test_a_machine_that_left_before_the_load_makes_room_for_another(plant_ping, load, tmp_path) -> None:
    """One joins and is ended at once, as by Ctrl-C; then two join: they are the two, and play the whole load."""
    spec = load(plant_ping().arm(), workload=PING, arrival=Arrival.RATE, stages=(Stage(1.0, is_step=True, rate_per_s=20),))
    spec = replace(spec, meeting=Meeting(2, port=free_port(), limit_s=60.0))
    joined: list[int] = []

    def leave(progress) -> None:
        if progress.joined and 1 in joined:
            raise InvalidRunError("planted")

    def leave_and_come_back() -> list[LoadOutcome | JivsbenchError]:
        with pytest.raises(InvalidRunError, match="planted"):
            join_load(JoinSpec("127.0.0.1", spec.meeting.port), tmp_path / "left.log", leave)
        with join(spec, tmp_path, 2) as ends:
            pass
        return ends

    with ThreadPoolExecutor() as pool:
        ends = pool.submit(leave_and_come_back)
        outcome = run_load(spec, tmp_path, lambda told: joined.append(told.joined) if isinstance(told, LoadMachines) else None)

    assert [type(end) for end in ends.result(30)] == [LoadOutcome, LoadOutcome]
    assert (outcome.generator.workers, outcome.generator.arrivals_planned) == (2, 20)
    assert 0 in joined[joined.index(1) :]


@pytest.mark.nightly
@pytest.mark.no_cover
def test_users_of_two_machines_are_one_crowd(plant, load, tmp_path) -> None:
    """Five users over two machines: five at once, every job accounted for, the block's sums are those of all intervals."""
    target = plant(job_ms=40, fail_every=7)
    spec = load(target.arm(), stages=(Stage(1.5, 5, is_step=True),))
    spec = replace(spec, meeting=Meeting(2, port=free_port()))

    with join(spec, tmp_path, 2):
        outcome = run_load(spec, tmp_path, ignore)

    totals, block = dict(outcome.totals)["a"], outcome.blocks[0]
    assert (outcome.generator.users_planned_max, outcome.generator.users_reached_max) == (5, 5)
    assert totals.created == target.facts["jobs"] == totals.completed + totals.failed
    assert totals.failed == totals.created // 7
    jobs = [
        part
        for interval in read_intervals(Path(spec.intervals_path))
        for part in interval.operations
        if part.operation == "job" and interval.phase == "measured"
    ]
    assert block.jobs == sum(part.count - sum(error.count for error in part.errors) for part in jobs) > 50
    assert block.rows == sum(part.rows for part in jobs)
    assert max(interval.users for interval in read_intervals(Path(spec.intervals_path))) == 5


@pytest.mark.no_cover
def test_a_load_that_must_end_is_cut_on_every_machine(plant, load, tmp_path) -> None:
    """Planned for a minute over two machines, cut after two seconds: both end, and every job that was begun is accounted for."""
    target = plant(job_ms=30)
    spec = load(target.arm(), stages=(Stage(60.0, 4, is_step=True),))
    spec = replace(spec, meeting=Meeting(2, port=free_port()))

    with join(spec, tmp_path, 2) as ends:
        outcome = run_load(spec, tmp_path, ignore, must_end=lambda progress: progress.elapsed_s >= 2.0)

    totals, (block,) = dict(outcome.totals)["a"], outcome.blocks
    assert 2.0 <= block.end_ns / 1e9 < 10.0
    assert all(isinstance(end, LoadOutcome) for end in ends)
    assert totals.created == totals.completed == target.facts["jobs"] > 10


@pytest.mark.nightly
@pytest.mark.no_cover
def test_a_lost_machine_makes_the_run_invalid(plant_ping, load, tmp_path) -> None:
    """One of two is killed in the middle: the run ends within seconds and says which one and when; the other one stops too."""
    spec = load(plant_ping().arm(), workload=PING, arrival=Arrival.RATE, stages=(Stage(60.0, is_step=True, rate_per_s=50),))
    spec = replace(spec, meeting=Meeting(2, port=free_port()))

    killed: list[int] = []

    def kill_one(progress) -> None:
        if not killed and getattr(progress, "elapsed_s", 0) > 1:
            killed.append(find_machine(0).pid)
            os.kill(killed[0], signal.SIGKILL)

    lost = pytest.raises(InvalidRunError, match=r"load machine [12] of 2 was lost [1-9]\d? s into the load")
    with join(spec, tmp_path, 2) as ends, lost:
        run_load(spec, tmp_path, kill_one)

    assert len(ends) == 2
    assert all(isinstance(end, InvalidRunError) for end in ends)


@pytest.mark.no_cover
def test_a_machine_is_told_that_its_master_ended_the_load(plant_ping, load, tmp_path) -> None:
    """Ended on the master's side in the middle: the machine says so, and names no line of its own log as the cause."""
    spec = load(plant_ping().arm(), workload=PING, arrival=Arrival.RATE, stages=(Stage(60.0, is_step=True, rate_per_s=20),))
    spec = replace(spec, meeting=Meeting(1, port=free_port()))

    def end(progress) -> None:
        if getattr(progress, "elapsed_s", 0) > 1:
            raise InvalidRunError("planted")

    with join(spec, tmp_path, 1) as ends, pytest.raises(InvalidRunError, match="planted"):
        run_load(spec, tmp_path, end)

    assert [str(end) for end in ends] == ["the master ended the load before its end: see its own output"]


@pytest.mark.nightly
@pytest.mark.no_cover
def test_machines_behind_a_slow_link_are_not_lost(plant_ping, load, tmp_path) -> None:
    """0.3 s each way: to compare the clocks of the second machine takes 5.4 s, in which the first one has nothing to say."""
    spec = load(plant_ping().arm(), workload=PING, arrival=Arrival.RATE, stages=(Stage(1.0, is_step=True, rate_per_s=20),))
    spec = replace(spec, meeting=Meeting(2, port=free_port()))

    with slow_link(spec.meeting.port, 0.3) as port, join(spec, tmp_path, 2, port):
        outcome = run_load(spec, tmp_path, ignore)

    assert (outcome.generator.workers, outcome.generator.arrivals_planned) == (2, 20)


@pytest.mark.no_cover
def test_machines_that_do_not_come_are_not_waited_for_without_end(plant_ping, load, tmp_path) -> None:
    """Nobody joins: after the limit the run ends, and the message says what to start."""
    spec = load(plant_ping().arm(), workload=PING)
    spec = replace(spec, meeting=Meeting(2, port=free_port(), limit_s=1.0))
    heard = []

    with pytest.raises(
        EnvironmentProblem, match=r"0 of 2 load machines joined 127.0.0.1:\d+ within 1 s: start `jivsbench worker"
    ):
        run_load(spec, tmp_path, heard.append)

    assert heard[0].expected == 2


def test_a_port_that_is_taken_is_named(plant_ping, load, tmp_path) -> None:
    """Somebody listens where the master was to: said before anything is sent."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        spec = load(plant_ping().arm(), workload=PING)
        spec = replace(spec, meeting=Meeting(1, port=taken.getsockname()[1]))

        with pytest.raises(PortInUseError, match="choose another port with --master-port"):
            run_load(spec, tmp_path, ignore)
