"""What the monitor's rows of one target say: memory, CPU, cache, and whether it was restarted meanwhile."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from jivsbench.analysis.condensing import RESTART_CPU_RATIO, read_spread
from jivsbench.model.monitor_rows import MonitorRow, Spread
from jivsbench.model.record import ArmRecord

# A few rows may lack PSS (a process that ended while it was read); with more of them missing the peak could be too.
_LEAST_PSS_RATIO: Final = 0.9


class MemoryKind(StrEnum):
    """Which memory of the process tree is meant. RSS counts shared pages once for each process, PSS once."""

    PSS = "PSS"
    RSS = "RSS"


@dataclass(frozen=True, slots=True)
class CacheUse:
    """Look-ups between the first and the last reading."""

    hits: int
    lookups: int


def choose_memory_kind(arms: Iterable[ArmRecord]) -> MemoryKind:
    """PSS when every arm has it, else RSS for all: figures of different kinds must never be compared."""
    return MemoryKind.PSS if all(_has_pss(arm.monitor) for arm in arms) else MemoryKind.RSS


def read_memory(rows: Sequence[MonitorRow], kind: MemoryKind) -> tuple[Spread, ...]:
    """The readings of that kind, in bytes: one look each, or the looks of a row that stands for several."""
    read = (read_spread(row, "pss_bytes" if kind is MemoryKind.PSS else "rss_bytes") for row in rows)
    return tuple(spread for spread in read if spread is not None)


def count_looks(rows: Sequence[MonitorRow]) -> int:
    """How many looks the rows stand for."""
    return sum(row.looks for row in rows)


def count_lost_looks(rows: Sequence[MonitorRow]) -> int:
    """How many of these read nothing of the process."""
    known = (read_spread(row, "rss_bytes") for row in rows)
    return count_looks(rows) - sum(spread.known for spread in known if spread is not None)


def measure_cpu_cores(rows: Sequence[MonitorRow]) -> float | None:
    """CPU seconds per second between the first and the last reading; None with fewer than two readings or after a restart."""
    read = [(row.second, row.cpu_s) for row in rows if row.cpu_s is not None]
    if len(read) < 2:  # noqa: PLR2004 - a rate needs two points
        return None
    (start, before), (end, after) = read[0], read[-1]
    return (after - before) / (end - start) if end > start and after >= before else None


def measure_cache(rows: Sequence[MonitorRow]) -> CacheUse | None:
    """Hits and look-ups during the load, from the target's counters; None when they were read less than twice."""
    read = _cache_counters(rows)
    if len(read) < 2:  # noqa: PLR2004 - a difference needs two readings
        return None
    hits, misses = (read[-1][i] - read[0][i] for i in range(2))
    return CacheUse(hits, hits + misses) if hits >= 0 and misses >= 0 else None


def find_restart(rows: Sequence[MonitorRow]) -> str | None:
    """Evidence that the target's process was replaced while it was watched: a counter that fell. None without any."""
    for before, after in pairwise(_cache_counters(rows)):
        if sum(after) < sum(before):
            return f"its cache look-ups fell from {sum(before)} to {sum(after)}"
    for used, later in pairwise(row.cpu_s for row in rows if row.cpu_s is not None):
        if later < used * RESTART_CPU_RATIO:
            return f"its CPU time fell from {used:.2f} s to {later:.2f} s"
    return None


def has_readings(rows: Sequence[MonitorRow]) -> bool:
    """True when at least one row holds a reading of the process."""
    return any(row.rss_bytes is not None or row.cpu_s is not None for row in rows)


def _has_pss(rows: Sequence[MonitorRow]) -> bool:
    known = [row for row in rows if row.rss_bytes is not None or row.pss_bytes is not None]
    return bool(known) and sum(row.pss_bytes is not None for row in known) >= _LEAST_PSS_RATIO * len(known)


def _cache_counters(rows: Sequence[MonitorRow]) -> list[tuple[int, int]]:
    return [(row.cache_hits, row.cache_misses) for row in rows if row.cache_hits is not None and row.cache_misses is not None]
