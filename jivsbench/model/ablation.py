"""The ledger of an ablation: what each optimisation and each guard of a profile gives or costs."""

from dataclasses import dataclass
from typing import Final

from jivsbench.model.scenario import WorkloadSpec
from jivsbench.model.summary import Effect

CLAIMS: Final = {
    "batching": "+40 % throughput and -100 ms p95, together with streams; +15 % for streaming",
    "streams": "+40 % throughput and -100 ms p95, together with batching; +40 % on large tables for partitions",
    "pool": "+25 % throughput, -80 ms p95",
    "cache": "+10 % throughput, -50 ms p95",
    "join_fetch": "+5 % throughput, -20 ms p95",
    "metadata_pool": "+3 % throughput",
    "bulk_status": "+5 to 8 % throughput, -10 to -30 ms p95",
    "indexes": "+2 to 5 % throughput",
    "pipeline": "+5 % throughput",
    "compression": "+10 % throughput",
}
"""What was once said of each optimisation, without a measurement that isolated it. Claims, never compared as figures."""


@dataclass(frozen=True, slots=True)
class JobCounts:
    """Jobs of one profile in all valid rounds. A job that fails at once looks fast, so its duration is no gain."""

    tried: int
    failed: int
    wrong_rows: int
    """Those of the failed ones that completed with other rows than were asked for."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One switch or guard. The effects are those of turning it on: the full profile by the profile without it."""

    name: str
    is_guard: bool
    effects: tuple[Effect, ...]
    rounds: int
    invalid_rounds: int
    claim: str | None = None
    jobs: tuple[JobCounts, ...] = ()
    """Of the profile without it, and of the full one."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything that one ablation found."""

    measured_at: str
    """UTC, ISO 8601."""
    machine_label: str
    jivsbench_version: str
    profile: str
    workload: WorkloadSpec
    users: int
    block_s: float
    seed: int
    rows: tuple[LedgerRow, ...]
    already_off: tuple[str, ...]
    """Switches that the profile does not use, so that nothing can be said of them."""
    is_partial: bool = False
    """True when it was stopped before its last round."""
