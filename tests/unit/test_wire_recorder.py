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

    assert [kind for kind, *_rest in found] == ["startup", "Q", "P"]
    assert found[1][1] == b"select 1\0"
    assert not framer.is_lost


def test_an_encrypted_stream_is_lost_not_guessed():
    """After the server has said yes to encryption nothing can be read."""
    framer = PostgresFramer()
    assert [kind for kind, *_rest in framer.feed(struct.pack(">II", 8, 80877103))] == ["ssl"]
    framer.note_answer(b"S")

    assert list(framer.feed(b"\x16\x03\x01")) == []
    assert framer.is_lost


def test_what_has_no_room_is_said():
    """The record never grows without end, and says that it does not hold all."""
    recorder = WireRecorder(room_bytes=300)
    recorder.observe(0, False, STARTUP + frame("Q", b"x" * 200))

    assert [message.kind for message in recorder.since(0)] == ["startup"]
    assert not recorder.is_complete


@pytest.mark.no_cover
def test_empty_messages_take_room_as_well():
    """A target that syncs for ever does not fill the memory of whoever attacks it."""
    recorder = WireRecorder(room_bytes=10_000)
    recorder.observe(0, False, STARTUP + frame("S", b"") * 1_000_000)

    assert recorder.mark() < 100
    assert not recorder.is_complete


@pytest.mark.parametrize("size", [1_000, 65_536])
def test_a_long_message_is_kept_by_its_start(size):
    """10,000 bytes of it, however long it is and however it is torn; what follows is read as before."""
    sent = STARTUP + frame("B", b"v" * 300_000) + frame("P", b"name\0select 1\0") + frame("Q", b"q" * 10_001) + frame("S", b"")
    recorder = WireRecorder()
    for at in range(0, len(sent), size):
        recorder.observe(0, False, sent[at : at + size])
        framer = recorder._framers[0]
        assert len(framer._left) <= 10_005
    found = [(message.kind, len(message.payload), message.is_whole) for message in recorder.since(0)[1:]]

    assert found == [("B", 10_000, False), ("P", 14, True), ("Q", 10_000, False), ("S", 0, True)]
    assert not recorder.is_complete


def test_long_values_leave_the_statements_complete():
    """What is cut is no text of a statement."""
    recorder = WireRecorder()
    recorder.observe(0, False, STARTUP + frame("B", b"v" * 300_000) + frame("Q", b"q" * 10_000))

    assert recorder.is_complete


def test_lost_streams_are_counted_and_not_kept():
    """Each once; what they go on sending takes no memory, and other connections are read as before."""
    recorder = WireRecorder()
    for number in (0, 1):
        recorder.observe(number, False, struct.pack(">II", 8, 80877103))
        recorder.observe(number, True, b"S")
        for _ in range(100):
            recorder.observe(number, False, b"\x16\x03\x01" * 10_000)
    recorder.observe(2, False, b"\xff" * 1_000)
    recorder.observe(3, False, STARTUP + frame("Q", b"select 1\0"))

    assert (recorder.lost_streams, recorder.is_complete) == (3, False)
    assert not any(recorder._framers[number]._left for number in (0, 1, 2))
    assert [message.kind for message in recorder.since(0)] == ["ssl", "ssl", "startup", "Q"]


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
