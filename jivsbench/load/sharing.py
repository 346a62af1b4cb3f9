"""How a load is shared by several load machines: each plays its part of one plan. Pure.

Arrivals and users keep their numbers, and with them what they ask for: number n belongs to machine n modulo the number of
machines. So the merged load is the load of one machine, whatever their number.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

from jivsbench.load.shape import UserChange, user_changes
from jivsbench.load.spec import LoadOutcome, LoadSpec, Share
from jivsbench.model.arrivals import arrival_times_ns
from jivsbench.model.record import GeneratorFacts, JobTotals
from jivsbench.model.scenario import Stage

N = TypeVar("N", int, float)


@dataclass(frozen=True, slots=True)
class PlannedArrival:
    """One arrival of an open loop: its number in the whole load, and its moment in ns after its block's start."""

    number: int
    after_ns: int


def share_count(count: int, share: Share) -> int:
    """How many of the numbers 0 ... count - 1 belong to this machine."""
    return max(0, (count - share.index + share.machines - 1) // share.machines)


def share_arrivals(spec: LoadSpec, pair: int) -> Iterator[PlannedArrival]:
    """This machine's arrivals of a block, one at a time."""
    times = arrival_times_ns(spec.stages, spec.gaps, spec.seed, pair)
    numbered = (PlannedArrival(number, after_ns) for number, after_ns in enumerate(times))
    return islice(numbered, spec.share.index, None, spec.share.machines)


def share_changes(stages: Sequence[Stage], share: Share) -> tuple[UserChange, ...]:
    """When how many of this machine's users are active."""
    return tuple(UserChange(change.at_s, share_count(change.users, share)) for change in user_changes(stages))


def share_spec(spec: LoadSpec, share: Share) -> LoadSpec:
    """What one machine is told: the whole plan, which part of it is its own, and its part of the limits."""
    return replace(
        spec,
        share=share,
        in_flight_limit=max(share_count(spec.in_flight_limit, share), 1),
        queue_limit=share_count(spec.queue_limit, share),
    )


def merge_totals(outcomes: Sequence[LoadOutcome], arm: str) -> JobTotals:
    """The jobs of one arm over all machines."""
    parts = [dict(outcome.totals)[arm] for outcome in outcomes]
    return JobTotals(
        created=sum(part.created for part in parts),
        completed=sum(part.completed for part in parts),
        failed=sum(part.failed for part in parts),
        timed_out=sum(part.timed_out for part in parts),
        cancelled=sum(part.cancelled for part in parts),
        rows_read=sum(part.rows_read for part in parts),
        rows_written=sum(part.rows_written for part in parts),
    )


def merge_facts(parts: Sequence[GeneratorFacts]) -> GeneratorFacts:
    """What the machines say of themselves: counts are added, and of what can be bad the worst machine stands for all."""
    planned = _sum([part.arrivals_planned for part in parts])
    off_plan = sum((part.off_plan_ratio or 0.0) * (part.arrivals_planned or 0) for part in parts)
    return GeneratorFacts(
        cpu_ratio=_worst([part.cpu_ratio for part in parts]),
        lag_p99_ns=_worst([part.lag_p99_ns for part in parts]),
        users_planned_max=sum(part.users_planned_max for part in parts),
        users_reached_max=sum(part.users_reached_max for part in parts),
        operations=sum(part.operations for part in parts),
        wall_s=max(part.wall_s for part in parts),
        pacing=" and ".join(sorted({part.pacing for part in parts if part.pacing})) or None,
        arrivals_planned=planned,
        arrivals_offered=_sum([part.arrivals_offered for part in parts]),
        arrivals_not_sent=_sum([part.arrivals_not_sent for part in parts]),
        off_plan_ratio=None if planned is None else off_plan / planned if planned else 0.0,
        in_flight_max=_sum([part.in_flight_max for part in parts]),
        queued_max=_sum([part.queued_max for part in parts]),
        steal_ratio=_worst([part.steal_ratio for part in parts]),
        clock_jump_ns=_worst([part.clock_jump_ns for part in parts]),
        rss_growth_bytes=_worst([part.rss_growth_bytes for part in parts]),
        workers=len(parts),
        cpu_highest_ratio=_worst([part.cpu_highest_ratio for part in parts]),
        times_jobs=any(part.times_jobs for part in parts),
    )


def _worst(values: Sequence[N | None]) -> N | None:
    """The greatest; None when any machine does not know, because that one could be the worst."""
    known = [value for value in values if value is not None]
    return max(known) if known and len(known) == len(values) else None


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None
