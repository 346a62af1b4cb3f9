"""Sums of errors that grow in place while intervals are read."""

from collections.abc import Iterable

from jivsbench.model.sample import ErrorClass, ErrorCount


class ErrorSum:
    """Errors counted by class and code."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[tuple[ErrorClass, str], int] = {}

    def add(self, errors: Iterable[ErrorCount]) -> None:
        """Count some more."""
        for error in errors:
            key = (error.error, error.code)
            self._counts[key] = self._counts.get(key, 0) + error.count

    def build(self) -> tuple[ErrorCount, ...]:
        """All so far, by class and code."""
        return tuple(ErrorCount(error, code, count) for (error, code), count in sorted(self._counts.items()))
