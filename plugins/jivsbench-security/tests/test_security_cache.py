"""The judgements and oracles of the checks of the cache server: each can say no."""

import base64
import bz2
import gzip
import lzma
import pickle
import random
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis

from jivsbench.errors import InvalidRunError
from jivsbench.model.cache_access import COMMANDS, format_rules
from jivsbench_security.cache.cache_confusion import COLUMNS
from jivsbench_security.cache.cache_posture import POWERS, is_refusal, judge_limits, parse_facts, write_user
from jivsbench_security.cache.cached_source import is_about, parse_counters
from jivsbench_security.cache.confusion_session import alter, list_requests
from jivsbench_security.cache.gadgets import build_gadgets, dress
from jivsbench_security.cache.personal_markers import MarkerSearch, build_people, complete_card

PEOPLE = build_people(3, random.Random(7))


def write_arrow(text: bytes, codec: str) -> bytes:
    """A batch of rows as Arrow compresses it."""
    table, sink = pa.table({"a": [text.decode()] * 20}), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def write_parquet(text: bytes) -> bytes:
    """The same as a file of Parquet."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": [text.decode()] * 20}), sink, compression="snappy")
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    "hide",
    [
        lambda text: text,
        lambda text: b'{"rows": [["' + text + b'"]]}',
        lambda text: text.decode().upper().encode() if b"@" in text else text,
        base64.b64encode,
        lambda text: base64.b64encode(b"x" + text + b"yz"),
        lambda text: base64.b64encode(b"xy" + text + b"z"),
        lambda text: b"head" + zlib.compress(text),
        lambda text: b"head" + gzip.compress(b"more " + text),
        lambda text: zlib.compress(b"nothing") + b"between" + zlib.compress(text),
        lambda text: b"head" + bz2.compress(text) + b"more",
        lambda text: b"head" + lzma.compress(text) + b"more",
        lambda text: b"head" + pa.compress(text, codec="zstd", asbytes=True) + b"more",
        lambda text: write_arrow(text, "lz4"),
        lambda text: write_arrow(text, "zstd"),
        write_parquet,
        lambda text: text.hex().encode(),
        lambda text: text.decode().encode("utf-16-le"),
    ],
)
def test_a_marker_is_found_however_it_lies_there(hide) -> None:
    """Every kind of personal data, in every form that protects nothing."""
    search = MarkerSearch(PEOPLE)

    assert all(search.find(hide(value.encode())) for _, value in PEOPLE[0].pairs())


def test_what_is_no_marker_is_not_found() -> None:
    """Other people's data, random bytes and ciphertext."""
    others = build_people(3, random.Random(8))
    search = MarkerSearch(PEOPLE)

    assert not any(search.find(value.encode()) for person in others for _, value in person.pairs())
    assert not search.find(random.Random(1).randbytes(10_000))


def test_cards_and_ibans_pass_their_own_tests() -> None:
    """So that whoever looks for such numbers would find them."""
    assert complete_card("7992739871") == "79927398713"
    for person in PEOPLE:
        assert int(person.iban[4:] + "1314" + person.iban[2:4]) % 97 == 1


def test_a_gadget_creates_its_marker_when_it_is_read(tmp_path) -> None:
    """The gadgets work, so that a marker that does not appear means something."""
    marker = tmp_path / "marker"
    gadgets = build_gadgets(marker)
    for gadget in gadgets[:6]:
        pickle.loads(gadget.content).close()
        marker.unlink()
    assert len({one.content for gadget in gadgets for one in dress(gadget, b"genuine" * 20)}) == 7 * len(gadgets)


def test_each_altered_entry_differs_from_the_genuine_one() -> None:
    """Every bit turned once, and the cuts."""
    genuine = bytes(range(40))
    altered = [content for _, content in alter(genuine, None, random.Random(1))]

    assert len(set(altered)) == len(altered) == 40 * 8 + 7
    assert genuine not in altered


def test_450_requests_make_a_hundred_thousand_pairs() -> None:
    """All distinct, those that careless keys confuse first."""
    requests = list(list_requests(COLUMNS, 450, random.Random(1)))

    assert len(set(requests)) == len(requests) == 450
    assert len(requests) * (len(requests) - 1) // 2 >= 100_000
    assert ":".join(requests[0]) == ":".join(requests[1])


def test_limits_that_are_missing_are_named() -> None:
    """With the statement that sets them; a server that says nothing cannot be judged."""
    text = b"# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n"
    assert [cure for *_, cure in judge_limits(parse_facts(text))] == [
        "CONFIG SET maxmemory 64mb",
        "CONFIG SET maxmemory-policy allkeys-lru",
    ]
    assert list(judge_limits({"maxmemory": "100", "maxmemory_policy": "allkeys-lru"})) == []
    with pytest.raises(InvalidRunError):
        list(judge_limits({}))


def test_an_error_about_words_is_no_refusal() -> None:
    """Only an error about rights says that a command would not be carried out."""
    assert is_refusal(redis.exceptions.NoPermissionError("User app has no permissions to run the 'flushall' command"))
    assert is_refusal(redis.ResponseError("NOAUTH Authentication required."))
    assert not is_refusal(redis.ResponseError("syntax error"))
    assert not is_refusal(redis.ResponseError("value is not an integer or out of range"))


def test_the_cure_grants_no_power() -> None:
    """What the finding prints, and the embedded server uses, holds none of the asked commands."""
    granted = {f"+{command}" for command in COMMANDS}

    assert not {f"+{power.words[0].lower()}" for power in POWERS} & granted
    assert format_rules() in write_user()
    assert "-@all" in format_rules().split()


def test_misses_and_keys_are_told_apart() -> None:
    """Counters by kind; locks are no entries."""
    text = '# HELP x\njivsbench_cache_misses_total{kind="alien"} 3.0\njivsbench_cache_misses_total{kind="absent"} 2.0\nother 1\n'

    assert parse_counters(text, "jivsbench_cache_misses_total") == {"alien": 3, "absent": 2}
    assert is_about(b"p:source:check-1", b"check-1")
    assert not is_about(b"p:source:check-1#load", b"check-1")
