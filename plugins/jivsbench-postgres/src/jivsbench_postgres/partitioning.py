"""How a large table is split: into page ranges, which need no key and are equal in work."""

from jivsbench.model.table import ExtractionRequest
from jivsbench_postgres.catalogue import TableSize

# Below this a second stream costs more (a session to borrow, a snapshot to join) than it saves: 50,000 rows are read in
# about a quarter of a second.
MIN_ROWS_TO_SPLIT = 50_000
MIN_ROWS_PER_PART = 25_000
_GUESSED_ROWS_PER_PAGE = 20.0


def can_split(request: ExtractionRequest, server_version: int) -> bool:
    """Only whole tables: with a filter the pages say nothing about the rows. Before 14 each range scans the whole table."""
    return request.table is not None and not request.filters and request.row_limit is None and server_version >= 140000  # noqa: PLR2004


def split_pages(size: TableSize, streams: int) -> tuple[str, ...]:
    """Predicates over ctid whose union is the table: half-open ranges of equal pages, the last one without an end.

    Rows that the snapshot sees lie in pages that existed when it was taken, so the last range needs no end; it has none so
    that the union is the whole table whatever the count said.
    """
    rows = size.pages * (size.rows_per_page or _GUESSED_ROWS_PER_PAGE)
    parts = min(streams, int(rows // MIN_ROWS_PER_PART), size.pages)
    if not size.is_heap or rows <= MIN_ROWS_TO_SPLIT or parts < 2:  # noqa: PLR2004
        return ("",)
    bounds = [size.pages * index // parts for index in range(1, parts)]
    starts = ["", *(f"ctid >= '({bound},0)'::pg_catalog.tid" for bound in bounds)]
    ends = [*(f"ctid < '({bound},0)'::pg_catalog.tid" for bound in bounds), ""]
    return tuple(" AND ".join(filter(None, pair)) for pair in zip(starts, ends, strict=True))
