"""How a load ends when something else ends first. Nothing may be left behind, and nothing half-measured may look whole."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from pydantic import TypeAdapter

from jivsbench.children import start_python_child
from jivsbench.errors import InvalidRunError, OutputError, UnknownNameError
from jivsbench.load.intervals import read_intervals
from jivsbench.load.launcher import run_load
from jivsbench.load.messages import Progressed, Started, parse_message
from jivsbench.load.spec import LoadSpec
from jivsbench.model.record import JobTotals
from jivsbench.model.scenario import Arrival, Stage, WorkloadSpec
from tests.processes import is_gone

LONG = (Stage(60.0, 3, is_step=True),)
PARENT = """
import sys
from pathlib import Path
from pydantic import TypeAdapter
from jivsbench.load import launcher
from jivsbench.load.launcher import run_load
from jivsbench.load.spec import LoadSpec

launcher._SILENCE_S = float(sys.argv[3])
spec = TypeAdapter(LoadSpec).validate_json(Path(sys.argv[1]).read_bytes())
run_load(spec, Path(sys.argv[2]), lambda progress: print("progress", flush=True))
"""


def ignore(progress) -> None:
    """A listener for tests that look at the outcome alone."""
    del progress


def find_workers() -> list[psutil.Process]:
    """Load children of this process. A target that a test has killed is a zombie by now."""
    living = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in living if "jivsbench.load.worker" in child.cmdline()]


def start_parent(spec: LoadSpec, folder: Path, silence_s: float = 30.0) -> tuple[subprocess.Popen[str], psutil.Process]:
    """A parent process of its own whose load has begun, and its load child."""
    path = folder / "spec.json"
    path.write_bytes(TypeAdapter(LoadSpec).dump_json(spec))
    argv = [sys.executable, "-c", PARENT, str(path), str(folder), str(silence_s)]
    parent = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "progress\n"
    (worker,) = psutil.Process(parent.pid).children()
    return parent, worker


def test_a_target_that_dies_makes_the_run_invalid(plant, load, tmp_path) -> None:
    """The message names the arm and the moment; the child is gone, and what was measured until then can be read."""
    targets = {"legacy": plant(), "optimized": plant()}

    def kill_optimized(progress) -> None:
        if progress.elapsed_s >= 1.5:
            targets["optimized"].process.kill()

    spec = load(*(target.arm(name) for name, target in targets.items()), stages=LONG)

    with pytest.raises(InvalidRunError, match=r"the target 'optimized' died [1-9] s into the load"):
        run_load(spec, tmp_path, kill_optimized)

    assert find_workers() == []
    assert len(list(read_intervals(Path(spec.intervals_path)))) >= 1


@pytest.mark.nightly
def test_a_target_that_is_restarted_makes_the_run_invalid(plant, load, tmp_path) -> None:
    """Another process answers on the same port at once, and calls succeed again: it is not the target that was measured."""
    target = plant()
    again = []

    def restart(progress) -> None:
        if progress.elapsed_s >= 1.5 and not again:
            target.process.kill()
            target.process.wait()
            again.append(plant(port=target.port))

    with pytest.raises(InvalidRunError, match=r"the target 'a' died [1-9] s into the load"):
        run_load(load(target.arm(), stages=LONG), tmp_path, restart)

    assert again[0].process.poll() is None
    assert find_workers() == []


def test_a_target_that_is_dead_already_is_named(plant, load, tmp_path) -> None:
    """A load is not begun against a target that is gone."""
    target = plant()
    target.process.kill()
    target.process.wait()

    with pytest.raises(InvalidRunError, match="the target 'a' died before the load began"):
        run_load(load(target.arm()), tmp_path, ignore)


def test_a_load_child_that_dies_makes_the_run_invalid(plant, load, tmp_path) -> None:
    """The message has the status and names the log."""

    def kill_worker(progress) -> None:
        del progress
        for worker in find_workers():
            worker.kill()

    with pytest.raises(InvalidRunError, match=r"the load generator ended with status -9 [1-9] s into the load: .*load\.log"):
        run_load(load(plant().arm(), stages=LONG), tmp_path, kill_worker)


def test_ctrl_c_ends_the_child_first(plant, load, tmp_path) -> None:
    """KeyboardInterrupt passes through, and no child is left."""

    def press(progress) -> None:
        del progress
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_load(load(plant().arm(), stages=LONG), tmp_path, press)

    assert find_workers() == []


def test_the_child_does_not_outlive_a_killed_parent(plant, load, tmp_path) -> None:
    """SIGKILL, which no parent can handle: the child is gone soon, and its file is whole."""
    spec = load(plant().arm(), stages=LONG)
    parent, worker = start_parent(spec, tmp_path)

    parent.kill()
    has_ended = is_gone(worker.pid, 10.0)
    parent.communicate()

    assert has_ended
    assert Path(spec.intervals_path).read_bytes().endswith(b"\n")
    assert sum(part.count for interval in read_intervals(Path(spec.intervals_path)) for part in interval.operations) > 0


def test_a_parent_that_gets_sigint_leaves_nothing_behind(plant, load, tmp_path) -> None:
    """A real Ctrl-C, as the terminal sends it."""
    parent, worker = start_parent(load(plant().arm(), stages=LONG), tmp_path)

    parent.send_signal(signal.SIGINT)
    parent.communicate(timeout=10)

    assert is_gone(worker.pid, 10.0)


def test_a_parent_that_stood_still_hears_what_was_said_meanwhile(plant, load, tmp_path) -> None:
    """Ctrl-Z and `fg`, twice as long as a child may be silent: it was not silent, and the load comes to its end."""
    parent, _worker = start_parent(load(plant().arm(), stages=(Stage(7.0, 2, is_step=True),)), tmp_path, silence_s=2.5)

    parent.send_signal(signal.SIGSTOP)
    time.sleep(5.0)
    parent.send_signal(signal.SIGCONT)

    said, _ = parent.communicate(timeout=20)
    assert parent.returncode == 0
    assert said.count("progress") >= 3


def test_sigterm_leaves_whole_lines(plant, load, tmp_path) -> None:
    """The child ends at once; every line can be read, and the current second is in it."""
    target = plant(job_ms=5)
    spec = load(target.arm(), stages=LONG)
    message = TypeAdapter(LoadSpec).dump_json(spec).decode()
    child = start_python_child("load", "jivsbench.load.worker", log=tmp_path / "load.log", message=message)
    assert isinstance(parse_message(child.stdout.readline()), Started)
    assert isinstance(parse_message(child.stdout.readline()), Progressed)
    time.sleep(0.3)

    os.kill(child.pid, signal.SIGTERM)
    status = child.process.wait(10.0)
    child.stop()

    assert status == 128 + signal.SIGTERM
    intervals = list(read_intervals(Path(spec.intervals_path)))
    assert max(interval.second for interval in intervals) >= 1
    recorded = sum(part.count for interval in intervals for part in interval.operations if part.operation == "statistics")
    assert recorded == pytest.approx(target.facts["requests"]["statistics"], abs=3)


def test_an_unknown_workload_is_refused_by_its_own_error(plant, load, tmp_path) -> None:
    """What the child refuses, the parent raises as the same class."""
    spec = load(plant().arm(), workload=WorkloadSpec("extracton", "bench_rows", 10))

    with pytest.raises(UnknownNameError, match="did you mean 'extraction'"):
        run_load(spec, tmp_path, ignore)


def test_a_file_that_cannot_be_written_is_refused(plant, load, tmp_path) -> None:
    """The samples have nowhere to go: no load is sent."""
    target = plant()
    spec = load(target.arm(), intervals_path=str(tmp_path / "missing" / "intervals.jsonl"))

    with pytest.raises(OutputError, match="cannot be opened"):
        run_load(spec, tmp_path, ignore)

    assert "create" not in target.facts["requests"]


def test_a_full_disk_ends_the_load(plant, load, tmp_path) -> None:
    """A sample that cannot be kept is not skipped: the load ends, and the message says what to do."""
    with pytest.raises(OutputError, match=r"cannot be written to /dev/full .*: make room there"):
        run_load(load(plant().arm(), stages=LONG, intervals_path="/dev/full"), tmp_path, ignore)


def test_a_workload_that_raises_ends_the_load(plant, load, tmp_path) -> None:
    """Outside of a job there is nothing it could count as: the run is invalid, and the traceback is in the log."""
    spec = load(plant().arm(), workload=WorkloadSpec("crashing", "bench_rows", 10), stages=LONG)

    with pytest.raises(InvalidRunError, match="workload 'crashing' raised LookupError outside of a job"):
        run_load(spec, tmp_path, ignore)

    assert "LookupError: planted" in (tmp_path / "load.log").read_text()


def test_a_workload_that_raises_within_a_job_has_a_failed_job(plant, load, tmp_path) -> None:
    """The job is counted as failed with the exception's name, and the load goes on."""
    spec = load(plant(call_ms=20).arm(), workload=WorkloadSpec("crashing-job", "bench_rows", 10))

    outcome = run_load(spec, tmp_path, ignore)

    totals = dict(outcome.totals)["a"]
    assert totals == JobTotals(totals.created, 0, totals.created, 0, 0, 0, 0)
    assert totals.created > 20


def test_what_a_plugin_prints_goes_to_the_log(plant, load, tmp_path) -> None:
    """Standard output is the channel between child and parent; a print in a plugin must not break it."""
    spec = load(plant(call_ms=20).arm(), workload=WorkloadSpec("printing", "bench_rows", 10))

    outcome = run_load(spec, tmp_path, ignore)

    assert outcome.generator.operations > 20
    assert "a plugin that prints" in (tmp_path / "load.log").read_text()


def test_the_token_is_nowhere_to_be_read(plant, load, tmp_path) -> None:
    """Neither in the child's arguments and environment, nor in the files, nor in what is printed of a LoadSpec."""
    seen = []

    def look(progress) -> None:
        del progress
        seen.extend(" ".join([*worker.cmdline(), *worker.environ().values()]) for worker in find_workers())

    spec = load(plant().arm(), stages=(Stage(1.5, 2, is_step=True),))

    run_load(spec, tmp_path, look)

    assert seen
    texts = [*seen, repr(spec), *(path.read_text() for path in tmp_path.iterdir())]
    assert not any("secret-token" in text for text in texts)


def test_the_parent_never_imports_the_load_library() -> None:
    """Importing gevent patches the whole process, so the parent's code must not."""
    code = (
        "import sys, jivsbench.load.launcher, jivsbench.load.monitor, jivsbench.load.intervals, jivsbench.load.extraction;"
        "print([m for m in ('locust', 'gevent', 'geventhttpclient') if m in sys.modules])"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


def test_a_load_that_must_end_is_cut_and_says_what_it_did(plant, load, tmp_path) -> None:
    """Planned for a minute, cut after a second: what was under way ends, nothing is lost, and the block says when it closed."""
    target = plant(job_ms=30)
    spec = load(target.arm(), stages=(Stage(60.0, 5, is_step=True),))

    outcome = run_load(spec, tmp_path, ignore, must_end=lambda progress: progress.elapsed_s >= 1.0)

    (block,) = outcome.blocks
    totals = dict(outcome.totals)["a"]
    assert 1.0 <= block.end_ns / 1e9 < 5.0
    assert block.jobs > 10
    assert totals.created == totals.completed > 10
    assert (
        sum(
            part.count
            for line in read_intervals(Path(spec.intervals_path))
            for part in line.operations
            if part.operation == "job"
        )
        == totals.created
    )


def test_an_open_loop_that_is_cut_ends_when_it_was_cut(plant, load, tmp_path) -> None:
    """Its block was closed in advance, at its planned end a minute later: throughput is by the time that was played."""
    target = plant(job_ms=5)
    spec = load(target.arm(), stages=(Stage(60.0, is_step=True, rate_per_s=20),), arrival=Arrival.RATE)

    outcome = run_load(spec, tmp_path, ignore, must_end=lambda progress: progress.elapsed_s >= 1.0)

    (block,) = outcome.blocks
    assert 1.0 <= block.end_ns / 1e9 < 5.0
    assert block.jobs > 10


def test_after_a_cut_no_further_block_is_played(plant, load, tmp_path) -> None:
    """Two blocks were planned; the first was cut."""
    first, second = plant(), plant()
    spec = load(first.arm("a"), second.arm("b"), stages=(Stage(30.0, 2, is_step=True),))

    outcome = run_load(spec, tmp_path, ignore, must_end=lambda _: True)

    assert [block.arm for block in outcome.blocks] == ["a"]
    assert not second.facts["requests"]
