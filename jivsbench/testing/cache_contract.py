"""The tests that every cache passes.

A plugin author subclasses `CacheContract` in a file of tests:

    class TestAcme(CacheContract):
        @pytest.fixture
        def cache(self):
            return AcmeCache()

        @pytest.fixture
        def url(self):
            return Secret("acme://localhost:1234")

`url` is left out for a cache that needs none.
"""

import re
import socket
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import urlsplit

import pytest

from jivsbench.api.protocols import Cache, CacheClient, EntryAdder
from jivsbench.errors import CacheUnreachableError
from jivsbench.model.secret import Secret

_PASSWORD: Final = "s3cr3t-of-the-contract"  # noqa: S105 - must not appear in a message
_TIMEOUT_S: Final = 2.0


class CacheContract:
    """Give the fixture `cache`, and `url` for a cache that needs one; see the module's example."""

    @pytest.fixture
    def cache(self) -> Cache:
        """The cache under test."""
        raise NotImplementedError("give a fixture `cache` that returns the cache under test")

    @pytest.fixture
    def url(self) -> Secret | None:
        """Where it is; None for a cache that needs no URL."""
        return None

    @pytest.fixture
    def client(self, cache: Cache, url: Secret | None) -> Iterator[CacheClient]:
        """An open cache with a prefix of its own."""
        client = cache.open(url, f"contract:{uuid.uuid4()}:", _TIMEOUT_S)
        yield client
        client.delete_prefix("")
        client.close()

    def test_its_name_and_schemes_can_be_written_in_a_file(self, cache: Cache) -> None:
        """A name without blanks, schemes in lower case."""
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*", cache.name)
        assert all(re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme) for scheme in cache.schemes)

    @pytest.mark.parametrize(
        "value", [b"", b"x", bytes(range(256)), b"\r\n$-1\r\n", b"x" * 1_000_000], ids=["empty", "one", "all", "wire", "large"]
    )
    def test_what_is_stored_is_read(self, client: CacheClient, value: bytes) -> None:
        """Bytes are bytes: none of them means anything."""
        client.set("key", value, 60)

        assert client.get("key") == value

    @pytest.mark.parametrize("key", ["a", "a:b", "with blank", "ключ 日本語", "*?[]^\\", "line\nbreak", "k" * 500])
    def test_a_key_may_be_any_text(self, client: CacheClient, key: str) -> None:
        """Keys hold names of users' own tables and sources."""
        client.set(key, b"1", 60)

        assert client.get(key) == b"1"
        client.delete(key)
        assert client.get(key) is None

    def test_an_unknown_key_is_a_miss(self, client: CacheClient) -> None:
        """None, not an error."""
        assert client.get("nobody") is None
        assert client.statistics().errors == 0

    def test_the_last_value_counts(self, client: CacheClient) -> None:
        """Storing again replaces."""
        client.set("key", b"old", 60)
        client.set("key", b"new", 60)

        assert client.get("key") == b"new"

    def test_a_value_is_gone_after_its_time(self, client: CacheClient) -> None:
        """At most `ttl_s` seconds, also below one second."""
        client.set("short", b"1", 0.2)
        client.set("long", b"1", 60)
        assert client.get("short") == b"1"
        time.sleep(0.25)

        assert (client.get("short"), client.get("long")) == (None, b"1")

    @pytest.mark.parametrize("ttl_s", [0, -1, 0.0])
    def test_no_time_stores_nothing(self, client: CacheClient, ttl_s: float) -> None:
        """And what was there before is not the value any more."""
        client.set("key", b"old", 60)
        client.set("key", b"new", ttl_s)

        assert client.get("key") is None

    @pytest.fixture
    def adder(self, client: CacheClient) -> EntryAdder:
        """The same client, when it can add."""
        if not isinstance(client, EntryAdder):
            pytest.skip("this cache cannot add")
        return client

    def test_only_the_first_adds(self, client: CacheClient, adder: EntryAdder) -> None:
        """A key that holds a value keeps it; a deleted one, and only that, can be added again."""
        assert [adder.add("key", b"first", 60), adder.add("key", b"second", 60)] == [True, False]
        assert client.get("key") == b"first"
        client.set("set", b"1", 60)
        assert not adder.add("set", b"2", 60)
        client.delete("key")

        assert adder.add("key", b"third", 60)
        assert client.get("key") == b"third"

    def test_what_was_added_is_gone_after_its_time(self, client: CacheClient, adder: EntryAdder) -> None:
        """Also below one second, and an attempt that fails does not make it last longer. No time stores nothing."""
        adder.add("key", b"1", 0.3)
        time.sleep(0.1)
        adder.add("key", b"2", 60)
        time.sleep(0.25)

        assert client.get("key") is None
        assert adder.add("key", b"3", 60)
        assert adder.add("nothing", b"1", 0)
        assert client.get("nothing") is None

    def test_of_many_who_add_one_succeeds(self, adder: EntryAdder) -> None:
        """Each of fifty keys is added by one of eight threads."""
        with ThreadPoolExecutor(8) as threads:
            done = list(threads.map(lambda number: adder.add(f"key-{number % 50}", b"1", 60), range(400)))

        assert sum(done) == 50  # noqa: PLR2004 - one for each key

    def test_a_prefix_is_forgotten_literally(self, client: CacheClient) -> None:
        """Characters of patterns mean themselves; the number of forgotten keys is returned."""
        for key in ("a*1", "a*2", "ab1", "a[b]1", "a", "b"):
            client.set(key, b"1", 60)

        assert client.delete_prefix("a*") == 2  # noqa: PLR2004 - a*1 and a*2
        assert client.delete_prefix("a[b]") == 1
        assert client.delete_prefix("nobody") == 0
        assert [client.get(key) for key in ("a*1", "a*2", "ab1", "a[b]1", "a", "b")] == [None, None, b"1", None, b"1", b"1"]

    def test_clients_of_other_prefixes_are_apart(self, cache: Cache, url: Secret | None, client: CacheClient) -> None:
        """One service cannot see or forget another's entries."""
        other = cache.open(url, f"contract:{uuid.uuid4()}:", _TIMEOUT_S)
        client.set("key", b"1", 60)
        seen = other.get("key")
        other.set("key", b"2", 60)
        other.delete_prefix("")
        other.close()

        assert seen is None
        assert client.get("key") == b"1"

    def test_look_ups_are_hits_and_misses(self, client: CacheClient) -> None:
        """Hits and misses add up to look-ups; only what was there counts as deleted."""
        client.set("a", b"1", 60)
        client.set("b", b"1", 60)
        for key in ("a", "b", "c", "a"):
            client.get(key)
        client.delete("a")
        client.delete("a")
        statistics = client.statistics()

        assert (statistics.hits, statistics.misses, statistics.errors) == (3, 1, 0)
        assert (statistics.writes, statistics.deletes) == (2, 1)

    def test_many_threads_share_one_client(self, client: CacheClient) -> None:
        """Each reads its own value or none, and every look-up is counted."""

        def work(number: int) -> set[bytes | None]:
            key, value = f"key-{number}", str(number).encode()
            seen = set()
            for _ in range(50):
                client.set(key, value, 60)
                seen.add(client.get(key))
            return seen - {value}

        with ThreadPoolExecutor(8) as threads:
            wrong = set().union(*threads.map(work, range(8)))

        statistics = client.statistics()
        assert wrong <= {None}
        assert statistics.hits + statistics.misses == 400  # noqa: PLR2004 - 8 threads, 50 look-ups each

    def test_a_closed_client_misses(self, client: CacheClient) -> None:
        """Closing twice is fine, and a late look-up is no exception."""
        client.set("key", b"1", 60)
        client.delete("key")
        client.close()
        client.close()

        assert client.get("key") is None

    def test_an_unreachable_cache_is_said_in_time_and_without_its_password(self, cache: Cache, url: Secret | None) -> None:
        """CacheUnreachableError with host and port. Only for caches on a server."""
        if url is None or not urlsplit(url.reveal()).hostname:
            pytest.skip("this cache is on no server")
        with socket.socket() as taken:
            # Bound and never listening: the port refuses, and nobody else can take it meanwhile.
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            started = time.monotonic()

            with pytest.raises(CacheUnreachableError, match=f"127.0.0.1:{port}") as caught:
                cache.open(Secret(f"{urlsplit(url.reveal()).scheme}://ann:{_PASSWORD}@127.0.0.1:{port}"), "p:", _TIMEOUT_S)

        assert time.monotonic() - started < _TIMEOUT_S + 1
        assert _PASSWORD not in str(caught.value)
