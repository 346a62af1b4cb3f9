"""The verdicts on something real and small: a process that leaks, a service with so many servers."""

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

import psutil
import pytest

from jivsbench.analysis.knee import fit_knee
from jivsbench.analysis.trend import judge_growth
from jivsbench.load.target_probe import TreeReading, read_tree
from jivsbench.model.behaviour import Growth, KneeModel, LoadPoint, Trend
from jivsbench.model.gate import Unit

# Each leaks a little every 10 ms, on top of what a process holds anyway; `nothing` only works.
_LEAKS = {
    "nothing": "bytes(4096)",
    "handles": "kept.append(open('/dev/null'))",
    "memory": "kept.append(bytearray(65536))",
    "connections": "kept.append(socket.create_connection(server.getsockname()))",
}
_CHILD = """
import resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096)) if resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 4096 else None
server = socket.create_server(("127.0.0.1", 0), backlog=4096)
held = [open('/dev/null') for _ in range(100)]
kept = []
print("ready", flush=True)
end = time.monotonic() + 20
while time.monotonic() < end:
    {leak}
    time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def growths() -> dict[str, Growth]:
    """How each of four processes grows, which leak side by side: read every 25 ms for 2.5 s, 80 readings after the warm-up."""
    children = {
        leak: subprocess.Popen([sys.executable, "-c", _CHILD.format(leak=text)], stdout=subprocess.PIPE)
        for leak, text in _LEAKS.items()
    }
    readings: dict[str, list[TreeReading]] = {leak: [] for leak in children}
    try:
        for child in children.values():
            assert child.stdout is not None
            child.stdout.readline()
        trees = {leak: [psutil.Process(child.pid)] for leak, child in children.items()}
        for _ in range(100):
            for leak, tree in trees.items():
                readings[leak].append(read_tree(tree))
            time.sleep(0.025)
    finally:
        for child in children.values():
            child.kill()
            child.communicate()
    return {leak: _judge(leak, found) for leak, found in readings.items()}


def _judge(leak: str, readings: list[TreeReading]) -> Growth:
    if leak == "memory":
        values, unit = [(reading.rss_bytes or 0) / 2**20 for reading in readings], Unit.MEBIBYTES
    else:
        values, unit = [float(reading.handles or 0) for reading in readings], Unit.COUNT
    return judge_growth(leak, unit, values, 2.5, source="a real process")


@pytest.mark.parametrize("leak", ["handles", "connections", "memory"])
def test_a_leak_of_a_real_process_is_found(growths: dict[str, Growth], leak: str) -> None:
    """A hundred a second on top of a hundred handles, and 6 MiB a second, within three seconds."""
    growth = growths[leak]

    assert growth.trend is Trend.GROWS, growth
    assert growth.growth_percent is not None
    assert growth.growth_percent > 10


def test_a_real_process_that_only_works_does_not_grow(growths: dict[str, Growth]) -> None:
    """Its handles stay what they are."""
    assert growths["nothing"].trend is Trend.FLAT, growths["nothing"]


class _Servers:
    """A real service of `count` servers, each busy for 50 ms with one call at a time."""

    def __init__(self, count: int) -> None:
        self._free = threading.Semaphore(count)
        self.done = itertools.count()

    def call(self) -> None:
        with self._free:
            time.sleep(0.05)
            next(self.done)


def _count_calls(users: Sequence[int], seconds: float) -> list[LoadPoint]:
    """Calls per second of closed loops of real threads, each at a service of eight servers of its own, all at the same time."""
    services, stop = {count: _Servers(8) for count in users}, threading.Event()

    def work(service: _Servers) -> None:
        while not stop.is_set():
            service.call()

    threads = [threading.Thread(target=work, args=(services[count],)) for count in users for _ in range(count)]
    for thread in threads:
        thread.start()
    before, start = [next(services[count].done) for count in users], time.monotonic()
    time.sleep(seconds)
    after, took_s = [next(services[count].done) for count in users], time.monotonic() - start
    stop.set()
    for thread in threads:
        thread.join()
    return [LoadPoint(float(count), (a - b - 1) / took_s, 1) for count, b, a in zip(users, before, after, strict=True)]


def test_the_knee_of_a_real_service_is_its_number_of_servers() -> None:
    """Eight servers: the interval holds 8. A slow moment of the machine is every load's, as all are played at once."""
    fit = fit_knee(_count_calls((1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32), 4.0), 1)

    assert fit.model in (KneeModel.SERVERS, KneeModel.EITHER), fit
    assert fit.low is not None
    assert fit.low <= 8 <= (fit.high or 1e9)
