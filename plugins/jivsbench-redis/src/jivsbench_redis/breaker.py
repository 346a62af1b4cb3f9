"""Keeps calls away from a cache that failed, and remembers what it must forget before it is believed again.

A cache that was out of reach still holds what was invalidated meanwhile. So the breaker closes only after everything
that it remembers has been forgotten by the server, and until then every look-up is a miss.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

_REMEMBERED_MAX: Final = 1000


class Admission(Enum):
    """What is to be done about a call: carry it out, or leave it, and in one case see aside whether the cache is back."""

    CALL = "call"
    PROBE = "probe"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Invalidations:
    """Keys, and beginnings of keys, that the cache must forget."""

    keys: frozenset[str] = frozenset()
    prefixes: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.keys or self.prefixes)

    def join(self, other: "Invalidations") -> "Invalidations":
        """Both together; beyond a thousand, everything: a long outage must not fill the memory."""
        keys, prefixes = self.keys | other.keys, self.prefixes | other.prefixes
        if len(keys) + len(prefixes) > _REMEMBERED_MAX or "" in prefixes:
            return EVERYTHING
        return Invalidations(keys, prefixes)


NOTHING: Final = Invalidations()
EVERYTHING: Final = Invalidations(prefixes=frozenset({""}))


class Breaker:
    """Opens at the first failure, asks for one probe after each pause. Used by many threads; never waits."""

    def __init__(self, pause_s: float, clock: Callable[[], float]) -> None:
        self._pause_s = pause_s
        self._clock = clock
        self._lock = threading.Lock()
        self._is_open = False
        self._is_probed = False
        self._probe_at_s = 0.0
        self._pending = NOTHING

    def admit(self, invalidates: Invalidations = NOTHING) -> Admission:
        """Ask for a call. Unless it may be carried out, what it would have invalidated is remembered in the same breath."""
        with self._lock:
            if not self._is_open:
                return Admission.CALL
            self._pending = self._pending.join(invalidates)
            if self._is_probed or self._clock() < self._probe_at_s:
                return Admission.REFUSED
            self._is_probed = True
            return Admission.PROBE

    def trip(self, invalidates: Invalidations = NOTHING) -> None:
        """A call failed: no other for a while. What it should have invalidated, or may have stored, is remembered."""
        with self._lock:
            self._is_open = True
            self._probe_at_s = self._clock() + self._pause_s
            self._pending = self._pending.join(invalidates)

    def take_or_close(self) -> Invalidations:
        """By the probe alone: what is still to be forgotten; nothing when the breaker has closed."""
        with self._lock:
            taken, self._pending = self._pending, NOTHING
            if not taken:
                self._is_open = self._is_probed = False
            return taken

    def fail_probe(self, invalidates: Invalidations) -> None:
        """By the probe alone: the cache is not back, or did not forget what it was told to."""
        self.trip(invalidates)
        with self._lock:
            self._is_probed = False
