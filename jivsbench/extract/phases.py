"""Where an extraction spends its time, measured with one clock reading a phase."""

import time
from collections.abc import Iterable
from typing import Final

from jivsbench.model.job import Phase, PhaseTime

PHASES: Final[tuple[Phase, ...]] = tuple(phase for phase in Phase if phase is not Phase.READ)
"""Those that are measured now."""


class PhaseClock:
    """Runs in exactly one phase at a time. Used by one thread; every stream has its own."""

    __slots__ = ("_durations_ns", "_phase", "_since_ns")

    def __init__(self, phase: Phase) -> None:
        self._durations_ns: dict[Phase, int] = {}
        self._phase = phase
        self._since_ns = time.perf_counter_ns()

    def enter(self, phase: Phase) -> None:
        """Book the time since the last call on the phase that ends, and go on in this one."""
        now_ns = time.perf_counter_ns()
        self._durations_ns[self._phase] = self._durations_ns.get(self._phase, 0) + now_ns - self._since_ns
        self._phase, self._since_ns = phase, now_ns

    def move(self, source: Phase, target: Phase, duration_ns: int) -> None:
        """Book a part of a phase's time as another's; never more than there is."""
        moved_ns = min(duration_ns, self._durations_ns.get(source, 0))
        if moved_ns > 0:
            self._durations_ns[source] -= moved_ns
            self._durations_ns[target] = self._durations_ns.get(target, 0) + moved_ns

    def stop(self) -> dict[Phase, int]:
        """Book the last phase; duration in ns of each."""
        self.enter(self._phase)
        return self._durations_ns


def sum_phases(parts: Iterable[dict[Phase, int]]) -> tuple[PhaseTime, ...]:
    """Sum over streams, in the order of the phases; every phase is there, with 0 when it did not occur."""
    totals = dict.fromkeys(PHASES, 0)
    for part in parts:
        for phase, duration_ns in part.items():
            totals[phase] += duration_ns
    return tuple(PhaseTime(phase, duration_ns) for phase, duration_ns in totals.items())
