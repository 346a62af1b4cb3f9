"""The attacks on a cache server: what says nothing is told apart from a hole, and what is looked at is all that there is."""

import http.server
import random
import threading
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest
import redis

from jivsbench.api import Response
from jivsbench.embedded import start_valkey
from jivsbench.errors import AccessDeniedError, InvalidRunError
from jivsbench.model.secret import Secret
from jivsbench.model.table import TableName
from jivsbench_security.cache.cache_confusion import CacheConfusionCheck
from jivsbench_security.cache.cache_posture import CachePostureCheck, PostureSession
from jivsbench_security.cache.cache_server import CacheServer, build_client
from jivsbench_security.cache.cached_personal_data import CachedPersonalDataCheck, PersonalDataSession
from jivsbench_security.cache.cached_source import Answers, CachedSource, drop_afterwards, find_no_cache
from jivsbench_security.cache.confusion_session import ConfusionSession, Plan
from jivsbench_security.cache.personal_markers import build_people
from jivsbench_security.cache.poisoning import Poisoning
from jivsbench_security.hostile_check import Tally

KEY = b"jivsbench:x:source:check-1"
PEOPLE = build_people(2, random.Random(3))
FACTS = {"name": "check-1"}


@contextmanager
def serve_metrics(*, grows: bool):
    """A target that counts look-ups which its cache server did not answer: one more each time, or none."""
    counted = [0]

    class Metrics(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            counted[0] += grows
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f'jivsbench_cache_lookups_total{{result="error"}} {counted[0]}\n'.encode())

        def log_message(self, *_arguments) -> None:
            """Nobody reads it."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Target(CachedSource):
    """One that answers with `status`, and keeps each list of columns that it is asked for under a key of its own, or does not."""

    def __init__(self, base_url: str, server: CacheServer, status: int = 200, keeps: int = 0) -> None:
        context = SimpleNamespace(base_url=base_url, token=Secret("t"), target=self, is_full=False)
        super().__init__(context, server, "check-1")
        self._status, self._keeps = status, keeps

    def call(self, _method: str, _path: str, _body: object = None) -> Response:
        """GET of the source."""
        return Response(self._status, FACTS)

    def ask_columns(self, body=None):
        """What was asked for."""
        self._keeps -= 1
        if self._keeps >= 0:
            self.server.write(f"jivsbench:x:schema:check-1:{self._keeps}".encode(), b"x")
        return tuple(body["columns"])


@pytest.fixture
def server(embedded_valkey_url):
    """An empty server, with all rights."""
    client = redis.Redis.from_url(embedded_valkey_url)
    client.flushall()
    yield CacheServer(client)
    client.flushall()
    client.close()


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """No target here keeps away from its cache server."""
    monkeypatch.setattr("jivsbench_security.cache.poisoning.PAUSE_S", 0.01)
    monkeypatch.setattr("jivsbench_security.cache.confusion_session.PAUSE_S", 0.01)


@pytest.mark.parametrize(("grows", "status", "unanswered"), [(True, 200, 1), (False, 503, 1), (False, 0, 1), (False, 200, 0)])
def test_a_target_that_says_nothing_has_believed_nothing(server, grows, status, unanswered) -> None:
    """Out of reach of its cache server each time, or too busy: not answered. One that reads and leaves the entry: a hole."""
    with serve_metrics(grows=grows) as base_url:
        tally = Tally()
        problem = Poisoning(Target(base_url, server, status), tally).replace(
            {KEY: b"evil"}, Answers(FACTS, None), with_columns=False
        )

    assert (tally.tried, tally.reached, tally.unanswered) == (1, 1 - unanswered, unanswered)
    assert (problem is None) == bool(unanswered)


def test_a_target_that_never_says_anything_is_not_asked_for_ever(server) -> None:
    """The third entry ends it."""
    with serve_metrics(grows=True) as base_url:
        poisoning = Poisoning(Target(base_url, server), Tally())
        for _ in range(2):
            poisoning.replace({KEY: b"evil"}, Answers(FACTS, None), with_columns=False)
        with pytest.raises(InvalidRunError, match="did not reach"):
            poisoning.replace({KEY: b"evil"}, Answers(FACTS, None), with_columns=False)

    assert poisoning.written == 3


def test_nothing_to_poison_is_no_attack(server) -> None:
    """A target that stopped using its cache is not one that withstood."""
    with serve_metrics(grows=False) as base_url, pytest.raises(InvalidRunError, match="no longer puts anything"):
        Poisoning(Target(base_url, server), Tally()).poison(b"evil", Answers(FACTS, None), with_columns=False)


@pytest.mark.parametrize(
    ("grows", "keeps", "counts"), [(False, 9, (5, 0, 0)), (False, 3, (5, 0, 2)), (True, 3, (3, 2, 0)), (True, 9, (5, 0, 0))]
)
def test_a_missing_key_is_a_hole_only_when_the_target_reached_its_server(server, grows, keeps, counts) -> None:
    """Answered, unanswered, findings: five requests, of which some make no key."""
    with serve_metrics(grows=grows) as base_url:
        source, plan = Target(base_url, server, keeps=keeps), Plan(random.Random(1), flips=1, schema_flips=1, requests=5)
        session = ConfusionSession(CacheConfusionCheck(), (source, source), "t", ("a", "b", "c", "d"), plan)
        session._confuse()

    assert (session.reached, session.unanswered, len(session.findings)) == counts


@pytest.mark.parametrize(("status", "counts"), [(500, (5, 0, 10)), (200, (4, 1, 6)), (503, (0, 5, 6))])
def test_long_names_are_told_besides_and_a_long_query_has_to_be_met(server, status, counts) -> None:
    """Reached and unanswered of the names and the query; findings with the six before. A job that nobody made shows no key."""
    with serve_metrics(grows=False) as base_url:
        source, plan = Target(base_url, server, status), Plan(random.Random(1), flips=1, schema_flips=1, requests=9)
        session = ConfusionSession(CacheConfusionCheck(), (source, source), "t", ("a", "b", "c", "d"), plan)
        session._confuse()
        before = session.reached
        session._send_long_names()

    assert (session.reached - before, session.unanswered, len(session.findings)) == counts


def test_every_kind_of_entry_is_read(server) -> None:
    """Hashes, lists, sets and streams hold rows as well as texts do."""
    client = server.client
    client.set("text", "a")
    client.hset("hash", mapping={"b": "c"})
    client.rpush("list", "d", "e")
    client.sadd("set", "f")
    client.zadd("zset", {"g": 1})
    client.xadd("stream", {"h": "i"})
    client.pfadd("log", "j")

    found = server.read(server.list_keys())
    assert {key: found[key] for key in found if key != b"log"} == {
        b"text": b"a",
        b"hash": b"b\nc",
        b"list": b"d\ne",
        b"set": b"f",
        b"zset": b"g",
        b"stream": b"h\ni",
    }
    assert found[b"log"].startswith(b"HYLL")


def test_a_setting_of_the_target_does_not_break_the_client(embedded_valkey_url) -> None:
    """`tls=off` is for a server on another machine; redis-py does not know it."""
    client = build_client(Secret(f"{embedded_valkey_url}?tls=off&socket_timeout=0.1"))

    assert client.ping()
    client.close()


def look_for_people(server: CacheServer) -> PersonalDataSession:
    """The session of SEC-022, before anything was asked."""
    return PersonalDataSession(CachedPersonalDataCheck(), Target("http://127.0.0.1:1", server), "people", PEOPLE)


def test_what_is_added_to_an_older_entry_is_found(server) -> None:
    """A cache that keeps its rows in one hash has its key before the check begins."""
    server.client.hset("rows", mapping={"1": "nobody"})
    session = look_for_people(server)
    server.client.hset("rows", mapping={"2": PEOPLE[0].email})

    assert session._look({"source": "check-1"}) == {b"rows"}
    assert session.findings[0].title == "personal data lies in a value of the cache"


def test_a_cache_that_nothing_was_put_into_is_not_the_targets(server) -> None:
    """No entry of this check: nothing was looked at that could have held anything."""
    session = look_for_people(server)
    server.client.set("another", "x")
    session._look({})

    with pytest.raises(InvalidRunError, match="is it the target's own"):
        session._judge_lives()


def test_an_entry_of_a_job_that_stays_for_ever_is_found(server) -> None:
    """Its key holds the job's id, and no name."""
    session = look_for_people(server)
    session._own.add(b"7d9f")
    server.client.set("jivsbench:x:job:7d9f", "x")
    session._look({})
    session._judge_lives()

    assert [finding.evidence for finding in session.findings] == ["it stays for ever"]


class Loader:
    """Of a user who may neither make a table nor take one away."""

    def drop_table(self, _source: object, _table: TableName) -> None:
        """Refused."""
        raise AccessDeniedError("dropping is not allowed")


def test_the_first_refusal_is_the_one_that_is_told() -> None:
    """MySQL refuses to drop a table that is not there either; that took the place of the reason."""
    context = SimpleNamespace(data_source=lambda: None)
    with pytest.raises(AccessDeniedError, match="making"), drop_afterwards(context, Loader(), TableName("t")):
        raise AccessDeniedError("making is not allowed")


@pytest.mark.parametrize(
    ("uses_cache", "reason"), [(True, None), (False, "the target's profile reads nothing through its cache")]
)
def test_a_profile_without_a_cache_is_told(uses_cache, reason) -> None:
    """There is nothing to attack, though there is a server."""
    target = SimpleNamespace(call=lambda *_: Response(200, {"switches": {"cache": uses_cache}}))

    assert find_no_cache(SimpleNamespace(cache_url=Secret("redis://h"), target=target)) == reason


@pytest.mark.parametrize(
    ("rules", "findings"),
    [
        (("on", "nopass", "-@all", "+get", "allkeys"), 1),
        (("on", "nopass", "-@all"), 0),
        (("off",), 0),
        (("on", "nopass", "+@all", "allkeys"), 1),
    ],
)
def test_a_stranger_who_may_read_is_let_in(rules, findings) -> None:
    """Whoever may not PING may read all the same."""
    with ExitStack() as exits:
        valkey = exits.enter_context(start_valkey(is_stock=True))
        owner = redis.Redis(port=valkey.port)
        exits.callback(owner.close)
        stranger = build_client(valkey.url, is_anonymous=True)
        exits.callback(stranger.close)
        owner.execute_command("ACL", "SETUSER", "default", "resetkeys", *rules)
        session = PostureSession(CachePostureCheck(), SimpleNamespace(target=None))
        session._ask_as_stranger(stranger)

    assert (session.attempted, session.reached, len(session.findings)) == (3, 3, findings)


def test_a_user_without_transactions_is_asked_for_all_powers() -> None:
    """MONITOR too, on a connection of its own."""
    with ExitStack() as exits:
        valkey = exits.enter_context(start_valkey(is_stock=True))
        owner = redis.Redis(port=valkey.port)
        exits.callback(owner.close)
        owner.execute_command("ACL", "SETUSER", "watcher", "on", ">pw", "-@all", "+monitor", "+ping")
        client = build_client(Secret(f"redis://watcher:pw@127.0.0.1:{valkey.port}/0"))
        exits.callback(client.close)
        session = PostureSession(CachePostureCheck(), SimpleNamespace(target=None))
        session._ask_for_powers(client)

    assert [finding.evidence for finding in session.findings] == ["1 of 25 were not refused: MONITOR"]


def test_another_power_is_another_finding() -> None:
    """Who answers for what the user may do has not answered for what it may do tomorrow."""
    with ExitStack() as exits:
        valkey = exits.enter_context(start_valkey(is_stock=True))
        owner = redis.Redis(port=valkey.port)
        exits.callback(owner.close)
        owner.execute_command("ACL", "SETUSER", "watcher", "on", ">pw", "-@all", "+multi", "+discard", "+keys", "~*")
        client = build_client(Secret(f"redis://watcher:pw@127.0.0.1:{valkey.port}/0"))
        exits.callback(client.close)
        found = []
        for power in ("+keys", "+flushall"):
            owner.execute_command("ACL", "SETUSER", "watcher", power)
            session = PostureSession(CachePostureCheck(), SimpleNamespace(target=None))
            session._ask_for_powers(client)
            found += session.findings

    assert len({finding.fingerprint for finding in found}) == len(found) == 2
