"""Which jobs this process holds: those that wait for a worker, bounded, and those that run."""

import threading
from queue import SimpleQueue

from jivsbench.errors import JobStateError, QueueFullError, ShuttingDownError


class WorkQueue:
    """Jobs from `submit` to `done`, for many threads. A job is held once at most."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._jobs: SimpleQueue[str | None] = SimpleQueue()
        self._changed = threading.Condition()
        self._waiting: set[str] = set()
        self._running: set[str] = set()
        self._stopped: set[str] = set()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_open(self) -> bool:
        """True while jobs are taken."""
        return not self._is_closed

    def refuse_more(self) -> None:
        """Take no more work."""
        with self._changed:
            self._is_closed = True

    def submit(self, job_id: str) -> None:
        """Let a job wait for a worker. Raises QueueFullError, ShuttingDownError, JobStateError when it is held already."""
        with self._changed:
            if self._is_closed:
                raise ShuttingDownError("the service is ending and starts no more jobs: send it to the next one")
            if job_id in self._waiting or job_id in self._running:
                raise JobStateError("the job was started already: wait for its end")
            if len(self._waiting) >= self._limit:
                raise QueueFullError(f"{self._limit} jobs wait already, and no more may: start this one again later")
            self._waiting.add(job_id)
        self._jobs.put(job_id)

    def take(self) -> str | None:
        """The next job, for the worker that calls; None when there is no more work to come. Waits."""
        job_id = self._jobs.get()
        if job_id is None:
            return None
        with self._changed:
            self._waiting.discard(job_id)
            self._running.add(job_id)
        return job_id

    def done(self, job_id: str) -> None:
        """The worker has ended with the job."""
        with self._changed:
            self._running.discard(job_id)
            self._stopped.discard(job_id)
            if self._is_closed:
                self._changed.notify_all()

    def holds(self, job_id: str) -> bool:
        """True from `submit` to `done`."""
        with self._changed:
            return job_id in self._waiting or job_id in self._running

    def is_running(self, job_id: str) -> bool:
        """True while a worker has the job."""
        return job_id in self._running

    def ask_to_stop(self, job_id: str) -> bool:
        """Mark a job that a worker has; False when none has it."""
        with self._changed:
            if job_id not in self._running:
                return False
            self._stopped.add(job_id)
            return True

    def is_stopped(self, job_id: str) -> bool:
        """True when the job was asked to stop."""
        return job_id in self._stopped

    def close(self, drain_s: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Take no more work and wait at most `drain_s` for what is held. Returns what still waits, and what still runs."""
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: not self._waiting and not self._running, drain_s)
            return tuple(self._waiting), tuple(self._running)

    def send_workers_home(self, workers: int) -> None:
        """Let `take` answer None to so many callers, after the jobs that wait."""
        for _ in range(workers):
            self._jobs.put(None)
