"""Limits, ends and broken controls: the checks' own judgements can say no."""

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from jivsbench.errors import InvalidRunError
from jivsbench_security.extractions import Ending
from jivsbench_security.limits.failing_closed import spoil_store, spoil_trail, swap_character
from jivsbench_security.limits.flights import Flight, Lenience, find_overrun
from jivsbench_security.limits.lifecycle import find_files, has_ended
from jivsbench_security.limits.resource_bombs import MemoryWatch, build_endless, build_large

ENDED = Ending(200, "deadline", {"state": "FAILED"}, 0.0)
KEPT = Flight("sleep", "id", "view", 1.0, began_s=0.0, ending=ENDED, ended_s=1.1, longest_s=1.0, pids={1}, active_s=1.0)


def test_a_limit_that_held_is_no_overrun() -> None:
    """Ended in time, with a typed error, and nobody works on."""
    assert find_overrun(KEPT, Lenience(0.0), 0.25) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"longest_s": 1.3}, "still running on the server after 1.30 s"),
        ({"ended_s": 1.3}, "the job ended after 1.30 s"),
        ({"ending": None, "ended_s": None}, "had not ended"),
        ({"active_s": 2.2}, "a session went on for 1.10 s"),
        ({"ending": replace(ENDED, slug="internal")}, "without a typed error (internal)"),
    ],
)
def test_each_way_to_break_a_limit_is_found(changes: dict[str, object], words: str) -> None:
    """By the server's clock, by the job's end, by a session that stays, and by an error without a name."""
    assert words in (find_overrun(replace(KEPT, **changes), Lenience(0.0), 0.25) or "")


def test_a_starved_machine_is_allowed_what_it_was_late_by_and_no_more() -> None:
    """Twice the worst that was seen, a second at most."""
    lenience = Lenience(0.01)
    lenience.note(0.1)
    lenience.note(0.05)
    usual_s = lenience.allowed_s
    lenience.note(60.0)

    assert usual_s == pytest.approx(0.2)
    assert lenience.allowed_s == 1.0
    assert find_overrun(replace(KEPT, longest_s=2.3), lenience, 0.25) is not None


def test_memory_that_grows_is_seen() -> None:
    """This process takes 80 MiB."""
    watch = MemoryWatch(os.getpid(), 64 << 20)
    watch.look()
    before = watch.is_over
    taken = bytearray(os.urandom(1) * (80 << 20))
    watch.look()

    assert (before, watch.is_over, len(taken)) == (False, True, 80 << 20)


def test_bombs_are_small() -> None:
    """Each is a text of a few kilobytes, under a name of its own."""
    bombs = (*build_large(300_000_000), *build_endless())

    assert len({bomb.name for bomb in bombs}) == 5
    assert max(len(bomb.query) for bomb in bombs) < 20_000
    assert "repeat('x', 300000000" in bombs[0].query


def test_a_spoilt_trail_is_whole_again(tmp_path: Path) -> None:
    """One foreign byte, for as long as the block lasts; without a trail there is nothing to spoil."""
    with pytest.raises(InvalidRunError), spoil_trail(tmp_path):
        pass
    (tmp_path / ".audit").mkdir()
    trail = tmp_path / ".audit" / "trail-no-key.jsonl"
    trail.write_bytes(b"{}\n")
    with spoil_trail(tmp_path):
        during = trail.read_bytes()

    assert (during, trail.read_bytes()) == (b"{}\nx", b"{}\n")


def test_only_the_named_source_is_spoilt(tmp_path: Path) -> None:
    """Its URL differs in one character, its list of tables is cut off."""
    store = tmp_path / "jobs.sqlite3"
    with sqlite3.connect(store) as database:
        database.execute("CREATE TABLE data_sources (name, url, tables, is_active)")
        database.executemany("INSERT INTO data_sources VALUES (?, 'AAAAAA', '[\"t\"]', 1)", [("one",), ("other",)])
    database.close()
    spoil_store(store, "one", "url")
    spoil_store(store, "one", "tables")
    with sqlite3.connect(store) as database:
        found = database.execute("SELECT name, url, tables FROM data_sources ORDER BY name").fetchall()
    database.close()

    assert found == [("one", "AAABAA", '["t"'), ("other", "AAAAAA", '["t"]')]
    assert swap_character("xyz", 1) == "xAz"


def test_a_process_that_nobody_asked_for_its_end_has_ended() -> None:
    """A zombie runs no more, and neither does one that is gone."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = psutil.Process(child.pid)
    before = has_ended(process)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    as_zombie = has_ended(process)
    child.communicate()

    assert (before, as_zombie, has_ended(process)) == (False, True, True)


def test_files_of_unfinished_jobs_are_found_wherever_they_are(tmp_path: Path) -> None:
    """A folder of the job's name, and a temporary one; another job's output is none of them."""
    (tmp_path / "job-1").mkdir()
    (tmp_path / ".work").mkdir()
    (tmp_path / ".work" / "job-1.tmp").touch()
    (tmp_path / "job-2").mkdir()

    assert [path.name for path in find_files(tmp_path, ["job-1"])] == ["job-1.tmp", "job-1"]
