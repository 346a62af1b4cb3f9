"""The capacity search on a running target: one open-loop load after another, each at the rate that the results so far ask for."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from jivsbench.analysis.arms import build_arm
from jivsbench.analysis.capacity import CapacitySearch, conclude_search, next_rate
from jivsbench.analysis.plateaus import judge_plateau
from jivsbench.app.outputs import remove_old_outputs
from jivsbench.app.progress import Listener, Step
from jivsbench.app.targets import Target
from jivsbench.errors import InvalidRunError, JivsbenchError
from jivsbench.load.intervals import INTERVALS_FILENAME, read_intervals
from jivsbench.load.launcher import run_load
from jivsbench.load.spec import LoadSpec
from jivsbench.model.behaviour import Capacity, Plateau
from jivsbench.model.record import ArmRecord, Plan
from jivsbench.model.scenario import Arrival, Block, Stage
from jivsbench.private_folders import make_private_folder

PLATEAU_S: Final = 60.0
LEAST_PLATEAU_S: Final = 5.0
DRAIN_SHARE: Final = 1.0
"""What is in flight at the end of a plateau may take as long as the plateau, times this."""
_WASHOUT_SHARE: Final = 0.2
_NS_PER_S: Final = 1e9


def plateau_length_s(time_scale: float) -> float:
    """How long each plateau lasts."""
    return max(PLATEAU_S * time_scale, LEAST_PLATEAU_S)


def search_capacity(
    plan: Plan, before: ArmRecord, target: Target, *, spec: LoadSpec, folder: Path, listener: Listener
) -> Capacity:
    """Search from half of the throughput that the load before it (`before`) reached; every plateau has a folder of its own.

    Raises InvalidRunError when the target dies of it.
    """
    limit_s = plan.scenario.p95_limit_s
    assert limit_s is not None, "a scenario that asks for the capacity has a limit"
    search = _plan_search(before)
    length_s = plateau_length_s(plan.time_scale)
    plateaus: list[Plateau] = []
    with remove_old_outputs(lambda: [target.output_dir]):
        while (rate := next_rate(search, plateaus)) is not None:
            number = len(plateaus) + 1
            text = f"capacity: {rate:.3g} jobs per s, plateau {number} of at most {search.most_plateaus}"
            listener(Step(text, expected_s=length_s))
            place = folder / "capacity" / f"plateau-{number:02d}"
            plateaus.append(_play(spec, target, place, (rate, length_s, limit_s * _NS_PER_S), listener))
    return conclude_search(search, plateaus, limit_s * _NS_PER_S)


def _plan_search(arm: ArmRecord) -> CapacitySearch:
    best = max((step.jobs / step.seconds for step in arm.steps if step.seconds), default=1.0)
    return CapacitySearch(min(max(best / 2, 0.1), 10_000.0))


def _play(spec: LoadSpec, target: Target, place: Path, how: tuple[float, float, float], listener: Listener) -> Plateau:
    rate, length_s, limit_ns = how
    stages = (Stage(length_s, is_step=True, rate_per_s=rate),)
    blocks = (Block(0, 0, target.profile.name, length_s * _WASHOUT_SHARE),)
    path = place / INTERVALS_FILENAME
    load = replace(
        spec,
        stages=stages,
        blocks=blocks,
        arrival=Arrival.RATE,
        intervals_path=str(path),
        drain_limit_s=length_s * DRAIN_SHARE,
    )
    try:
        make_private_folder(place, may_exist=False)
        outcome = run_load(load, place, listener)
        totals = dict(outcome.totals)[target.profile.name]
        arm = build_arm(target.profile, target.guards, read_intervals(path), outcome.blocks, totals, ())
    except (JivsbenchError, OSError) as exc:
        if not target.service.is_alive:
            raise InvalidRunError(f"capacity search, at {rate:.3g} arrivals/s: {exc}") from exc
        # What the load before it has measured stands.
        return Plateau(rate, None, None, None, str(exc))
    return judge_plateau(arm, outcome.generator, rate, limit_ns)
