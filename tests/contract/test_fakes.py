"""The fakes and the proxy that this project ships for tests of plugins."""

import socket
import threading
import time
from collections.abc import Iterator

import pyarrow as pa
import pytest

from jivsbench.api import GuardRequest, ReadLimits
from jivsbench.errors import ExtractionError, GuardRefusedError
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, TableName
from jivsbench.testing.fakes import CountingGuard, FailingCacheClient, FakeConnector, RefusingGuard
from jivsbench.testing.tcp_proxy import Fault, TcpProxy

REQUEST = GuardRequest(ExtractionRequest("s", TableName("t")), "", None)
SOURCE = DataSource("s", "fake", Secret("fake://memory"))


def test_a_counting_guard_lets_everything_pass() -> None:
    """And keeps what it saw."""
    guard = CountingGuard()
    guard.review(REQUEST)
    guard.review(REQUEST)

    assert (guard.count, guard.seen) == (2, [REQUEST, REQUEST])


def test_a_refusing_guard_lets_nothing_pass() -> None:
    """With the reason that it was given."""
    with pytest.raises(GuardRefusedError, match="not on Sundays"):
        RefusingGuard(reason="not on Sundays").review(REQUEST)


def test_a_failing_cache_misses_and_counts() -> None:
    """Never an exception; hits and misses add up to look-ups."""
    client = FailingCacheClient()
    client.set("a", b"1", 60)
    client.delete("a")
    answers = [client.get("a"), client.get("b"), client.delete_prefix("a")]
    client.close()
    statistics = client.statistics()

    assert answers == [None, None, 0]
    assert (statistics.hits, statistics.misses, statistics.errors, statistics.writes) == (0, 2, 5, 0)


def test_a_view_of_the_fake_source_does_not_see_what_comes_later() -> None:
    """Between `begin` and `reset` the tables stay as they were, in every session that joins."""
    connector = FakeConnector({"t": pa.table({"id": [1]})})
    first, second = connector.connect(SOURCE, ReadLimits()), connector.connect(SOURCE, ReadLimits())
    snapshot = first.begin()
    connector.tables["t"] = pa.table({"id": [1, 2]})
    second.begin(snapshot)
    request = REQUEST.request

    def count(connection) -> int:
        (partition,) = connection.partitions(request, connection.schema(request), 1)
        return sum(batch.num_rows for batch in connection.read(partition))

    assert (count(first), count(second)) == (1, 1)
    first.reset()
    assert count(first) == 2
    with pytest.raises(ExtractionError, match="no snapshot is called 'gone'"):
        first.begin("gone")


def test_a_slow_fake_read_ends_when_it_is_cancelled() -> None:
    """From another thread, in the middle of a pause."""
    connector = FakeConnector({"t": pa.table({"id": [1, 2, 3]})}, batch_pause_s=10)
    connection = connector.connect(SOURCE, ReadLimits(batch_rows=1))
    (partition,) = connection.partitions(REQUEST.request, connection.schema(REQUEST.request), 1)
    threading.Timer(0.1, connection.cancel).start()
    started = time.monotonic()

    with pytest.raises(ExtractionError, match="it was cancelled"):
        list(connection.read(partition))

    assert time.monotonic() - started < 5


def test_a_fake_source_knows_no_sql() -> None:
    """A query is refused, never ignored."""
    with pytest.raises(ExtractionError, match="knows no SQL"):
        FakeConnector().connect(SOURCE, ReadLimits()).schema(ExtractionRequest("s", query="SELECT 1"))


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that gives back what it is sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(client: socket.socket) -> None:
            with client:
                while chunk := client.recv(1024):
                    client.sendall(chunk)

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(client,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_proxy_holds_and_lets_go(echo: int) -> None:
    """Held bytes are late, not lost."""
    with TcpProxy("127.0.0.1", echo) as proxy, socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
        client.sendall(b"one")
        assert client.recv(10) == b"one"
        proxy.set_fault(Fault.HOLD)
        client.sendall(b"two")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(10)
        client.settimeout(5)
        proxy.set_fault(Fault.NONE)

        assert client.recv(10) == b"two"


def test_a_proxy_refuses_and_comes_back_on_its_port(echo: int) -> None:
    """Old connections are cut, new ones refused, until it is repaired."""
    with TcpProxy("127.0.0.1", echo) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=2) as client:
            client.sendall(b"one")
            client.recv(10)
            proxy.set_fault(Fault.REFUSE)
            assert client.recv(10) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", proxy.port), timeout=2)
        proxy.set_fault(Fault.NONE)
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=2) as client:
            client.sendall(b"three")

            assert client.recv(10) == b"three"
