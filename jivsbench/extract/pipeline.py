"""Reading and writing apart: while one thread waits for the source and decodes, another transforms and encodes.

At most two batches wait between them, so a slow disk slows the source instead of filling memory. The thread is started when
a second batch arrives: a table of one batch never pays for it. Whichever side fails, both have ended when `write_apart` returns.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator

import pyarrow as pa

from jivsbench.extract.phases import PhaseClock
from jivsbench.extract.running import RunningJob
from jivsbench.model.job import Phase

WAITING_BATCHES = 2
_CHECK_S = 0.1
"""How often a reader that waits for the writer looks whether the job was stopped meanwhile."""

Write = Callable[[pa.RecordBatch], None]


class Handover:
    """A bounded queue between one reader and one writer, which either side may close."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._batches: deque[pa.RecordBatch] = deque()
        self._changed = threading.Condition()
        self._is_ended = False

    def put(self, batch: pa.RecordBatch, check: Callable[[], None]) -> bool:
        """Wait until there is room; False when the writer has gone. While waiting, `check` may raise."""
        with self._changed:
            while len(self._batches) >= self._limit and not self._is_ended:
                self._changed.wait(_CHECK_S)
                check()
            if self._is_ended:
                return False
            self._batches.append(batch)
            self._changed.notify_all()
            return True

    def take(self) -> pa.RecordBatch | None:
        """Wait for a batch; None when the last one was taken."""
        with self._changed:
            while not self._batches and not self._is_ended:
                self._changed.wait()
            if not self._batches:
                return None
            batch = self._batches.popleft()
            self._changed.notify_all()
            return batch

    def end(self) -> None:
        """No more batches come; those that wait are still taken."""
        with self._changed:
            self._is_ended = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Nobody wants those that wait any more."""
        with self._changed:
            self._batches.clear()
            self._is_ended = True
            self._changed.notify_all()


class _Writer:
    """The thread that writes; its failure stops the job, so that a reader that waits for the source ends too."""

    def __init__(self, write: Write, job: RunningJob, connector: str) -> None:
        self.handover = Handover(WAITING_BATCHES)
        self._write = write
        self._job = job
        self._connector = connector
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"write-{job.job_id}")
        self._thread.start()

    def put(self, batch: pa.RecordBatch) -> None:
        """Hand a batch over. Raises what ended the writer, or the job."""
        if not self.handover.put(batch, self._job.check):
            self._raise_failure()

    def finish(self) -> None:
        """Wait until everything is written. Raises what ended the writer."""
        self.handover.end()
        self._thread.join()
        self._raise_failure()

    def leave(self) -> None:
        """End the thread, wherever it is; does nothing after `finish`."""
        self.handover.abandon()
        self._thread.join()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            while (batch := self.handover.take()) is not None:
                self._write(batch)
                # Nothing of a batch stays while the next one is waited for.
                del batch
        except Exception as problem:  # noqa: BLE001 - the reader raises it
            self._failure = problem
            self.handover.abandon()
            self._job.fail(problem, self._connector)


def write_in_turn(batches: Iterator[pa.RecordBatch], write: Write, job: RunningJob, clock: PhaseClock) -> None:
    """Read and write one batch after the other, in this thread."""
    for batch in batches:
        clock.enter(Phase.ENCODE)
        write(batch)
        job.check()
        clock.enter(Phase.FETCH)


def write_apart(batches: Iterator[pa.RecordBatch], write: Write, job: RunningJob, clock: PhaseClock, connector: str) -> None:
    """Read in this thread, which the source's session belongs to, and write in another one.

    The phase ENCODE is then the time that reading stood still for writing.
    """
    first = next(batches, None)
    clock.enter(Phase.FETCH)
    second = next(batches, None)
    if first is None or second is None:
        write_in_turn(iter(() if first is None else (first,)), write, job, clock)
        return
    writer = _Writer(write, job, connector)
    try:
        writer.put(first)
        writer.put(second)
        del first, second
        write_in_turn(batches, writer.put, job, clock)
        clock.enter(Phase.ENCODE)
        writer.finish()
    finally:
        writer.leave()
