"""What the monitor saw, as points: memory, CPU, pool and cache. A reading that failed is a gap."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from jivsbench.analysis.condensing import Row, read_spread
from jivsbench.model.monitor_rows import MonitorRow, ServerRow
from jivsbench.report.charts import Point, Series

BYTES_PER_MIB: Final = 1024 * 1024
# Two readings further apart than this, for each look that they stand for, are not neighbours: what lay between was not seen.
_MAX_STEP_S: Final = 2.5
# What little happened between two closer ones would be drawn as a rate of its own.
_LEAST_STEP_S: Final = 0.3
_MEMORY_KINDS: Final = (("PSS", "pss_bytes"), ("RSS", "rss_bytes"))


def memory_points(rows: Sequence[MonitorRow]) -> tuple[str, tuple[Point, ...]]:
    """Memory in MiB and its kind: PSS where the system tells it, else RSS, never a mix; ("", ()) when nothing was read."""
    for kind, gauge in _MEMORY_KINDS:
        points = scale_points(gauge_points(rows, gauge), BYTES_PER_MIB)
        if any(point.y is not None for point in points):
            return kind, points
    return "", ()


def cpu_points(rows: Sequence[MonitorRow]) -> tuple[Point, ...]:
    """Cores in use between each reading and the one before it."""
    return tuple(
        Point(after.second, _rate(before.cpu_s, after.cpu_s, after.second - before.second), after.looks)
        for before, after in _list_neighbours(rows)
    )


def pool_series(rows: Sequence[MonitorRow]) -> tuple[Series, ...]:
    """Connections of the source's pool: borrowed, idle, and callers that wait for one."""
    return tuple(Series(name, f"pool-{name}", gauge_points(rows, f"pool_{name}")) for name in ("active", "idle", "waiting"))


def cache_points(rows: Sequence[Row]) -> tuple[Point, ...]:
    """Hits in percent of the look-ups between two readings; nothing where nobody looked anything up."""
    return tuple(Point(after.second, _hit_percent(before, after), after.looks) for before, after in _list_neighbours(rows))


def gauge_points(rows: Sequence[Row], gauge: str) -> tuple[Point, ...]:
    """A gauge at its highest in the looks that each row stands for."""
    read = ((row, read_spread(row, gauge)) for row in rows)
    return tuple(
        Point(
            row.second,
            None if spread is None else float(spread.high),
            row.looks,
            spread is None or spread.known == row.looks,
        )
        for row, spread in read
    )


def scale_points(points: Sequence[Point], divisor: float) -> tuple[Point, ...]:
    """The same in a larger unit."""
    return tuple(replace(point, y=None if point.y is None else point.y / divisor) for point in points)


def _list_neighbours(rows: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    """Two looks between which something can be counted: neither side by side, as the last two are, nor with others missing."""
    return (
        (before, after)
        for before, after in pairwise(rows)
        if _LEAST_STEP_S <= after.second - before.second <= _MAX_STEP_S * after.looks
    )


def _rate(before: float | None, after: float | None, seconds: float) -> float | None:
    if before is None or after is None or after < before:
        return None
    return (after - before) / seconds


def _hit_percent(before: MonitorRow | ServerRow, after: MonitorRow | ServerRow) -> float | None:
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
