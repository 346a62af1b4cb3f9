import struct

import psycopg
import pytest

from jivsbench.checks.recorder import PostgresFramer, WireRecorder, record_source
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource


def frame(kind, payload):
    """A message as a client sends it."""
    return kind.encode() + struct.pack(">I", len(payload) + 4) + payload


STARTUP = struct.pack(">II", 8 + 4, 196608) + b"user"


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_messages_are_cut_wherever_the_bytes_are_torn(size):
    """Start, query and parse, in pieces of any size."""
    sent = STARTUP + frame("Q", b"select 1\0") + frame("P", b"name\0select $1\0")
    framer = PostgresFramer()
    found = [message for at in range(0, len(sent), size) for message in framer.feed(sent[at : at + size])]

    assert [kind for kind, _payload in found] == ["startup", "Q", "P"]
    assert found[1][1] == b"select 1\0"
    assert not framer.is_lost


def test_an_encrypted_stream_is_lost_not_guessed():
    """After the server has said yes to encryption nothing can be read."""
    framer = PostgresFramer()
    assert [kind for kind, _ in framer.feed(struct.pack(">II", 8, 80877103))] == ["ssl"]
    framer.note_answer(b"S")

    assert list(framer.feed(b"\x16\x03\x01")) == []
    assert framer.is_lost


def test_what_has_no_room_is_said():
    """The record never grows without end, and says that it does not hold all."""
    recorder = WireRecorder(room_bytes=10)
    recorder.observe(0, False, STARTUP + frame("Q", b"x" * 20))

    assert [message.kind for message in recorder.since(0)] == ["startup"]
    assert not recorder.is_complete


def test_what_a_client_says_is_kept_and_passed_on(embedded_postgres_url):
    """A real session through the recorder: its queries are there, after the mark."""
    with (
        record_source(DataSource("main", "postgres", Secret(embedded_postgres_url))) as (source, wire),
        psycopg.connect(source.url.reveal(), autocommit=True) as connection,
    ):
        mark = wire.mark()
        assert connection.execute("SELECT %s::int", [7]).fetchone() == (7,)
        kinds = [message.kind for message in wire.since(mark)]

    assert kinds[:2] == ["P", "B"]
    assert b"SELECT $1::int" in wire.since(mark)[0].payload


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///x",
        "postgresql:///shop",
        "postgresql://a,b/shop",
        "postgresql://u@127.0.0.1/shop?sslmode=verify-full",
        "postgresql://u@h/shop",
        "postgresql://u:pass#word@h/shop",
        "postgresql://[::1/shop",
    ],
)
def test_no_recorder_stands_where_it_would_change_what_happens(url):
    """The source is left as it is, and the wire is not known."""
    source = DataSource("main", "any", Secret(url))

    with record_source(source) as (passing, wire):
        assert (passing, wire) == (source, None)
