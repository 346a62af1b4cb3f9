"""Who loads a cache entry: one of many threads, before its end or after it is lost, and never what has changed meanwhile."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from jivsbench.errors import CancelledJobError, OutputError
from jivsbench.extract.caching import loading
from jivsbench.extract.caching.key_file import read_cache_key
from jivsbench.extract.caching.single_flight import SingleFlight
from jivsbench.extract.metadata_cache import MetadataCache
from jivsbench.model.profile import CacheTimes
from tests.unit.extract_fakes import wait_until
from tests.unit.jobs_caches import DictCache, tell_version
from tests.unit.jobs_stores import build_source
from tests.unit.test_metadata_cache import KEY, SCHEMA, SOURCE, TABLE

CALLERS = 200


class Clock:
    """A wall clock that a test turns by hand."""

    now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


class SlowLoader:
    """Loads when it is let, counts how often, and tells from which threads."""

    def __init__(self, value: object = SOURCE) -> None:
        self.value = value
        self.gate = threading.Event()
        self.threads: list[str] = []

    @property
    def calls(self) -> int:
        return len(self.threads)

    def __call__(self):
        self.threads.append(threading.current_thread().name)
        assert self.gate.wait(20)
        return self.value


class CannotAdd:
    """A cache without the optional ability."""

    def __init__(self, entries: DictCache) -> None:
        self.get, self.set, self.delete, self.delete_prefix = entries.get, entries.set, entries.delete, entries.delete_prefix


class CountingCache(DictCache):
    """Counts every call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def get(self, key):
        self.calls.append("get")
        return super().get(key)

    def set(self, key, value, ttl_s):
        self.calls.append("set")
        super().set(key, value, ttl_s)

    def add(self, key, value, ttl_s):
        self.calls.append("add")
        return super().add(key, value, ttl_s)


@pytest.fixture
def client() -> DictCache:
    """An empty cache."""
    return DictCache()


@pytest.fixture
def clock() -> Clock:
    """The wall's clock."""
    return Clock()


@pytest.fixture
def cache(client, clock) -> MetadataCache:
    """Metadata through that cache."""
    return MetadataCache(client, CacheTimes(), key=KEY, clock=clock)


def stampede(look_up, loader: SlowLoader, callers: int = CALLERS) -> list[object]:
    """Many threads look up at the same time; the load ends only after all of them have asked."""
    start = threading.Barrier(callers + 1)
    asked: list[int] = []

    def ask(number: int) -> object:
        start.wait()
        asked.append(number)
        return look_up()

    with ThreadPoolExecutor(callers) as threads:
        answers = threads.map(ask, range(callers))
        start.wait()
        assert wait_until(lambda: loader.calls > 0 and len(asked) == callers)
        # The last of them is on its way into the look-up; a flight's patience is 2 s.
        time.sleep(0.3)
        loader.gate.set()
        return list(answers)


@pytest.mark.parametrize("can_lock", [True, False])
def test_two_hundred_threads_load_once(client, can_lock) -> None:
    """One loads, 199 take what it loaded: of a source as of a schema, with a cache that can lock or cannot."""
    cache = MetadataCache(client if can_lock else CannotAdd(client), CacheTimes(), key=KEY)
    source, schema = SlowLoader(), SlowLoader(SCHEMA)

    assert stampede(lambda: cache.data_source("shop", source), source) == [SOURCE] * CALLERS
    assert stampede(lambda: cache.schema(build_source(), TABLE, schema, tell_version), schema) == [SCHEMA] * CALLERS
    assert (source.calls, schema.calls) == (1, 1)
    assert (cache.look_ups().loads, cache.look_ups().shared_loads) == (2, 2 * CALLERS - 2)
    assert cache.look_ups().repeated_loads == 0


def test_without_the_flight_they_would_all_load(client, monkeypatch) -> None:
    """The test above can fail: check, then load, then set lets everybody load."""
    monkeypatch.setattr(SingleFlight, "load", lambda _self, _name, load: (load(), False))
    cache, loader = MetadataCache(CannotAdd(client), CacheTimes(), key=KEY), SlowLoader()
    stampede(lambda: cache.data_source("shop", loader), loader, callers=20)

    assert cache.look_ups().repeated_loads == cache.look_ups().loads - 1 == loader.calls - 1

    assert loader.calls == 20


def test_a_hit_is_one_call_and_a_miss_takes_no_lock_for_jobs() -> None:
    """What the hot path does: one GET for a hit, GET and SET for a job that is missed."""
    client = CountingCache()
    cache = MetadataCache(client, CacheTimes(), key=KEY)
    cache.data_source("shop", lambda: SOURCE)
    client.calls.clear()
    cache.data_source("shop", lambda: SOURCE)
    cache.statistics("j1", lambda: None)
    cache.job("j1", lambda: None, is_current=lambda _: True)

    assert client.calls == ["get", "get", "get"]


def test_nobody_inherits_the_error_of_another_job() -> None:
    """A job that is cancelled while it loads ends alone; those who waited for it load anew, one for all."""
    flights: SingleFlight[str] = SingleFlight(patience_s=5.0)
    is_let = threading.Event()
    loads: list[int] = []

    def fail() -> str:
        is_let.wait(5)
        raise CancelledJobError("job a was stopped")

    def load() -> str:
        loads.append(1)
        time.sleep(0.2)
        return "value"

    with ThreadPoolExecutor(10) as threads:
        failing = threads.submit(flights.load, "name", fail)
        assert wait_until(lambda: "name" in flights._flights)
        others = [threads.submit(flights.load, "name", load) for _ in range(9)]
        time.sleep(0.05)
        is_let.set()

        assert {other.result(5)[0] for other in others} == {"value"}
        with pytest.raises(CancelledJobError):
            failing.result(5)
    assert sum(loads) == 1


def test_a_slow_load_is_joined_by_few_more() -> None:
    """A load that outlasts the patience is not waited for for ever: others load, and not one for each who waits."""
    flights: SingleFlight[str] = SingleFlight(patience_s=0.2)
    is_let = threading.Event()
    first: list[str] = []

    def hang() -> str:
        first.append("hangs")
        is_let.wait(10)
        return "late"

    def load() -> str:
        time.sleep(0.1)
        return "soon"

    with ThreadPoolExecutor(21) as threads:
        hanging = threads.submit(flights.load, "name", hang)
        assert wait_until(lambda: bool(first))
        started_s = time.monotonic()
        others = [threads.submit(flights.load, "name", load) for _ in range(20)]
        answers = [other.result(5) for other in others]
        took_s = time.monotonic() - started_s
        is_let.set()

        assert hanging.result(5)[0] == "late"
    assert {value for value, _ in answers} == {"soon"}
    assert took_s < 5.0
    assert sum(not is_shared for _, is_shared in answers) <= 3


@pytest.mark.parametrize("how", ["data_source", "schema"])
def test_who_asks_after_a_change_is_not_told_what_was_before(cache, client, how) -> None:
    """A look-up that began before the change may return the old value; one that begins after it loads anew, and that stays."""
    old, new = (
        (SOURCE, replace(SOURCE, revision=4)) if how == "data_source" else (SCHEMA, replace(SCHEMA, columns=SCHEMA.columns[:1]))
    )
    slow = SlowLoader(old)

    def look_up(load):
        if how == "data_source":
            return cache.data_source("shop", load)
        return cache.schema(build_source(), TABLE, load, tell_version)

    with ThreadPoolExecutor(2) as threads:
        before = threads.submit(look_up, slow)
        assert wait_until(lambda: slow.calls == 1)
        cache.forget_data_source("shop")
        after = threads.submit(look_up, lambda: new)

        assert after.result(5) == new
        slow.gate.set()
        assert before.result(5) == old
    assert look_up(lambda: old) == new
    assert not any(name.endswith("#load") for name in client.entries)


def test_what_another_process_changed_meanwhile_is_not_stored(cache, client) -> None:
    """The other process forgets the entry and its lock; the loader sees that its lock is gone."""
    other = MetadataCache(client, CacheTimes(), key=KEY)

    def load_while_the_other_changes():
        other.forget_data_source("shop")
        return SOURCE

    assert cache.data_source("shop", load_while_the_other_changes) == SOURCE
    assert client.entries == {}


def test_a_load_that_fails_gives_the_lock_back(cache, client) -> None:
    """The next one loads at once."""
    with pytest.raises(OutputError):
        cache.data_source("shop", fail_to_load)
    started_s = time.monotonic()

    assert cache.data_source("shop", lambda: SOURCE) == SOURCE
    assert time.monotonic() - started_s < 1.0
    assert list(client.entries) == ["source:shop"]
    assert (cache.look_ups().loads, cache.look_ups().repeated_loads) == (2, 0)


def test_an_entry_that_the_cache_lost_is_loaded_again_and_said_so(cache, client) -> None:
    """A cache that evicts has a key loaded more than once; after a change the load was due."""
    cache.data_source("shop", lambda: SOURCE)
    client.entries.clear()
    cache.data_source("shop", lambda: SOURCE)

    assert (cache.look_ups().loads, cache.look_ups().repeated_loads) == (2, 1)
    cache.forget_data_source("shop")
    cache.data_source("shop", lambda: SOURCE)
    assert (cache.look_ups().loads, cache.look_ups().repeated_loads) == (3, 1)


def fail_to_load():
    """A job store that cannot be read."""
    raise OutputError("the job store is gone")


def test_a_lock_that_nobody_gives_back_is_waited_for_only_so_long(cache, client, monkeypatch) -> None:
    """A cache whose lock never ends stops nobody: after twice its time the entry is loaded all the same."""
    monkeypatch.setattr(loading, "LOCK_TTL_S", 0.1)
    client.add("source:shop#load", b"1", 60)

    assert cache.data_source("shop", lambda: SOURCE) == SOURCE


def is_due(clock: Clock) -> None:
    """The last tenth of an hour's entry has begun."""
    clock.now_s += 3600.0


def test_an_entry_near_its_end_is_refreshed_and_nobody_waits(cache, clock) -> None:
    """200 callers get the old value at once while one thread aside loads the new one, once."""
    cache.data_source("shop", lambda: SOURCE)
    is_due(clock)
    slow = SlowLoader(replace(SOURCE, revision=4))

    answers = [cache.data_source("shop", slow) for _ in range(CALLERS)]
    assert answers == [SOURCE] * CALLERS
    slow.gate.set()

    assert wait_until(lambda: cache.data_source("shop", slow).revision == 4)
    assert slow.threads == ["cache-refresh"]
    assert (cache.look_ups().early_refreshes, cache.look_ups().loads, cache.look_ups().repeated_loads) == (1, 2, 0)
    assert dict(cache.look_ups().misses)["absent"] == 1


def test_a_schema_near_its_end_is_refreshed_by_one_caller_on_its_own_connection(cache, clock) -> None:
    """A connection belongs to one thread: the caller that refreshes loads for itself, the others get the old one at once."""
    new = replace(SCHEMA, columns=SCHEMA.columns[:1])
    cache.schema(build_source(), TABLE, lambda: SCHEMA, tell_version)
    is_due(clock)
    slow = SlowLoader(new)
    with ThreadPoolExecutor(1, thread_name_prefix="caller") as threads:
        refreshing = threads.submit(cache.schema, build_source(), TABLE, slow, tell_version)
        assert wait_until(lambda: slow.calls == 1)

        assert [cache.schema(build_source(), TABLE, slow, tell_version) for _ in range(50)] == [SCHEMA] * 50
        slow.gate.set()
        assert refreshing.result(5) == new
    assert cache.schema(build_source(), TABLE, slow, tell_version) == new
    assert [name.partition("_")[0] for name in slow.threads] == ["caller"]


def test_without_the_early_refresh_callers_would_wait(client, clock, monkeypatch) -> None:
    """The tests above can fail: an entry that is never due ends, and then its callers wait for the load."""
    monkeypatch.setattr(loading._Refreshes, "may_start", lambda _self, _name: False)
    cache = MetadataCache(client, CacheTimes(), key=KEY, clock=clock)
    cache.data_source("shop", lambda: SOURCE)
    is_due(clock)
    cache.data_source("shop", lambda: SOURCE)
    assert cache.look_ups().early_refreshes == 0
    client.entries.clear()
    slow = SlowLoader()
    with ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(cache.data_source, "shop", slow) for _ in range(2)]
        assert wait_until(lambda: slow.calls == 1)
        time.sleep(0.05)

        assert not any(answer.done() for answer in waiting)
        slow.gate.set()


def test_another_process_that_refreshes_already_is_left_to_it(cache, client, clock) -> None:
    """Its lock is there: the old value is returned and nothing is loaded."""
    cache.data_source("shop", lambda: SOURCE)
    is_due(clock)
    client.add("source:shop#load", b"1", 2.0)

    assert cache.data_source("shop", fail_to_load) == SOURCE
    time.sleep(0.05)
    assert cache.look_ups().early_refreshes == 0


def test_a_refresh_that_fails_leaves_the_entry_until_its_end(cache, clock, caplog) -> None:
    """Its callers do not notice; one line of the log does."""
    cache.data_source("shop", lambda: SOURCE)
    is_due(clock)

    assert cache.data_source("shop", fail_to_load) == SOURCE
    assert wait_until(lambda: "could not be refreshed early (OutputError)" in caplog.text)
    assert cache.data_source("shop", fail_to_load) == SOURCE


def test_a_source_that_is_gone_at_its_refresh_is_forgotten(cache, client, clock) -> None:
    """Another process removed it from the store."""
    cache.data_source("shop", lambda: SOURCE)
    is_due(clock)
    cache.data_source("shop", lambda: None)

    assert wait_until(lambda: not client.entries)
    assert cache.data_source("shop", lambda: None) is None


@pytest.mark.parametrize("jump_s", [-86_400.0, -3600.0])
def test_a_wall_clock_that_jumps_back_refreshes_nothing_and_loses_nothing(cache, clock, jump_s) -> None:
    """It only says when to refresh early; how long an entry lives is the cache server's own clock."""
    cache.data_source("shop", lambda: SOURCE)
    clock.now_s += jump_s

    assert cache.data_source("shop", fail_to_load) == SOURCE
    assert cache.look_ups().early_refreshes == 0


def test_the_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    """Eight at once read the same 32 bytes; nobody else may read the file, and nothing else is left beside it."""
    folder = tmp_path / "store"
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: read_cache_key(folder), range(8)))

    assert [len(key) for key in keys] == [32]
    assert [path.name for path in folder.iterdir()] == [".cache.key"]
    assert (folder / ".cache.key").stat().st_mode & 0o777 == 0o600
    assert read_cache_key(tmp_path / "other") not in keys


def test_a_key_that_cannot_be_is_refused(tmp_path: Path) -> None:
    """A file of another size, and a folder that is a file: the path is named."""
    (tmp_path / ".cache.key").touch(mode=0o600)
    (tmp_path / ".cache.key").write_bytes(b"short")
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"\.cache\.key has 5 bytes instead of 32: remove it"):
        read_cache_key(tmp_path)
    with pytest.raises(OutputError, match="which cannot be used"):
        read_cache_key(tmp_path / "file")
