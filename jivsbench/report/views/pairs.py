"""The paired blocks of a comparison, or its processes: both arms of each, the ratio of each, and the interval over them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from jivsbench.analysis.signed_rank import estimate_location
from jivsbench.model.formatting import (
    NOT_MEASURED,
    format_confidence,
    format_count,
    format_milliseconds,
    format_number,
    format_pairs,
    format_ratio,
    format_ratio_interval,
)
from jivsbench.model.gate import Unit
from jivsbench.model.metrics import Direction
from jivsbench.model.record import BlockRow, RunKind, RunRecord
from jivsbench.model.summary import Effect, Summary
from jivsbench.report.charts import PLOT_BOTTOM, PLOT_LEFT, PLOT_RIGHT, PLOT_TOP, Chart, DataTable, LimitLine, Line, Reach
from jivsbench.report.scales import build_count_scale, build_ratio_scale, build_value_scale
from jivsbench.report.views.over_time import style_arms

_NS_PER_MS: Final = 1e6
_NS_PER_S: Final = 1e9
_PLURALS: Final = {"pair": "pairs", "process": "processes"}


@dataclass(frozen=True, slots=True)
class Pairs:
    """Both drawings, and the table of what they were drawn from: blocks, or the processes that the blocks were played against."""

    charts: tuple[Chart, ...]
    table: DataTable
    table_title: str
    method: str


@dataclass(frozen=True, slots=True)
class _Pair:
    number: int
    baseline_ms: float
    candidate_ms: float
    ratio: float


def build_pairs(record: RunRecord, summary: Summary) -> Pairs | None:
    """The pairs of a comparison, or its processes where there were several; None for a run, or when no pair is whole."""
    if record.plan.kind is not RunKind.COMPARISON:
        return None
    has_processes = record.plan.processes > 1
    unit = "process" if has_processes else "pair"
    pairs = join_processes(record) if has_processes else join_pairs(record)
    effect = summary.effect("job.response", "mean")
    charts = (_draw_values(record, pairs, unit), _draw_ratios(record, pairs, unit, effect)) if pairs else ()
    title = f"All {'processes' if has_processes else 'blocks'}, in the order of the load"
    table = _tabulate_processes(record) if has_processes else _tabulate_blocks(record)
    return Pairs(charts, table, title, effect.method if effect else "")


def join_pairs(record: RunRecord) -> tuple[_Pair, ...]:
    """Mean job durations of both blocks of each pair in which both were measured."""
    baseline, candidate, ratios = _map_means(record)
    return tuple(_Pair(n + 1, baseline[n], candidate[n], ratios[n]) for n in sorted(ratios))


def join_processes(record: RunRecord) -> tuple[_Pair, ...]:
    """The same summed up to one value a process: means of the blocks, and the ratio that the interval is computed from."""
    baseline, candidate, ratios = _map_means(record)
    places = {block.pair: block.process for arm in record.arms for block in arm.blocks}
    numbers: dict[int, list[int]] = {}
    for number in sorted(ratios):
        numbers.setdefault(places[number], []).append(number)
    return tuple(
        _Pair(
            process + 1,
            fmean(baseline[n] for n in own),
            fmean(candidate[n] for n in own),
            math.exp(estimate_location([math.log(ratios[n]) for n in own])),
        )
        for process, own in numbers.items()
    )


def _map_means(record: RunRecord) -> tuple[dict[int, float], dict[int, float], dict[int, float]]:
    """The mean job duration (ms) of each measured block of the baseline, and of the candidate, by pair; and their ratios.

    A ratio that no number can hold has no place in a drawing.
    """
    means: dict[str, dict[int, float]] = {}
    for arm in record.arms:
        for block in arm.blocks:
            if block.arm == arm.profile.name and block.job_mean_ns is not None and block.job_mean_ns > 0:
                means.setdefault(block.arm, {})[block.pair] = block.job_mean_ns / _NS_PER_MS
    baseline, candidate = means.get(record.plan.baseline or "", {}), means.get(record.plan.candidate, {})
    ratios = {n: candidate[n] / baseline[n] for n in baseline.keys() & candidate.keys() if baseline[n]}
    return baseline, candidate, {n: ratio for n, ratio in ratios.items() if 0 < ratio < math.inf}


def _draw_values(record: RunRecord, pairs: Sequence[_Pair], unit: str) -> Chart:
    styles = style_arms(record)
    baseline, candidate = record.plan.baseline or "", record.plan.candidate
    x, x_ticks = build_count_scale(pairs[-1].number, PLOT_LEFT, PLOT_RIGHT)
    y, y_ticks = build_value_scale(max(max(p.baseline_ms, p.candidate_ms) for p in pairs), PLOT_BOTTOM, PLOT_TOP)
    links = "".join(f"M{x.place(p.number):g} {y.place(p.baseline_ms):g}V{y.place(p.candidate_ms):g}" for p in pairs)
    what = "both blocks of each" if unit == "pair" else "the blocks of both arms in each"
    return Chart(
        id="pair-values",
        title=f"Mean job duration of each {unit}",
        unit="ms",
        description=f"Mean job duration in ms of {what} of {len(pairs)} {_PLURALS[unit]}: {baseline} and {candidate}.",
        x_label=unit,
        x_ticks=x_ticks,
        y_ticks=y_ticks,
        lines=(
            Line("", "link", links),
            Line(baseline, styles[baseline], "", tuple((x.place(p.number), y.place(p.baseline_ms)) for p in pairs)),
            Line(candidate, styles[candidate], "", tuple((x.place(p.number), y.place(p.candidate_ms)) for p in pairs)),
        ),
        table=DataTable(
            (unit, f"{baseline} (ms)", f"{candidate} (ms)"),
            tuple((str(p.number), _ms(p.baseline_ms), _ms(p.candidate_ms)) for p in pairs),
        ),
    )


def _draw_ratios(record: RunRecord, pairs: Sequence[_Pair], unit: str, effect: Effect | None) -> Chart:
    x, x_ticks = build_count_scale(pairs[-1].number, PLOT_LEFT, PLOT_RIGHT)
    bounds = [pair.ratio for pair in pairs]
    y, y_ticks = build_ratio_scale(min(bounds), max(bounds), PLOT_BOTTOM, PLOT_TOP)
    reach, note = None, f"No interval: too few {_PLURALS[unit]}."
    if effect and effect.ratio is not None and effect.ratio_low is not None and effect.ratio_high is not None:
        top, bottom = y.place(min(effect.ratio_high, y.high)), y.place(max(effect.ratio_low, y.low))
        reach = Reach(top, max(round(bottom - top, 1), 1.0), y.place(effect.ratio))
        interval = format_ratio_interval(effect.ratio_low, effect.ratio_high)
        ratio = format_ratio(effect.ratio, Direction.LOWER)
        basis = format_pairs(effect.pairs, effect.processes)
        note = f"Line and band: {ratio}, {format_confidence(effect.confidence)} interval {interval} over {basis}."
    return Chart(
        id="pair-ratios",
        title=f"{record.plan.candidate} divided by {record.plan.baseline}, {unit} by {unit}",
        unit="ratio",
        description=f"The ratio of mean job durations of each {unit} on a logarithmic scale. Below 1 the candidate is faster.",
        x_label=unit,
        x_ticks=x_ticks,
        y_ticks=y_ticks,
        lines=(Line("", "arm-b", "", tuple((x.place(p.number), y.place(p.ratio)) for p in pairs)),),
        table=DataTable((unit, "ratio"), tuple((str(p.number), format_ratio(p.ratio, Direction.LOWER)) for p in pairs)),
        limits=(LimitLine(y.place(1.0), "no difference"),),
        reach=reach,
        note=f"Below 1 is faster. {note}",
    )


def _tabulate_blocks(record: RunRecord) -> DataTable:
    blocks = sorted((block for arm in record.arms for block in arm.blocks), key=lambda block: block.index)
    heads = (
        "block",
        "pair",
        "arm",
        "start (s)",
        "measured (s)",
        "jobs",
        "records/min",
        "errors",
        "mean (ms)",
        "p50 (ms)",
        "p95 (ms)",
    )
    return DataTable(heads, tuple(_describe_block(block) for block in blocks))


def _describe_block(block: BlockRow) -> tuple[str, ...]:
    measured_s = (block.end_ns - block.measured_ns) / _NS_PER_S
    return (
        str(block.index + 1),
        str(block.pair + 1),
        block.arm,
        f"{block.start_ns / _NS_PER_S:.2f}",
        f"{measured_s:.2f}",
        format_count(block.jobs),
        _format_rate(block.rows, measured_s),
        format_count(block.errors),
        format_milliseconds(block.job_mean_ns),
        format_milliseconds(block.job_p50_ns),
        format_milliseconds(block.job_p95_ns),
    )


def _tabulate_processes(record: RunRecord) -> DataTable:
    blocks: dict[tuple[int, str], list[BlockRow]] = {}
    for block in sorted((block for arm in record.arms for block in arm.blocks), key=lambda block: block.index):
        blocks.setdefault((block.process, block.arm), []).append(block)
    heads = ("process", "arm", "start (s)", "blocks", "measured (s)", "jobs", "records/min", "errors", "CPU (s)")
    return DataTable(heads, tuple(_describe_process(own) for _, own in sorted(blocks.items())))


def _describe_process(blocks: Sequence[BlockRow]) -> tuple[str, ...]:
    measured_s = sum(block.end_ns - block.measured_ns for block in blocks) / _NS_PER_S
    cpu_s = [block.cpu_s for block in blocks if block.cpu_s is not None]
    return (
        str(blocks[0].process + 1),
        blocks[0].arm,
        f"{blocks[0].start_ns / _NS_PER_S:.2f}",
        format_count(len(blocks)),
        f"{measured_s:.2f}",
        format_count(sum(block.jobs for block in blocks)),
        _format_rate(sum(block.rows for block in blocks), measured_s),
        format_count(sum(block.errors for block in blocks)),
        f"{sum(cpu_s):.2f}" if len(cpu_s) == len(blocks) else NOT_MEASURED,
    )


def _format_rate(rows: int, measured_s: float) -> str:
    rate = rows * 60 / measured_s if measured_s > 0 else None
    return format_number(rate, Unit.RECORDS_PER_MINUTE, Direction.HIGHER)


def _ms(value_ms: float) -> str:
    return format_number(value_ms, Unit.MILLISECONDS, Direction.LOWER)
