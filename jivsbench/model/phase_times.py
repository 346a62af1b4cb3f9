"""Where completed jobs spent their time, as histograms: of each phase, and by how long the job took."""

from dataclasses import dataclass
from typing import Final

_STEPS: Final = (1.0, 1.6, 2.5, 4.0, 6.3)
BOUNDS_S: Final = (*(round(10.0**power * step, 6) for power in range(-4, 2) for step in _STEPS), 100.0)
"""Upper bounds of the buckets: five to each power of ten from 0.1 ms to 100 s. A last bucket holds what is longer."""


@dataclass(frozen=True, slots=True)
class PhaseHistogram:
    """How long one phase took in each job. `counts` has one number for each of `BOUNDS_S`, and one for what is longer."""

    phase: str
    counts: tuple[int, ...]
    sum_s: float

    @property
    def count(self) -> int:
        """Jobs."""
        return sum(self.counts)

    def percentile_bound_s(self, percentile: float) -> float | None:
        """The upper bound of the bucket that the percentile lies in: at most so long. None without jobs, or beyond 100 s."""
        wanted, seen = percentile / 100.0 * self.count, 0
        for bound_s, count in zip(BOUNDS_S, self.counts, strict=False):
            seen += count
            if count and seen >= wanted:
                return bound_s
        return None


@dataclass(frozen=True, slots=True)
class DurationBucket:
    """The jobs of one bucket of durations, and the time that they spent in each phase together."""

    upper_s: float | None
    """None for jobs of more than 100 s."""
    jobs: int
    phases_s: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class PhaseTimes:
    """Of all jobs that a target completed during the load; streams of one job are added up."""

    phases: tuple[PhaseHistogram, ...]
    by_duration: tuple[DurationBucket, ...]
