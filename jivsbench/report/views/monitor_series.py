"""What the monitor saw, as points: memory, CPU, pool and cache. A reading that failed is a gap."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from jivsbench.model.record import MonitorRow, ServerRow
from jivsbench.report.charts import Point, Series

_BYTES_PER_MIB: Final = 1024 * 1024
# Two readings further apart than this are not neighbours: what happened between them was not seen.
_MAX_STEP_S: Final = 2.5


def memory_points(rows: Sequence[MonitorRow]) -> tuple[str, tuple[Point, ...]]:
    """Memory in MiB and its kind: PSS where the system tells it, else RSS, never a mix; ("", ()) when nothing was read."""
    for kind, pick in _MEMORY_KINDS:
        points = tuple(Point(row.second, None if (size := pick(row)) is None else size / _BYTES_PER_MIB) for row in rows)
        if any(point.y is not None for point in points):
            return kind, points
    return "", ()


def cpu_points(rows: Sequence[MonitorRow]) -> tuple[Point, ...]:
    """Cores in use between each reading and the one before it."""
    return tuple(
        Point(after.second, _rate(before.cpu_s, after.cpu_s, after.second - before.second)) for before, after in _neighbours(rows)
    )


def pool_series(rows: Sequence[MonitorRow]) -> tuple[Series, ...]:
    """Connections of the source's pool: borrowed, idle, and callers that wait for one."""
    return (
        _counts("active", rows, lambda row: row.pool_active),
        _counts("idle", rows, lambda row: row.pool_idle),
        _counts("waiting", rows, lambda row: row.pool_waiting),
    )


def cache_points(rows: Sequence[MonitorRow]) -> tuple[Point, ...]:
    """Hits in percent of the look-ups between two readings; nothing where nobody looked anything up."""
    return tuple(Point(after.second, hit_percent(before, after)) for before, after in _neighbours(rows))


def _read_pss(row: MonitorRow) -> int | None:
    return row.pss_bytes


def _read_rss(row: MonitorRow) -> int | None:
    return row.rss_bytes


_MEMORY_KINDS: Final = (("PSS", _read_pss), ("RSS", _read_rss))


def _counts(name: str, rows: Sequence[MonitorRow], pick: Callable[[MonitorRow], int | None]) -> Series:
    points = (Point(row.second, None if (count := pick(row)) is None else float(count)) for row in rows)
    return Series(name, f"pool-{name}", tuple(points))


def _neighbours(rows: Sequence[MonitorRow]) -> Iterator[tuple[MonitorRow, MonitorRow]]:
    return ((before, after) for before, after in pairwise(rows) if 0 < after.second - before.second <= _MAX_STEP_S)


def _rate(before: float | None, after: float | None, seconds: float) -> float | None:
    if before is None or after is None or after < before:
        return None
    return (after - before) / seconds


def hit_percent(before: MonitorRow | ServerRow, after: MonitorRow | ServerRow) -> float | None:
    """Hits in percent of the look-ups between two readings of one cache; None where nobody looked anything up."""
    counts = (before.cache_hits, before.cache_misses, after.cache_hits, after.cache_misses)
    if any(count is None for count in counts):
        return None
    hits = (after.cache_hits or 0) - (before.cache_hits or 0)
    misses = (after.cache_misses or 0) - (before.cache_misses or 0)
    if hits < 0 or misses < 0 or not hits + misses:
        # The counters fell back to zero (a restart), or nobody looked anything up.
        return None
    return 100.0 * hits / (hits + misses)
