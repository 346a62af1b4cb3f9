"""What this machine does to every process on it just now."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from jivsbench.model.histogram import HistogramBuilder


@contextmanager
def watch_scheduler() -> Iterator[HistogramBuilder]:
    """How late this machine wakes a process just now; server and client each wait for that, and no percentile is free of it."""
    lateness, is_over = HistogramBuilder(), threading.Event()

    def watch() -> None:
        while not is_over.is_set():
            due_ns = time.monotonic_ns() + 5_000_000
            time.sleep(0.005)
            lateness.record(time.monotonic_ns() - due_ns)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lateness
    finally:
        is_over.set()
        watcher.join()
