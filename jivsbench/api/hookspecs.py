"""The hooks of jivsbench. A register hook returns named objects, is cheap and never connects."""

from collections.abc import Iterable
from typing import Final

import pluggy

from jivsbench.api.checks import SecurityCheck
from jivsbench.api.protocols import Cache, Connector, Guard, Reporter
from jivsbench.api.workloads import Workload
from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Summary, Verdict

PROJECT: Final = "jivsbench"
hookspec: Final = pluggy.HookspecMarker(PROJECT)
hookimpl: Final = pluggy.HookimplMarker(PROJECT)


class HookSpecs:
    """The specifications, one method a hook. Plugins implement them as module functions marked with `hookimpl`."""

    @hookspec
    def jivsbench_register_connectors(self) -> Iterable[Connector]:  # type: ignore[empty-body]
        """Offer connectors. Called once at start; must not connect. Names must be unique."""

    @hookspec
    def jivsbench_register_caches(self) -> Iterable[Cache]:  # type: ignore[empty-body]
        """Offer caches. Called once at start; must not connect. Names must be unique."""

    @hookspec
    def jivsbench_register_guards(self) -> Iterable[Guard]:  # type: ignore[empty-body]
        """Offer guards. Called once at start. A guard may only refuse, never change a request."""

    @hookspec
    def jivsbench_register_checks(self) -> Iterable[SecurityCheck]:  # type: ignore[empty-body]
        """Offer security checks. Called once at start; must not connect. Ids must be unique."""

    @hookspec
    def jivsbench_register_workloads(self) -> Iterable[Workload]:  # type: ignore[empty-body]
        """Offer workloads: what one virtual user does. Called once at start of a load child."""

    @hookspec
    def jivsbench_register_reporters(self) -> Iterable[Reporter]:  # type: ignore[empty-body]
        """Offer reporters. Called once at start. Names and file names must be unique."""

    @hookspec
    def jivsbench_run_finished(self, record: RunRecord, summary: Summary, verdict: Verdict) -> None:
        """Be told that a run has ended and its reports are written. Cannot change any of them."""
