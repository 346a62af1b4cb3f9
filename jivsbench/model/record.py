"""The record of one run: everything that was measured, and nothing that was concluded from it."""

from dataclasses import dataclass
from enum import StrEnum

from jivsbench.model.behaviour import Capacity
from jivsbench.model.calibration import Calibration
from jivsbench.model.comparison import ComparisonRule
from jivsbench.model.finding import CheckResult, SecurityScore
from jivsbench.model.gate import Window
from jivsbench.model.histogram import Histogram
from jivsbench.model.monitor_rows import MonitorFacts, MonitorRow, ServerRecord
from jivsbench.model.phase_times import PhaseTimes
from jivsbench.model.profile import Profile
from jivsbench.model.sample import ErrorCount, OperationInterval
from jivsbench.model.scenario import Block, OfferedSource, Scenario

FORMAT_VERSION = 1
SAME_NAME_A, SAME_NAME_B = "+a", "+b"
"""Two arms of one profile are told apart by these; no profile's own name holds a plus sign."""
EMBEDDED_SOURCE = "embedded PostgreSQL"
"""The label of a source that a run started and filled itself."""
_GUARD = "guard "
"""Before the name of a guard, among what a plugin offers."""


def name_profile(arm: str) -> str:
    """The profile's own name, of an arm that may be one of two of the same profile.

    >>> name_profile("optimized+b"), name_profile("legacy")
    ('optimized', 'legacy')
    """
    return arm.removesuffix(SAME_NAME_A).removesuffix(SAME_NAME_B)


class RunKind(StrEnum):
    """A run has one arm; a comparison has two, the baseline first."""

    RUN = "run"
    COMPARISON = "comparison"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do, decided before anything starts. Holds no secret: it is written to plan.json."""

    kind: RunKind
    scenario: Scenario
    profiles: tuple[Profile, ...]
    blocks: tuple[Block, ...]
    seed: int
    time_scale: float
    table_rows: int
    source_label: str
    """Connector, host and database of the source, without user or password."""
    cache_label: str
    rule: ComparisonRule | None = None
    """How a comparison is judged; None: by gates alone, after a fixed number of pairs."""
    sources: tuple[OfferedSource, ...] = ()
    """Data sources beside the main one that the workload's mix extracts from."""

    @property
    def baseline(self) -> str | None:
        """Name of the arm that the others are compared with."""
        return self.profiles[0].name if self.kind is RunKind.COMPARISON else None

    @property
    def candidate(self) -> str:
        """Name of the arm that is judged."""
        return self.profiles[-1].name

    @property
    def processes(self) -> int:
        """How many processes every arm has, one after the other."""
        return 1 + max((block.process for block in self.blocks), default=0)


@dataclass(frozen=True, slots=True)
class PluginFacts:
    """A loaded plugin: where it comes from and which hooks it implements."""

    name: str
    version: str
    origin: str
    hooks: tuple[str, ...]
    offers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Environment:
    """The machine and the versions that a run was measured with. No host name, user name or path."""

    jivsbench_version: str
    python_version: str
    platform: str
    cpu_model: str
    cpu_count: int
    memory_bytes: int
    load_average_1m: float
    source_server: str
    cache_server: str
    plugins: tuple[PluginFacts, ...]
    git_commit: str | None = None

    @property
    def machine_label(self) -> str:
        """The machine in a few words."""
        return f"{self.cpu_count} x {self.cpu_model}, {self.platform}"


@dataclass(frozen=True, slots=True)
class BlockRow:
    """One block as it was: times in ns since the load started; counts by the rules of `BlockPhase`."""

    index: int
    pair: int
    arm: str
    start_ns: int
    measured_ns: int
    """When the washout ended."""
    end_ns: int
    drained_ns: int
    """When the last operation of the block had ended."""
    jobs: int
    rows: int
    errors: int
    job_mean_ns: float | None
    job_p50_ns: float | None
    job_p95_ns: float | None
    cpu_s: float | None = None
    """CPU seconds of the target's process from the block's start until it was drained; None where the system cannot tell."""
    cpu_rows: int = 0
    """Rows of all jobs that completed in that time, washout and drain included."""
    process: int = 0
    """Which of its arm's processes answered, as in `Block`."""


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """One second of one arm, for charts. Percentiles are of the jobs that ended in that second; None without any."""

    second: int
    users: int
    jobs: int
    rows: int
    calls: int
    errors: int
    job_p50_ns: float | None
    job_p95_ns: float | None
    job_p99_ns: float | None
    planned: int | None = None
    """Open loop: iterations that were meant to begin in this second."""
    offered: int | None = None
    """Open loop: iterations that the generator's clock released in it. Away from `planned` it is the generator's fault."""
    achieved: int | None = None
    """Iterations that ended in it without any failure."""


@dataclass(frozen=True, slots=True)
class StepRow:
    """One stage of the schedule, by what ended in its whole seconds; a second belongs to the step that its middle lies in."""

    index: int
    start_s: float
    end_s: float
    load_from: float
    load_to: float
    """Users in a closed loop, iterations per second in an open one; a ramp goes from the one to the other."""
    seconds: int
    """Whole seconds of the load that were measured in this step; 0: none, and then every other figure is empty."""
    jobs: int
    rows: int
    """Rows of jobs without an error."""
    busy_ns: int
    """Sum of the response times of all calls and long polls: what users did but think."""
    operations: int
    errors: tuple[ErrorCount, ...]
    calls: Histogram
    """Response times of all HTTP calls but long polls."""
    job_response: Histogram


@dataclass(frozen=True, slots=True)
class SteadyWindow:
    """The part of a plateau in which nothing settles any more: from `start_s` to `end_s`, in seconds since the load started.

    `start_s` is None when there is none; `method` says how it was found, or why not.
    """

    plateau_start_s: float
    start_s: int | None
    end_s: int
    method: str


@dataclass(frozen=True, slots=True)
class WindowFigure:
    """One figure over a window, or the worst of all windows of a sliding one. None was not measured; `method` says why."""

    metric: str
    statistic: str
    window: Window
    value: float | None
    """In the metric's own unit."""
    samples: int
    at_s: int | None
    """Where the window begins, in seconds since the load started."""
    windows: int
    """How many windows were looked at."""
    method: str


@dataclass(frozen=True, slots=True)
class JobTotals:
    """Conservation: created = completed + failed + timed out + cancelled. Rows as the target reported them for completed jobs."""

    created: int
    completed: int
    failed: int
    timed_out: int
    cancelled: int
    rows_read: int
    rows_written: int


@dataclass(frozen=True, slots=True)
class ArmRuntime:
    """What a target was made of, where that is not what the load generator is made of."""

    jivsbench_version: str
    python_version: str
    plugins: tuple[PluginFacts, ...]
    is_own_environment: bool = True
    """It was started from another Python environment, which said this of itself. False: other plugins, the same environment."""

    @property
    def guards(self) -> tuple[str, ...]:
        """Names of the guards that its plugins offer."""
        offers = (offer for plugin in self.plugins for offer in plugin.offers)
        return tuple(sorted(offer.removeprefix(_GUARD) for offer in offers if offer.startswith(_GUARD)))


@dataclass(frozen=True, slots=True)
class ArmRecord:
    """What one profile's target did under the load."""

    profile: Profile
    guards: tuple[str, ...]
    """Names of the guards that were in force, as the running target reported them."""
    operations: tuple[OperationInterval, ...]
    """Totals per operation over the phases that count for latency (measured and drain)."""
    all_errors: tuple[ErrorCount, ...]
    call_count: int
    call_errors: int
    job_errors: int
    """Errors over all phases, washout included."""
    totals: JobTotals
    series: tuple[SeriesRow, ...]
    monitor: tuple[MonitorRow, ...]
    blocks: tuple[BlockRow, ...]
    runtime: ArmRuntime | None = None
    """None: the same environment and plugins as the load generator's."""
    phases: PhaseTimes | None = None
    """Where jobs that completed during the load spent their time, as the target says; None when it says nothing."""
    steady: SteadyWindow | None = None
    windows: tuple[WindowFigure, ...] = ()
    """Figures over the windows that the plan's gates name."""
    steps: tuple[StepRow, ...] = ()
    """One row per stage of the schedule; empty in a comparison, which plays its schedule many times."""


@dataclass(frozen=True, slots=True)
class GeneratorFacts:
    """What the load generator says of itself, so that a run can judge its own validity."""

    cpu_ratio: float | None
    """CPU seconds of the generator per second in which it did not rest, of one core."""
    lag_p99_ns: float | None
    users_planned_max: int
    users_reached_max: int
    operations: int
    wall_s: float
    """From its first block to the end of its last, rests included."""
    pacing: str | None = None
    """What its clock waits with: `timerfd`, or `sleep`, which is 0.6 ms late, where there is no timerfd; and its precedence."""
    arrivals_planned: int | None = None
    """Open loop: iterations that the schedule meant to begin."""
    arrivals_offered: int | None = None
    """Open loop: iterations that the clock released."""
    arrivals_not_sent: int | None = None
    """Open loop: iterations that were released and never begun; they count as failed."""
    off_plan_ratio: float | None = None
    """Open loop: share of the planned arrivals that were not released in the second that they were planned for."""
    in_flight_max: int | None = None
    """Open loop: the most iterations that were under way at once."""
    queued_max: int | None = None
    """Open loop: the most iterations that waited because `in_flight_limit` of them were under way."""
    steal_ratio: float | None = None
    """Share of the machine's CPU time that its hypervisor gave to others; None where the system does not say."""
    clock_jump_ns: int | None = None
    """The largest step of the wall clock against the monotonic one during the load."""
    rss_growth_bytes: int | None = None
    """Memory of the generator at the end of the load less that at its beginning."""
    workers: int = 1
    """Load processes that shared the load."""
    cpu_highest_ratio: float | None = None
    """The highest mean of `cpu_ratio` over 10 s; over the whole load when it was shorter. None in older files."""
    times_jobs: bool = True
    """Its workload has whole jobs. False: calls alone."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Everything of one run. `invalid` holds the reasons for which it says nothing about the target; empty when valid."""

    format_version: int
    run_id: str
    started_at: str
    """UTC, ISO 8601."""
    duration_s: float
    plan: Plan
    environment: Environment
    arms: tuple[ArmRecord, ...]
    generator: GeneratorFacts | None
    checks: tuple[CheckResult, ...]
    score: SecurityScore | None
    invalid: tuple[str, ...]
    servers: ServerRecord | None = None
    """None when nobody looked."""
    monitor: MonitorFacts | None = None
    aborted: str = ""
    """Why a gate ended the load before its schedule did; empty when none did."""
    calibration: Calibration | None = None
    """What was known of this machine's noise under this load when the run began; None: nothing."""
    capacity: Capacity | None = None
    """What the search after the load found, when the scenario asked for it."""
    is_partial: bool = False
    """The run was cut off: what had ended until then is here; how the jobs in flight ended nobody knows."""

    @property
    def sides(self) -> tuple[ArmRecord, ArmRecord] | None:
        """The baseline and the candidate; None of a run that has not both."""
        arms = {arm.profile.name: arm for arm in self.arms}
        baseline, candidate = arms.get(self.plan.baseline or ""), arms.get(self.plan.candidate)
        return None if baseline is None or candidate is None else (baseline, candidate)


@dataclass(frozen=True, slots=True)
class RunStart:
    """What is known of a run when its load begins: with the samples enough for a record of a run that was cut off."""

    format_version: int
    run_id: str
    started_at: str
    plan: Plan
    environment: Environment
    guards: tuple[tuple[str, tuple[str, ...]], ...]
    """Arm and the guards in force there."""
    monitor_lead_s: float
    """How much earlier than the load the monitor began to count its seconds."""
