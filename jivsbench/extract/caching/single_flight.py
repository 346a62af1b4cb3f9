"""Many threads want the same value at the same time: one loads it, the others take what it loaded."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_T = TypeVar("_T")


@dataclass(slots=True, eq=False)
class _Flight(Generic[_T]):
    started_s: float
    ended: threading.Event = field(default_factory=threading.Event)
    # A list, because None is a value too.
    landed: list[_T] = field(default_factory=list)


class SingleFlight(Generic[_T]):
    """Loads in common, by name. Nobody inherits another's error: a load that fails ends one caller, and the next one loads."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight[_T]] = {}

    def load(self, name: str, load: Callable[[], _T]) -> tuple[_T, bool]:
        """The value, and whether somebody else loaded it.

        A load that takes longer than the patience is joined by one second load, not by one for each who waits; after twice
        the patience a caller loads for itself.
        """
        give_up_at_s = time.monotonic() + 2 * self._patience_s
        while (now_s := time.monotonic()) < give_up_at_s:
            flight, leads = self._join(name, now_s)
            if leads:
                return self._lead(name, flight, load), False
            flight.ended.wait(max(flight.started_s + self._patience_s - now_s, 0.0))
            if flight.landed:
                return flight.landed[0], True
        return load(), False

    def forget(self, prefix: str) -> None:
        """What is being loaded under names that start so is out of date: whoever asks from now on loads anew."""
        with self._lock:
            for name in [name for name in self._flights if name.startswith(prefix)]:
                del self._flights[name]

    def _join(self, name: str, now_s: float) -> tuple[_Flight[_T], bool]:
        with self._lock:
            flight = self._flights.get(name)
            if flight is not None and now_s - flight.started_s < self._patience_s:
                return flight, False
            self._flights[name] = flight = _Flight(now_s)
            return flight, True

    def _lead(self, name: str, flight: _Flight[_T], load: Callable[[], _T]) -> _T:
        try:
            value = load()
            flight.landed.append(value)
        finally:
            with self._lock:
                if self._flights.get(name) is flight:
                    del self._flights[name]
            flight.ended.set()
        return value
