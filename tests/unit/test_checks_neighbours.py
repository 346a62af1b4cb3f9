from contextlib import contextmanager

from jivsbench.api import Response, TargetChanges
from jivsbench.checks.neighbours import Neighbours

ONE, OTHER = TargetChanges(pool_size=1), TargetChanges(pool_size=2)


class Neighbour:
    """A target that answers until it is ended."""

    def __init__(self, changes):
        self.changes = changes
        self.status = 200
        self.target = self

    def call(self, _method, _path):
        """Whether it runs."""
        return Response(self.status, None)


class Launcher:
    """Remembers what was started, and what was ended."""

    def __init__(self):
        self.started, self.ended = [], []

    @contextmanager
    def launch(self, changes):
        """One more."""
        self.started.append(changes)
        yield Neighbour(changes)
        self.ended.append(changes)


def test_the_same_changes_share_a_target_until_the_end():
    """One start for each set of changes; all are ended by `close`, and none before."""
    launcher = Launcher()
    neighbours = Neighbours(launcher.launch)
    first, other, again = neighbours.share(ONE), neighbours.share(OTHER), neighbours.share(ONE)
    before = list(launcher.ended)
    neighbours.close()

    assert (first is again, other.changes) == (True, OTHER)
    assert launcher.started == [ONE, OTHER]
    assert (before, launcher.ended) == ([], [OTHER, ONE])


def test_a_target_that_was_ended_is_started_anew():
    """A check may end the one that it shares."""
    launcher = Launcher()
    neighbours = Neighbours(launcher.launch)
    neighbours.share(ONE).status = 0
    second = neighbours.share(ONE)

    assert launcher.started == [ONE, ONE]
    assert neighbours.share(ONE) is second


def test_a_dead_target_is_closed_at_once():
    """Its connections, its recorder and its folder do not wait for the end of all checks."""
    launcher = Launcher()
    neighbours = Neighbours(launcher.launch)
    neighbours.share(ONE).status = 0
    neighbours.share(ONE)
    before = list(launcher.ended)
    neighbours.close()

    assert (before, launcher.ended) == ([ONE], [ONE, ONE])
