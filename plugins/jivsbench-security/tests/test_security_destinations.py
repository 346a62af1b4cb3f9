"""The URLs of the check of destinations, and that its listeners notice whoever comes."""

import socket
import sqlite3
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from jivsbench.api import ReadLimits, Response
from jivsbench.errors import InvalidRunError, JivsbenchError
from jivsbench.extract.destinations import ConfinedConnector, Destinations
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench_files.connector import FilesConnector
from jivsbench_mysql.connector import MysqlConnector
from jivsbench_postgres.connector import PostgresConnector
from jivsbench_rest.connector import RestConnector
from jivsbench_security.destinations.destination_control import DestinationControlCheck, DestinationSession, list_destinations
from jivsbench_security.destinations.destination_urls import (
    HostileUrl,
    Traps,
    list_elsewhere,
    list_neighbours,
    list_overriding,
    list_rebinding,
    list_smuggled,
)
from jivsbench_security.servers.listeners import Listeners, build_redirect, name_socket_file
from jivsbench_sqlalchemy.connector import SqlAlchemyConnector
from jivsbench_sqlalchemy.dialects import KNOWN
from jivsbench_sqlite.connector import SqliteConnector


def test_a_visit_is_noticed_at_once_wherever_it_comes(tmp_path) -> None:
    """TCP and socket files count, the redirect does not and answers."""
    listeners = Listeners()
    port = listeners.listen(socket.AF_INET, ("127.0.0.1", 0), "an address")
    listeners.listen(socket.AF_UNIX, str(name_socket_file(tmp_path)), "a socket file")
    redirect = listeners.listen(socket.AF_INET, ("127.0.0.1", 0), "a redirect", build_redirect("http://127.0.0.2/"))
    with listeners.accepting():
        assert listeners.take_visits() == ()
        socket.create_connection(("127.0.0.1", port), 2.0).close()
        assert listeners.take_visits() == ("an address",)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(name_socket_file(tmp_path)))
            assert listeners.take_visits() == ("a socket file",)
        with socket.create_connection(("127.0.0.1", redirect), 2.0) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert b"Location: http://127.0.0.2/" in client.recv(1000)
        assert listeners.take_visits() == ()


def test_each_way_elsewhere_is_written_once(tmp_path) -> None:
    """Distinct URLs, and options on the source's own URL only where it is PostgreSQL's."""
    traps = Traps(1234, 1235, tmp_path)
    url = "postgresql://u:p@127.0.0.1/d"
    lists = (list_neighbours(), list_elsewhere(traps), list_smuggled(traps), list_overriding(url, traps), list_rebinding(1))
    sent = [(one.connector, one.url) for urls in lists for one in urls]

    assert len(set(sent)) == len(sent) >= 120
    assert not list(list_overriding("mysql://u:p@127.0.0.1/d", traps))


def test_the_connectors_of_this_project_are_led_nowhere(tmp_path) -> None:
    """By any of these URLs, with the list that the check gives; the listeners would see it."""
    native = (PostgresConnector(), MysqlConnector(), SqliteConnector(), FilesConnector(), RestConnector())
    connectors = {one.name: one for one in (*native, *map(SqlAlchemyConnector, KNOWN))}
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute("CREATE TABLE other (id INTEGER)")
    listeners = Listeners()
    port = listeners.listen(socket.AF_INET, ("127.0.0.2", 0), "another address")
    listeners.listen(socket.AF_UNIX, str(name_socket_file(tmp_path)), "a socket file")
    traps = Traps(port, 1, tmp_path)
    with listeners.accepting():
        for hostile in (*list_neighbours(), *list_elsewhere(traps), *list_smuggled(traps)):
            confined = ConfinedConnector(connectors[hostile.connector], Destinations(("127.0.0.1",)))
            source = DataSource("main", hostile.connector, Secret(hostile.url))
            with pytest.raises(JivsbenchError):
                confined.connect(source, ReadLimits(connect_timeout_s=0.5)).close()
            assert listeners.take_visits() == (), hostile


class Target:
    """Answers each kind of request as it is told to, and calls `on_test` when it is to connect."""

    def __init__(self, stored: Response, tested: int = 503, on_test=lambda: None, changed: int = 422) -> None:
        self._stored, self._tested, self._on_test, self._changed = stored, tested, on_test, changed

    def call(self, method: str, path: str, _body: object = None) -> Response:
        """As the API."""
        if method == "PUT":
            return Response(self._changed, {"slug": "destination"})
        if path.endswith("/test"):
            self._on_test()
            return Response(self._tested, {})
        return self._stored if method == "POST" else Response(204, None)


HOSTILE = HostileUrl("another host", "postgres", "postgresql://u:p@127.0.0.2/d")
STORED = Response(201, {})


def attack(target: Target, listeners: object, url: str = "postgresql://127.0.0.1/d"):
    """A session with one target of that kind, and its context."""
    reader = DataSource("main", "postgres", Secret(url))
    context = SimpleNamespace(target=target, source="main", reader=lambda: reader)
    return DestinationSession(
        DestinationControlCheck(), (context, context), listeners, Traps(1234, 1235, Path("/nowhere"))
    ), context


def test_a_visit_after_the_answer_is_noticed() -> None:
    """A target may say that it failed, and connect in the background."""
    listeners = Listeners()
    port = listeners.listen(socket.AF_INET, ("127.0.0.1", 0), "an address")

    def visit() -> None:
        threading.Timer(0.05, lambda: socket.create_connection(("127.0.0.1", port), 2.0).close()).start()

    session, context = attack(Target(STORED, on_test=visit), listeners)
    with listeners.accepting():
        session.attack(context, [HOSTILE])
        assert session.findings == []
        session.wait_for_late_visits()

    assert [one.evidence for one in session.findings] == ["1 to an address, after it had answered"]


@pytest.mark.parametrize(
    "answer", [Response(403, {}), Response(429, {}), Response(503, {"slug": "credential"}), Response(0, None)]
)
def test_a_target_that_takes_no_source_at_all_has_refused_none(answer) -> None:
    """No right, no key, no time: neither a harmless source nor a hostile one was judged."""
    session, context = attack(Target(answer), Listeners())
    session.attack(context, [HOSTILE])
    session.change(context, HOSTILE)

    assert session.run_benign() == 0
    assert (session.attempted, session.reached, session.unanswered) == (2, 0, 2)


def test_a_target_that_answers_nothing_is_not_asked_for_ever() -> None:
    """Each question takes as long as its patience."""
    session, context = attack(Target(Response(0, None)), Listeners())
    session.attack(context, [HOSTILE] * 100)

    assert session.unanswered == session.attempted == 6


def test_a_refusal_of_the_url_counts() -> None:
    """In the words of destinations, and as a value that does not fit; a change too."""
    for refused in (Response(422, {"slug": "config"}), Response(503, {"slug": "destination"})):
        session, context = attack(Target(refused), Listeners())
        session.attack(context, [HOSTILE])
        assert (session.attempted, session.reached, session.unanswered) == (1, 1, 0)
    session, context = attack(Target(STORED), Listeners())
    session.change(context, HOSTILE)
    assert (session.attempted, session.reached, session.unanswered) == (1, 1, 0)


def test_names_that_change_are_tried_only_where_they_are_known() -> None:
    """A target that does not ask the check's name server refuses each of them, for not knowing it."""
    session, context = attack(Target(Response(503, {"slug": "destination"})), Listeners())
    with pytest.raises(InvalidRunError, match="name server"):
        session.need_resolver(context, "rebind-9-postgres.invalid", 1)
    for known in (STORED, Response(422, {"slug": "unknown-name"})):
        session, context = attack(Target(known), Listeners())
        session.need_resolver(context, "rebind-9-postgres.invalid", 1)


@pytest.mark.parametrize(
    ("url", "places"),
    [
        ("postgresql://db.test:5432/d", ("db.test",)),
        ("postgresql:///d?host=/run/postgresql", ("/run/postgresql",)),
        ("sqlite:////tmp/rows.db", ("/tmp/rows.db",)),
        ("files:///tmp/rows", ("/tmp/rows",)),
        ("postgresql:///shop", ("localhost",)),
    ],
)
def test_the_list_holds_the_source_and_no_folder_around_it(url, places) -> None:
    """A database in the folder of temporary files would allow the check's own traps."""
    _, context = attack(Target(STORED), Listeners(), url)
    found = list_destinations(context)

    assert found[0] == "127.0.0.1"
    assert set(places) <= set(found)
    assert "/tmp" not in found


def test_a_url_is_told_the_same_way_in_every_run():
    """Ports and folders are drawn for each run; a suppression, and what an earlier file says, have to fit the next one."""
    told = []
    for traps in (Traps(43211, 43212, Path("/tmp/jivsbench-a1")), Traps(51234, 51235, Path("/tmp/jivsbench-zz"))):
        session = DestinationSession(DestinationControlCheck(), (), Listeners(), traps)
        session.most_findings = 1_000
        own = "postgresql://u:p@127.0.0.1:5432/d"
        lists = (list_elsewhere(traps), list_smuggled(traps), list_overriding(own, traps), list_rebinding(traps.port))
        sent = [one for urls in lists for one in urls]
        for one in sent:
            session._tell(one, "a finding", "seen")
        told.append([finding.fingerprint for finding in session.findings])

    assert told[0] == told[1]
    assert len(set(told[0])) == len({(one.connector, one.name, "" if one.name.startswith("option") else one.url) for one in sent})
