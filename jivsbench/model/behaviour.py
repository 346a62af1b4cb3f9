"""How a target behaves under a scenario's load: where it saturates, whether it grows, how it recovers."""

import math
from dataclasses import dataclass
from enum import StrEnum

from jivsbench.model.gate import Unit


class KneeModel(StrEnum):
    """Which curve describes throughput over users."""

    USL = "Universal Scalability Law"
    """X(N) = r N / (1 + s (N - 1) + k N (N - 1)); its knee is the N with the greatest throughput."""
    SERVERS = "limited servers"
    """X(N) = r min(N, c) / (1 + d max(0, N - c)); its knee is c, where throughput stops growing in proportion."""
    EITHER = "either"
    """Both describe the points alike: the interval holds the knees of both."""


@dataclass(frozen=True, slots=True)
class LoadPoint:
    """Throughput at one number of users. `fitted_per_s` and the residual are None when no curve was accepted."""

    users: float
    rows_per_s: float
    seconds: int
    fitted_per_s: float | None = None
    error_ratio: float | None = None
    """Standard error of the throughput as a part of it, from how the climb's seconds scatter; None when that is not known."""

    @property
    def residual_ratio(self) -> float | None:
        """Measured / fitted - 1."""
        return self.rows_per_s / self.fitted_per_s - 1 if self.fitted_per_s else None


@dataclass(frozen=True, slots=True)
class KneeFit:
    """The knee from a fitted curve. `refused` says why there is none; then only the points are set.

    `parameters` are those of the curve's formula, in its order; of `EITHER` those of the USL.
    """

    points: tuple[LoadPoint, ...]
    refused: str
    model: KneeModel | None = None
    users: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float = 0.0
    parameters: tuple[float, ...] = ()
    rms_residual_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Drift:
    """Throughput in rows per second at one load, before a climb and after it. Nobody knows when in between it changed."""

    load: float
    before_per_s: float
    after_per_s: float

    @property
    def ratio(self) -> float:
        """After / before - 1; infinite after a rate of 0, which no run measures but a file may hold."""
        return self.after_per_s / self.before_per_s - 1 if self.before_per_s else math.inf

    @property
    def size_ratio(self) -> float:
        """How large it is, whichever way: the higher of both / the lower of both - 1."""
        low, high = sorted((self.before_per_s, self.after_per_s))
        return high / low - 1 if low else math.inf


@dataclass(frozen=True, slots=True)
class Knee:
    """Where throughput stops growing: by the steps themselves, and by a fitted curve."""

    grown_step: int | None
    """The last step whose throughput grew; None without two steps to compare."""
    kept_step: int | None
    """The last step up to which throughput grew and every step kept the p95 limit; None when not even the first one did."""
    still_growing: bool
    """Throughput grew up to the highest load: the knee lies beyond it."""
    p95_limit_ns: float | None
    fit: KneeFit
    least_ratio: float = 0.0
    """A step whose throughput lies above all before it by no more than this did not grow."""
    drift: Drift | None = None
    """None when the schedule does not return to the load that it climbed from."""


class Trend(StrEnum):
    """Whether a gauge grows. Only FLAT means that it does not; INCONCLUSIVE says that this run could not tell."""

    GROWS = "GROWS"
    FLAT = "FLAT"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Growth:
    """One gauge over a plateau. Percentages are growth over the judged time, of the gauge's level at its start."""

    gauge: str
    unit: Unit
    trend: Trend
    samples: int
    method: str
    """How it was judged, or why it was not."""
    judged_s: float = 0.0
    level: float | None = None
    growth_percent: float | None = None
    low_percent: float | None = None
    high_percent: float | None = None
    p_value: float | None = None
    smallest_percent: float | None = None
    """The smallest growth that a run as long and as noisy as this one would have shown four times in five."""
    limit_percent: float = 0.0


@dataclass(frozen=True, slots=True)
class Band:
    """What is normal before a disturbance: per-second p95 of jobs up to `p95_ns`, and no greater share of errors."""

    load: float
    """Users, or iterations per second of an open loop."""
    seconds: int
    median_ns: float
    p95_ns: float
    error_ratio: float


@dataclass(frozen=True, slots=True)
class Recovery:
    """One disturbance (a spike, or a whole climb), and how the target came back from it. Times are s since the load started.

    What is None was not measured; `recovery_s` is None when the target did not come back while it was watched, and then
    `observed_s` is how long that was.
    """

    index: int
    peak_load: float
    start_s: float
    end_s: float
    observed_s: float
    hold_s: int
    recovery_s: float | None
    worst_p95_ns: float | None
    degradation_ratio: float | None
    """Worst second's p95 / the band's median."""
    overshoot_s2: float
    """Area between p95 and the band's upper edge, from the disturbance's start until recovery: seconds times seconds."""
    drain_s: float | None
    """From the end of the disturbance until no more jobs waited, for a worker or a connection, than before it."""
    queued_peak: int | None
    """Most jobs that waited for a worker."""
    waiting_peak: int | None
    """Most callers that waited for a connection."""
    misses_per_job: float | None
    """Cache misses from its start to its end / jobs that ended meanwhile. Every job has keys of its own."""
    jobs: int
    refused: int
    timed_out: int
    other_errors: int
    peak_p95_ns: float | None
    """p95 of all HTTP calls that ended within the disturbance."""
    after_p95_ns: float | None
    """p95 of all HTTP calls that ended in the plateau after it, recovery included."""
    cache_loads: int | None = None
    """Sources and schemas that the target loaded for its cache meanwhile, in all."""
    loads_per_entry: float | None = None
    """The same / entries that were due to be loaded: 1 when every key was loaded once. None without a load."""


@dataclass(frozen=True, slots=True)
class Concurrency:
    """Little's law in one plateau: users at work, as planned, against the time that all operations took together."""

    step: int
    users: float
    found: float
    off_ratio: float
    is_consistent: bool


@dataclass(frozen=True, slots=True)
class Consistency:
    """Whether the figures of one arm agree with one another. `reasons` names what does not."""

    checked: tuple[Concurrency, ...]
    tolerance_ratio: float
    why_unchecked: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plateau:
    """One open-loop plateau of a capacity search. `kept` is None when it proved nothing; `reason` says why."""

    rate_per_s: float
    kept: bool | None
    p95_ns: float | None
    achieved_per_s: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Capacity:
    """The highest arrival rate that kept the limit lies from `low_per_s` to `high_per_s`; None: not bounded on that side."""

    p95_limit_ns: float
    low_per_s: float | None
    high_per_s: float | None
    plateaus: tuple[Plateau, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a scenario's questions were answered with, for the arm that is judged."""

    knee: Knee | None = None
    growths: tuple[Growth, ...] = ()
    band: Band | None = None
    why_no_band: str = ""
    recoveries: tuple[Recovery, ...] = ()
    consistency: Consistency | None = None
