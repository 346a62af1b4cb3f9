"""Who waits for which job: callbacks that a job's end calls, so that nobody has to ask again and again."""

import threading
from collections.abc import Callable

Wake = Callable[[], None]
"""Called once, from any thread, when the job has ended. Must be quick and must not raise."""


class Waiters:
    """The callbacks of all jobs, for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Wake]] = {}
        self._is_closed = False

    def add(self, job_id: str, wake: Wake) -> bool:
        """Call `wake` when the job ends. False, and no call, when the service is ending."""
        with self._lock:
            if self._is_closed:
                return False
            self._waiting.setdefault(job_id, []).append(wake)
            return True

    def remove(self, job_id: str, wake: Wake) -> None:
        """Forget a callback; one that was called already is gone."""
        with self._lock:
            waiting = self._waiting.get(job_id)
            if waiting is None or wake not in waiting:
                return
            waiting.remove(wake)
            if not waiting:
                del self._waiting[job_id]

    def wake(self, job_id: str) -> None:
        """Call everyone who waits for this job."""
        with self._lock:
            waiting = self._waiting.pop(job_id, ())
        for wake in waiting:
            wake()

    def close(self) -> None:
        """Call everyone; from now on nobody waits."""
        with self._lock:
            self._is_closed = True
            waiting = [wake for wakes in self._waiting.values() for wake in wakes]
            self._waiting.clear()
        for wake in waiting:
            wake()
