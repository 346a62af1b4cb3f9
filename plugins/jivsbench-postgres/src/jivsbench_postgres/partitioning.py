"""How a large table is split: into page ranges, which need no key and hold about the same number of rows."""

import bisect
import itertools
from collections.abc import Sequence

from jivsbench.model.table import ExtractionRequest
from jivsbench_postgres.catalogue import TableSize

# Below this a second stream costs more (a session to borrow, a snapshot to join) than it saves: 50,000 rows are read in
# about a quarter of a second.
MIN_ROWS_TO_SPLIT = 50_000
MIN_ROWS_PER_PART = 25_000
_GUESSED_ROWS_PER_PAGE = 20.0
_UNEVEN = 1.5
"""A sample is not exact: only a part that seems to hold more than one and a half times its share is worth moving bounds for."""


def can_split(request: ExtractionRequest, server_version: int) -> bool:
    """Only whole tables: with a filter the pages say nothing about the rows. Before 14 each range scans the whole table."""
    return request.table is not None and not request.filters and request.row_limit is None and server_version >= 140000  # noqa: PLR2004


def split_pages(size: TableSize, streams: int, density: Sequence[int] = ()) -> tuple[str, ...]:
    """Predicates over ctid whose union is the table: half-open ranges of about equal rows, the last one without an end.

    `density` says how many rows a sample found in each of so many equal runs of pages. Pages are shared out evenly unless it
    says that this would leave most rows to one reader, as in a table of which one end was deleted.

    Rows that the snapshot sees lie in pages that existed when it was taken, so the last range needs no end; it has none so
    that the union is the whole table whatever the count said.
    """
    rows = size.pages * (size.rows_per_page or _GUESSED_ROWS_PER_PAGE)
    parts = min(streams, int(rows // MIN_ROWS_PER_PART), size.pages)
    if not size.is_heap or rows <= MIN_ROWS_TO_SPLIT or parts < 2:  # noqa: PLR2004
        return ("",)
    bounds = _choose_bounds(size.pages, parts, density)
    parts = len(bounds) + 1
    if parts == 1:
        return ("",)
    starts = ["", *(f"ctid >= '({bound},0)'::pg_catalog.tid" for bound in bounds)]
    ends = [*(f"ctid < '({bound},0)'::pg_catalog.tid" for bound in bounds), ""]
    return tuple(" AND ".join(filter(None, pair)) for pair in zip(starts, ends, strict=True))


def _choose_bounds(pages: int, parts: int, density: Sequence[int]) -> list[int]:
    even = [pages * index // parts for index in range(1, parts)]
    total = sum(density)
    if not total:
        return even
    ends = [0, *itertools.accumulate(density)]

    def rows_before(page: int) -> float:
        run, rest = divmod(page * len(density) / pages, 1)
        return ends[int(run)] + rest * density[int(run)] if run < len(density) else total

    shares = [rows_before(end) - rows_before(start) for start, end in itertools.pairwise([0, *even, pages])]
    if max(shares) * parts <= _UNEVEN * total:
        return even
    bounds = []
    for index in range(1, parts):
        wanted = total * index / parts
        run = bisect.bisect_left(ends, wanted) - 1
        bounds.append(round((run + (wanted - ends[run]) / density[run]) * pages / len(density)))
    # A run of pages that holds nearly everything can be cut at one page at most once.
    return sorted({bound for bound in bounds if 0 < bound < pages})
