"""A plugin whose guard lets every job wait, inside the job: the slow-down that a comparison must find.

JIVSBENCH_PLANTED_DELAY_US says how long; both targets inherit the variable, but only the one that loads this plugin reads it.
"""

import os
import threading
import time

from jivsbench.api import GuardRequest, hookimpl

VARIABLE = "JIVSBENCH_PLANTED_DELAY_US"
JOB_THREADS = "job-worker-"


class DelayingGuard:
    """Refuses nothing. A job is reviewed when it is created and when it runs; it waits only where it runs."""

    name = "planted-delay"

    def __init__(self) -> None:
        self._delay_s = int(os.environ[VARIABLE]) / 1e6

    def review(self, request: GuardRequest) -> None:  # noqa: ARG002 - the protocol's; this guard does not look
        """Wait, in the job's own thread: no further hop, no further work."""
        if threading.current_thread().name.startswith(JOB_THREADS):
            time.sleep(self._delay_s)


@hookimpl
def jivsbench_register_guards() -> list[object]:
    """The one guard."""
    return [DelayingGuard()]
