"""The parts that are wrong on purpose are wrong in one thing alone: they neither hang nor close a hole in silence."""

from jivsbench.errors import CancelledJobError, ExtractionError
from jivsbench.testing.vulnerable.naive_errors import _find_bottom


def test_the_bottom_of_causes_that_go_in_a_circle_is_found():
    """An error that is, by way of another, a cause of itself has a first cause all the same."""
    told, copied = CancelledJobError("told"), ExtractionError("copied")
    told.__cause__, copied.__cause__ = copied, told

    assert _find_bottom(told) is copied
    assert _find_bottom(ValueError("alone")).args == ("alone",)
