"""The live view of a load: a few lines that a terminal redraws every second, or one line where there is no terminal."""

from rich.console import RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table

from jivsbench.app.progress import LiveLoad
from jivsbench.cli.durations import format_seconds
from jivsbench.load.progress import LoadProgress
from jivsbench.model.monitor_rows import MonitorRow

_NS_PER_MS = 1e6
_BYTES_PER_MIB = 1024.0**2
_NONE = "-"
_WORTH_SAYING = 0.01


def build_panel(live: LiveLoad) -> RenderableType:
    """Stage, elapsed and left, rate, latency, errors, pool, cache and memory, and what the generator suffers from."""
    load = live.progress
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(min_width=46)
    left_s = max(load.total_s - load.elapsed_s, 0)
    rows = (
        ("stage", live.stage or f"block {load.block + 1} of {load.blocks}"),
        ("time", f"{format_seconds(load.elapsed_s)} elapsed, about {format_seconds(left_s)} left"),
        ("rate", f"{load.rows_per_min:,.0f} records/min{_describe_jobs(live)}, {load.users} users"),
        ("jobs", f"p50 {_ms(load.job_p50_ns)}   p95 {_ms(load.job_p95_ns)}   p99 {_ms(load.job_p99_ns)}   (last 5 s)"),
        ("errors", f"{load.errors:,} so far"),
        ("target", _describe_target(live)),
        ("generator", _describe_generator(load)),
    )
    for name, text in rows:
        grid.add_row(name, f"[red]{escape(text)}[/]" if name == "errors" and load.errors else escape(text))
    grid.add_row("", ProgressBar(total=max(load.total_s, 0.001), completed=min(load.elapsed_s, load.total_s), width=46))
    return Panel.fit(grid, title=escape(load.arm), border_style="dim")


def describe_load(live: LiveLoad) -> str:
    """The same in one line; of the generator only what is stolen from it, from a hundredth on."""
    load = live.progress
    p50, p95, p99 = _ms(load.job_p50_ns), _ms(load.job_p95_ns), _ms(load.job_p99_ns)
    stage = f"{live.stage}, " if live.stage else ""
    target = f", {_describe_target(live)}" if live.look is not None else ""
    ratio = load.steal_ratio or 0.0
    stolen = f", {_describe_steal(ratio)}" if ratio >= _WORTH_SAYING else ""
    return (
        f"{load.arm}: {stage}{load.users} users, {load.rows_per_min:,.0f} records/min, "
        f"p50 {p50}, p95 {p95}, p99 {p99}, {load.errors} errors{target}{stolen}"
    )


def _describe_jobs(live: LiveLoad) -> str:
    rate = live.progress.jobs_per_s
    return "" if rate is None else f", {rate:,.1f} jobs/s"


def _describe_target(live: LiveLoad) -> str:
    look = live.look
    if look is None:
        return "not looked at yet"
    memory = look.pss_bytes if look.pss_bytes is not None else look.rss_bytes
    parts = [
        f"memory {_NONE}" if memory is None else f"memory {memory / _BYTES_PER_MIB:,.0f} MiB",
        _describe_pool(look),
        f"cache {_describe_hits(live.before, look)}",
    ]
    return ", ".join(parts)


def _describe_generator(load: LoadProgress) -> str:
    lag = _NONE if load.lag_p99_ns is None else f"{load.lag_p99_ns / _NS_PER_MS:.2g} ms"
    stolen = "" if load.steal_ratio is None else f", {_describe_steal(load.steal_ratio)}"
    return f"p99 of its lag {lag}{stolen}"


def _describe_steal(ratio: float) -> str:
    return f"{ratio * 100:.1f} % of the CPU stolen"


def _describe_pool(look: MonitorRow) -> str:
    if look.pool_active is None:
        return f"pool {_NONE}"
    return f"pool {look.pool_active} active, {look.pool_idle} idle, {look.pool_waiting or 0} waiting"


def _describe_hits(before: MonitorRow | None, look: MonitorRow) -> str:
    if before is None or None in (before.cache_hits, before.cache_misses, look.cache_hits, look.cache_misses):
        return _NONE
    hits = (look.cache_hits or 0) - (before.cache_hits or 0)
    lookups = hits + (look.cache_misses or 0) - (before.cache_misses or 0)
    # Rounded down: 100 % stands for all of them.
    return f"{hits * 1000 // lookups / 10:g} % hits" if lookups > 0 and hits >= 0 else _NONE


def _ms(duration_ns: float | None) -> str:
    return _NONE if duration_ns is None else f"{duration_ns / _NS_PER_MS:,.0f} ms"
