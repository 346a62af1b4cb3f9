"""A plugin whose guard makes every job longer by a share of itself, inside the job: what a comparison must find.

It waits. JIVSBENCH_PLANTED_RATIO says by which share. The speed of a machine changes from minute to minute, so a fixed delay
would be another share in each trial; this one follows what the jobs take now, without those that take twice as long as usual:
the first jobs of a process are slow, and with them a tenth came to 13 %. Of one user, whose jobs come one after the other.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from statistics import fmean, median

from jivsbench.api import GuardRequest, hookimpl
from tests.planted_delay import JOB_THREADS

VARIABLE = "JIVSBENCH_PLANTED_RATIO"
_REMEMBERED = 60
_LEAST = 5
_PAUSE_S = 0.25
"""So long the other target has its block: between two reviews that lie further apart there was not one job alone."""
COMES_TO = 1.18
"""A job that was interrupted runs slower: of 40 % planted, 47 % came out. Of 40 % that computed, 51 %."""


class SharingGuard:
    """Refuses nothing. A job is reviewed when it is created and when it runs; it takes longer only where it runs."""

    name = "planted-share"

    def __init__(
        self,
        ratio: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
        spend: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ratio = float(os.environ[VARIABLE]) if ratio is None else ratio
        self._clock, self._spend = clock, spend
        self._jobs: deque[float] = deque(maxlen=_REMEMBERED)
        self._overruns: deque[float] = deque([0.0], maxlen=_REMEMBERED)
        self._left_s: float | None = None

    def review(self, request: GuardRequest) -> None:  # noqa: ARG002 - the protocol's; this guard does not look
        """Take time, in the job's own thread: no further hop."""
        if threading.current_thread().name.startswith(JOB_THREADS):
            self._lengthen()

    def _lengthen(self) -> None:
        """What a job takes is the time from the end of this to the next review."""
        entered_s = self._clock()
        if self._left_s is not None and entered_s - self._left_s < _PAUSE_S:
            self._jobs.append(entered_s - self._left_s)
        if len(self._jobs) >= _LEAST:
            usual_s = median(self._jobs)
            wanted_s = self._ratio / COMES_TO * fmean(job_s for job_s in self._jobs if job_s <= 2 * usual_s)
            asked_s = max(wanted_s - fmean(self._overruns), 0.0)
            self._spend(asked_s)
            self._overruns.append(self._clock() - entered_s - asked_s)
        self._left_s = self._clock()


@hookimpl
def jivsbench_register_guards() -> list[object]:
    """The one guard."""
    return [SharingGuard()]
