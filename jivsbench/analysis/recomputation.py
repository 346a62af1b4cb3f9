"""Does a run's file follow from its raw evidence? Everything in it is computed again and laid beside what it says.

Exact: the same samples give the same figures, to the last bit. So there is no tolerance in here.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Final

from jivsbench.analysis.block_sums import BlockSums, BlockTimes
from jivsbench.analysis.condensing import condense
from jivsbench.analysis.cut_off import rebuild_totals
from jivsbench.analysis.evidence import build_planned_arm
from jivsbench.analysis.summary import summarize
from jivsbench.analysis.validity import find_invalidities
from jivsbench.model.claims import Relation, Rule
from jivsbench.model.gate import WHOLE
from jivsbench.model.inputs import Inputs
from jivsbench.model.monitor_rows import MonitorRow
from jivsbench.model.record import ArmRecord, BlockRow, JobTotals, Plan, RunRecord
from jivsbench.model.sample import ErrorClass, Interval
from jivsbench.model.scenario import Block
from jivsbench.model.summary import Figure, Summary

_SHOWN: Final = 3
_EVIDENCE_FIELDS: Final = (
    "operations",
    "all_errors",
    "call_count",
    "call_errors",
    "job_errors",
    "series",
    "steps",
    "steady",
    "windows",
)
_CLOCK_DUST_S: Final = 1e-6


def recompute_arms(record: RunRecord, read_intervals: Callable[[], Iterable[Interval]]) -> Iterator[Relation]:
    """Every arm and every block against the histograms of intervals.jsonl."""
    for arm in record.arms:
        rebuilt = build_planned_arm(record.plan, arm.profile, arm.guards, read_intervals, arm.blocks, arm.totals, arm.monitor)
        for name in _EVIDENCE_FIELDS:
            yield compare_values(f"arm {arm.profile.name}, {name}", getattr(arm, name), getattr(rebuilt, name))
        totals = _allow_unseen(arm, rebuild_totals(arm.profile.name, read_intervals()))
        yield compare_values(f"arm {arm.profile.name}, jobs", arm.totals, totals)
        yield from _recompute_blocks(record.plan, arm, read_intervals())


def recompute_monitor(record: RunRecord, arm_looks: Sequence[tuple[str, MonitorRow]]) -> Iterator[Relation]:
    """Every look at a target against the lines of monitor.jsonl, whose clock started earlier by the same time for all."""
    for arm in record.arms:
        written = [look for name, look in arm_looks if name == arm.profile.name]
        looks = sum(row.looks for row in arm.monitor)
        start = max(len(written) - looks, 0)
        later = condense(written[start:])
        offset_s = _find_offset_s(arm, later)
        moved = tuple(
            replace(look, second=kept.second) if abs(look.second - offset_s - kept.second) < _CLOCK_DUST_S else look
            for look, kept in zip(later, arm.monitor, strict=False)
        )
        yield compare_values(f"arm {arm.profile.name}, monitor", arm.monitor, moved)
        left_out = sum(look.second - offset_s > _CLOCK_DUST_S for look in written[:start])
        yield compare_values(f"arm {arm.profile.name}, looks of the monitor since the load began", looks, looks + left_out)


def recompute_summary(record: RunRecord, summary: Summary, inputs: Inputs | None = None) -> Iterator[Relation]:
    """Every figure and effect, and the run's validity, against the record."""
    again = summarize(record, inputs)
    for figure in summary.figures:
        found_figure = again.figure(figure.arm, figure.metric, figure.statistic, figure.window)
        yield compare_values(f"figure {_name(figure)}", figure, found_figure)
    for effect in summary.effects:
        found = again.effect(effect.metric, effect.statistic)
        yield compare_values(f"effect {effect.metric} {effect.statistic}", effect, found)
    yield compare_values("names of figures", _names(summary), _names(again))
    yield compare_values("answers to the scenario's questions", summary.behaviour, again.behaviour)
    if not record.invalid:
        yield compare_values("reasons why the run is invalid", record.invalid, find_invalidities(record))


def find_differences(stated: object, found: object, path: str = "") -> Iterator[str]:
    """Where two values differ, each place with both of its figures."""
    if type(stated) is not type(found) and not (_is_number(stated) and _is_number(found)):
        yield f"{path or 'it'} is {_show(stated)}, computed is {_show(found)}"
    elif is_dataclass(stated) and not isinstance(stated, type):
        for field in fields(stated):
            yield from find_differences(
                getattr(stated, field.name), getattr(found, field.name), f"{path}.{field.name}".lstrip(".")
            )
    elif isinstance(stated, tuple) and isinstance(found, tuple):
        if len(stated) != len(found):
            yield f"{path or 'it'} has {len(stated)} entries, computed are {len(found)}"
        for place, (one, other) in enumerate(zip(stated, found, strict=False)):
            yield from find_differences(one, other, f"{path}[{place}]")
    elif stated != found:
        yield f"{path or 'it'} is {_show(stated)}, computed is {_show(found)}"


def _find_offset_s(arm: ArmRecord, later: Sequence[MonitorRow]) -> float:
    """How much earlier the monitor's clock started: by the last look, for looks may be missing before.

    When all are, the clocks cannot be laid on each other; but a look that is later than the load was long came after its start.
    """
    if later and arm.monitor:
        return later[-1].second - arm.monitor[-1].second
    return max((block.drained_ns / 1e9 for block in arm.blocks), default=math.inf)


def _allow_unseen(arm: ArmRecord, rebuilt: JobTotals) -> JobTotals:
    """The jobs as the intervals have them, with what no interval holds: those that never ended, and rows of wrong jobs."""
    has_wrong_rows = any(error.error is ErrorClass.WRONG_ROWS for error in arm.all_errors)
    stated = arm.totals
    return replace(
        rebuilt,
        created=max(stated.created, rebuilt.created),
        rows_read=max(stated.rows_read, rebuilt.rows_read) if has_wrong_rows else rebuilt.rows_read,
        rows_written=max(stated.rows_written, rebuilt.rows_written) if has_wrong_rows else rebuilt.rows_written,
    )


def _recompute_blocks(plan: Plan, arm: ArmRecord, intervals: Iterable[Interval]) -> Iterator[Relation]:
    planned = {block.index: block for block in plan.blocks}
    sums: dict[int, BlockSums] = {}
    for interval in intervals:
        if interval.arm == arm.profile.name:
            sums.setdefault(interval.block, BlockSums()).add(interval)
    for block in arm.blocks:
        as_planned = planned.get(block.index, Block(block.index, block.pair, block.arm, 0.0))
        rebuilt = _rebuild(block, as_planned, sums.get(block.index, BlockSums()))
        yield compare_values(f"arm {arm.profile.name}, block {block.index}", block, rebuilt)


def _rebuild(block: BlockRow, planned: Block, sums: BlockSums) -> BlockRow:
    """The block as the plan and the intervals have it. Rows of failed jobs are in the intervals and not in the block."""
    times = BlockTimes(block.start_ns, block.measured_ns, block.end_ns, block.drained_ns)
    rebuilt = sums.build_row(planned, times, block.cpu_s)
    rows = block.rows if sums.failed_jobs and block.rows <= sums.rows else sums.rows
    # Files of versions that did not measure a block's CPU time have no rows beside it.
    keeps = block.cpu_s is None or (sums.all_failed_jobs and block.cpu_rows <= sums.all_rows)
    return replace(rebuilt, rows=rows, cpu_rows=block.cpu_rows if keeps else sums.all_rows)


def _name(figure: Figure) -> str:
    window = "" if figure.window == WHOLE else f" {figure.window}"
    return f"{figure.metric} {figure.statistic}{window} of {figure.arm}"


def _names(summary: Summary) -> tuple[str, ...]:
    figures = map(_name, summary.figures)
    effects = (f"{effect.metric} {effect.statistic}" for effect in summary.effects)
    return (*sorted(figures), *sorted(effects))


def compare_values(name: str, stated: object, found: object) -> Relation:
    """One relation: what is stated is what was computed."""
    differences = list(find_differences(stated, found))
    shown = "; ".join(differences[:_SHOWN]) + (f"; and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else "")
    return Relation(Rule.RECOMPUTED, name, shown or "as computed again", not differences)


def _is_number(value: object) -> bool:
    """True for whole numbers and fractions, which JSON does not tell apart: 0 and 0.0 are the same figure."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - a message is one line
