"""What a check counts, and when a result may be believed: holes stay holes, and silence is none."""

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import psycopg
import pyarrow as pa
import pytest
from psycopg import sql

from jivsbench.api import Response
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import CheckOutcome, Finding, Severity
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.plugins import load_registry
from jivsbench_security.exchanges import Client
from jivsbench_security.extractions import Ending, Extractions
from jivsbench_security.hostile_check import MOST_FINDINGS, CountedSession, HostileCheck, SourceUnfitError, Tally, ask_profile
from jivsbench_security.inspection import keep_worst
from jivsbench_security.own_sessions import depending_on_own_sessions, making, need_sight, need_unicode, open_session
from jivsbench_security.planted_tables import plant_table

HOLE = Finding("SEC-900", Severity.HIGH, "a hole", "seen", "do this")


class Check(HostileCheck):
    """A check of nothing."""

    id, title, severity, cwe = "SEC-900", "nothing", Severity.HIGH, ()


class Session:
    """A run that finds `findings` and then cannot go on."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        self.attempted = self.reached = 1
        self.unanswered = 0

    def describe(self) -> str:
        return "1 attack"

    def run_benign(self) -> int:
        return 1

    def stop_early(self) -> None:
        raise InvalidRunError("the record is not complete")


def test_a_hole_that_was_found_stays_one_when_the_rest_cannot_be_shown() -> None:
    """FAIL with the reason for the early end; without a hole nothing was shown."""
    context, found = SimpleNamespace(seed=1, pid=os.getpid()), Session([HOLE])
    result = Check()._attack(context, found, found.stop_early)
    nothing = Session([])

    assert (result.outcome, result.findings) == (CheckOutcome.FAIL, (HOLE,))
    assert "the record is not complete" in result.reason
    with pytest.raises(InvalidRunError):
        Check()._attack(context, nothing, nothing.stop_early)


@contextmanager
def running_child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        try:
            yield child
        finally:
            child.kill()


def test_a_target_that_dies_of_an_attack_has_not_blocked_it() -> None:
    """Its silence is a hole, unless its process runs on."""
    session, alive = Session([]), Session([])
    session.reached = 0
    with running_child() as child:
        context = SimpleNamespace(seed=1, pid=child.pid)
        with pytest.raises(InvalidRunError):
            Check()._attack(context, alive, alive.stop_early)

        def kill() -> None:
            child.kill()
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            raise InvalidRunError("no answers")

        result = Check()._attack(context, session, kill)

    assert (result.outcome, result.reached) == (CheckOutcome.FAIL, 1)
    assert result.findings[0].title == "the target's process ended while it was attacked"


def test_a_target_that_says_nothing_is_not_asked_hundreds_of_times() -> None:
    """Each silence takes as long as a client waits."""
    asked: list[object] = []
    extractions = Extractions(SimpleNamespace(call=lambda *request: asked.append(request) or Response(0, None)))
    with pytest.raises(InvalidRunError, match="no answer to 3 requests"):
        [extractions.create({}) for _ in range(100)]

    assert len(asked) == 3


def test_what_was_not_met_is_not_reached() -> None:
    """A refusal was met; what missed was answered; what could not be made was not tried."""
    tally = Tally()
    tally.count(3, is_met=False, is_refused=True)
    tally.count(is_met=True, is_answered=True)
    tally.count(2, is_met=False)
    tally.count(4, is_met=False, is_answered=True)
    tally.unmade += 1
    total = Tally()
    total.add(tally)

    assert total == Tally(tried=10, reached=4, refused=3, missed=4, unmade=1)
    assert total.unanswered == 2


def test_a_session_keeps_a_few_holes_of_the_severity_of_its_check() -> None:
    """Then it is settled: more of them would say nothing new."""
    session = CountedSession(Check())
    for number in range(MOST_FINDINGS):
        assert not session.is_settled
        session.add(f"hole {number}", "seen", "do this", Severity.LOW if number else None)
    session.add("one more", "seen", "do this", Severity.LOW)

    assert session.is_settled
    assert [finding.title for finding in session.findings] == [f"hole {number}" for number in range(MOST_FINDINGS)]
    assert [finding.severity for finding in session.findings] == [Severity.HIGH] + [Severity.LOW] * (MOST_FINDINGS - 1)


def test_a_worse_hole_is_told_however_many_were_found_before() -> None:
    """What a release waits for is the worst one: it takes the place of the mildest, and pushes out none that is as bad."""
    session = CountedSession(Check())
    for number in range(MOST_FINDINGS):
        session.add(f"hole {number}", "seen", "do this", Severity.LOW if number else Severity.HIGH)
    for title in ("worst", "as bad"):
        session.add(title, "seen", "do this", Severity.CRITICAL)
    for _ in range(MOST_FINDINGS):
        session.add("high", "seen", "do this")

    assert [finding.title for finding in session.findings] == ["hole 0", "high", "high", "high", "as bad", "worst"]


def test_an_inspection_shows_the_worst_and_counts_the_rest() -> None:
    """The rest is a finding by itself: a suppression of all that is listed does not answer for it, nor for what comes to it."""
    found = [Finding("SEC-900", Severity.HIGH, "a hole", "seen", f"place {number}") for number in range(MOST_FINDINGS + 2)]
    worst = Finding("SEC-900", Severity.CRITICAL, "the worst hole", "seen", "last place")
    other = Finding("SEC-900", Severity.HIGH, "a hole", "seen", "another place")

    assert keep_worst(found[:MOST_FINDINGS]) == tuple(found[:MOST_FINDINGS])
    kept, changed = keep_worst([*found, worst]), keep_worst([*found[:-1], other, worst])
    assert len(kept) == MOST_FINDINGS + 1
    assert kept[0] == worst
    assert (kept[-1].severity, kept[-1].title) == (Severity.HIGH, "3 more were found than are listed one by one")
    assert kept[-1].fingerprint != changed[-1].fingerprint


@pytest.mark.parametrize("slug", ["queue-full", "shutting-down", "service-restarted", "resume", "unknown-job", "job-state"])
def test_what_befalls_any_job_is_no_refusal_of_the_request(slug: str) -> None:
    """Neither as the end of a job, nor as an answer."""
    ending = Ending(200, slug, {"state": "FAILED"}, 0.0)

    assert not ending.is_verdict
    assert not Ending(422, slug, None, 0.0).is_verdict
    assert Ending(200, "guard-refused", {"state": "FAILED"}, 0.0).is_refused


class EndlessTarget:
    """A target whose jobs never end."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def call(self, method: str, path: str, body: object = None) -> Response:  # noqa: ARG002
        self.calls.append(f"{method} {path}")
        status = 201 if path == "/extractions" else 200
        return Response(status, {"id": f"job-{len(self.calls)}", "state": "RUNNING"})


def test_jobs_that_nobody_waits_for_any_more_are_stopped() -> None:
    """They would hold a worker and a connection while other checks run, and each would be waited for anew."""
    target = EndlessTarget()
    endings = Extractions(target, patience_s=0.0).run_all([{}, {}])

    assert [ending.is_verdict for ending in endings] == [False, False]
    assert [call for call in target.calls if call.endswith("/stop")] == [
        "POST /extractions/job-1/stop",
        "POST /extractions/job-3/stop",
    ]
    assert not any("wait_s=3" in call for call in target.calls)


class BusyTarget(EndlessTarget):
    """A target that has room for every second job, and for none where `is_full`."""

    is_full = False

    def call(self, method: str, path: str, body: object = None) -> Response:
        answer = super().call(method, path, body)
        if path.endswith("/start") and (self.is_full or len(self.calls) % 4 == 0):
            return Response(429, {"slug": "queue-full"})
        return replace(answer, body={**answer.body, "state": "COMPLETED"}) if "wait_s" in path else answer


def test_a_job_that_others_kept_out_gets_another_turn() -> None:
    """A target in which nobody gets one, or that hangs, is not asked any further."""
    endings = Extractions(BusyTarget()).run_until_met([{}, {}])
    full = BusyTarget()
    full.is_full = True

    assert [ending.is_completed for ending in endings] == [True, True]
    for hopeless in (Extractions(full), Extractions(EndlessTarget(), patience_s=0.0)):
        with pytest.raises(InvalidRunError, match="not one got an answer"):
            hopeless.run_until_met([{}, {}])


def test_a_profile_that_is_not_told_is_no_profile_without_guards() -> None:
    """The target answers, but not with it."""
    told = SimpleNamespace(target=SimpleNamespace(call=lambda *_: Response(200, {"guards": ["sqlguard"]})))
    silent = SimpleNamespace(target=SimpleNamespace(call=lambda *_: Response(503, {"slug": "starting"})))

    assert ask_profile(told)["guards"] == ["sqlguard"]
    with pytest.raises(InvalidRunError, match="answered 503"):
        ask_profile(silent)


class Forgetful(http.server.BaseHTTPRequestHandler):
    """Answers, and lets go of the connection without having said so."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
        self.close_connection = True

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def test_a_connection_that_the_server_let_go_is_no_lost_request() -> None:
    """The next request goes over a new one."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forgetful) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Client(f"http://127.0.0.1:{server.server_port}", Secret("t")) as client:
            first = client.send("GET", "/")
            client._connection.sock.recv(1)
            second = client.send("GET", "/")
        server.shutdown()

    assert (first.status, second.status) == (200, 200)


@contextmanager
def new_role(owner_url: str, name: str, options: str = "") -> Iterator[Secret]:
    """A user without rights, and its URL."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x' {options}")
        try:
            place = owner_url.partition("@")[2]
            yield Secret(f"postgresql+psycopg://{name}:x@{place}")
        finally:
            owner.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_an_owner_who_sees_no_other_sessions_is_told_what_to_grant(embedded_postgres_url: str) -> None:
    """What such a one does not see looks as if it were gone."""
    with new_role(embedded_postgres_url, "jivsbench_blind") as url, open_session(url) as session:
        with pytest.raises(SourceUnfitError, match="GRANT pg_read_all_stats TO jivsbench_blind"):
            need_sight(session, "another")
        need_sight(session, "jivsbench_blind")
        with pytest.raises(SourceUnfitError, match="may not make a role"), making("a role"):
            session.execute("CREATE ROLE jivsbench_more")
    with open_session(Secret(embedded_postgres_url)) as owner:
        need_sight(owner, "another")


def test_a_database_without_every_letter_is_unfit(embedded_postgres_url: str) -> None:
    """What is refused there for its letters is no value that reached the SQL text."""
    with psycopg.connect(embedded_postgres_url, autocommit=True) as owner:
        owner.execute("CREATE DATABASE jivsbench_latin ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0")
        try:
            url = Secret(f"{embedded_postgres_url.rpartition('/')[0]}/jivsbench_latin")
            with open_session(url) as session, pytest.raises(SourceUnfitError, match="is in LATIN1"):
                need_unicode(session)
        finally:
            owner.execute("DROP DATABASE jivsbench_latin")
    with open_session(Secret(embedded_postgres_url)) as session:
        need_unicode(session)


def test_a_session_of_the_checks_own_that_fails_is_no_finding(embedded_postgres_url: str) -> None:
    """The server was too busy for it, or ended it."""
    refused = pytest.raises(InvalidRunError, match="SQLSTATE 57014")
    with open_session(Secret(embedded_postgres_url)) as session, refused, depending_on_own_sessions():
        session.execute("SET statement_timeout = 10; SELECT pg_sleep(1)")


def test_a_server_that_gives_no_session_makes_no_finding() -> None:
    """Said without the password."""
    with pytest.raises(InvalidRunError, match="got none") as told:
        open_session(Secret("postgresql://somebody:S3cret@127.0.0.1:1/none"))

    assert "S3cret" not in str(told.value)


def test_a_planted_table_can_be_read_by_who_has_no_default_privileges(embedded_postgres_url: str) -> None:
    """And is gone at the end."""
    source = DataSource("main", "postgres", Secret(embedded_postgres_url))
    connector = load_registry().connector("postgres")
    context = SimpleNamespace(loader=lambda: connector, data_source=lambda: source)
    rows = pa.RecordBatch.from_pydict({"id": [1, 2]})
    with new_role(embedded_postgres_url, "jivsbench_stranger") as url:
        with plant_table(context, "jivsbench_attack_planted", rows), open_session(url) as session:
            found = session.execute("SELECT id FROM jivsbench_attack_planted ORDER BY id").fetchall()
        with open_session(url) as session, pytest.raises(psycopg.errors.UndefinedTable):
            session.execute(sql.SQL("SELECT * FROM jivsbench_attack_planted"))

    assert found == [(1,), (2,)]


def test_a_source_that_takes_no_table_is_unfit(embedded_postgres_url: str) -> None:
    """By its connector, or by the rights of its owner."""
    connector = load_registry().connector("postgres")
    rows = pa.RecordBatch.from_pydict({"id": [1]})
    with new_role(embedded_postgres_url, "jivsbench_reader_only") as url:
        source = DataSource("main", "postgres", Secret(url.reveal().replace("+psycopg", "")))
        for loader in (None, connector):
            context = SimpleNamespace(loader=lambda loader=loader: loader, data_source=lambda: source)
            with pytest.raises(SourceUnfitError), plant_table(context, "jivsbench_attack_none", rows):
                pass
