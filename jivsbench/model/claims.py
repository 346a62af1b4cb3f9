"""What a result file states, whoever wrote it: figures with the exactness that they were written with.

The audit compares these with one another. Nothing here was measured by this run, and nothing here is believed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from jivsbench.model.gate import Comparator


class Quantity(StrEnum):
    """What a stated figure is a figure of. Times in the unit of the name, ratios as fractions of 1."""

    DURATION_S = "duration_s"
    RECORDS = "records"
    RECORDS_PER_S = "records_per_s"
    TRIED = "tried"
    TRIED_PER_S = "tried_per_s"
    FAILED = "failed"
    FAILED_PER_S = "failed_per_s"
    SUCCEEDED = "succeeded"
    ERROR_RATIO = "error_ratio"
    MIN_MS = "min_ms"
    MEAN_MS = "mean_ms"
    P50_MS = "p50_ms"
    P75_MS = "p75_ms"
    P90_MS = "p90_ms"
    P95_MS = "p95_ms"
    P99_MS = "p99_ms"
    MAX_MS = "max_ms"
    BATCHES = "batches"
    BATCH_SIZE = "batch_size"
    POLLS = "polls"
    POLL_INTERVAL_S = "poll_interval_s"
    USERS = "users"
    POOL_SIZE = "pool_size"
    ACTIVE_CONNECTIONS = "active_connections"
    HITS = "hits"
    MISSES = "misses"
    LOOKUPS = "lookups"
    HIT_RATIO = "hit_ratio"
    CONCURRENCY = "concurrency"
    BUSY_S = "busy_s"
    """Seconds that all operations took together."""


PERCENTILES = (Quantity.P50_MS, Quantity.P75_MS, Quantity.P90_MS, Quantity.P95_MS, Quantity.P99_MS)
RATIOS = (Quantity.ERROR_RATIO, Quantity.HIT_RATIO)


@dataclass(frozen=True, slots=True)
class Stated:
    """One figure. The true one lies within `slack` of `value`: one unit of the last digit that the file writes.

    One unit and not half of it, for some tools round and others cut off.
    """

    name: str
    """Where it stands, as the file calls it."""
    value: float
    slack: float = 0.0
    is_percent: bool = False
    """True when the file writes a ratio in percent; `value` is the fraction all the same."""
    provenance: str | None = None
    """How it came about, in the file's own words; None when the file does not say."""
    implied_by: "tuple[Stated, Stated] | None" = None
    """The two figures that it was computed from, when the file does not state it: of these two it proves nothing."""


@dataclass(frozen=True, slots=True)
class Part:
    """The figures of one part of a result: an endpoint, an arm, a phase, or the whole."""

    name: str
    figures: tuple[tuple[Quantity, Stated], ...]

    def get(self, quantity: Quantity) -> Stated | None:
        """The figure of that quantity; None when the part does not state it."""
        return next((stated for known, stated in self.figures if known is quantity), None)


@dataclass(frozen=True, slots=True)
class Criterion:
    """A limit that the file says was met, or not."""

    text: str
    value: Stated
    comparator: Comparator
    limit: Stated
    is_met: bool


@dataclass(frozen=True, slots=True)
class Workload:
    """What was offered in one result, as far as the file says: users, rows, table, duration."""

    name: str
    settings: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Claims:
    """Everything that one file states.

    `parts` make up the whole when `is_partition`; otherwise they only stand beside one another. Tools that keep no
    exact percentiles say how far off theirs may be (`percentile_error_ratio`).
    """

    format: str
    whole: Part | None
    parts: tuple[Part, ...] = ()
    is_partition: bool = False
    criteria: tuple[Criterion, ...] = ()
    workloads: tuple[Workload, ...] = ()
    is_comparison: bool = False
    """True when the workloads are those of results that the file compares with one another."""
    marks: tuple[str, ...] = ()
    """Places where the file itself calls figures simulated, estimated or made up."""
    needs_provenance: bool = False
    """True for a file that no measuring tool vouches for: every figure must say where it comes from."""
    percentile_error_ratio: float = 0.0

    @property
    def everything(self) -> tuple[Part, ...]:
        """The whole, if stated, and all parts."""
        return ((self.whole,) if self.whole else ()) + self.parts


class Rule(StrEnum):
    """What the audit looks for. The first twelve are contradictions that results were published with."""

    RATE = "rate"
    PARTS = "parts"
    ERROR_RATIO = "error-ratio"
    BATCHES = "batches"
    POLLS = "polls"
    CONNECTIONS = "connections"
    LOOKUPS = "look-ups"
    MET = "met"
    LITTLE = "little"
    WORKLOAD = "workload"
    PERCENT = "percent"
    PROVENANCE = "provenance"
    SUMS = "sums"
    RECOMPUTED = "recomputed"
    MANIFEST = "manifest"

    @property
    def meaning(self) -> str:
        """What holds in a consistent file."""
        return _MEANINGS[self]


_MEANINGS = {
    Rule.RATE: "count / time is the stated rate",
    Rule.PARTS: "a figure of the whole lies between those of its parts, percentiles rise, an average lies in its range",
    Rule.ERROR_RATIO: "failed / tried is the stated error ratio",
    Rule.BATCHES: "batches x batch size is the number of records",
    Rule.POLLS: "polls x interval is the duration",
    Rule.CONNECTIONS: "no more connections are active than there are users or places in the pool",
    Rule.LOOKUPS: "hits + misses are the look-ups, and hits / look-ups is the stated ratio",
    Rule.MET: "what is said to meet a limit meets it",
    Rule.LITTLE: "operations in flight are rate x time (Little's law), and never more than the users",
    Rule.WORKLOAD: "results that are compared had the same workload",
    Rule.PERCENT: "percent and fraction are not mixed",
    Rule.PROVENANCE: "every figure says where it comes from, and none is simulated or estimated",
    Rule.SUMS: "counts of parts add up to the count of the whole",
    Rule.RECOMPUTED: "every figure of the report follows from the raw histograms, the score from the outcomes",
    Rule.MANIFEST: "every file has the SHA-256 that was taken when it was written",
}


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation between stated figures, tried: the figures with their arithmetic, and whether it holds."""

    rule: Rule
    part: str
    arithmetic: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Audit:
    """Every relation that a file has, tried."""

    format: str
    relations: tuple[Relation, ...]
    shares_nothing: bool = False
    """It was held against another result, and of no setting of the workload do both say anything."""

    @property
    def contradictions(self) -> tuple[Relation, ...]:
        """The relations that do not hold."""
        return tuple(relation for relation in self.relations if not relation.holds)

    def count(self, rule: Rule) -> int:
        """How many relations of a rule the file has."""
        return sum(relation.rule is rule for relation in self.relations)


def join_audits(audits: Iterable[Audit]) -> Audit:
    """One audit of all relations."""
    found = tuple(audits)
    formats = dict.fromkeys(audit.format for audit in found)
    return Audit(
        " against ".join(formats),
        tuple(relation for audit in found for relation in audit.relations),
        any(audit.shares_nothing for audit in found),
    )
