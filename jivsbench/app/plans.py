"""Makes plans: what a run will do, decided and checked before anything starts."""

import random
import secrets
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from jivsbench.app.derived_sources import describe_sources
from jivsbench.app.servers import Servers
from jivsbench.model.comparison import ComparisonRule
from jivsbench.model.profile import Profile
from jivsbench.model.record import Plan, RunKind
from jivsbench.model.scenario import WARM_UP_PAIR, Block, Scenario

DEFAULT_SEED: Final = 20_240_101
SEED_LIMIT: Final = 2**31
_RENEWAL_S: Final = 4.0
"""For the display alone: about how long it takes until new processes answer."""


def draw_seed(chosen: int | None) -> int:
    """The seed that the user chose, or a new one."""
    return secrets.randbelow(SEED_LIMIT) if chosen is None else chosen


def plan_run(scenario: Scenario, profile: Profile, servers: Servers, table_rows: int, *, seed: int, time_scale: float) -> Plan:
    """One arm, one block: the scenario's user curve from its beginning to its end."""
    return Plan(
        kind=RunKind.RUN,
        scenario=scenario,
        profiles=(profile,),
        blocks=(Block(index=0, pair=0, arm=profile.name, washout_s=0.0),),
        seed=seed,
        time_scale=time_scale,
        table_rows=table_rows,
        source_label=servers.source_label,
        cache_label=servers.cache_label,
        sources=describe_sources(scenario.workload),
    )


def plan_comparison(
    scenario: Scenario,
    baseline: Profile,
    candidate: Profile,
    servers: Servers,
    table_rows: int,
    *,
    pairs: int,
    washout_s: float,
    seed: int,
    warm_up_pairs: int = 0,
    processes: int = 1,
    rule: ComparisonRule | None = None,
) -> Plan:
    """Two arms in alternating blocks, in random order within each pair; the scenario's user curve is that of one block."""
    return Plan(
        kind=RunKind.COMPARISON,
        scenario=scenario,
        profiles=(baseline, candidate),
        blocks=alternate((baseline.name, candidate.name), share_out(pairs, processes), washout_s, seed, warm_up_pairs),
        seed=seed,
        time_scale=1.0,
        table_rows=table_rows,
        source_label=servers.source_label,
        cache_label=servers.cache_label,
        rule=rule,
    )


def share_out(pairs: int, processes: int) -> tuple[int, ...]:
    """How many pairs each process is played: as equal as they can be.

    >>> share_out(10, 4)
    (2, 3, 2, 3)
    """
    ends = [pairs * number // processes for number in range(processes + 1)]
    return tuple(end - start for start, end in pairwise(ends))


def alternate(
    arms: tuple[str, str], shares: Sequence[int], washout_s: float, seed: int, warm_up_pairs: int = 0
) -> tuple[Block, ...]:
    """Blocks in which each pair holds both arms once, in an order drawn from the seed: each arm is first equally often.

    `shares`: the pairs of each process, one process after the other; those that warm it up come first. The arm that is first in
    the first pair of a process is also the one that is started first.
    """
    source = random.Random(f"blocks:{seed}")  # noqa: S311 - a reproducible order, not a secret
    blocks: list[Block] = []
    played = 0
    for process, (share, lead) in enumerate(zip(shares, _draw_orders(source, arms, len(shares)), strict=True)):
        pairs = (*[WARM_UP_PAIR] * warm_up_pairs, *range(played, played + share))
        orders = (*[lead] * warm_up_pairs, *_draw_orders(source, arms, share))
        for pair, order in zip(pairs, orders, strict=True):
            blocks += [Block(len(blocks) + place, pair, arm, washout_s, process) for place, arm in enumerate(order)]
        played += share
    return tuple(blocks)


def _draw_orders(source: random.Random, arms: tuple[str, str], count: int) -> list[tuple[str, str]]:
    """A drawn sequence of orders of the arms, of which each comes first as often as the other, or once more."""
    either = [arms, (arms[1], arms[0])]
    source.shuffle(either)
    orders = [either[number % 2] for number in range(count)]
    source.shuffle(orders)
    return orders


def load_duration_s(plan: Plan) -> float:
    """How long the load lasts by the plan, new processes included, without the time that in-flight operations take to end."""
    return plan.scenario.duration_s * len(plan.blocks) + _RENEWAL_S * (plan.processes - 1)
