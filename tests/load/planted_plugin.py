"""A plugin for the load child under test: the real extraction workload, and workloads that misbehave."""

import time

from jivsbench.api import UserContext, hookimpl
from jivsbench.load.extraction import ExtractionWorkload


class CrashingWorkload:
    name = "crashing"
    operations = ("create",)

    def iterate(self, user: UserContext) -> None:
        user.call("create", "POST", "/extractions", {"filters": []})
        raise LookupError("planted")


class CrashingJobWorkload:
    name = "crashing-job"
    operations = ("create", "job")

    def iterate(self, user: UserContext) -> None:
        with user.job():
            user.call("create", "POST", "/extractions", {"filters": []})
            raise LookupError("planted")


class FreezingWorkload:
    """Holds the whole generator for 1.2 s, once, as a blocking C call would."""

    name = "freezing"
    operations = ("create",)

    def __init__(self) -> None:
        self._has_frozen = False

    def iterate(self, user: UserContext) -> None:
        user.call("create", "POST", "/extractions", {"filters": []})
        if not self._has_frozen:
            self._has_frozen = True
            end_s = time.monotonic() + 1.2
            while time.monotonic() < end_s:
                pass


class PrintingWorkload:
    """Prints to standard output, which is the channel that the parent listens to."""

    name = "printing"
    operations = ("create",)

    def iterate(self, user: UserContext) -> None:
        user.call("create", "POST", "/extractions", {"filters": []})
        print("a plugin that prints")  # noqa: T201 - what is tested


class PingWorkload:
    """One trivial request an iteration."""

    name = "ping"
    operations = ("ping",)

    def iterate(self, user: UserContext) -> None:
        user.call("ping", "GET", "/ping")


class TimedWorkload:
    """A request that the target takes its planted time for, and one that it answers at once: what the way to it costs."""

    name = "timed"
    operations = ("ping", "plain")

    def iterate(self, user: UserContext) -> None:
        user.call("plain", "GET", "/plain")
        user.call("ping", "GET", "/ping")


@hookimpl
def jivsbench_register_workloads() -> list[object]:
    """The workload under test, and those that misbehave."""
    return [
        ExtractionWorkload(),
        CrashingWorkload(),
        CrashingJobWorkload(),
        FreezingWorkload(),
        PrintingWorkload(),
        PingWorkload(),
        TimedWorkload(),
    ]
