"""Answers the questions of a scenario from the record of the arm that is judged."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from jivsbench.analysis.consistency import check_consistency
from jivsbench.analysis.knee import find_knee
from jivsbench.analysis.readings import MemoryKind
from jivsbench.analysis.recovery import choose_hold_s, find_normal, list_disturbances, measure_band
from jivsbench.analysis.schedule import Step, list_steps, rows_within
from jivsbench.analysis.spikes import measure_peak
from jivsbench.analysis.trend import BLOCKS, judge_growth
from jivsbench.model.behaviour import Band, Behaviour, Growth, Knee, KneeFit, Recovery, Trend
from jivsbench.model.gate import Unit
from jivsbench.model.metrics import GROWING
from jivsbench.model.monitor_rows import MonitorRow
from jivsbench.model.record import ArmRecord, BlockRow, Plan, RunKind, RunRecord
from jivsbench.model.scenario import Arrival, Question

_NS_PER_S: Final = 1e9
_NS_PER_MS: Final = 1e6
_BYTES_PER_MIB: Final = 1024.0**2
_LEAST_GAP_S: Final = 5.0
_UNITS: Final = {"memory": Unit.MEBIBYTES, "latency": Unit.MILLISECONDS}
_NOBODY: Final = {"backends": "the source's server told nothing of it", "latency": "no job ended"}
_Readings = Sequence[tuple[float, float | None]]


def plan_steps(plan: Plan, blocks: Sequence[BlockRow]) -> tuple[Step, ...]:
    """The steps of a run as its block played them; none for a comparison, which plays its schedule once a block."""
    if plan.kind is not RunKind.RUN or not blocks:
        return ()
    return list_steps(plan.scenario.stages, plan.scenario.arrival, blocks[0].start_ns / _NS_PER_S)


def describe_behaviour(record: RunRecord, memory: MemoryKind) -> Behaviour | None:
    """What the scenario asked, answered; None in a comparison and without an arm. Consistency is always asked."""
    plan = record.plan
    if plan.kind is not RunKind.RUN or not record.arms:
        return None
    arm = record.arms[-1]
    steps, questions = plan_steps(plan, arm.blocks), plan.scenario.questions
    is_closed = plan.scenario.arrival is Arrival.USERS
    band, recoveries = _answer_recovery(arm, steps, plan.time_scale) if Question.RECOVERY in questions else ("", ())
    return Behaviour(
        knee=_answer_knee(plan, arm, steps) if Question.KNEE in questions else None,
        growths=_answer_growth(record, arm, steps, memory) if Question.GROWTH in questions else (),
        band=band if isinstance(band, Band) else None,
        why_no_band="" if isinstance(band, Band) else band,
        recoveries=recoveries,
        consistency=check_consistency(arm.totals, arm.steps, plan.scenario.workload.think_time_s, is_closed_loop=is_closed),
    )


def _answer_knee(plan: Plan, arm: ArmRecord, steps: Sequence[Step]) -> Knee:
    limit_s = plan.scenario.p95_limit_s
    if plan.scenario.arrival is Arrival.RATE:
        why = "the load is an arrival rate, a knee is one of users"
        return Knee(None, None, still_growing=False, p95_limit_ns=None, fit=KneeFit((), why))
    return find_knee(arm.series, arm.steps, steps, None if limit_s is None else limit_s * _NS_PER_S, plan.seed)


def _answer_recovery(arm: ArmRecord, steps: Sequence[Step], time_scale: float) -> tuple[Band | str, tuple[Recovery, ...]]:
    normal = find_normal(steps)
    if normal is None:
        return "the schedule has no plateau before a peak", ()
    band = measure_band(arm.series, normal)
    if isinstance(band, str):
        return band, ()
    hold_s = choose_hold_s(time_scale)
    return band, tuple(measure_peak(arm, band, normal, peak, hold_s) for peak in list_disturbances(steps, normal))


def _answer_growth(record: RunRecord, arm: ArmRecord, steps: Sequence[Step], memory: MemoryKind) -> tuple[Growth, ...]:
    """Every gauge over the longest plateau: load that changes changes them too."""
    plateaus = [step for step in steps if step.is_plateau and step.load_to > 0]
    if not plateaus:
        return tuple(_unmeasured(gauge, "the schedule has no plateau") for gauge in GROWING)
    plateau = max(plateaus, key=lambda step: step.end_s - step.start_s)
    rows = [row for row in arm.monitor if plateau.start_s <= row.second < plateau.end_s]
    looks = record.servers.rows if record.servers else ()
    read: dict[str, _Readings] = {gauge: _read_gauge(rows, gauge, memory) for gauge in GROWING}
    read["backends"] = [(row.second, row.own_sessions) for row in looks if plateau.start_s <= row.second < plateau.end_s]
    read["latency"] = [
        (row.second + 0.5, None if row.job_p95_ns is None else row.job_p95_ns / _NS_PER_MS)
        for row in rows_within(arm.series, plateau)
    ]
    return tuple(_judge(gauge, read[gauge], plateau, memory) for gauge in GROWING)


def _judge(gauge: str, readings: _Readings, plateau: Step, memory: MemoryKind) -> Growth:
    known = [(second, float(value)) for second, value in readings if value is not None]
    if not known:
        return _unmeasured(gauge, _NOBODY.get(gauge, "the monitor read nothing of it"))
    duration_s = plateau.end_s - plateau.start_s
    # Blocks are equally many readings: where a whole block has none, they are no equal parts of the time.
    most_s = max(duration_s / BLOCKS, _LEAST_GAP_S)
    gap_s = max(after - before for before, after in pairwise([plateau.start_s, *(second for second, _ in known), plateau.end_s]))
    if gap_s > most_s:
        return _unmeasured(
            gauge, f"nothing was read of it for {gap_s:.0f} s, at most {most_s:.0f} s of {duration_s:.0f} s may lack"
        )
    source = f"{memory} of the target's process tree" if gauge == "memory" else GROWING[gauge]
    return judge_growth(gauge, _UNITS.get(gauge, Unit.COUNT), [value for _, value in known], duration_s, source=source)


def _read_gauge(rows: Sequence[MonitorRow], gauge: str, memory: MemoryKind) -> _Readings:
    """What the monitor read of the target itself; the sessions are the server's to tell."""
    match gauge:
        case "memory":
            sizes = ((row.second, row.pss_bytes if memory is MemoryKind.PSS else row.rss_bytes) for row in rows)
            return [(second, None if size is None else size / _BYTES_PER_MIB) for second, size in sizes]
        case "handles":
            return [(row.second, row.handles) for row in rows]
        case "threads":
            return [(row.second, row.threads) for row in rows]
        case "connections":
            both = ((row.second, row.pool_active, row.pool_idle) for row in rows)
            return [(second, None if active is None or idle is None else active + idle) for second, active, idle in both]
    return []


def _unmeasured(gauge: str, why: str) -> Growth:
    return Growth(gauge, _UNITS.get(gauge, Unit.COUNT), Trend.NOT_MEASURED, 0, f"not measured: {why}")
