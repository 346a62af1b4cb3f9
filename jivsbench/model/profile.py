"""Profiles: named sets of core settings, in which every optimisation is a switch that can be turned off alone."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from jivsbench.model.output import OutputSettings


class Verification(StrEnum):
    """How far an output is compared with its source before the job is COMPLETED."""

    COUNT = "count"
    """Rows: in the source, read, and in the footer on disk."""
    COLUMNS = "columns"
    """Also of each column: NULLs, sum, least and greatest, computed by the server and from what is read back from the disk."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Limits of one source's pool, and the cap over all pools together."""

    max_size: int = 10
    min_idle: int = 2
    borrow_timeout_s: float = 5.0
    idle_timeout_s: float = 300.0
    max_lifetime_s: float = 600.0
    validation_timeout_s: float = 3.0
    leak_report_s: float = 60.0
    total_max: int = 80
    """Connections of all source pools together stay at or below this."""


@dataclass(frozen=True, slots=True)
class MetadataPoolLimits:
    """Limits of the job store's own connection pool."""

    size: int
    max_overflow: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class CacheTimes:
    """How long each kind of metadata stays in the cache. Rows never enter it."""

    data_source_s: float = 3600.0
    schema_s: float = 1800.0
    statistics_s: float = 300.0
    running_job_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Switches:
    """The optimisations. All off is the honest "before"; nothing is slowed on purpose."""

    batching: bool
    """Rows travel as Arrow batches. Off: row by row, as Python objects."""
    streams: int
    """Parallel readers of one extraction. 1 is off."""
    pool: bool
    """Connections to a source are borrowed and returned. Off: one connection per job, opened and closed."""
    cache: bool
    """Metadata is read through the cache. Off: always from the job store."""
    join_fetch: bool
    """Jobs and their sources come in one query. Off: one query more per job (N+1)."""
    metadata_pool: bool
    """The job store's pool has 50/10/5 s. Off: 20/5/30 s."""
    bulk_status: bool
    """States of jobs are stored many at a time. Off: three committed changes a job, each waited for."""
    indexes: bool
    """The job store has indexes for its lists. Off: only keys."""
    pipeline: bool
    """Reading, and transforming and writing, go on side by side. Off: one after the other, in one thread."""
    compression: bool
    """Output is compressed with zstd. Off: plain."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A named configuration of the extraction core."""

    name: str
    switches: Switches
    guards: tuple[str, ...] | None = None
    """Names of the guards in force. None: every guard that is loaded, and at least one. Empty: none, said in so many words."""
    cache: str | None = None
    """Name of the cache plugin. None: the one the configuration names, else `memory`."""
    pool: PoolLimits = field(default_factory=PoolLimits)
    metadata: MetadataPoolLimits = field(default_factory=lambda: MetadataPoolLimits(20, 5, 30.0))
    cache_times: CacheTimes = field(default_factory=CacheTimes)
    batch_rows: int = 1000
    """Rows of one record batch at most."""
    job_workers: int = 0
    """Extractions that run at the same time; more wait in a bounded queue. 0: two a core, at least four."""
    queue_limit: int = 1000
    query_timeout_s: float = 30.0
    job_timeout_s: float = 120.0
    verification: Verification = Verification.COUNT
    output: OutputSettings = field(default_factory=OutputSettings)


_WORKERS_A_CORE = 2
_LEAST_WORKERS = 4


def fit_to_machine(profile: Profile, cores: int) -> Profile:
    """The profile with numbers where it left them to the machine that it runs on.

    Ten workers on two cores extract no more a second than four, in half as much memory again.
    """
    return replace(profile, job_workers=profile.job_workers or max(_LEAST_WORKERS, _WORKERS_A_CORE * cores))


LEGACY = Profile(
    "legacy",
    Switches(
        batching=False,
        streams=1,
        pool=False,
        cache=False,
        join_fetch=False,
        metadata_pool=False,
        bulk_status=False,
        indexes=False,
        pipeline=False,
        compression=False,
    ),
    job_workers=10,
)
OPTIMIZED = Profile(
    "optimized",
    Switches(
        batching=True,
        streams=4,
        pool=True,
        cache=True,
        join_fetch=True,
        metadata_pool=True,
        bulk_status=True,
        indexes=True,
        # Not shown to pay: see docs/decisions/0010.
        pipeline=False,
        compression=True,
    ),
    # Ten times the batches of 1,000 that such code usually has: 4 % less CPU for 5,000 rows, and not a byte more in memory, since
    # a block of the server's rows is decoded as a whole anyway.
    batch_rows=10_000,
    metadata=MetadataPoolLimits(50, 10, 5.0),
)
PROFILES = (LEGACY, OPTIMIZED)
