"""Makes plans: what a run will do, decided and checked before anything starts."""

import random
import secrets
from typing import Final

from jivsbench.app.derived_sources import describe_sources
from jivsbench.app.servers import Servers
from jivsbench.model.comparison import ComparisonRule
from jivsbench.model.profile import Profile
from jivsbench.model.record import Plan, RunKind
from jivsbench.model.scenario import WARM_UP_PAIR, Block, Scenario

DEFAULT_SEED: Final = 20_240_101
SEED_LIMIT: Final = 2**31


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
    rule: ComparisonRule | None = None,
) -> Plan:
    """Two arms in alternating blocks, in random order within each pair; the scenario's user curve is that of one block."""
    return Plan(
        kind=RunKind.COMPARISON,
        scenario=scenario,
        profiles=(baseline, candidate),
        blocks=alternate((baseline.name, candidate.name), pairs, washout_s, seed, warm_up_pairs),
        seed=seed,
        time_scale=1.0,
        table_rows=table_rows,
        source_label=servers.source_label,
        cache_label=servers.cache_label,
        rule=rule,
    )


def alternate(arms: tuple[str, str], pairs: int, washout_s: float, seed: int, warm_up_pairs: int = 0) -> tuple[Block, ...]:
    """Blocks in which each pair holds both arms once, in an order drawn from the seed; those that warm up come first."""
    source = random.Random(f"blocks:{seed}")  # noqa: S311 - a reproducible order, not a secret
    blocks: list[Block] = []
    for pair in (*[WARM_UP_PAIR] * warm_up_pairs, *range(pairs)):
        order = list(arms)
        source.shuffle(order)
        blocks += [Block(len(blocks) + place, pair, arm, washout_s) for place, arm in enumerate(order)]
    return tuple(blocks)


def load_duration_s(plan: Plan) -> float:
    """How long the load lasts by the plan, without the time that in-flight operations take to end."""
    return plan.scenario.duration_s * len(plan.blocks)
