"""The monitor, looking at real processes."""

import os
import resource
import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from jivsbench.analysis.condensing import MOST_ROWS
from jivsbench.analysis.readings import find_restart
from jivsbench.errors import JivsbenchError, SourceUnreachableError
from jivsbench.load.monitor import Monitor, MonitorLine, read_looks
from jivsbench.load.server_probe import ServerAccess
from jivsbench.load.spec import LoadArm
from jivsbench.load.target_probe import count_on
from jivsbench.model.activity import ServerActivity, StatementTotals, WaitCount
from jivsbench.model.monitor_rows import MonitorRow


def read_lines(path: Path) -> list[MonitorLine]:
    """The file as values."""
    adapter = TypeAdapter(MonitorLine)
    return [adapter.validate_json(line) for line in path.read_bytes().splitlines()]


def test_a_living_target_is_read_every_second(plant, tmp_path) -> None:
    """Process tree and counters of both arms, on the grid of whole seconds, with a last look at the end."""
    arms = [plant().arm("a"), plant().arm("b")]

    with Monitor(arms, tmp_path / "monitor.jsonl") as monitor:
        time.sleep(2.3)

    rows = monitor.rows("a")
    assert [row.second for row in rows[:3]] == pytest.approx([0, 1, 2], abs=0.9)
    assert len(rows) == len(monitor.rows("b")) == 4
    for row in rows:
        assert row.rss_bytes > 10_000_000
        assert 0 < row.pss_bytes <= row.rss_bytes
        assert row.cpu_s > 0
        assert row.threads >= 1
        assert row.handles > 3
        assert (row.pool_active, row.pool_idle, row.pool_waiting) == (5, 1, 4)
        assert (row.cache_hits, row.cache_misses) == (90, 10)
    assert [line.row for line in read_lines(tmp_path / "monitor.jsonl") if line.arm == "a"] == list(rows)


def test_what_counts_up_goes_on_from_one_process_of_an_arm_to_the_next(plant, tmp_path) -> None:
    """90 cache hits of each: 180 in the end. Nobody is looked at in between."""
    old, new = plant(), plant()

    with Monitor([old.arm()], tmp_path / "monitor.jsonl") as monitor:
        monitor.look_away()
        old.process.kill()
        time.sleep(1.2)
        monitor.follow([new.arm()])
        time.sleep(1.0)

    rows = monitor.rows("a")
    hits = [row.cache_hits for row in rows]
    assert hits == sorted(hits)
    assert set(hits) == {90, 180}
    assert all(later.cpu_s >= before.cpu_s for before, later in pairwise(rows))
    assert max(later.second - before.second for before, later in pairwise(rows)) > 1.2
    assert monitor.facts().looks == len(rows)
    assert monitor.facts().metrics_answer_s > 0


def test_the_start_of_a_later_process_is_none_of_its_load(plant, tmp_path) -> None:
    """What it had computed before anybody looked must not come in: half a CPU second, after which it sleeps."""
    old = plant()
    busy = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True)\ntime.sleep(60)"

    with subprocess.Popen([sys.executable, "-c", busy], stdout=subprocess.PIPE) as new:
        new.stdout.readline()
        with Monitor([old.arm()], tmp_path / "monitor.jsonl") as monitor:
            monitor.look_away()
            monitor.follow([LoadArm("a", old.url, "t", new.pid)])
        new.kill()

    rows = monitor.rows("a")
    assert len(rows) >= 2
    assert 0 <= rows[-1].cpu_s - rows[0].cpu_s < 0.25


def test_a_count_goes_on_exactly_where_it_was():
    """A sum of floats may end a hair below: a count that falls is how a restart looks."""
    for ticks in range(200):
        spent_s = ticks / 100
        row = MonitorRow(0, None, None, spent_s, None, None, None, None, None, None, None)

        assert count_on(row, {"cpu_s": 0.04 - spent_s}).cpu_s == 0.04


def test_a_count_that_the_last_look_missed_is_not_lost(plant, tmp_path, monkeypatch) -> None:
    """Else the next process would seem to count from nothing, which is how a restart looks."""
    old, new = plant(), plant()

    with Monitor([old.arm()], tmp_path / "monitor.jsonl") as monitor:
        time.sleep(0.3)
        with monkeypatch.context() as slow:
            slow.setattr("jivsbench.load.target_probe.TargetProbe._ask", lambda *_: None)
            monitor.look_away()
        monitor.follow([new.arm()])
        time.sleep(0.6)

    hits = [row.cache_hits for row in monitor.rows("a")]
    assert hits[-1] == 180
    assert find_restart(monitor.rows("a")) is None


def test_seconds_after_the_monitor_broke_are_missed(plant, tmp_path, caplog) -> None:
    """The disk is full for a moment, and nobody looks any more: the record says for how long."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    with Monitor([plant().arm()], tmp_path / "monitor.jsonl") as monitor:
        time.sleep(0.5)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        time.sleep(1.0)
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        time.sleep(2.2)

    assert monitor.facts().looks == 1
    # Two seconds and a little, on a busy machine three.
    assert monitor.facts().looks_missed in {2, 3}
    assert "the monitor ended early (OSError)" in caplog.text


def test_what_cannot_be_read_is_none(tmp_path) -> None:
    """A target that is gone gives rows without figures, not an error and not zeros."""
    gone = LoadArm("gone", "http://127.0.0.1:1", "t", 2**22 - 1)

    with Monitor([gone], tmp_path / "monitor.jsonl") as monitor:
        pass

    row = monitor.rows("gone")[0]
    assert row == MonitorRow(row.second, None, None, None, None, None, None, None, None, None, None)


def test_a_child_of_the_target_counts(plant, tmp_path) -> None:
    """The whole tree is summed: this process has the planted service as its child, and more memory than it alone."""
    target = plant()
    arms = [LoadArm("tree", target.url, "t", os.getpid()), target.arm("leaf")]

    with Monitor(arms, tmp_path / "monitor.jsonl") as monitor:
        time.sleep(0.2)

    tree, leaf = monitor.rows("tree")[0], monitor.rows("leaf")[0]
    assert tree.rss_bytes > leaf.rss_bytes + 10_000_000
    assert tree.threads > leaf.threads


def test_seconds_can_count_from_the_load(plant, tmp_path) -> None:
    """The monitor starts before the load; its rows can be given in the load's own seconds."""
    with Monitor([plant().arm()], tmp_path / "monitor.jsonl") as monitor:
        time.sleep(0.5)
        began_ns = time.monotonic_ns()
        time.sleep(1.0)

    rows = monitor.rows("a", since_ns=began_ns)
    assert len(rows) == 2
    assert [row.second for row in rows] == pytest.approx([0.5, 1.0], abs=0.3)


def test_a_disk_that_refuses_does_not_end_the_run(tmp_path, caplog) -> None:
    """No file can be written: the block goes on, and the log says so."""
    with Monitor([], tmp_path / "missing" / "monitor.jsonl") as monitor:
        time.sleep(0.1)
        monitor.look_away()
        monitor.follow([LoadArm("a", "http://127.0.0.1:1", "t", os.getpid())])

    assert "the monitor ended early: its file cannot be written (FileNotFoundError)" in caplog.text
    assert "Traceback" not in caplog.text
    assert monitor.rows("a") == ()


def test_a_disk_that_fills_up_while_targets_end_does_not_end_the_run(tmp_path, caplog, monkeypatch) -> None:
    """The last look at them is not kept; the load goes on with others."""
    target = LoadArm("a", "http://127.0.0.1:1", "t", os.getpid())

    def refuse(_line: bytes) -> None:
        raise OSError(28, "No space left on device")

    with Monitor([target], tmp_path / "monitor.jsonl") as monitor:
        time.sleep(0.3)
        with monkeypatch.context() as full:
            full.setattr(monitor, "_write", refuse)
            monitor.look_away()
        monitor.follow([target])

    assert "could not keep its last look at targets that end (OSError)" in caplog.text
    assert "Traceback" not in caplog.text
    assert monitor.rows("a")[-1].cpu_s is not None


class PlantedSource:
    """A source whose server tells what was planted, and dies once."""

    def __init__(self, looks: list[ServerActivity | JivsbenchError]) -> None:
        self.looks = looks
        self.closed = 0

    def activity(self, *, with_statements: bool) -> ServerActivity:
        found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(found, JivsbenchError):
            raise found
        return found if with_statements else replace(found, statements=())

    def close(self) -> None:
        self.closed += 1


def test_the_servers_behind_are_watched_beside_the_target(plant, tmp_path) -> None:
    """Sessions and waits once a second, statements as what was added; the same file, and the target's rows as ever."""
    first = ServerActivity(
        5, 4, (WaitCount("Lock", "tuple", 3),), (StatementTotals("COPY 1", 10, 100.0, 50),), ("waits of others",)
    )
    last = replace(first, statements=(StatementTotals("COPY 1", 14, 160.0, 70), StatementTotals("BEGIN 2", 4, 0.5, 0)))
    source = PlantedSource([first, last])

    with Monitor([plant().arm()], tmp_path / "monitor.jsonl", ServerAccess(lambda: source)) as monitor:
        time.sleep(1.3)

    record = monitor.server_record()
    assert record is not None
    assert [row.second for row in record.rows[:2]] == pytest.approx([0, 1], abs=0.35)
    assert len(record.rows) == len(monitor.rows("a")) == 3
    assert {(row.sessions, row.own_sessions, row.waits) for row in record.rows} == {(5, 4, (WaitCount("Lock", "tuple", 3),))}
    assert record.statements == (StatementTotals("COPY 1", 4, 60.0, 20), StatementTotals("BEGIN 2", 4, 0.5, 0))
    assert record.not_told == ("waits of others",)
    assert source.closed == 1


def test_a_server_that_does_not_answer_is_said_and_the_target_is_watched_on(plant, tmp_path) -> None:
    """Its rows are empty from then on, and the reason stands beside them; a plugin that breaks ends only its own looks."""
    dead = PlantedSource([ServerActivity(5, 4), SourceUnreachableError("gone")])
    broken = PlantedSource([ServerActivity(5, 4)])
    broken.activity = None  # type: ignore[assignment] - what a broken plugin may do

    records = []
    for number, source in enumerate((dead, broken)):
        with Monitor([plant().arm()], tmp_path / f"{number}.jsonl", ServerAccess(lambda source=source: source)) as monitor:
            time.sleep(1.2)
        records.append(monitor.server_record())
        assert len(monitor.rows("a")) == 3

    assert [row.own_sessions for row in records[0].rows] == [4, None, None]
    assert "did not answer the monitor" in records[0].not_told[0]
    assert records[1].not_told[-1] == "the servers after a while: the monitor met an error of a plugin (TypeError)"


def test_the_text_of_a_plugin_s_error_reaches_no_terminal(tmp_path, caplog, capfd) -> None:
    """It may quote a URL with its password: the record names the class, and neither log nor standard error has a traceback."""

    class Broken(PlantedSource):
        def activity(self, *, with_statements: bool) -> ServerActivity:
            raise RuntimeError("postgresql://ann:S3cret@h/db", with_statements)

        def close(self) -> None:
            raise KeyError("S3cret")

    with Monitor([], tmp_path / "monitor.jsonl", ServerAccess(lambda: Broken([]))) as monitor:
        time.sleep(0.2)

    record = monitor.server_record()
    assert record is not None
    assert record.not_told == (
        "the servers after a while: the monitor met an error of a plugin (RuntimeError)",
        "the end of a session: the monitor met an error of a plugin (KeyError)",
    )
    told = caplog.text + "".join(capfd.readouterr())
    assert "S3cret" not in told
    assert "Traceback" not in told


def test_watching_costs_what_it_says(plant, tmp_path) -> None:
    """Looks, their share of a core, and how long a target takes to answer."""
    with Monitor([plant().arm()], tmp_path / "monitor.jsonl") as monitor:
        time.sleep(1.2)

    facts = monitor.facts()
    assert (facts.looks, facts.looks_missed) == (3, 0)
    assert 0 < facts.cpu_ratio < 0.5
    assert 0 < facts.metrics_answer_s < 0.5
    assert monitor.latest("a") == monitor.rows("a")[-1]


def test_a_long_watch_keeps_no_rows_in_memory(tmp_path) -> None:
    """10,000 looks at the pace of the machine: what Python holds grows by less than a tenth of the file; rows stay bounded."""
    target = LoadArm("self", "http://127.0.0.1:1", "t", os.getpid())
    monitor = Monitor([target], tmp_path / "monitor.jsonl")
    row = MonitorRow(1.0, 1, 1, 1.0, 1, 1, 1, 1, 1, 1, 1)
    monitor._probes[0].look = lambda second: replace(row, second=second)  # type: ignore[method-assign] - only the keeping is tested
    with monitor:
        monitor._stop.set()
        monitor._thread.join()
        tracemalloc.start()
        for _ in range(10_000):
            monitor._look_until_stopped()
        held_bytes = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()

    rows = monitor.rows("self")
    assert len(rows) <= MOST_ROWS
    assert sum(row.looks for row in rows) == len(read_looks(tmp_path / "monitor.jsonl")) > 10_000
    assert held_bytes < (tmp_path / "monitor.jsonl").stat().st_size / 10
