"""The Redis cache beyond the contract: real servers, refused, stalled and back again."""

import time
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import redis

from jivsbench.errors import AccessDeniedError, CacheUnreachableError, ConfigError
from jivsbench.model.secret import Secret
from jivsbench.testing.tcp_proxy import Fault, TcpProxy
from jivsbench_redis.address import parse_address
from jivsbench_redis.breaker import Breaker
from jivsbench_redis.cache import RedisCache
from jivsbench_redis.client import RedisCacheClient
from jivsbench_redis.lines import Lines
from tests.machine import fastest

PATIENT_S = 0.25
"""For tests of what is remembered: on a busy machine a healthy call may take longer than the default."""


class Clock:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(params=["embedded_valkey_url", pytest.param("real_redis_url", marks=pytest.mark.real_server)])
def url(request: pytest.FixtureRequest) -> str:
    """A Valkey and a Redis, both real."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def proxy(url: str) -> Iterator[TcpProxy]:
    """Stands between client and server."""
    parts = urlsplit(url)
    assert parts.hostname
    with TcpProxy(parts.hostname, parts.port or 6379) as proxy:
        yield proxy


@pytest.fixture
def clock() -> Clock:
    """The breaker's clock."""
    return Clock()


@pytest.fixture
def client(url: str, proxy: TcpProxy, clock: Clock) -> Iterator[RedisCacheClient]:
    """A client behind the proxy, with a prefix of its own."""
    client = RedisCache(clock=clock).open(Secret(through(url, proxy)), f"test:{uuid.uuid4()}:", 2.0)
    yield client
    proxy.set_fault(Fault.NONE)
    let_probe(client, clock)
    client.delete_prefix("")
    client.close()


def let_probe(client: RedisCacheClient, clock: Clock) -> None:
    """The pause is over, a caller comes, and the probe that it starts has ended."""
    clock.now_s += 1.0
    client.get("whoever asks first")
    wait_for_probe(client)


def wait_for_probe(client: RedisCacheClient) -> None:
    """Until no probe is under way."""
    give_up_at_s = time.monotonic() + 10.0
    while client._breaker._is_probed:
        assert time.monotonic() < give_up_at_s
        time.sleep(0.002)


@pytest.fixture
def direct(url: str, client: RedisCacheClient) -> Iterator[RedisCacheClient]:
    """Another client of the same prefix that no fault reaches: what the server really holds."""
    other = RedisCache().open(Secret(url), client._prefix, 2.0)
    yield other
    other.close()


def through(url: str, proxy: TcpProxy, settings: str = f"?socket_timeout={PATIENT_S}") -> str:
    """The URL of the same server, seen through the proxy."""
    parts = urlsplit(url)
    user = f"{parts.username or ''}:{parts.password}@" if parts.password else ""
    return f"redis://{user}127.0.0.1:{proxy.port}{parts.path}{settings}"


def test_valkey_is_a_scheme_of_its_own(url: str) -> None:
    """`valkey://` opens what `redis://` opens."""
    client = RedisCache().open(Secret(url.replace("redis://", "valkey://")), "test:scheme:", 2.0)
    client.set("a", b"1", 5)

    assert client.get("a") == b"1"
    client.delete_prefix("")
    client.close()


def test_nobody_listening_is_said_with_host_and_port(proxy: TcpProxy) -> None:
    """Host and port, the reason, and never the password."""
    proxy.set_fault(Fault.REFUSE)

    with pytest.raises(CacheUnreachableError) as caught:
        RedisCache().open(Secret(f"redis://ann:s3cret@127.0.0.1:{proxy.port}/0"), "p:", 1.0)

    assert f"the cache at 127.0.0.1:{proxy.port} cannot be used (connection refused)" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_server_that_does_not_answer_ends_in_time(proxy: TcpProxy, url: str) -> None:
    """The connection stands and nothing comes back: the timeout holds."""
    proxy.set_fault(Fault.HOLD)

    def wait() -> float:
        started = time.monotonic()
        with pytest.raises(CacheUnreachableError, match="no answer in time"):
            RedisCache().open(Secret(through(url, proxy)), "p:", 0.5)
        return time.monotonic() - started

    assert fastest(wait, 0.75) < 0.75


def test_a_wrong_password_is_denied(embedded_valkey_url: str) -> None:
    """Neither the wrong nor the right password is shown."""
    port = urlsplit(embedded_valkey_url).port

    for credentials in (":s3cret@", "ann:s3cret@", ""):
        with pytest.raises(AccessDeniedError, match=f"the cache at 127.0.0.1:{port} refuses") as caught:
            RedisCache().open(Secret(f"redis://{credentials}127.0.0.1:{port}/0"), "p:", 2.0)
        assert "s3cret" not in str(caught.value)


def test_a_database_that_does_not_exist_is_named(url: str) -> None:
    """Redis has 16 databases unless it is told otherwise."""
    with pytest.raises(CacheUnreachableError, match="it has no database 9999"):
        RedisCache().open(Secret(f"{url.rpartition('/')[0]}/9999"), "p:", 2.0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("redis://h:1/x", "database is a number, and the URL's path is '/x'"),
        (f"redis://h:1/{'9' * 5_000}", "database is a number"),
        ("redis:///0", "must be redis://host:port/number"),
        ("memcached://h", "must be redis://host:port/number"),
        ("redis://ann:s3cret/x@h:1", "cannot be read"),
        ("redis://ann:12/s3cret@h:1", "cannot be read"),
        ("redis://:9/s3cret@h:1/0", "cannot be read"),
        ("redis://ann:12?s3cret@h=1", "cannot be read"),
        ("redis://h?decode_responses=true", "the setting 'decode_responses', which is not known"),
        ("redis://h?ssl_ca_certs=x", "the setting 'ssl_ca_certs', which is not known"),
        ("redis://ann:s3cret@cache.example.com", "on another machine and its URL asks for no TLS"),
        ("redis://h?tls=on", "can only be 'off'"),
        ("rediss://h?tls=off", "the setting 'tls', which is not known"),
        ("redis://h?socket_timeout=0", "must be a number of seconds above 0"),
        ("redis://h?socket_timeout=nan", "must be a number of seconds above 0"),
        ("redis://h?socket_timeout=fast", "must be a number of seconds above 0"),
    ],
)
def test_a_url_that_cannot_be_is_refused(text: str, problem: str) -> None:
    """Before anything connects, and without the password."""
    with pytest.raises(ConfigError, match=problem.replace("?", r"\?")) as caught:
        RedisCache().open(Secret(text), "p:", 1.0)

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["redis://127.0.0.1", "redis://localhost:1/2", "redis://[::1]", "rediss://cache.example.com", "redis://cache?tls=off"]
)
def test_what_stays_on_this_machine_or_is_protected_may_be(text: str) -> None:
    """And another machine when the URL says that its network is trusted."""
    assert parse_address(Secret(text)).is_tls is text.startswith("rediss")


def test_a_url_is_needed() -> None:
    """Unlike `memory`, this cache is elsewhere."""
    with pytest.raises(ConfigError, match="the cache 'redis' needs a URL"):
        RedisCache().open(None, "p:", 1.0)


def look_up_often(client: RedisCacheClient) -> list[float]:
    """A thousand look-ups, all misses; how long each took, in seconds, the longest first."""
    took_s = []
    for _ in range(1000):
        started_s = time.monotonic()
        assert client.get("a") is None
        took_s.append(time.monotonic() - started_s)
    return sorted(took_s, reverse=True)


@pytest.mark.parametrize("fault", [Fault.HOLD, Fault.REFUSE])
def test_a_dead_cache_costs_one_call(url: str, proxy: TcpProxy, fault: Fault) -> None:
    """With the default settings: one call pays at most 100 ms and the time to notice, the next thousand pay nothing."""
    took_s: list[list[float]] = []
    # A busy machine may stop this thread at any moment: what holds of the client holds in one attempt of three.
    while len(took_s) < 3 and (not took_s or took_s[-1][0] > 0.11 or took_s[-1][1] > 0.01):
        proxy.set_fault(Fault.NONE)
        client = RedisCache(clock=Clock()).open(Secret(through(url, proxy, "")), f"test:{uuid.uuid4()}:", 2.0)
        client.set("a", b"1", 5)
        proxy.set_fault(fault)
        before = client.statistics()
        took_s.append(look_up_often(client))
        after = client.statistics()
        assert (after.errors - before.errors, after.failed_lookups - before.failed_lookups) == (1000, 1000)
        client.close()

    assert took_s[-1][0] <= 0.11
    assert took_s[-1][1] <= 0.01


def test_a_client_without_a_breaker_is_caught(url: str, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: without the breaker every call pays."""
    monkeypatch.setattr(Breaker, "trip", lambda *_: None)
    client = RedisCache().open(Secret(through(url, proxy, "")), f"test:{uuid.uuid4()}:", 2.0)
    proxy.set_fault(Fault.HOLD)
    started_s = time.monotonic()
    for _ in range(3):
        client.get("a")
    took_s = time.monotonic() - started_s
    client.close()

    assert took_s > 0.25


def test_a_cache_that_is_back_is_used_after_the_pause(client: RedisCacheClient, proxy: TcpProxy, clock: Clock) -> None:
    """Nothing before the pause is over, the stored value after it."""
    client.set("a", b"1", 60)
    proxy.set_fault(Fault.REFUSE)
    assert client.get("a") is None
    proxy.set_fault(Fault.NONE)

    assert client.get("a") is None
    let_probe(client, clock)
    assert client.get("a") == b"1"


@pytest.mark.parametrize("fault", [Fault.HOLD, Fault.REFUSE])
def test_a_cache_that_is_back_is_used_within_a_second(url: str, proxy: TcpProxy, fault: Fault) -> None:
    """By the real clock and with the default settings, for whoever goes on asking; once in three on a busy machine."""
    took_s: list[float] = []
    while len(took_s) < 3 and min(took_s, default=2.0) > 1.0:
        proxy.set_fault(Fault.NONE)
        client = RedisCache().open(Secret(through(url, proxy, "")), f"test:{uuid.uuid4()}:", 2.0)
        client.set("a", b"1", 60)
        proxy.set_fault(fault)
        for _ in range(60):
            client.get("a")
            time.sleep(0.02)
        proxy.set_fault(Fault.NONE)
        back_at_s = time.monotonic()
        while client.get("a") is None and time.monotonic() < back_at_s + 20:
            client.set("a", b"1", 60)
            time.sleep(0.005)
        took_s.append(time.monotonic() - back_at_s)
        client.delete_prefix("")
        client.close()

    assert min(took_s) <= 1.0


def test_a_cache_that_is_still_dead_costs_no_caller_anything(client: RedisCacheClient, proxy: TcpProxy, clock: Clock) -> None:
    """The probes wait for the silent server, aside; whoever starts one does not."""
    proxy.set_fault(Fault.HOLD)
    client.get("a")
    took_s: list[list[float]] = []
    for _ in range(3):
        clock.now_s += 1.0
        took_s.append(look_up_often(client))
        wait_for_probe(client)

    assert min(longest for longest, *_ in took_s) < 0.02


@pytest.mark.parametrize("fault", [Fault.HOLD, Fault.REFUSE])
@pytest.mark.parametrize("how", ["delete", "delete_prefix", "set"])
@pytest.mark.parametrize("calls_before", [0, 1], ids=["first failure", "already open"])
def test_what_was_invalidated_during_an_outage_is_never_read(  # noqa: PLR0917 - pytest passes fixtures by name
    client: RedisCacheClient, direct: RedisCacheClient, proxy: TcpProxy, clock: Clock, fault: Fault, how: str, calls_before: int
) -> None:
    """An old value survives on the server, and is gone before the first answer after the outage; the others stay."""
    client.set("job:1", b"old", 60)
    client.set("other", b"kept", 60)
    proxy.set_fault(fault)
    for _ in range(calls_before):
        client.get("other")
    if how == "set":
        client.set("job:1", b"new", 60)
    else:
        getattr(client, how)("job:" if how == "delete_prefix" else "job:1")
    assert direct.get("job:1") == b"old"

    proxy.set_fault(Fault.NONE)
    let_probe(client, clock)

    assert client.get("job:1") is None
    assert direct.get("job:1") is None
    assert client.get("other") == b"kept"


def send_late(prefix: str, proxy: TcpProxy, clock: Clock, url: str) -> None:
    """A SET is given up while its line is held, another one is stored meanwhile, and then the line is let go."""
    with TcpProxy("127.0.0.1", proxy.port) as slow:
        late = RedisCache(clock=clock).open(Secret(through(url, slow)), prefix, 2.0)
        late.set("a", b"old", 60)
        slow.set_fault(Fault.HOLD)
        late.set("a", b"late", 60)
        # The line of the late SET is still held; a new one to the same server is not.
        late._lines._pool.connection_kwargs["port"] = proxy.port
        let_probe(late, clock)
        late.set("a", b"newer", 60)
        slow.set_fault(Fault.NONE)
        time.sleep(0.2)
        late.close()


def test_a_late_value_does_not_come_back(direct: RedisCacheClient, proxy: TcpProxy, clock: Clock, url: str) -> None:
    """A SET that was given up lies on its way for longer than the outage, and is never stored: it may be out of date by then."""
    send_late(direct._prefix, proxy, clock, url)

    assert direct.get("a") == b"newer"


def test_without_the_end_of_the_line_a_late_value_would_come_back(
    direct: RedisCacheClient, proxy: TcpProxy, clock: Clock, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above can fail: the server does store what arrives late on a line that it was not told to end."""
    monkeypatch.setattr(Lines, "end_late", lambda _: None)
    send_late(direct._prefix, proxy, clock, url)

    assert direct.get("a") == b"late"


def test_an_invalidation_is_remembered_over_a_failed_probe(
    client: RedisCacheClient, direct: RedisCacheClient, proxy: TcpProxy, clock: Clock
) -> None:
    """Two pauses without the cache lose nothing."""
    client.set("a", b"old", 60)
    proxy.set_fault(Fault.HOLD)
    client.delete("a")
    let_probe(client, clock)
    proxy.set_fault(Fault.NONE)
    let_probe(client, clock)

    assert client.get("a") is None
    assert direct.get("a") is None


def test_the_probe_itself_may_be_an_invalidation(
    client: RedisCacheClient, direct: RedisCacheClient, proxy: TcpProxy, clock: Clock
) -> None:
    """Whether its probe finds the cache dead again or back, the call is remembered and carried out in the end."""
    client.set("a", b"old", 60)
    client.set("b", b"old", 60)
    proxy.set_fault(Fault.REFUSE)
    client.get("a")
    clock.now_s += 1.0
    client.delete("a")
    wait_for_probe(client)
    proxy.set_fault(Fault.NONE)
    clock.now_s += 1.0
    client.delete("b")
    wait_for_probe(client)

    assert (direct.get("a"), direct.get("b")) == (None, None)


def test_a_very_long_outage_forgets_everything_instead_of_remembering_everything(
    client: RedisCacheClient, proxy: TcpProxy, clock: Clock
) -> None:
    """Memory stays bounded; the price is an empty cache."""
    client.set("kept?", b"old", 60)
    proxy.set_fault(Fault.REFUSE)
    for number in range(1500):
        client.delete(f"job:{number}")
    proxy.set_fault(Fault.NONE)
    let_probe(client, clock)

    assert client.get("kept?") is None
    client.set("kept?", b"new", 60)
    assert client.get("kept?") == b"new"


def test_an_error_of_one_key_leaves_the_others(client: RedisCacheClient, url: str) -> None:
    """A key of another type is a miss and an error; the breaker stays closed, and the key can be overwritten."""
    with redis.Redis.from_url(url) as raw:
        raw.lpush(f"{client._prefix}list", "x")
    client.set("a", b"1", 60)

    assert client.get("list") is None
    assert client.get("a") == b"1"
    assert (client.statistics().errors, client.statistics().refused) == (1, 1)
    client.set("list", b"2", 60)
    assert client.get("list") == b"2"


def test_a_server_that_refuses_to_store_keeps_no_old_value(embedded_valkey_url: str) -> None:
    """A user who may read and delete but not write: the old value goes, since it is no longer the right one."""
    with redis.Redis.from_url(embedded_valkey_url) as raw:
        raw.execute_command("ACL", "SETUSER", "half", "on", ">pw", "~*", "+get", "+unlink", "+ping", "+scan", "+select")
        raw.set("test:half:a", "old")
        try:
            port = urlsplit(embedded_valkey_url).port
            client = RedisCache().open(Secret(f"redis://half:pw@127.0.0.1:{port}/0"), "test:half:", 2.0)
            client.set("a", b"new", 60)
            answer = client.get("a")
            client.close()
        finally:
            raw.execute_command("ACL", "DELUSER", "half")

        assert (answer, raw.exists("test:half:a")) == (None, 0)


def test_a_prefix_with_pattern_characters_is_taken_literally(url: str) -> None:
    """`*` and `[` in a prefix match themselves alone."""
    client = RedisCache().open(Secret(url), "test:[ab]*?\\:", 2.0)
    other = RedisCache().open(Secret(url), "test:a", 2.0)
    other.set("x", b"1", 60)
    client.set("x*y", b"1", 60)
    client.set("xzy", b"1", 60)

    assert client.delete_prefix("x*") == 1
    assert (client.get("x*y"), client.get("xzy"), other.get("x")) == (None, b"1", b"1")
    assert (client.delete_prefix(""), other.delete_prefix("")) == (1, 1)
    client.close()
    other.close()


def test_many_keys_are_forgotten_in_pages(url: str) -> None:
    """More keys than one page of SCAN holds."""
    client = RedisCache().open(Secret(url), f"test:{uuid.uuid4()}:", 2.0)
    for number in range(2500):
        client.set(f"k:{number}", b"1", 60)

    assert client.delete_prefix("k:") == 2500
    client.close()


def test_what_the_server_says_of_itself(client: RedisCacheClient, proxy: TcpProxy) -> None:
    """Memory, hits and misses of the whole server; nothing while it is out of reach, and no look-up of ours is counted."""
    client.set("there", b"1", 60)
    before = client.activity()
    client.get("there")
    client.get("missing")
    after = client.activity()

    assert before is not None
    assert after is not None
    assert after.used_memory_bytes > 100_000
    assert after.hits >= before.hits + 1
    assert after.misses >= before.misses + 1
    assert after.clients >= 1
    errors = client.statistics().errors
    proxy.set_fault(Fault.REFUSE)
    assert client.activity() is None
    assert client.statistics().errors == errors
