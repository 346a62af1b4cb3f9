"""Counters of pools, caches and jobs, as typed values with units."""

from dataclasses import dataclass
from enum import StrEnum


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
    connects_failed_total: int
    resets_failed_total: int
    """Returned connections that were closed because their session could not be cleared."""


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """What a cache answered since it was opened. A look-up that failed is a miss too, so hits + misses = look-ups."""

    hits: int
    misses: int
    errors: int
    """Look-ups, writes and deletions that failed."""
    writes: int
    deletes: int
    refused: int = 0
    """Calls that the server answered with an error, such as a look-up of a key of another type; they are errors too."""
    failed_lookups: int = 0
    """Look-ups among the errors: misses that say nothing of what the cache holds."""


class MissKind(StrEnum):
    """Why a look-up of metadata found nothing that it could read."""

    ABSENT = "absent"
    """Nothing is there, or the cache is out of reach."""
    ALIEN = "alien"
    """What is there was never an entry."""
    TRUNCATED = "truncated"
    OTHER_VERSION = "other_version"
    """Written in an older or newer format."""
    OTHER_KEY = "other_key"
    """Sealed with another key: another service's, or one that was replaced."""
    ALTERED = "altered"
    """Not the bytes that were sealed."""
    OTHER_NAME = "other_name"
    """Sealed for another place in the cache."""
    CONTENT = "content"
    """Sealed by us, and not a value of the kind that is asked for."""


@dataclass(frozen=True, slots=True)
class LookupStatistics:
    """What look-ups of metadata met since the service started. A look-up is a hit or a miss of one kind."""

    hits: int
    """Entries that were found and read; one of a job that has gone on since is not answered with all the same."""
    misses: tuple[tuple[MissKind, int], ...]
    """Of every kind, also those that never happened."""
    loads: int
    """Times that a source or schema was loaded, early refreshes included."""
    shared_loads: int
    """Look-ups that missed and got what another thread or process loaded."""
    early_refreshes: int
    repeated_loads: int = 0
    """Of the loads, those of an entry that was being loaded, or was loaded and should have been there still."""
