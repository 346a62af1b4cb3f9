"""Limits, ends and broken controls: the checks' own judgements can say no."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import psycopg
import pytest
from psycopg import sql

from jivsbench.api import Response
from jivsbench.errors import InvalidRunError, PluginLoadError, PortInUseError
from jivsbench.model.finding import CheckOutcome
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench_security.extractions import Ending
from jivsbench_security.limits.failing_closed import FailClosedCheck, spoil_store, spoil_trail, swap_character
from jivsbench_security.limits.flights import Flight, Lenience, find_overrun
from jivsbench_security.limits.lifecycle import LifecycleCheck, find_files
from jivsbench_security.limits.owner_session import open_owner_session
from jivsbench_security.limits.pool_exhaustion import EndWatch
from jivsbench_security.limits.resource_bombs import MemoryWatch, build_endless, build_large, run_past
from jivsbench_security.limits.source_check import SourceCheck, SourceSession
from jivsbench_security.limits.time_limits import TimeLimitCheck
from jivsbench_security.own_sessions import open_session
from jivsbench_security.processes import has_ended
from tests.unit.extract_fakes import wait_until

ENDED = Ending(200, "deadline", {"state": "FAILED"}, 0.0)
KEPT = Flight("sleep", "id", "view", 1.0, began_s=0.0, ending=ENDED, ended_s=1.1, longest_s=1.0, pids={1}, active_s=1.0)


def test_a_limit_that_held_is_no_overrun() -> None:
    """Ended in time, with a typed error, and nobody works on."""
    assert find_overrun(KEPT, Lenience(0.0), 0.25) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"longest_s": 1.3}, "still running on the server after 1.30 s"),
        ({"unended_s": 1.3}, "the job had not ended after 1.30 s"),
        ({"ending": None, "ended_s": None}, "had not ended"),
        ({"active_s": 2.2}, "a session went on for 1.10 s"),
        ({"ending": replace(ENDED, slug="internal")}, "without a typed error (internal)"),
    ],
)
def test_each_way_to_break_a_limit_is_found(changes: dict[str, object], words: str) -> None:
    """By the server's clock, by the job's end, by a session that stays, and by an error without a name."""
    assert words in (find_overrun(replace(KEPT, **changes), Lenience(0.0), 0.25) or "")


def test_whoever_looks_seldom_sees_no_overrun() -> None:
    """The job ended somewhere between two looks: only one at which it still ran beyond its limit shows that it did."""
    assert find_overrun(replace(KEPT, unended_s=0.9, ended_s=4.0), Lenience(0.0), 0.25) is None


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


def test_a_process_that_a_bomb_has_ended_has_had_too_much() -> None:
    """Whether its parent has asked for its status, or not."""
    for is_waited_for in (False, True):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        watch = MemoryWatch(child.pid, 1 << 40)
        watch.look()
        before = watch.is_over
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        if is_waited_for:
            child.wait()
        watch.look()
        child.communicate()

        assert (before, watch.is_over) == (False, True)
        assert "the target's process ended" in watch.describe()


class SlowExtractions:
    """Two jobs that are sent away after 0.4 s, seen by whoever looks for the first time after 5 s."""

    def __init__(self) -> None:
        self.jobs: dict[str, Ending | None] = {"a": None, "b": None}

    def look_at_all(self) -> dict[str, Ending | None]:
        """As they are."""
        return self.jobs


def test_an_end_is_no_later_than_the_look_before_it() -> None:
    """A watcher that was kept from looking does not make a caller wait longer."""
    extractions = SlowExtractions()
    watch = EndWatch(extractions, Lenience(0.0))
    watch.look()
    seen_s = dict(watch.ran_s)
    time.sleep(0.3)
    extractions.jobs["a"] = ENDED
    watch.look()

    assert watch.ended == {"a": ENDED}
    assert watch.ran_s["a"] == seen_s["a"]
    assert watch.ran_s["b"] - seen_s["b"] >= 0.3


def build_context(url: str, reader: str | None = None, **others: object) -> SimpleNamespace:
    """What a check is told of its source."""
    sources = [DataSource("main", "postgres", Secret(one)) for one in (url, reader or url)]
    return SimpleNamespace(dialect="postgres", seed=1, data_source=lambda: sources[0], reader=lambda: sources[1], **others)


def test_an_owner_who_cannot_watch_is_not_tested(embedded_postgres_url: str) -> None:
    """Who does not see the target's sessions would see none go on for too long. And neither would one behind a list of tables."""
    with psycopg.connect(embedded_postgres_url, autocommit=True) as owner:
        owner.execute("CREATE ROLE jivsbench_short LOGIN PASSWORD 'x'")
        try:
            blind = f"postgresql://jivsbench_short:x@{embedded_postgres_url.partition('@')[2]}"
            result = TimeLimitCheck().run(build_context(blind, embedded_postgres_url))
        finally:
            owner.execute("DROP ROLE jivsbench_short")
    listed = build_context(embedded_postgres_url)
    listed.reader = lambda: DataSource("main", "postgres", Secret(embedded_postgres_url), tables=("orders",))

    assert result.outcome is CheckOutcome.NOT_TESTED
    assert "GRANT pg_read_all_stats TO jivsbench_short" in result.reason
    assert TimeLimitCheck().run(listed).outcome is CheckOutcome.NOT_TESTED


def test_an_owner_counts_no_further_than_it_must(embedded_postgres_url: str) -> None:
    """The seeded table of a user's server may have any number of rows."""
    with open_owner_session(build_context(embedded_postgres_url)) as owner:
        view = owner.make_view("endless", "SELECT n AS id FROM pg_catalog.generate_series(1, 3) AS n")

        assert [owner.count_rows(view, most) for most in (2, 5)] == [2, 3]


def test_a_login_is_made_of_a_verifier_and_works(embedded_postgres_url: str) -> None:
    """A server that logs what changes users logs no password."""
    with open_owner_session(build_context(embedded_postgres_url)) as owner:
        sent: list[object] = []
        run = owner._connection.execute
        owner._connection.execute = lambda statement, *rest: (sent.append(statement), run(statement, *rest))[1]
        login = owner.make_login("one")
        shown = " ".join(one.as_string() if isinstance(one, sql.Composed) else str(one) for one in sent)
        with open_session(login.url) as session:
            found = session.execute("SELECT session_user::text").fetchone()

    assert found == (login.role,)
    assert "SCRAM-SHA-256$" in shown
    assert login.url.reveal().split(":")[2].partition("@")[0] not in shown


def test_what_an_owner_made_goes_though_its_session_was_ended(embedded_postgres_url: str) -> None:
    """Views and users, after an attack that ends every session of the owner's."""
    with open_owner_session(build_context(embedded_postgres_url)) as owner:
        owner.make_login("one")
        owner.make_view("rows", "SELECT 1 AS id")
        with open_session(Secret(embedded_postgres_url)) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (owner._connection.info.backend_pid,))
    with open_session(Secret(embedded_postgres_url)) as other:
        left = other.execute(
            "SELECT relname::text FROM pg_class WHERE relname LIKE %(t)s "
            "UNION SELECT rolname FROM pg_roles WHERE rolname LIKE %(t)s",
            {"t": f"{owner.token}%"},
        ).fetchall()

    assert left == []


@contextmanager
def judge(check: type[SourceCheck], url: str, answers: dict[str, Response], **others: object) -> Iterator[SourceSession]:
    """A session of a check over a target that always answers the same."""
    target = SimpleNamespace(call=lambda method, path, _body=None: answers.get(f"{method} {path}", Response(404, None)))
    context = build_context(url, target=target, source="main", wire=None, is_full=False, **others)
    with open_owner_session(context) as owner:
        yield check.session(check(), context, context, owner)


@pytest.mark.parametrize(
    "answer", [Response(429, {"slug": "queue-full"}), Response(404, {"slug": "not-found"}), Response(0, None)]
)
def test_a_service_that_is_busy_has_not_failed_closed(embedded_postgres_url: str, tmp_path: Path, answer: Response) -> None:
    """Its no says nothing of the broken control."""
    with judge(FailClosedCheck, embedded_postgres_url, {}, output_dir=tmp_path) as session:
        session._judge_answer("a broken guard", answer, {})
        session._judge_ending("a broken guard", Ending(200, "pool-timeout", {"state": "FAILED", "id": "x"}, 0.0), {})
        before = session.tally.reached
        session._judge_answer("a broken guard", Response(503, {"slug": "audit"}), {})

    assert (session.attempted, before, session.reached, session.findings) == (3, 0, 1, [])


def test_a_profile_that_cannot_be_read_does_not_spare_the_guard(embedded_postgres_url: str, tmp_path: Path) -> None:
    """Without it nobody knows whether there is a guard to break."""
    with (
        judge(FailClosedCheck, embedded_postgres_url, {"GET /profile": Response(503, {})}, output_dir=tmp_path) as session,
        pytest.raises(InvalidRunError, match="asked for its profile"),
    ):
        session.attack()


def test_a_target_that_did_not_start_for_want_of_a_port_has_not_refused_its_list(
    embedded_postgres_url: str, tmp_path: Path
) -> None:
    """Only an error about plugins or the configuration is a no."""
    for problem, reached in ((PortInUseError("x"), 0), (PluginLoadError("x"), 1)):

        def launch(_changes: object, problem: Exception = problem) -> object:
            raise problem

        with judge(FailClosedCheck, embedded_postgres_url, {}, make_folder=lambda: tmp_path, launch=launch) as session:
            session._break_lock()

        assert (session.attempted, session.reached) == (1, reached)


def test_a_source_in_use_that_never_was_is_not_judged(embedded_postgres_url: str) -> None:
    """No job came to run: nothing was changed while one did, and nothing can be said."""
    answers = {
        "POST /extractions": Response(201, {"id": "x"}),
        "POST /extractions/x/start": Response(429, {"slug": "queue-full"}),
    }
    with judge(LifecycleCheck, embedded_postgres_url, answers) as session:
        login = session.owner.make_login("one")
        session._rotate("name", login, login, "slow", "rows")

    assert (session.attempted, session.reached, session.findings) == (1, 0, [])


def test_a_bomb_past_the_target_keeps_the_server_busy_and_ends(embedded_postgres_url: str) -> None:
    """A recursion without end runs while the block lasts, and no longer."""
    with open_owner_session(build_context(embedded_postgres_url)) as owner:
        view = owner.make_view("recursion", build_endless()[2].query)
        with run_past(Secret(embedded_postgres_url), view):
            assert wait_until(lambda: any(state.is_active for state in owner.look()))
            during = [state.is_active for state in owner.look()]
        after = [state for state in owner.look() if state.is_active]

    assert (during, after) == ([True], [])


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
    with pytest.raises(InvalidRunError):
        spoil_store(store, "nobody", "url")

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
