"""What a running load says of itself once a second. Light: the command line imports it to know the type."""

from collections import deque
from dataclasses import dataclass, field

from jivsbench.model.histogram import MIN_SAMPLES_P99, Histogram, merge_histograms

_WINDOW_S = 5
_NS_PER_MINUTE = 60e9


@dataclass(frozen=True, slots=True)
class LoadMachines:
    """How many load machines have joined, before the load begins."""

    joined: int
    expected: int
    address: str


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """Where the load is. Jobs, rows and errors are those of the current arm so far; rate and p95 those of its last 5 seconds."""

    elapsed_s: float
    total_s: float
    arm: str
    block: int
    blocks: int
    users: int
    jobs: int
    rows: int
    rows_per_min: float
    job_p95_ns: float | None
    errors: int
    lag_p99_ns: float | None
    job_p50_ns: float | None = None
    job_p99_ns: float | None = None
    """None with fewer than 100 jobs within the 5 seconds."""
    jobs_per_s: float | None = None
    steal_ratio: float | None = None
    """Of this machine's CPU time so far, what its hypervisor gave to others; None where nobody says, or several machines load."""
    settled_s: int = 0
    """How many seconds from the start on are written and get nothing more: later ones may still be added to."""


@dataclass(frozen=True, slots=True)
class ArmSecond:
    """What ended against one arm within one second, of which the arm was under load for `active_ns`."""

    second: int
    active_ns: int
    jobs: int
    rows: int
    errors: int
    response: Histogram


@dataclass(slots=True)
class RecentSeconds:
    """The last seconds of one arm and its sums so far. Bounded."""

    jobs: int = 0
    rows: int = 0
    errors: int = 0
    _recent: deque[ArmSecond] = field(default_factory=lambda: deque(maxlen=_WINDOW_S))

    def add(self, second: ArmSecond) -> None:
        """One more second, and the oldest one leaves the window; or what became known late of a second that is in it."""
        self.jobs += second.jobs
        self.rows += second.rows
        self.errors += second.errors
        for place, known in enumerate(self._recent):
            if known.second == second.second:
                self._recent[place] = _join(known, second)
                return
        self._recent.append(second)

    def describe(
        self,
        *,
        elapsed_s: float,
        total_s: float,
        arm: str,
        block: int,
        blocks: int,
        users: int,
        lag_p99_ns: float | None,
        steal_ratio: float | None = None,
        settled_s: int = 0,
    ) -> LoadProgress:
        """Where the load is, with what these seconds say of the arm."""
        p50_ns, p95_ns, p99_ns = self.job_percentiles_ns()
        return LoadProgress(
            elapsed_s=elapsed_s,
            total_s=total_s,
            arm=arm,
            block=block,
            blocks=blocks,
            users=users,
            jobs=self.jobs,
            rows=self.rows,
            rows_per_min=self.rows_per_min(),
            job_p95_ns=p95_ns,
            errors=self.errors,
            lag_p99_ns=lag_p99_ns,
            job_p50_ns=p50_ns,
            job_p99_ns=p99_ns,
            jobs_per_s=self.jobs_per_s(),
            steal_ratio=steal_ratio,
            settled_s=settled_s,
        )

    def rows_per_min(self) -> float:
        """Rows per minute under load, within the window."""
        active_ns = sum(second.active_ns for second in self._recent)
        return sum(second.rows for second in self._recent) * _NS_PER_MINUTE / active_ns if active_ns else 0.0

    def jobs_per_s(self) -> float:
        """Jobs per second under load, within the window."""
        active_ns = sum(second.active_ns for second in self._recent)
        return sum(second.jobs for second in self._recent) * _NS_PER_MINUTE / 60 / active_ns if active_ns else 0.0

    def job_percentiles_ns(self) -> tuple[float | None, float | None, float | None]:
        """The p50, p95 and p99 of the jobs of the window; None without any, and without 100 for the p99."""
        merged = merge_histograms(second.response for second in self._recent)
        p99_ns = merged.percentile_ns(99) if merged.count >= MIN_SAMPLES_P99 else None
        return merged.percentile_ns(50), merged.percentile_ns(95), p99_ns


def _join(known: ArmSecond, late: ArmSecond) -> ArmSecond:
    return ArmSecond(
        known.second,
        known.active_ns,
        known.jobs + late.jobs,
        known.rows + late.rows,
        known.errors + late.errors,
        known.response.merge(late.response),
    )
