"""Targets beside an attacked one, each started when a check first asks for it: a start costs more than most checks."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from http import HTTPStatus

from jivsbench.api import CheckContext, TargetChanges

Launch = Callable[[TargetChanges], AbstractContextManager[CheckContext]]


class Neighbours:
    """Targets by their changes, kept until `close`. Used by one thread."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._exits = ExitStack()
        self._found: dict[TargetChanges, CheckContext] = {}

    def share(self, changes: TargetChanges) -> CheckContext:
        """The target with these changes; a new one when it no longer answers, since a check may have ended it."""
        found = self._found.get(changes)
        if found is None or found.target.call("GET", "/profile").status != HTTPStatus.OK:
            found = self._found[changes] = self._exits.enter_context(self._launch(changes))
        return found

    def close(self) -> None:
        """End all of them."""
        self._found.clear()
        self._exits.close()
