"""What the load needed: handles and threads of the targets, the servers behind them, and what generating and watching cost."""

from dataclasses import dataclass
from typing import Final

from jivsbench.analysis.condensing import count_waits
from jivsbench.model.formatting import NOT_MEASURED, format_count, format_decimals, format_number, format_quantity
from jivsbench.model.gate import Unit
from jivsbench.model.metrics import Direction
from jivsbench.model.monitor_rows import ServerRecord, ServerRow
from jivsbench.model.record import RunRecord
from jivsbench.report.charts import Chart, DataTable, Point, Series
from jivsbench.report.views.monitor_series import BYTES_PER_MIB, cache_points, gauge_points, scale_points
from jivsbench.report.views.over_time import build_timeline
from jivsbench.report.views.time_chart import Timeline, draw_chart

_PERCENT: Final = 100.0
_MOST_WAITS: Final = 5
_MOST_STATEMENTS: Final = 10
SESSION_STYLES: Final = ("pool-active", "pool-idle", "pool-waiting", "p95", "p99", "arm-d")
_SESSIONS_NOTE: Final = "Of the target's user; those that run a statement, by what they wait for. The monitor's own is not in it."
_ONE_LOOK_NOTE: Final = "The waits are those of one look in several, as this file has no others: more may have waited in between."


@dataclass(frozen=True, slots=True)
class Resources:
    """Charts, tables and sentences."""

    charts: tuple[Chart, ...]
    statements: DataTable | None
    waits: DataTable | None
    waits_title: str
    not_told: tuple[str, ...]
    costs: tuple[str, ...]


def build_resources(record: RunRecord) -> Resources:
    """Everything that a monitor saw and that is no figure of its own."""
    timeline = build_timeline(record)
    servers = record.servers
    charts = [
        _target_chart(timeline, "File handles of the target", "handles"),
        _target_chart(timeline, "Threads of the target", "threads"),
    ]
    if servers is not None:
        charts += [
            _sessions_chart(timeline, servers),
            _cache_memory_chart(timeline, servers),
            _cache_hits_chart(timeline, servers),
        ]
    return Resources(
        charts=tuple(charts),
        statements=_tabulate_statements(servers) if servers and servers.statements else None,
        waits=_tabulate_waits(servers) if servers else None,
        waits_title=_name_waits(servers) if servers else "",
        not_told=servers.not_told if servers else ("the servers behind the target: this run did not look at them",),
        costs=_describe_costs(record),
    )


def _target_chart(timeline: Timeline, title: str, gauge: str) -> Chart:
    series = tuple(
        timeline.thinning.highest(Series(name, style, gauge_points(arm.monitor, gauge))) for name, style, arm in timeline.arms()
    )
    return draw_chart(timeline, title, Unit.COUNT, series, note="Of the process tree.")


def _sessions_chart(timeline: Timeline, servers: ServerRecord) -> Chart:
    kinds = _rank_waits(servers)[: len(SESSION_STYLES) - 1]
    series = [Series("the target's user", SESSION_STYLES[0], gauge_points(servers.rows, "own_sessions"))]
    series += [
        Series(kind, style, tuple(_read_waits(row, kind) for row in servers.rows))
        for kind, style in zip(kinds, SESSION_STYLES[1:], strict=False)
    ]
    return draw_chart(
        timeline,
        "Sessions at the source",
        Unit.COUNT,
        tuple(map(timeline.thinning.highest, series)),
        note=f"{_SESSIONS_NOTE} {_ONE_LOOK_NOTE}" if any(_keeps_one_look(row) for row in servers.rows) else _SESSIONS_NOTE,
    )


def _cache_memory_chart(timeline: Timeline, servers: ServerRecord) -> Chart:
    points = scale_points(gauge_points(servers.rows, "cache_memory_bytes"), BYTES_PER_MIB)
    series = timeline.thinning.highest(Series("cache", SESSION_STYLES[0], points))
    return draw_chart(timeline, "Memory of the cache's server", Unit.MEBIBYTES, (series,))


def _cache_hits_chart(timeline: Timeline, servers: ServerRecord) -> Chart:
    series = timeline.thinning.lowest(Series("cache", SESSION_STYLES[0], cache_points(servers.rows)))
    note = "Keyspace hits of all who use it, between two looks; a gap means no look-up."
    title, better = "Hits at the cache's server", Direction.HIGHER
    return draw_chart(timeline, title, Unit.PERCENT, (series,), better=better, highest=_PERCENT, note=note)


def _keeps_one_look(row: ServerRow) -> bool:
    """True for a row of a version that kept the waits of one of its looks alone."""
    return row.wait_spreads is None and row.looks > 1


def _read_waits(row: ServerRow, kind: str) -> Point:
    """Most sessions at once that waited for it in the looks that a row stands for; in those that told none, 0."""
    told, waits = count_waits(row)
    most = max((wait.high for wait in waits if wait.kind == kind and wait.event is None), default=0)
    return Point(row.second, float(most) if told else None, row.looks, told == row.looks)


def _rank_waits(servers: ServerRecord) -> list[str]:
    totals = _add_waits(servers)
    kinds = [kind for kind, event in totals if event is None]
    return sorted(kinds, key=lambda kind: -totals[kind, None])


def _add_waits(servers: ServerRecord) -> dict[tuple[str, str | None], int]:
    """Sessions of all looks added up, by kind and event and by kind alone."""
    totals: dict[tuple[str, str | None], int] = {}
    for row in servers.rows:
        for wait in count_waits(row)[1]:
            totals[wait.kind, wait.event] = totals.get((wait.kind, wait.event), 0) + wait.total
    return totals


def _count_told_looks(servers: ServerRecord) -> int:
    return sum(count_waits(row)[0] for row in servers.rows)


def _tabulate_waits(servers: ServerRecord) -> DataTable | None:
    totals = [(kind, event, total) for (kind, event), total in _add_waits(servers).items() if event is not None]
    looks = _count_told_looks(servers)
    if not totals or not looks:
        return None
    ranked = sorted(totals, key=lambda one: -one[2])[:_MOST_WAITS]
    rows = tuple((kind, event, format_decimals(total / looks, 2, Direction.LOWER)) for kind, event, total in ranked)
    return DataTable(("waits for", "event", "sessions on average"), rows)


def _name_waits(servers: ServerRecord) -> str:
    told, looks = _count_told_looks(servers), sum(row.looks for row in servers.rows)
    of = (
        f"all {format_count(looks)} looks"
        if told == looks
        else f"the {format_count(told)} of {format_count(looks)} looks that are known"
    )
    return f"Sessions that ran a statement, by what they waited for, on average over {of}"


def _tabulate_statements(servers: ServerRecord) -> DataTable:
    rows = tuple(
        (
            one.statement,
            format_count(one.calls),
            format_number(one.duration_ms, Unit.MILLISECONDS, Direction.LOWER),
            format_count(one.rows),
        )
        for one in servers.statements[:_MOST_STATEMENTS]
    )
    return DataTable(("statement", "calls", "ms together", "rows"), rows)


def _describe_costs(record: RunRecord) -> tuple[str, ...]:
    generator, monitor = record.generator, record.monitor
    costs = [
        "Load generator: "
        + (
            f"{_format_cpu(generator.cpu_ratio)} of a core"
            if generator is not None and generator.cpu_ratio is not None
            else NOT_MEASURED
        )
    ]
    if monitor is None:
        return (*costs, f"Monitor: {NOT_MEASURED}")
    cpu = NOT_MEASURED if monitor.cpu_ratio is None else f"{_format_cpu(monitor.cpu_ratio)} of a core"
    costs.append(f"Monitor: {cpu}, {format_count(monitor.looks)} looks, {format_count(monitor.looks_missed)} seconds without one")
    if monitor.metrics_answer_s is not None:
        answer = format_quantity(monitor.metrics_answer_s * 1e3, Unit.MILLISECONDS, Direction.LOWER)
        costs.append(f"A target took {answer} on average to answer with its metrics, once a second")
    return tuple(costs)


def _format_cpu(ratio: float) -> str:
    """Rounded as beside its limit: upwards."""
    return format_quantity(ratio * _PERCENT, Unit.PERCENT, Direction.LOWER)
