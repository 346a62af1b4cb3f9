"""A plugin whose guard makes every job longer by a share of itself, inside the job: what a comparison must find.

JIVSBENCH_PLANTED_RATIO says by which share. The speed of a machine changes from minute to minute, so a fixed delay would be
another share in each trial; this one follows what the jobs take now. Of one user, whose jobs come one after the other.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from statistics import fmean

from jivsbench.api import GuardRequest, hookimpl
from tests.planted_delay import JOB_THREADS

VARIABLE = "JIVSBENCH_PLANTED_RATIO"
_REMEMBERED = 60
_LEAST = 5
_PAUSE_S = 0.25
"""So long the other target has its block: between two reviews that lie further apart there was not one job alone."""


class SharingGuard:
    """Refuses nothing. A job is reviewed when it is created and when it runs; it waits only where it runs."""

    name = "planted-share"

    def __init__(
        self,
        ratio: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ratio = float(os.environ[VARIABLE]) if ratio is None else ratio
        self._clock, self._sleep = clock, sleep
        self._jobs: deque[float] = deque(maxlen=_REMEMBERED)
        self._oversleeps: deque[float] = deque([0.0], maxlen=_REMEMBERED)
        self._left_s: float | None = None

    def review(self, request: GuardRequest) -> None:  # noqa: ARG002 - the protocol's; this guard does not look
        """Wait, in the job's own thread: no further hop, no further work."""
        if threading.current_thread().name.startswith(JOB_THREADS):
            self._wait()

    def _wait(self) -> None:
        """What a job takes is the time from the end of one wait to the next review."""
        entered_s = self._clock()
        if self._left_s is not None and entered_s - self._left_s < _PAUSE_S:
            self._jobs.append(entered_s - self._left_s)
        if len(self._jobs) >= _LEAST:
            wanted_s = self._ratio * fmean(self._jobs)
            asked_s = max(wanted_s - fmean(self._oversleeps), 0.0)
            self._sleep(asked_s)
            self._oversleeps.append(self._clock() - entered_s - asked_s)
        self._left_s = self._clock()


@hookimpl
def jivsbench_register_guards() -> list[object]:
    """The one guard."""
    return [SharingGuard()]
