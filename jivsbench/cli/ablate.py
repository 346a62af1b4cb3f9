"""`jivsbench ablate`."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jivsbench.cli.comparing import load_options, read_load
from jivsbench.cli.options import json_option, read_registry, read_settings, reports_option, source_options
from jivsbench.exitcodes import ExitCode

if TYPE_CHECKING:
    from jivsbench.model.ablation import Ledger


@click.command()
@click.option("--profile", default="optimized", show_default=True, help="The full profile.")
@click.option("--only", multiple=True, help="A switch or guard; may be repeated. Default: all that the profile uses.")
@click.option("--rounds", default=8, show_default=True, type=click.IntRange(1, 100), help="Rounds, each with new processes.")
@load_options(budget="40s", block="500ms", users=4, rows=5000)
@source_options
@reports_option
@json_option
@click.pass_context
def ablate(
    ctx: click.Context,
    /,
    profile: str,
    only: tuple[str, ...],
    rounds: int,
    source_url: str | None,
    cache_url: str | None,
    reports_dir: str | None,
    as_json: bool,
    **options: Any,
) -> ExitCode:
    """Turn off each switch and guard of a profile in turn: a ledger of what each gives or costs, with intervals.

    The budget is for each switch, over all rounds.
    """
    from jivsbench.app.ablation import AblationOptions
    from jivsbench.app.ablation import ablate as measure
    from jivsbench.cli.terminal import Terminal, print_json
    from jivsbench.dataset import parse_size

    settings = read_settings(ctx, source_url=source_url, cache_url=cache_url, reports_dir=reports_dir)
    load = read_load(options)
    load = replace(load, pairs=load.pairs // rounds)
    chosen = AblationOptions(profile, load, only, rounds, options["seed"], parse_size(options["data_size"]))
    with Terminal() as terminal:
        ledger, folder = measure(settings, read_registry(settings), chosen, terminal)
    if as_json:
        print_json(asdict(ledger) | {"folder": str(folder)})
    else:
        _print(ledger, folder)
    return ExitCode.PASSED


def _print(ledger: "Ledger", folder: Path) -> None:
    from rich.markup import escape
    from rich.table import Table

    from jivsbench.cli.terminal import result_console, show
    from jivsbench.report.ledger import LEDGER_TITLES, format_effects, list_failed

    console = result_console()
    console.print()
    for title, rows in (
        ("switches", [r for r in ledger.rows if not r.is_guard]),
        ("guards", [r for r in ledger.rows if r.is_guard]),
    ):
        if rows:
            table = Table(title, *LEDGER_TITLES, box=None, pad_edge=False, header_style="bold")
            for row in rows:
                table.add_row(show(row.name), *format_effects(row))
            console.print(table)
            console.print()
    for text in list_failed(ledger):
        console.print(f"[red]{show(text)}: their durations are in these figures[/]", soft_wrap=True)
    profile = show(ledger.profile)
    console.print(
        f"{profile} by {profile} without it, with 95 % intervals; claims stand beside them in the ledger",
        soft_wrap=True,
    )
    console.print(f"ledger:  {escape(str(folder / 'ledger.md'))}", soft_wrap=True)
