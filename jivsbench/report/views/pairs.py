"""The paired blocks of a comparison: both arms of each pair, the ratio of each pair, and the interval over them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jivsbench.model.formatting import (
    format_confidence,
    format_count,
    format_milliseconds,
    format_number,
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


@dataclass(frozen=True, slots=True)
class Pairs:
    """Both drawings and the table of all blocks."""

    charts: tuple[Chart, ...]
    blocks: DataTable
    method: str


@dataclass(frozen=True, slots=True)
class _Pair:
    number: int
    baseline_ms: float
    candidate_ms: float

    @property
    def ratio(self) -> float:
        return self.candidate_ms / self.baseline_ms


def build_pairs(record: RunRecord, summary: Summary) -> Pairs | None:
    """The pairs of a comparison; None for a run, or when no pair is whole."""
    if record.plan.kind is not RunKind.COMPARISON:
        return None
    pairs = join_pairs(record)
    effect = summary.effect("job.response", "mean")
    charts = (_draw_values(record, pairs), _draw_ratios(record, pairs, effect)) if pairs else ()
    return Pairs(charts, _tabulate_blocks(record), effect.method if effect else "")


def join_pairs(record: RunRecord) -> tuple[_Pair, ...]:
    """Mean job durations of both blocks of each pair in which both were measured."""
    means = {
        (block.arm, block.pair): block.job_mean_ns / _NS_PER_MS
        for arm in record.arms
        for block in arm.blocks
        if block.arm == arm.profile.name and block.job_mean_ns is not None and block.job_mean_ns > 0
    }
    baseline, candidate = record.plan.baseline or "", record.plan.candidate
    numbers = sorted({pair for arm, pair in means if arm == baseline} & {pair for arm, pair in means if arm == candidate})
    return tuple(_Pair(number + 1, means[baseline, number], means[candidate, number]) for number in numbers)


def _draw_values(record: RunRecord, pairs: Sequence[_Pair]) -> Chart:
    styles = style_arms(record)
    baseline, candidate = record.plan.baseline or "", record.plan.candidate
    x, x_ticks = build_count_scale(pairs[-1].number, PLOT_LEFT, PLOT_RIGHT)
    y, y_ticks = build_value_scale(max(max(p.baseline_ms, p.candidate_ms) for p in pairs), PLOT_BOTTOM, PLOT_TOP)
    links = "".join(f"M{x.place(p.number):g} {y.place(p.baseline_ms):g}V{y.place(p.candidate_ms):g}" for p in pairs)
    return Chart(
        id="pair-values",
        title="Mean job duration of each pair",
        unit="ms",
        description=f"Mean job duration in ms of both blocks of each of {len(pairs)} pairs: {baseline} and {candidate}.",
        x_label="pair",
        x_ticks=x_ticks,
        y_ticks=y_ticks,
        lines=(
            Line("", "link", links),
            Line(baseline, styles[baseline], "", tuple((x.place(p.number), y.place(p.baseline_ms)) for p in pairs)),
            Line(candidate, styles[candidate], "", tuple((x.place(p.number), y.place(p.candidate_ms)) for p in pairs)),
        ),
        table=DataTable(
            ("pair", f"{baseline} (ms)", f"{candidate} (ms)"),
            tuple((str(p.number), _ms(p.baseline_ms), _ms(p.candidate_ms)) for p in pairs),
        ),
    )


def _draw_ratios(record: RunRecord, pairs: Sequence[_Pair], effect: Effect | None) -> Chart:
    x, x_ticks = build_count_scale(pairs[-1].number, PLOT_LEFT, PLOT_RIGHT)
    bounds = [pair.ratio for pair in pairs]
    y, y_ticks = build_ratio_scale(min(bounds), max(bounds), PLOT_BOTTOM, PLOT_TOP)
    reach, note = None, "No interval: too few pairs."
    if effect and effect.ratio is not None and effect.ratio_low is not None and effect.ratio_high is not None:
        top, bottom = y.place(min(effect.ratio_high, y.high)), y.place(max(effect.ratio_low, y.low))
        reach = Reach(top, max(round(bottom - top, 1), 1.0), y.place(effect.ratio))
        interval = format_ratio_interval(effect.ratio_low, effect.ratio_high)
        ratio = format_ratio(effect.ratio, Direction.LOWER)
        note = f"Line and band: {ratio}, {format_confidence(effect.confidence)} interval {interval} over {effect.pairs} pairs."
    return Chart(
        id="pair-ratios",
        title=f"{record.plan.candidate} divided by {record.plan.baseline}, pair by pair",
        unit="ratio",
        description="The ratio of mean job durations of each pair on a logarithmic scale. Below 1 the candidate is faster.",
        x_label="pair",
        x_ticks=x_ticks,
        y_ticks=y_ticks,
        lines=(Line("", "arm-b", "", tuple((x.place(p.number), y.place(p.ratio)) for p in pairs)),),
        table=DataTable(("pair", "ratio"), tuple((str(p.number), format_ratio(p.ratio, Direction.LOWER)) for p in pairs)),
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
    rate = block.rows * 60 / measured_s if measured_s > 0 else None
    return (
        str(block.index + 1),
        str(block.pair + 1),
        block.arm,
        f"{block.start_ns / _NS_PER_S:.2f}",
        f"{measured_s:.2f}",
        format_count(block.jobs),
        format_number(rate, Unit.RECORDS_PER_MINUTE, Direction.HIGHER),
        format_count(block.errors),
        format_milliseconds(block.job_mean_ns),
        format_milliseconds(block.job_p50_ns),
        format_milliseconds(block.job_p95_ns),
    )


def _ms(value_ms: float) -> str:
    return format_number(value_ms, Unit.MILLISECONDS, Direction.LOWER)
