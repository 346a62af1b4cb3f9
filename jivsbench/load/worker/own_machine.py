"""What a generator can know of the machine it runs on: time that was stolen from it, a clock that jumped, its own memory."""

import time
from typing import Final

import psutil

_NOT_YET: Final = 0
_PAIRS: Final = 3


class MachineWatch:
    """Looks from `start` on whenever it is asked to."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._rss_bytes = _NOT_YET
        self._cpu = psutil.cpu_times()
        self._offset_ns = _NOT_YET
        self.clock_jump_ns = 0
        """The largest step so far of the wall clock against the monotonic one."""

    def start(self) -> None:
        """The load begins now."""
        self._rss_bytes = self._process.memory_info().rss
        self._cpu = psutil.cpu_times()
        self._offset_ns = _clock_offset_ns()

    def look(self) -> None:
        """Compare the clocks; once a second is often enough, as only a step, not a drift, shows."""
        offset_ns = _clock_offset_ns()
        self.clock_jump_ns = max(self.clock_jump_ns, abs(offset_ns - self._offset_ns))
        self._offset_ns = offset_ns

    def steal_ratio(self) -> float | None:
        """Share of the machine's CPU time since `start` that its hypervisor gave to others; None where nobody says."""
        now = psutil.cpu_times()
        if not hasattr(now, "steal"):
            return None
        # The time of guests is part of the user's time already.
        fields = [name for name in now._fields if not name.startswith("guest")]
        total_s = sum(getattr(now, name) - getattr(self._cpu, name) for name in fields)
        return (now.steal - self._cpu.steal) / total_s if total_s > 0 else 0.0

    def rss_growth_bytes(self) -> int:
        """Memory of this process now less that at `start`."""
        return int(self._process.memory_info().rss) - self._rss_bytes


def _clock_offset_ns() -> int:
    """Wall clock less monotonic clock, from the closest of a few pairs: a pause between two readings is no step."""
    pairs = []
    for _ in range(_PAIRS):
        before_ns, wall_ns, after_ns = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        pairs.append((after_ns - before_ns, wall_ns - before_ns))
    return min(pairs)[1]
