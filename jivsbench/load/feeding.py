"""Hands the rows of a feed to the users: each begins at a row of its own and goes on from there, round and round."""

import random

from jivsbench.model.feed import FeedRow


class FeedReader:
    """One user's place in the feed. The same seed and user number give the same rows in the same order, for every arm."""

    __slots__ = ("_next", "_rows")

    def __init__(self, rows: tuple[FeedRow, ...], seed: int, number: int) -> None:
        self._rows = rows
        self._next = random.Random(f"feed:{seed}:{number}").randrange(len(rows)) if rows else 0  # noqa: S311 - reproducible

    def take(self) -> FeedRow | None:
        """The next row; None without a feed."""
        if not self._rows:
            return None
        row = self._rows[self._next]
        self._next = (self._next + 1) % len(self._rows)
        return row
