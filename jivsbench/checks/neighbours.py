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
        self._found: dict[TargetChanges, tuple[CheckContext, ExitStack]] = {}

    def share(self, changes: TargetChanges) -> CheckContext:
        """The target with these changes; a new one when it no longer answers, since a check may have ended it."""
        if changes in self._found:
            found, exits = self._found[changes]
            if found.target.call("GET", "/profile").status == HTTPStatus.OK:
                return found
            # Its connections and its recorder would wait for the end of all checks.
            del self._found[changes]
            exits.close()
        exits = ExitStack()
        context = exits.enter_context(self._launch(changes))
        self._found[changes] = (context, exits)
        return context

    def close(self) -> None:
        """End all of them, the youngest first."""
        with ExitStack() as whole:
            for _context, exits in self._found.values():
                whole.push(exits)
            self._found.clear()
