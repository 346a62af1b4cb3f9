"""Where did the p99 go: what the slowest jobs spent their time on, beside what all of them did."""

from collections.abc import Sequence
from dataclasses import dataclass

from jivsbench.model.phase_times import DurationBucket, PhaseTimes


@dataclass(frozen=True, slots=True)
class PhaseShare:
    """One phase: mean time in it of all jobs and of the slowest ones, and its shares of their time."""

    phase: str
    all_mean_s: float
    all_share: float
    slow_mean_s: float
    slow_share: float


@dataclass(frozen=True, slots=True)
class SlowJobs:
    """The slowest jobs, as few whole buckets of durations as hold at least the wanted share of all."""

    jobs: int
    slow_jobs: int
    longer_than_s: float
    """All slow jobs took longer than this."""
    shares: tuple[PhaseShare, ...]

    @property
    def largest_gain(self) -> PhaseShare | None:
        """The phase that makes most of the difference between a slow job and a usual one; None when there is none."""
        best = max(self.shares, key=lambda one: one.slow_mean_s - one.all_mean_s, default=None)
        return best if best is not None and best.slow_mean_s > best.all_mean_s else None


def compare_slow_jobs(times: PhaseTimes, share: float = 0.01) -> SlowJobs | None:
    """The slowest `share` of the jobs against all. None without jobs."""
    buckets = [bucket for bucket in times.by_duration if bucket.jobs]
    total = sum(bucket.jobs for bucket in buckets)
    if not total:
        return None
    slow: list[DurationBucket] = []
    for bucket in reversed(buckets):
        if sum(one.jobs for one in slow) >= share * total:
            break
        slow.append(bucket)
    below = buckets[: len(buckets) - len(slow)]
    longer_than_s = (below[-1].upper_s or 0.0) if below else 0.0
    names = [histogram.phase for histogram in times.phases]
    return SlowJobs(total, sum(one.jobs for one in slow), longer_than_s, _share(names, buckets, slow))


def _share(names: Sequence[str], every: Sequence[DurationBucket], slow: Sequence[DurationBucket]) -> tuple[PhaseShare, ...]:
    in_all, in_slow = _sum(every), _sum(slow)
    jobs, slow_jobs = sum(bucket.jobs for bucket in every), sum(bucket.jobs for bucket in slow)
    all_s, slow_s = sum(in_all.values()) or 1.0, sum(in_slow.values()) or 1.0
    return tuple(
        PhaseShare(
            name,
            in_all.get(name, 0.0) / jobs,
            in_all.get(name, 0.0) / all_s,
            in_slow.get(name, 0.0) / slow_jobs,
            in_slow.get(name, 0.0) / slow_s,
        )
        for name in names
    )


def _sum(buckets: Sequence[DurationBucket]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for bucket in buckets:
        for phase, seconds in bucket.phases_s:
            sums[phase] = sums.get(phase, 0.0) + seconds
    return sums
