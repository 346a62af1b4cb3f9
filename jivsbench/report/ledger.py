"""The ledger of an ablation as Markdown and JSON."""

from collections.abc import Iterator

from pydantic import TypeAdapter

from jivsbench.model.ablation import Ledger, LedgerRow
from jivsbench.model.formatting import format_ratio, format_ratio_interval
from jivsbench.model.metrics import find_metric
from jivsbench.model.summary import Effect, Report

_TITLES = {
    ("throughput.records", "rate"): "throughput",
    ("job.response", "mean"): "job mean",
    ("job.response", "p95"): "job p95",
    ("target.cpu_per_million_rows", "mean"): "CPU a row",
    ("target.memory", "max"): "peak memory",
}
LEDGER_TITLES = tuple(_TITLES.values())


def render_ledger(ledger: Ledger) -> tuple[Report, ...]:
    """ledger.md and ledger.json."""
    text = "\n".join(_render(ledger)).encode()
    content = TypeAdapter(Ledger).dump_json(ledger, indent=1) + b"\n"
    return Report("ledger", "ledger.md", "text/markdown", text), Report("ledger", "ledger.json", "application/json", content)


def format_effects(row: LedgerRow) -> tuple[str, ...]:
    """One cell for each of `LEDGER_TITLES`: the ratio with its interval."""
    known = {(effect.metric, effect.statistic): effect for effect in row.effects}
    return tuple(_format(known.get(key)) for key in _TITLES)


def list_failed(ledger: Ledger) -> Iterator[str]:
    """A sentence for each row of whose jobs some failed: what fails at once looks fast."""
    for row in ledger.rows:
        told = [
            f"{jobs.failed:,} of {jobs.tried:,} {side} it failed"
            + (f" ({jobs.wrong_rows:,} wrong rows)" if jobs.wrong_rows else "")
            for side, jobs in zip(("without", "with"), row.jobs, strict=False)
            if jobs.failed
        ]
        if told:
            yield f"{name_row(row)}: of the jobs {', '.join(told)}"


def name_row(row: LedgerRow) -> str:
    """A switch by its name; a guard as such."""
    return f"guard {row.name}" if row.is_guard else row.name


def _format(effect: Effect | None) -> str:
    if effect is None or effect.ratio is None:
        return "not measured"
    metric = find_metric(effect.metric)
    ratio = format_ratio(effect.ratio, metric.better if metric else None)
    if effect.ratio_low is None or effect.ratio_high is None:
        return f"{ratio} (no interval)"
    return f"{ratio} ({format_ratio_interval(effect.ratio_low, effect.ratio_high)})"


def _render(ledger: Ledger) -> Iterator[str]:
    workload = ledger.workload
    yield f"# What each switch of profile {ledger.profile} gives, and what each guard costs\n"
    yield (
        f"{ledger.measured_at[:10]}, jivsbench {ledger.jivsbench_version}, {ledger.machine_label}. {ledger.users} users, "
        f"{workload.rows:,}-row extractions, alternating blocks of {ledger.block_s:g} s, new processes in every round, seed "
        f"{ledger.seed}.\n"
    )
    if ledger.is_partial:
        yield "**Stopped before its last round:** the rows differ in their rounds, and their intervals are as wide as that.\n"
    yield (
        "Each figure is the full profile divided by the profile without the switch: above 1 in throughput and below 1 in the "
        "others is a gain. In brackets the 95 % interval, of each figure on its own: of twenty without any effect, one lies "
        "beside 1.\n"
    )
    titles = ("turned on", *LEDGER_TITLES, "rounds")
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"
    for row in ledger.rows:
        rounds = f"{row.rounds} ({row.invalid_rounds} more said nothing)" if row.invalid_rounds else str(row.rounds)
        yield f"| {' | '.join((name_row(row), *format_effects(row), rounds))} |"
    if ledger.already_off:
        yield f"\nOff in this profile, so not measured: {', '.join(ledger.already_off)}."
    failed = list(list_failed(ledger))
    if failed:
        yield "\n## Failed jobs\n"
        yield "Their durations are in the figures above, and what fails at once looks fast: do not take these rows for gains.\n"
        yield from (f"- {text}" for text in failed)
    claimed = [row for row in ledger.rows if row.claim]
    if claimed:
        yield "\n## Claims\n"
        yield "What was once said of these optimisations. None was measured on its own, nor on this machine or workload.\n"
        yield "| turned on | claimed | throughput here |"
        yield "|---|---|---|"
        for row in claimed:
            yield f"| {row.name} | {row.claim} | {format_effects(row)[0]} |"
    yield ""
