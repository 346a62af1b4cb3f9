import pytest

from jivsbench.api import GuardRequest
from jivsbench.errors import GuardRefusedError
from jivsbench.model.table import ExtractionRequest, TableName
from jivsbench.testing.breaking_guard import BreakingGuard


class Refusing:
    """Refuses one table."""

    name = "refusing"

    def review(self, request):
        """No to `secret`."""
        if request.request.table.name == "secret":
            raise GuardRefusedError("no")


def ask(guard, table):
    """One look."""
    guard.review(GuardRequest(ExtractionRequest("main", TableName(table)), "postgres", None))


def test_a_guard_breaks_when_it_is_told_and_never_lets_more_through():
    """At once, or at the second look; everything else is as the guard within says."""
    guard = BreakingGuard(Refusing())
    ask(guard, "orders")
    ask(guard, "orders")
    ask(guard, "x_guard_breaks_later")

    assert guard.name == "refusing"
    with pytest.raises(RuntimeError):
        ask(guard, "x_guard_breaks_later")
    with pytest.raises(RuntimeError):
        ask(guard, "x_guard_breaks_at_once")
    with pytest.raises(GuardRefusedError):
        ask(guard, "secret")
