"""One kind of entry in the cache: sealed, counted, and spread over time."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from jivsbench.api import CacheClient
from jivsbench.extract.caching.sealing import Entry, Seal
from jivsbench.extract.caching.tally import LookupTally
from jivsbench.model.statistics import MissKind

Value = TypeVar("Value")

JITTER: Final = 0.1
"""Entries stored together must not all end together."""
_EARLY_SHARE: Final = 0.1
_EARLY_LOADS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Found(Generic[Value]):
    """A value from the cache, and whether its end is so near that somebody should load it anew."""

    value: Value
    is_due: bool


@dataclass(frozen=True, slots=True)
class ContentFormat(Generic[Value]):
    """How values of one kind become JSON and come back. `parse` raises ValueError for what is no such value."""

    dump: Callable[[Value], bytes]
    parse: Callable[[bytes], Value]


@dataclass(frozen=True, slots=True)
class CacheTools:
    """What the shelves of one cache share. `clock` is the wall's: it only says when to refresh early, never what is valid."""

    client: CacheClient
    seal: Seal
    tally: LookupTally
    clock: Callable[[], float]


class Shelf(Generic[Value]):
    """Entries of one kind, for many threads."""

    def __init__(self, tools: CacheTools, kind: str, content: ContentFormat[Value]) -> None:
        self._tools = tools
        self._kind = kind
        self._content = content

    def find(self, key: str) -> Found[Value] | None:
        """The value under a key, or None: not there, not ours, not whole. Which of these it is, is counted."""
        found = self._read(key)
        if isinstance(found, MissKind):
            self._tools.tally.missed(found)
            return None
        self._tools.tally.hit()
        return found

    def put(self, key: str, value: Value, ttl_s: float, *, loaded_in_s: float = 0.0) -> None:
        """Store a value for at most `ttl_s`, due for a refresh some time before: the longer it takes to load, the earlier."""
        lives_s = ttl_s * random.uniform(1.0 - JITTER, 1.0)  # noqa: S311 - spreads ends, protects nothing
        early_s = max(lives_s * _EARLY_SHARE, loaded_in_s * _EARLY_LOADS) * random.uniform(1.0, 2.0)  # noqa: S311 - the same
        entry = Entry(self._content.dump(value), self._tools.clock() + lives_s - early_s)
        name = self._name(key)
        self._tools.client.set(name, self._tools.seal.close(name, entry), lives_s)

    def delete(self, key: str) -> None:
        """Forget one entry."""
        self._tools.client.delete(self._name(key))

    def _name(self, key: str) -> str:
        return f"{self._kind}:{key}"

    def _read(self, key: str) -> Found[Value] | MissKind:
        name = self._name(key)
        raw = self._tools.client.get(name)
        if raw is None:
            return MissKind.ABSENT
        entry = self._tools.seal.open(name, raw)
        if isinstance(entry, MissKind):
            return entry
        try:
            value = self._content.parse(entry.content)
        except ValueError:
            return MissKind.CONTENT
        return Found(value, self._tools.clock() >= entry.refresh_at_s)
