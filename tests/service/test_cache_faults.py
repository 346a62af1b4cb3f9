"""The metadata cache over a real Valkey: many processes, a dead holder, spoilt entries."""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from jivsbench.extract.metadata_cache import MetadataCache
from jivsbench.model.profile import CacheTimes
from jivsbench.model.secret import Secret
from jivsbench.model.statistics import MissKind
from jivsbench_redis.cache import RedisCache
from jivsbench_redis.client import RedisCacheClient
from tests.service.cache_racer import KEY, SOURCE
from tests.unit.extract_fakes import wait_until

RACER = Path(__file__).with_name("cache_racer.py")
LOCK_TTL_S = 2.0

# Each racer is a process of its own, and the core that they run is covered by quicker tests.
pytestmark = pytest.mark.no_cover


class Racer:
    """A process that is ready to look up."""

    def __init__(self, settings: dict[str, object]) -> None:
        root = RACER.parents[2]
        self.process = subprocess.Popen(
            [sys.executable, str(RACER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
            env={"PYTHONPATH": str(root)},
        )
        self._say(json.dumps(settings))

    def is_ready(self) -> bool:
        """Waits until it has opened the cache."""
        assert self.process.stdout
        return self.process.stdout.readline() == "ready\n"

    def start(self) -> None:
        """Let it look up."""
        self._say("go")

    def took_s(self) -> float:
        """How long its look-up took."""
        assert self.process.stdout
        return float(self.process.stdout.readline())

    def end(self) -> None:
        """Kill it, if it still runs."""
        self.process.kill()
        self.process.communicate()

    def _say(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()


@pytest.fixture
def prefix(embedded_valkey_url: str) -> Iterator[str]:
    """A prefix of this test's own, whose keys are removed afterwards."""
    name = f"test:{uuid.uuid4()}:"
    yield name
    client = RedisCache().open(Secret(embedded_valkey_url), name, 5.0)
    client.delete_prefix("")
    client.close()


@pytest.fixture
def loads(tmp_path: Path) -> Path:
    """Gets a line for every load."""
    file = tmp_path / "loads"
    file.touch()
    return file


@pytest.fixture
def build_racers(embedded_valkey_url: str, prefix: str, loads: Path) -> Iterator[Callable[..., list[Racer]]]:
    """Makes ready processes that share the cache."""
    made: list[Racer] = []

    def build(count: int, load_s: float, *, can_lock: bool = True) -> list[Racer]:
        settings = {"url": embedded_valkey_url, "prefix": prefix, "loads": str(loads), "load_s": load_s, "can_lock": can_lock}
        racers = [Racer(settings) for _ in range(count)]
        made.extend(racers)
        assert all(racer.is_ready() for racer in racers)
        return racers

    yield build
    for racer in made:
        racer.end()


def count_loads(loads: Path) -> int:
    """How often anybody loaded."""
    return len(loads.read_text().splitlines())


def test_eight_processes_load_once(build_racers, loads: Path) -> None:
    """All miss the same entry at the same time; one asks the store."""
    racers = build_racers(8, 0.3)
    for racer in racers:
        racer.start()
    took_s = [racer.took_s() for racer in racers]

    assert count_loads(loads) == 1
    assert max(took_s) < 5.0


@pytest.mark.nightly
def test_without_the_lock_they_would_all_load(build_racers, loads: Path) -> None:
    """The test above can fail: processes that take no lock load several times."""
    racers = build_racers(8, 1.5, can_lock=False)
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.took_s()

    assert count_loads(loads) > 1


def test_a_holder_that_is_killed_is_replaced_by_one(build_racers, loads: Path) -> None:
    """Killed while it loads and holds the lock: at most two loads in all, and nobody waits longer than the lock lasts."""
    (holder,) = build_racers(1, 60.0)
    racers = build_racers(7, 0.05)
    holder.start()
    assert wait_until(lambda: count_loads(loads) == 1)
    for racer in racers:
        racer.start()
    holder.process.kill()
    took_s = sorted(racer.took_s() for racer in racers)

    assert count_loads(loads) == 2
    # The load of the one that takes over, its turn and a busy machine are on top; a lock waited for twice would be 2.
    assert took_s[-1] <= 1.75 * LOCK_TTL_S


@pytest.fixture
def client(embedded_valkey_url: str, prefix: str) -> Iterator[RedisCacheClient]:
    """A client that is patient with a busy machine."""
    client = RedisCache().open(Secret(f"{embedded_valkey_url}?socket_timeout=5"), prefix, 5.0)
    yield client
    client.close()


def load_again(cache: MetadataCache) -> int:
    """Look up once; how many loads that took."""
    before = cache.look_ups().loads
    assert cache.data_source("shop", lambda: SOURCE) == SOURCE
    return cache.look_ups().loads - before


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        (MissKind.ABSENT, ["UNLINK", "{name}"]),
        (MissKind.ABSENT, ["FLUSHDB"]),
        (MissKind.ALTERED, ["SETRANGE", "{name}", "200", "~"]),
        (MissKind.TRUNCATED, ["SET", "{name}", "jiv\x02"]),
        (MissKind.OTHER_VERSION, ["SETRANGE", "{name}", "3", "\x01"]),
        (MissKind.OTHER_NAME, ["COPY", "{prefix}source:other", "{name}", "REPLACE"]),
        (MissKind.ALIEN, ["SET", "{name}", "x" * 300]),
    ],
)
def test_what_happened_to_an_entry_on_the_server_is_counted(
    client: RedisCacheClient, embedded_valkey_url: str, prefix: str, kind: MissKind, command: list[str]
) -> None:
    """Lost, flushed, altered, cut, older, moved or overwritten: a miss of its kind, one load, and whole again."""
    cache = MetadataCache(client, CacheTimes(), key=KEY)
    cache.data_source("other", lambda: SOURCE)
    cache.data_source("shop", lambda: SOURCE)
    before = dict(cache.look_ups().misses)[kind]
    with redis.Redis.from_url(embedded_valkey_url) as raw:
        raw.execute_command(*(part.format(name=f"{prefix}source:shop", prefix=prefix) for part in command))

    assert load_again(cache) == 1
    assert dict(cache.look_ups().misses)[kind] == before + 1
    assert load_again(cache) == 0


def test_a_key_of_another_type_is_a_miss_that_the_server_refused(
    client: RedisCacheClient, embedded_valkey_url: str, prefix: str
) -> None:
    """WRONGTYPE is an answer: the look-up counts as refused, the entry is replaced, the breaker stays closed."""
    cache = MetadataCache(client, CacheTimes(), key=KEY)
    with redis.Redis.from_url(embedded_valkey_url) as raw:
        raw.lpush(f"{prefix}source:shop", "x")

    assert load_again(cache) == 1
    assert client.statistics().refused >= 1
    assert load_again(cache) == 0
