"""The memory cache beyond the contract: its bounds, its clock, its threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from jivsbench.errors import ConfigError
from jivsbench.model.secret import Secret
from jivsbench_memory.cache import MemoryCache
from jivsbench_memory.client import Bounds


class Clock:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def open_client(max_entries: int = 3, max_bytes: int = 1000, clock: Clock | None = None):
    """A client with small bounds."""
    return MemoryCache(bounds=Bounds(max_entries, max_bytes), clock=clock or Clock()).open(None, "p:", 1.0)


def test_an_entry_lives_for_its_ttl_and_no_longer() -> None:
    """The end of the TTL belongs to the time after it."""
    clock = Clock()
    client = open_client(clock=clock)
    client.set("a", b"1", 10.0)

    clock.now_s += 9.999
    assert client.get("a") == b"1"
    clock.now_s += 0.001
    assert client.get("a") is None


def test_reading_does_not_extend_the_life_of_an_entry() -> None:
    """A busy key is refreshed as often as a quiet one."""
    clock = Clock()
    client = open_client(clock=clock)
    client.set("a", b"1", 10.0)
    for _ in range(11):
        client.get("a")
        clock.now_s += 1.0

    assert client.get("a") is None


def test_the_least_recently_used_entry_leaves_first() -> None:
    """Reading counts as use."""
    client = open_client(max_entries=3)
    for key in "abc":
        client.set(key, b"1", 60)
    client.get("a")
    client.set("d", b"1", 60)

    assert [client.get(key) for key in "abcd"] == [b"1", None, b"1", b"1"]


def test_bytes_are_bounded_too() -> None:
    """Keys and values count; replacing a value gives its room back."""
    client = open_client(max_entries=100, max_bytes=100)
    for _ in range(50):
        client.set("a", b"x" * 40, 60)
    client.set("b", b"x" * 40, 60)
    client.set("c", b"x" * 40, 60)

    assert (client.get("a"), client.get("b"), client.get("c")) == (None, b"x" * 40, b"x" * 40)


def test_a_value_that_is_too_large_replaces_nothing_but_removes_the_old() -> None:
    """The old value would be a wrong answer; the others stay."""
    client = open_client(max_bytes=100)
    client.set("other", b"1", 60)
    client.set("a", b"old", 60)
    client.set("a", b"x" * 200, 60)

    assert (client.get("a"), client.get("other")) == (None, b"1")


def test_a_closed_client_answers_with_misses_that_count_as_errors() -> None:
    """A late reader is not an exception."""
    client = open_client()
    client.set("a", b"1", 60)
    client.close()
    client.set("a", b"1", 60)

    assert client.get("a") is None
    assert (client.statistics().misses, client.statistics().errors) == (1, 2)


def test_threads_do_not_lose_counts_or_room() -> None:
    """Four threads at once: hits and misses add up to look-ups, and the bound holds."""
    client = open_client(max_entries=50, max_bytes=10_000)
    start = threading.Barrier(4)

    def work(seed: int) -> None:
        start.wait()
        for number in range(2000):
            key = str((number * 7 + seed) % 100)
            client.set(key, key.encode(), 60)
            assert client.get(key) in (None, key.encode())

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))

    statistics = client.statistics()
    assert (statistics.hits + statistics.misses, statistics.writes, statistics.errors) == (8000, 8000, 0)
    assert client.delete_prefix("") == 50


def test_the_url_sets_the_bounds() -> None:
    """`memory://` alone keeps the defaults."""
    client = MemoryCache().open(Secret("memory://?max_entries=1"), "", 1.0)
    client.set("a", b"1", 60)
    client.set("b", b"1", 60)

    assert (client.get("a"), client.get("b")) == (None, b"1")
    assert MemoryCache().open(Secret("memory://"), "", 1.0).get("a") is None


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("max_size=1", "no setting 'max_size'"),
        ("max_bytes=0", "max_bytes is a whole number"),
        ("max_entries=ten", "max_entries is a whole number"),
        (f"max_entries={'9' * 5_000}", "max_entries is a whole number above 0, of at most 18 digits"),
    ],
)
def test_a_bound_that_cannot_be_is_refused(query: str, problem: str) -> None:
    """The setting is named and an example is given."""
    with pytest.raises(ConfigError, match=problem):
        MemoryCache().open(Secret(f"memory://?{query}"), "", 1.0)
