"""Counters of pools, caches and jobs, as typed values with units."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """One source's pool at one moment, and its totals since it was built."""

    source: str
    max_size: int
    active: int
    idle: int
    waiting: int
    opened_total: int
    closed_total: int
    borrowed_total: int
    timeouts_total: int
    leaks_total: int
    wait_ns_total: int


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """What a cache answered since it was opened. `errors` count as misses too, so hits + misses = look-ups."""

    hits: int
    misses: int
    errors: int
    writes: int
    deletes: int
