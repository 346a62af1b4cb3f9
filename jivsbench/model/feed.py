"""Rows of a file that tell iterations what to ask for."""

from dataclasses import dataclass

from jivsbench.model.filters import Filter


@dataclass(frozen=True, slots=True)
class FeedRow:
    """What one iteration asks for. What is None is chosen as without a feed.

    `first` and `rows` are a range of keys. With `filters` the number of matching rows is `expected_rows`; without that number
    the rows are compared with what the target read alone.
    """

    first: int | None = None
    rows: int | None = None
    filters: tuple[Filter, ...] = ()
    expected_rows: int | None = None
