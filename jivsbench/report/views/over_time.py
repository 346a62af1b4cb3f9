"""What happened second by second, as charts. Long runs are thinned, and each chart says how."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from jivsbench.model.formatting import NOT_MEASURED, format_number
from jivsbench.model.gate import Gate, Unit
from jivsbench.model.histogram import MIN_SAMPLES_P99
from jivsbench.model.metrics import Direction
from jivsbench.model.record import ArmRecord, BlockRow, RunKind, RunRecord, SeriesRow
from jivsbench.report.charts import (
    Chart,
    DataTable,
    LimitLine,
    Point,
    Series,
    Stretch,
    build_time_frame,
    draw_stretches,
    highest_of,
)
from jivsbench.report.scales import format_clock
from jivsbench.report.views.monitor_series import cache_points, cpu_points, memory_points, pool_series
from jivsbench.report.views.thinning import build_thinning
from jivsbench.report.views.time_chart import Timeline, draw_chart, find_limits, include_limits

ARM_STYLES: Final = ("arm-a", "arm-b", "arm-c", "arm-d")
_NS_PER_S: Final = 1e9
_PERCENTILES: Final = (
    ("p50", lambda row: row.job_p50_ns, NOT_MEASURED),
    ("p95", lambda row: row.job_p95_ns, NOT_MEASURED),
    ("p99", lambda row: row.job_p99_ns if row.jobs >= MIN_SAMPLES_P99 else None, f"n < {MIN_SAMPLES_P99}"),
)
_OFFERS: Final[tuple[tuple[str, str, Callable[[SeriesRow], int | None]], ...]] = (
    ("planned", "offer-planned", lambda row: row.planned),
    ("offered", "offer-offered", lambda row: row.offered),
    ("achieved", "offer-achieved", lambda row: row.achieved),
)
_STROKES: Final = {
    "block": "one stroke per block, after its washout",
    "process": "one stroke per process, from its first block to its last; only its own blocks count",
}
_OFFERS_NOTE: Final = (
    "Offered away from planned is the load generator's fault; achieved: iterations that ended in that second without a failure."
)
_SINGLE_ARM_STYLE: Final = "arm-b"
_MOST_BANDS: Final = 60


@dataclass(frozen=True, slots=True)
class OverTime:
    """All charts over time, and what their shading means."""

    charts: tuple[Chart, ...]
    shading: str
    thinning: str


def build_timeline(record: RunRecord, asked: Sequence[Gate] = ()) -> Timeline:
    """What all charts of one run share: the axis of time, the blocks of the candidate, the colours, the limits that were set."""
    last_s = find_last_second(record)
    stretches, shading = shade(record)
    frame = build_time_frame(last_s, stretches)
    return Timeline(record, frame, build_thinning(last_s), style_arms(record), shading, tuple(asked))


def shade(record: RunRecord) -> tuple[list[tuple[float, float]], str]:
    """The stretches of a comparison's load (s) that are shaded in all charts over time, and what that means."""
    blocks = [block for arm in record.arms for block in arm.blocks if block.arm == arm.profile.name]
    if record.plan.kind is not RunKind.COMPARISON or not blocks:
        return [], ""
    if record.plan.processes > 1:
        played = [[b for b in blocks if b.process == number] for number in sorted({b.process for b in blocks if b.process % 2})]
        ends = [(min(b.start_ns for b in own), max(b.end_ns for b in own)) for own in played]
        text = "Shaded: every second process of each arm. Between two processes there is no load."
    else:
        ends = [(block.start_ns, block.end_ns) for block in blocks if block.arm == record.plan.candidate]
        text = f"Shaded: load on {record.plan.candidate}."
    # Finer stripes are grey.
    return ([(start / _NS_PER_S, end / _NS_PER_S) for start, end in ends], text) if len(ends) <= _MOST_BANDS else ([], "")


def build_over_time(record: RunRecord, asked: Sequence[Gate]) -> OverTime:
    """Throughput, latency, users, memory, CPU, pool and cache over time, all arms on the same scales, with the limits asked."""
    timeline = build_timeline(record, asked)
    charts = (
        _build_throughput(timeline),
        *_build_offers(timeline),
        _build_users(timeline),
        *_build_latencies(timeline),
        _build_memory(timeline),
        _build_cpu(timeline),
        *_build_pools(timeline),
        _build_cache(timeline),
    )
    return OverTime(charts, timeline.shading, timeline.thinning.describe())


def style_arms(record: RunRecord) -> dict[str, str]:
    """A colour for every arm: the judged one always has the same."""
    names = [arm.profile.name for arm in record.arms]
    if len(names) == 1:
        return {names[0]: _SINGLE_ARM_STYLE}
    return {name: ARM_STYLES[index % len(ARM_STYLES)] for index, name in enumerate(names)}


def find_last_second(record: RunRecord) -> float:
    """The end of the load, in seconds since it started."""
    ends = [float(row.second + 1) for arm in record.arms for row in arm.series]
    ends += [block.end_ns / _NS_PER_S for arm in record.arms for block in arm.blocks]
    ends += [row.second for arm in record.arms for row in arm.monitor]
    return max(ends, default=1.0)


def _build_throughput(timeline: Timeline) -> Chart:
    title, unit = "Throughput", Unit.RECORDS_PER_MINUTE
    if timeline.record.plan.kind is RunKind.COMPARISON:
        return _build_block_throughput(timeline, title, unit)
    series = tuple(
        timeline.thinning.mean(Series(name, style, tuple(Point(row.second, row.rows * 60.0) for row in arm.series)))
        for name, style, arm in timeline.arms()
    )
    limits = find_limits(timeline, "throughput.records", "rate")
    note = "Rows of jobs that ended in each second, times 60."
    return draw_chart(timeline, title, unit, series, better=Direction.HIGHER, limits=limits, note=note)


def _build_block_throughput(timeline: Timeline, title: str, unit: Unit) -> Chart:
    frame = timeline.frame
    of = "process" if timeline.record.plan.processes > 1 else "block"
    stretches = {name: _measure_rates(arm, of) for name, _, arm in timeline.arms()}
    rates = [stretch.y for of_arm in stretches.values() for stretch in of_arm]
    limits = find_limits(timeline, "throughput.records", "rate")
    y, y_ticks = frame.vertical(include_limits(max(rates, default=0.0), limits))
    rows = sorted((s.start, s.end, name, s.y) for name, of_arm in stretches.items() for s in of_arm)
    are_whole = all(moment == int(moment) for start, end, *_ in rows for moment in (start, end))
    clock = partial(format_clock, has_hundredths=not are_whole)
    return Chart(
        id="throughput",
        title=title,
        unit=unit.value,
        description=f"{title} of each {of} in {unit.value}; {_STROKES[of]}.",
        x_label="time since the load started",
        x_ticks=frame.x_ticks,
        y_ticks=y_ticks,
        lines=tuple(draw_stretches(name, style, stretches[name], frame.x, y) for name, style, _ in timeline.arms()),
        table=DataTable(
            ("from", "to", "arm", unit.value),
            tuple((clock(a), clock(b), name, format_number(rate, unit, Direction.HIGHER)) for a, b, name, rate in rows),
        ),
        bands=frame.bands,
        limits=tuple(LimitLine(y.place(value), label) for value, label in limits if value <= y.high),
        note=f"{_STROKES[of].capitalize()}.",
        missing="" if rates else NOT_MEASURED,
    )


def _measure_rates(arm: ArmRecord, of: str) -> tuple[Stretch, ...]:
    """Rows a minute of measured time, of each block or of all blocks against one process."""
    groups: dict[int, list[BlockRow]] = {}
    for block in arm.blocks:
        if block.end_ns > block.measured_ns:
            groups.setdefault(block.process if of == "process" else block.index, []).append(block)
    return tuple(
        Stretch(
            own[0].measured_ns / _NS_PER_S,
            own[-1].end_ns / _NS_PER_S,
            sum(b.rows for b in own) * 60 * _NS_PER_S / sum(b.end_ns - b.measured_ns for b in own),
        )
        for own in groups.values()
    )


def _build_latencies(timeline: Timeline) -> list[Chart]:
    per_arm = {
        name: tuple(
            timeline.thinning.highest(
                Series(label, label, tuple(Point(row.second, _ms(pick, row)) for row in arm.series), absent)
            )
            for label, pick, absent in _PERCENTILES
        )
        for name, _, arm in timeline.arms()
    }
    highest = max((highest_of(series) for series in per_arm.values()), default=0.0)
    limits = find_limits(timeline, "job.response", None)
    return [
        draw_chart(
            timeline,
            _title(timeline, "Job duration", name),
            Unit.MILLISECONDS,
            series,
            highest=highest,
            limits=limits,
            note=_explain_thin(arm),
            chart_id=f"latency-{index}",
        )
        for index, (name, _, arm) in enumerate(timeline.arms())
        for series in (per_arm[name],)
    ]


def _build_offers(timeline: Timeline) -> list[Chart]:
    """For an open loop: was the planned load offered, and was it achieved? A closed loop plans no iterations."""
    per_arm = {
        name: tuple(
            # A second in which too little was offered or achieved would vanish in a mean.
            timeline.thinning.lowest(Series(label, style, tuple(Point(row.second, _count(pick, row)) for row in arm.series)))
            for label, style, pick in _OFFERS
        )
        for name, _, arm in timeline.arms()
        if any(row.planned is not None for row in arm.series)
    }
    highest = max((highest_of(series) for series in per_arm.values()), default=0.0)
    return [
        draw_chart(
            timeline,
            _title(timeline, "Iterations a second", name),
            Unit.COUNT,
            series,
            better=Direction.HIGHER,
            highest=highest,
            note=_OFFERS_NOTE,
            chart_id=f"offer-{index}",
        )
        for index, (name, series) in enumerate(per_arm.items())
    ]


def _count(pick: Callable[[SeriesRow], int | None], row: SeriesRow) -> float | None:
    count = pick(row)
    return None if count is None else float(count)


def _build_users(timeline: Timeline) -> Chart:
    series = tuple(
        timeline.thinning.highest(Series(name, style, tuple(Point(row.second, float(row.users)) for row in arm.series)))
        for name, style, arm in timeline.arms()
    )
    return draw_chart(timeline, "Users", Unit.COUNT, series)


def _build_memory(timeline: Timeline) -> Chart:
    series, kinds = [], []
    for name, style, arm in timeline.arms():
        kind, points = memory_points(arm.monitor)
        kinds.append(kind)
        series.append(timeline.thinning.highest(Series(name, style, points)))
    kind = " and ".join(dict.fromkeys(kind for kind in kinds if kind))
    return draw_chart(
        timeline, "Memory of the target", Unit.MEBIBYTES, tuple(series), note=f"{kind} of the process tree." if kind else ""
    )


def _build_cpu(timeline: Timeline) -> Chart:
    series = tuple(
        timeline.thinning.highest(Series(name, style, cpu_points(arm.monitor))) for name, style, arm in timeline.arms()
    )
    return draw_chart(timeline, "CPU of the target", Unit.CORES, series)


def _build_pools(timeline: Timeline) -> list[Chart]:
    per_arm = {name: tuple(map(timeline.thinning.highest, pool_series(arm.monitor))) for name, _, arm in timeline.arms()}
    highest = max((highest_of(series) for series in per_arm.values()), default=0.0)
    return [
        draw_chart(
            timeline,
            _title(timeline, "Pool of the source", name),
            Unit.COUNT,
            per_arm[name],
            highest=highest,
            why_absent="" if arm.profile.switches.pool else "This profile has no pool: a connection is opened for each job.",
            chart_id=f"pool-{index}",
        )
        for index, (name, _, arm) in enumerate(timeline.arms())
    ]


def _build_cache(timeline: Timeline) -> Chart:
    series = tuple(
        timeline.thinning.lowest(Series(name, style, cache_points(arm.monitor))) for name, style, arm in timeline.arms()
    )
    without = [name for name, _, arm in timeline.arms() if not arm.profile.switches.cache]
    return draw_chart(
        timeline,
        "Cache hit ratio",
        Unit.PERCENT,
        series,
        better=Direction.HIGHER,
        highest=100.0,
        limits=find_limits(timeline, "cache.hits", "ratio"),
        note="Hits of the look-ups between two readings; a gap means no look-up.",
        why_absent=f"Not measured: {' and '.join(without)} has no cache." if len(without) == 1 else "",
    )


def _explain_thin(arm: ArmRecord) -> str:
    thin = sum(row.jobs < MIN_SAMPLES_P99 for row in arm.series if row.jobs)
    if not thin:
        return ""
    return f"p99 is left out of {thin} of {len(arm.series)} seconds: fewer than {MIN_SAMPLES_P99} jobs ended in them."


def _title(timeline: Timeline, title: str, arm: str) -> str:
    return f"{title}, {arm}" if len(timeline.record.arms) > 1 else title


def _ms(pick: Callable[[SeriesRow], float | None], row: SeriesRow) -> float | None:
    value = pick(row)
    return None if value is None or not math.isfinite(value) else value / 1e6
