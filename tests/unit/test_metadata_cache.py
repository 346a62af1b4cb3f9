"""Metadata through the cache."""

from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.extract.caching.sealing import Entry, Seal
from jivsbench.extract.jobs.values import JobFailure, JobRecord, SourceRecord, build_statistics
from jivsbench.extract.metadata_cache import MetadataCache
from jivsbench.model.job import JobState
from jivsbench.model.profile import CacheTimes
from jivsbench.model.source import TypePolicy
from jivsbench.model.statistics import MissKind
from jivsbench.model.table import Column, ExtractionRequest, Filter, Operator, TableName, TableSchema
from jivsbench.testing.fakes import FailingCacheClient
from tests.unit.jobs_caches import DictCache, tell_version
from tests.unit.jobs_stores import build_result, build_source

KEY = bytes(range(32))
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
SOURCE = SourceRecord(
    1, "shop", "fake", TypePolicy.TEXT, ("a", "b"), is_declared=True, revision=3, created_at=NOW, updated_at=NOW
)
SCHEMA = TableSchema(
    (
        Column("id", "bigint", pa.int64(), is_nullable=False),
        Column("amount", "numeric(10,2)", pa.decimal128(10, 2), is_nullable=True),
        Column("at", "timestamptz", pa.timestamp("us", "UTC"), is_nullable=True),
        Column("tags", "text[]", pa.list_(pa.string()), is_nullable=True),
    )
)
TABLE = ExtractionRequest("shop", TableName("orders"))


class Loader:
    """Returns what it was given and counts how often it was asked."""

    def __init__(self, value) -> None:
        self.value = value
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return self.value


def build_job(state=JobState.COMPLETED) -> JobRecord:
    """A job with every field set."""
    return JobRecord("j1", "shop", state, NOW, NOW, NOW, 10, 10, 5_000_000, JobFailure("x", "é\n"), "j1")


@pytest.fixture
def client() -> DictCache:
    """An empty cache."""
    return DictCache()


@pytest.fixture
def cache(client) -> MetadataCache:
    """Metadata through that cache."""
    return MetadataCache(client, CacheTimes(), key=KEY)


def look_up_all(cache, *, source, job, statistics, schema):
    """One look-up of each kind."""
    return (
        cache.data_source("shop", source),
        cache.job("j1", job, is_current=lambda _: False),
        cache.statistics("j1", statistics),
        cache.schema(build_source(), TABLE, schema, tell_version),
    )


def build_loaders() -> dict[str, Loader]:
    """One loader of each kind."""
    values = {"source": SOURCE, "job": build_job(), "statistics": build_statistics(build_result("j1")), "schema": SCHEMA}
    return {name: Loader(value) for name, value in values.items()}


def test_the_second_look_up_does_not_load(cache, client) -> None:
    """Each kind comes back from the cache exactly as it was loaded, and stays for its own time."""
    loaders = build_loaders()
    first, second = look_up_all(cache, **loaders), look_up_all(cache, **loaders)

    assert first == second == tuple(loader.value for loader in loaders.values())
    assert [loader.calls for loader in loaders.values()] == [1, 1, 1, 1]
    for key, longest_s in {"source": 3600.0, "job": 300.0, "statistics": 300.0, "schema": 1800.0}.items():
        lives_s = [client.times_s[name] for name in client.entries if name.startswith(key)]
        assert 0.9 * longest_s <= lives_s[0] <= longest_s


def test_entries_stored_together_do_not_end_together(cache, client) -> None:
    """Their times differ by up to a tenth, and never exceed what is configured."""
    for number in range(100):
        cache.remember_job(replace(build_job(), id=f"j{number}"))

    assert len(set(client.times_s.values())) > 50
    assert 270.0 <= min(client.times_s.values()) < 280.0
    assert 290.0 < max(client.times_s.values()) <= 300.0


def test_without_a_client_every_look_up_loads() -> None:
    """The switch off means the store, always."""
    cache, loaders = MetadataCache(None, CacheTimes()), build_loaders()
    look_up_all(cache, **loaders)
    look_up_all(cache, **loaders)
    cache.forget_data_source("shop")
    cache.remember_job(build_job())
    cache.forget_job("j1")
    cache.forget_schemas("shop")

    assert [loader.calls for loader in loaders.values()] == [2, 2, 2, 2]


def test_a_cache_that_fails_changes_no_answer() -> None:
    """With a cache whose server is gone every look-up is loaded, and nothing raises."""
    cache, loaders = MetadataCache(FailingCacheClient(), CacheTimes()), build_loaders()

    assert look_up_all(cache, **loaders) == look_up_all(cache, **loaders)
    assert [loader.calls for loader in loaders.values()] == [2, 2, 2, 2]


def seal_anew(name: str, content: bytes, key: bytes = KEY) -> bytes:
    """An entry as the service itself would have written it, with that content."""
    return Seal(key).close(name, Entry(content, NOW.timestamp()))


SPOILT = {
    "nothing": (MissKind.ALIEN, lambda _name, _raw: b"none of ours, and longer than any header of an entry would ever be"),
    "a pickle": (MissKind.ALIEN, lambda _name, _raw: b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R."),
    "an older format": (
        MissKind.ALIEN,
        lambda name, _raw: b'{"version":1,"key":"' + name.encode() + b'","value":{}}' + b" " * 50,
    ),
    "empty": (MissKind.TRUNCATED, lambda _name, _raw: b""),
    "cut in its header": (MissKind.TRUNCATED, lambda _name, raw: raw[:20]),
    "cut by one byte": (MissKind.TRUNCATED, lambda _name, raw: raw[:-1]),
    "other version": (MissKind.OTHER_VERSION, lambda _name, raw: raw[:3] + bytes([raw[3] + 1]) + raw[4:]),
    "other service's key": (MissKind.OTHER_KEY, lambda name, raw: seal_anew(name, raw[-80:], b"k" * 32)),
    "other service's entry": (MissKind.OTHER_NAME, lambda name, _raw: seal_anew(name + "x", b"{}")),
    "one bit of its content": (MissKind.ALTERED, lambda _name, raw: raw[:-9] + bytes([raw[-9] ^ 1]) + raw[-8:]),
    "one bit of its MAC": (MissKind.ALTERED, lambda _name, raw: raw[:30] + bytes([raw[30] ^ 1]) + raw[31:]),
    "more than was sealed": (MissKind.ALTERED, lambda _name, raw: raw + b" "),
    "other type": (MissKind.CONTENT, lambda name, _raw: seal_anew(name, b"[1, 2]")),
    "broken Arrow": (MissKind.CONTENT, lambda name, _raw: seal_anew(name, b'{"arrow":"AAAA","server_types":[]}')),
}


@pytest.mark.parametrize(("kind", "spoil"), SPOILT.values(), ids=SPOILT)
def test_an_entry_that_is_not_ours_is_a_miss_of_a_named_kind(cache, client, kind, spoil) -> None:
    """Corrupt, foreign and older entries are counted by what is wrong, loaded anew and replaced; nothing raises or is run."""
    loaders = build_loaders()
    wanted = look_up_all(cache, **loaders)
    client.entries = {name: spoil(name, raw) for name, raw in client.entries.items()}

    assert look_up_all(cache, **loaders) == wanted
    assert dict(cache.look_ups().misses) == dict.fromkeys(MissKind, 0) | {MissKind.ABSENT: 4, kind: 4}
    assert look_up_all(cache, **loaders) == wanted
    assert [loader.calls for loader in loaders.values()] == [2, 2, 2, 2]
    assert cache.look_ups().hits == 4


def test_a_service_without_its_old_key_reads_nothing(client) -> None:
    """A service that was started without a key makes one, and what others sealed is nothing to it."""
    first, second, loaders = MetadataCache(client, CacheTimes()), MetadataCache(client, CacheTimes()), build_loaders()
    look_up_all(first, **loaders)
    look_up_all(second, **loaders)

    assert dict(second.look_ups().misses)[MissKind.OTHER_KEY] == 4


def test_without_a_mac_an_altered_entry_would_be_read(client, monkeypatch) -> None:
    """The tests of altered entries can fail: a seal that signs nothing lets a changed revision pass."""
    monkeypatch.setattr(Seal, "_sign", lambda _self, _header, _body: bytes(16))
    cache = MetadataCache(client, CacheTimes(), key=KEY)
    cache.data_source("shop", Loader(SOURCE))
    client.entries = {name: raw.replace(b'"revision":3', b'"revision":4') for name, raw in client.entries.items()}

    assert cache.data_source("shop", Loader(SOURCE)).revision == 4


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7), kind=st.integers(0, 3))
def test_no_flipped_bit_is_ever_read(at, bit, kind) -> None:
    """Whichever bit of whichever entry: a miss."""
    client = DictCache()
    cache, loaders = MetadataCache(client, CacheTimes(), key=KEY), build_loaders()
    wanted = look_up_all(cache, **loaders)
    name = sorted(client.entries)[kind]
    raw = bytearray(client.entries[name])
    raw[at % len(raw)] ^= 1 << bit
    client.entries = client.entries | {name: bytes(raw)}

    assert look_up_all(cache, **loaders) == wanted
    assert sum(loader.calls for loader in loaders.values()) == 5


def raw_of(noise: bytes) -> bytes:
    """Noise behind the beginning of a true entry."""
    return seal_anew("source:shop", b"{}")[: 100 - len(noise) % 100] + noise


@given(st.binary(max_size=200))
def test_any_bytes_are_at_most_a_miss(noise) -> None:
    """Whatever lies in the cache, the answer is the loaded one."""
    client = DictCache()
    cache, loaders = MetadataCache(client, CacheTimes()), build_loaders()
    wanted = look_up_all(cache, **loaders)
    client.entries = dict.fromkeys(client.entries, noise) if len(noise) % 2 else dict.fromkeys(client.entries, raw_of(noise))

    assert look_up_all(cache, **loaders) == wanted


def test_a_job_that_is_not_final_counts_only_while_it_runs(cache) -> None:
    """A RUNNING entry is believed as long as the caller knows that the job runs, and not longer."""
    cache.remember_job(build_job(JobState.RUNNING))
    ended = Loader(build_job(JobState.FAILED))

    assert cache.job("j1", ended, is_current=lambda _: True).state is JobState.RUNNING
    assert ended.calls == 0
    assert cache.job("j1", ended, is_current=lambda _: False).state is JobState.FAILED
    assert cache.job("j1", ended, is_current=lambda _: False).state is JobState.FAILED
    assert ended.calls == 1


def test_a_change_forgets_the_source_and_its_schemas(cache, client) -> None:
    """Everything that was read from the source as it was goes; other sources stay."""
    cache.data_source("shop", Loader(SOURCE))
    cache.schema(build_source(), TABLE, Loader(SCHEMA), tell_version)
    cache.schema(build_source("shop2"), TABLE, Loader(SCHEMA), tell_version)
    cache.forget_data_source("shop")

    assert [key.split(":")[:2] for key in client.entries] == [["schema", "shop2"]]


def test_what_was_read_during_a_change_is_not_kept(cache, client) -> None:
    """A source or schema that was being loaded while the source changed is answered once and not stored."""

    def load_slowly(value):
        cache.forget_data_source("shop")
        return value

    assert cache.data_source("shop", lambda: load_slowly(SOURCE)) == SOURCE
    assert cache.schema(build_source(), TABLE, lambda: load_slowly(SCHEMA), tell_version) == SCHEMA
    assert client.entries == {}


def test_what_does_not_exist_is_not_kept(cache, client) -> None:
    """A source that is added later is found at once."""
    assert cache.data_source("shop", Loader(None)) is None
    assert cache.job("j1", Loader(None), is_current=lambda _: True) is None
    assert cache.statistics("j1", Loader(None)) is None
    assert client.entries == {}


def test_values_share_a_schema_and_shapes_do_not(cache, client) -> None:
    """What a filter asks for does not change the columns; table, columns, query and policy do.

    Nor do the names of a filter's columns, but whoever tells the schema has looked at them: one that is not there, or is the
    server's own (ctid), is refused whatever was asked before.
    """
    filtered, again = (
        ExtractionRequest("shop", TableName("orders"), filters=(Filter("id", Operator.EQUAL, (value,)),), row_limit=3)
        for value in (1, 2)
    )
    others = [
        ExtractionRequest("shop", TableName("orders"), filters=(Filter("ctid", Operator.EQUAL, (1,)),)),
        TABLE,
        ExtractionRequest("shop", TableName("orders", "sales")),
        ExtractionRequest("shop", TableName("orders"), columns=("id",)),
        ExtractionRequest("shop", query="SELECT 1"),
    ]
    for request in (filtered, again):
        cache.schema(build_source(), request, Loader(SCHEMA), tell_version)
    assert len(client.entries) == 1

    for request in others:
        cache.schema(build_source(), request, Loader(SCHEMA), tell_version)
    assert len(client.entries) == 6


def test_no_secret_and_no_value_enters_the_cache(cache, client) -> None:
    """Neither URL nor query text nor filter value, in keys or entries."""
    cache.data_source("shop", Loader(SOURCE))
    request = ExtractionRequest("shop", query="SELECT 'q-canary'")
    cache.schema(build_source(password="pw-canary"), request, Loader(SCHEMA), tell_version)
    cache.remember_job(build_job())

    everything = repr(client.entries)
    assert "canary" not in everything
    assert "orders" not in everything
