"""The monitor, looking at real processes."""

import os
import time
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from jivsbench.load.monitor import Monitor, MonitorLine
from jivsbench.load.spec import LoadArm
from jivsbench.model.record import MonitorRow


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
    assert [row.second for row in rows[:3]] == pytest.approx([0, 1, 2], abs=0.35)
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

    assert "the monitor ended early" in caplog.text
    assert monitor.rows is not None
