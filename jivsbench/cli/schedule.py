"""Prints what a run would do: `run --dry-run`."""

from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from jivsbench.app.dry_run import Cost, DryRun
from jivsbench.cli.durations import format_seconds
from jivsbench.cli.terminal import print_json, result_console, show
from jivsbench.model.scenario import Arrival

_BYTES_PER_MIB = 1024.0**2


def show_dry_run(dry: DryRun, *, as_json: bool) -> None:
    """The schedule, the costs and the gates, on stdout."""
    if as_json:
        print_json(asdict(dry))
    else:
        _print(dry, result_console())


def _print(dry: DryRun, console: Console) -> None:
    console.print(f"[bold]{show(dry.scenario)}[/]: {show(dry.title)}", soft_wrap=True)
    console.print(
        f"profile {show(dry.profile)}, time scale {dry.time_scale:g}, seed {dry.seed}; no load is sent, nothing is started\n",
        soft_wrap=True,
    )
    console.print(_tabulate_steps(dry))
    console.print()
    for cost in dry.costs:
        console.print(f"[bold]{cost.name:>11}[/]  {format_amount(cost)}  [dim]{show(cost.how)}[/]", soft_wrap=True)
    for source in dry.sources:
        console.print(f"[bold]{'source':>11}[/]  {show(source.name)}: {show(source.label)}", soft_wrap=True)
    for gate in dry.gates:
        console.print(f"[bold]{'gate':>11}[/]  {show(gate)}", soft_wrap=True)


def _tabulate_steps(dry: DryRun) -> Table:
    unit = "iterations/s" if dry.arrival is Arrival.RATE else "users"
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("from", "to", f"{unit} at first", f"{unit} at last", ""):
        table.add_column(name, justify="right")
    before = 0.0
    for step in dry.steps:
        kind = "holds" if step.is_plateau else "ramps"
        jumps = " after a step" if step.load_from != before else ""
        table.add_row(_moment(step.start_s), _moment(step.end_s), f"{step.load_from:g}", f"{step.load_to:g}", f"{kind}{jumps}")
        before = step.load_to
    return table


def _moment(at_s: float) -> str:
    minutes, seconds = divmod(at_s, 60)
    return f"{int(minutes)}:{seconds:04.1f}"


def format_amount(cost: Cost) -> str:
    """An amount as people read it.

    >>> format_amount(Cost("rows", 1234.0, "rows", ""))
    '1,234 rows'
    """
    if cost.amount is None:
        return "not known"
    most = "at most " if cost.is_most else ""
    match cost.unit:
        case "s":
            return most + format_seconds(cost.amount)
        case "bytes":
            return f"{most}{cost.amount / _BYTES_PER_MIB:,.1f} MiB"
        case _:
            return f"{most}{cost.amount:,.0f} {cost.unit}"
