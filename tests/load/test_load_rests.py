"""Rests: the load waits after so many blocks until it is told whether to go on, and with which targets. CPU time by block."""

import os
import subprocess
import sys
import time

import pytest

from jivsbench.errors import InvalidRunError
from jivsbench.load.launcher import run_load
from jivsbench.load.progress import LoadProgress
from jivsbench.load.spec import LoadArm
from jivsbench.load.worker.cpu_clock import read_cpu_s
from jivsbench.model.scenario import Block, Stage


def ignore(progress: object) -> None:
    """Nobody watches."""


def short(arm: str, blocks: int) -> dict:
    """That many blocks of 0.2 s by one user."""
    return {
        "stages": (Stage(0.0, 1, is_step=True), Stage(0.2, 1)),
        "blocks": tuple(Block(number, number, arm, 0.0) for number in range(blocks)),
    }


def test_a_load_ends_at_the_rest_that_says_so(plant, load, tmp_path):
    """The first goes on, the second ends it; each sees all blocks so far, and the outcome holds no more."""
    seen: list[int] = []

    def rest(blocks: object) -> tuple[LoadArm, ...] | None:
        seen.append(len(blocks))
        return () if len(seen) < 2 else None

    spec = load(plant(job_ms=5).arm(), rests=(2, 4, 6), **short("a", 8))
    outcome = run_load(spec, tmp_path, ignore, rest)

    assert seen == [2, 4]
    assert [row.index for row in outcome.blocks] == [0, 1, 2, 3]
    assert all(row.jobs for row in outcome.blocks)


def test_nothing_is_sent_while_the_load_rests(plant, load, tmp_path):
    """However long the parent thinks: everything was drained, and the next block begins after the answer."""
    service = plant(job_ms=5)
    rests: list[tuple[int, int]] = []

    def rest(blocks: object) -> tuple[LoadArm, ...] | None:
        del blocks
        started_ns = time.monotonic_ns()
        time.sleep(0.3)
        rests.append((started_ns, time.monotonic_ns()))
        return ()

    facts = run_load(load(service.arm(), rests=(1,), **short("a", 2)), tmp_path, ignore, rest).generator

    ((began_ns, ended_ns),) = rests
    spans = service.facts["spans"]
    assert [span for span in spans if began_ns < span[0] < ended_ns] == []
    assert any(span[0] >= ended_ns for span in spans)
    assert facts.wall_s >= 0.7


def test_the_generator_states_its_load_without_its_rests(plant, load, tmp_path):
    """Saturated while it sends and idle while it rests is saturated: the mean of both would pass."""
    spec = load(plant(job_ms=0).arm(), rests=(1,), **short("a", 2))
    busy = run_load(spec, tmp_path, ignore, lambda _: ()).generator
    rested = run_load(spec, tmp_path, ignore, lambda _: time.sleep(2) or ()).generator

    assert rested.wall_s > busy.wall_s + 1.5
    # With its rests it would be a sixth.
    assert rested.cpu_ratio > 0.3 * busy.cpu_ratio


def test_the_load_goes_on_with_the_targets_that_a_rest_names(plant, load, tmp_path):
    """The arm keeps its name; the old process may be gone, the new one gets all that follows, and its CPU time is read."""
    old, new = plant(job_ms=5), plant(job_ms=5)

    def rest(blocks: object) -> tuple[LoadArm, ...] | None:
        del blocks
        old.process.kill()
        old.process.wait()
        return (new.arm("a"),)

    outcome = run_load(load(old.arm("a"), rests=(1,), **short("a", 3)), tmp_path, ignore, rest)

    assert [row.index for row in outcome.blocks] == [0, 1, 2]
    assert all(row.jobs and not row.errors and row.cpu_s for row in outcome.blocks)
    assert len(new.facts["spans"]) >= sum(row.jobs for row in outcome.blocks[1:])


def test_the_clock_of_the_load_stands_still_while_it_rests(plant, load, tmp_path):
    """What is left of the load is told by it: a rest brings its end no nearer."""
    told: list[LoadProgress] = []

    def rest(blocks: object) -> tuple[LoadArm, ...] | None:
        del blocks
        time.sleep(2.5)
        return ()

    stages = (Stage(0.0, 1, is_step=True), Stage(0.7, 1))
    blocks = tuple(Block(number, number, "a", 0.0) for number in range(2))
    spec = load(plant(job_ms=5).arm(), rests=(1,), stages=stages, blocks=blocks)
    run_load(spec, tmp_path, told.append, rest)

    assert len(told) >= 3
    assert max(progress.elapsed_s for progress in told) < 2.0


def test_a_child_that_dies_at_a_rest_is_an_invalid_run(plant, load, tmp_path):
    """Not a broken pipe, which would end the command as if all were well."""

    def rest(blocks: object) -> tuple[LoadArm, ...] | None:
        del blocks
        children = subprocess.run(
            ["pgrep", "-P", str(os.getpid()), "-f", "jivsbench.load.worker"], capture_output=True, text=True, check=True
        )
        (pid,) = (int(line) for line in children.stdout.split())
        os.kill(pid, 9)
        time.sleep(0.2)
        return ()

    with pytest.raises(InvalidRunError, match="ended with status -9"):
        run_load(load(plant(job_ms=5).arm(), rests=(1,), **short("a", 2)), tmp_path, ignore, rest)


def test_the_cpu_clock_of_another_process_counts_all_its_threads() -> None:
    """The work of two threads that have ended is counted, as by the process itself; nothing for a process that is gone."""
    code = (
        "import threading, time\n"
        "def work():\n"
        "    end = time.thread_time() + 0.2\n"
        "    while time.thread_time() < end: pass\n"
        "threads = [threading.Thread(target=work) for _ in range(2)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "print(time.process_time(), flush=True)\n"
        "input()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        own_s = float(child.stdout.readline())
        read_s = read_cpu_s(child.pid)
        child.communicate("\n")

    assert own_s >= 0.4
    assert read_s == pytest.approx(own_s, abs=0.05)
    assert read_cpu_s(child.pid) is None
