"""A plugin whose guard refuses two jobs of three at once: a target that is fast because it does not do its work."""

import itertools
import threading

from jivsbench.api import GuardRequest, hookimpl
from jivsbench.errors import GuardRefusedError
from tests.planted_delay import JOB_THREADS


class RefusingGuard:
    """Refuses when a job is created; one that runs is let through."""

    name = "planted-refusal"

    def __init__(self) -> None:
        self._turns = itertools.cycle((True, True, False))

    def review(self, request: GuardRequest) -> None:  # noqa: ARG002 - the protocol's; this guard does not look
        """Two of three are refused, in turn."""
        if not threading.current_thread().name.startswith(JOB_THREADS) and next(self._turns):
            raise GuardRefusedError("planted: this one is refused")


@hookimpl
def jivsbench_register_guards() -> list[object]:
    """The one guard."""
    return [RefusingGuard()]
