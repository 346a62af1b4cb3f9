"""What comparisons of a target with itself have shown: how noisy this machine is, for one load."""

from dataclasses import dataclass

from jivsbench.model.comparison import LEAST_ALPHA
from jivsbench.model.scenario import Stage, WorkloadSpec


@dataclass(frozen=True, slots=True)
class Noise:
    """One statistic over all trials. Deviations are of log ratios: 0.02 is about 2 %."""

    metric: str
    statistic: str
    pair_deviation: float
    """Of one pair, as the width of an interval over pairs shows it: the error of n pairs is this / sqrt(n)."""
    process_deviation: float
    """What is left between one process of each and the next, beyond the error of their pairs: each has a speed of its own."""
    false_alarms: int
    """Trials in which it was called worse or better."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The noise of one load on one machine. Raises ValueError for a level that no comparison has."""

    measured_at: str
    """UTC, ISO 8601."""
    machine: str
    """Fingerprint; nothing of it can be read back."""
    machine_label: str
    jivsbench_version: str
    profile: str
    workload: WorkloadSpec
    stages: tuple[Stage, ...]
    """The user curve of one block."""
    source_label: str
    trials: int
    invalid_trials: int
    """Trials that say nothing, because the load generator was starved or the like; not among `trials`."""
    pairs: int
    """Of each trial."""
    processes: int
    """Of each arm in each trial."""
    alpha_ratio: float
    seeds: tuple[int, ...]
    noises: tuple[Noise, ...]

    def __post_init__(self) -> None:
        if not LEAST_ALPHA <= self.alpha_ratio < 1:
            raise ValueError(f"alpha_ratio lies between {LEAST_ALPHA:g} and 1: {self.alpha_ratio:g}")

    @property
    def block_s(self) -> float:
        """Length of one block."""
        return sum(stage.duration_s for stage in self.stages)

    def noise(self, metric: str, statistic: str) -> Noise | None:
        """The noise of that statistic; None when no trial could show it."""
        return next((noise for noise in self.noises if (noise.metric, noise.statistic) == (metric, statistic)), None)
