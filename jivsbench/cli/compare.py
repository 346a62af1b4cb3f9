"""`jivsbench compare`."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from jivsbench.cli.comparing import judging_options, load_options, processes_option, read_judging, read_load
from jivsbench.cli.options import json_option, read_registry, read_settings, reports_option, source_options
from jivsbench.errors import UsageError
from jivsbench.exitcodes import ExitCode

if TYPE_CHECKING:
    from jivsbench.config import Settings

_STORED_OPTIONS: Final = ("runs", "allow", "criteria", "margin", "reports_dir", "as_json")


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN_A RUN_B]")
@click.option(
    "--profiles", nargs=2, default=("optimized", "optimized"), help="Profile of A (the baseline) and of B (the candidate)."
)
@click.option("--a-env", type=click.Path(exists=True, path_type=Path), help="Python environment that A is started from.")
@click.option("--b-env", type=click.Path(exists=True, path_type=Path), help="Python environment that B is started from.")
@click.option("--a-plugin", multiple=True, help="Module that only A loads as a plugin; may be repeated.")
@click.option("--b-plugin", multiple=True, help="Module that only B loads as a plugin; may be repeated.")
@click.option("--a-disable", multiple=True, help="Plugin that A does not load; may be repeated.")
@click.option("--b-disable", multiple=True, help="Plugin that B does not load; may be repeated.")
@click.option(
    "--allow",
    multiple=True,
    type=click.Choice(["workload", "units", "machine", "drift"]),
    help="What may differ between two stored runs; may be repeated. drift: judge them by the plain ratio.",
)
@click.option(
    "--gates",
    help="Judge live targets by the gates of this scenario or gate file (.toml), after all pairs; and by --criterion, if given.",
)
@load_options(budget="60s", block="250ms", users=1, rows=1000)
@processes_option
@judging_options
@source_options
@reports_option
@json_option
@click.pass_context
def compare(
    ctx: click.Context,
    /,
    runs: tuple[str, ...],
    profiles: tuple[str, str],
    a_env: Path | None,
    b_env: Path | None,
    a_plugin: tuple[str, ...],
    b_plugin: tuple[str, ...],
    a_disable: tuple[str, ...],
    b_disable: tuple[str, ...],
    source_url: str | None,
    cache_url: str | None,
    reports_dir: str | None,
    as_json: bool,
    **options: Any,
) -> ExitCode:
    """Compare two live targets in alternating blocks: worse, better, equivalent, or not known yet.

    With RUN_A and RUN_B (folders, run ids or `latest`) two stored runs are compared instead, which proves far less: they were
    measured one after the other.
    """
    from jivsbench.app.comparison import ArmChoice, ComparisonOptions, compare_live
    from jivsbench.cli.outcome import finish
    from jivsbench.cli.terminal import Terminal
    from jivsbench.dataset import parse_size

    settings = read_settings(ctx, source_url=source_url, cache_url=cache_url, reports_dir=reports_dir)
    if runs:
        if len(runs) != len(profiles):
            raise UsageError("two stored runs are compared: name RUN_A and RUN_B, or none for two live targets")
        if options["gates"]:
            raise UsageError("gates judge live targets: for stored runs use 'jivsbench gate RUN_B --gates FILE --against RUN_A'")
        _refuse_given(
            ctx, keep=_STORED_OPTIONS, instead="two stored runs are compared as they are: name no runs for live targets"
        )
        return _compare_stored(settings, (runs[0], runs[1]), options, as_json=as_json)
    _refuse_given(ctx, refuse=("allow",), instead="it says what may differ between two stored runs: name RUN_A and RUN_B")
    if options["gates"] and not options["criteria"]:
        _refuse_given(ctx, refuse=("margin", "alpha", "looks"), instead="gates alone judge: name a --criterion as well")
    if options["gates"] and options["looks"] > 1:
        _refuse_given(ctx, refuse=("looks",), instead="with gates all pairs are played and looked at once: leave it out")
    arms = (
        ArmChoice(profiles[0], a_env, a_plugin, a_disable),
        ArmChoice(profiles[1], b_env, b_plugin, b_disable),
    )
    chosen = ComparisonOptions(
        arms=arms,
        load=read_load(options, options["pairs"]),
        judging=read_judging(options, has_gates=options["gates"] is not None),
        gates=options["gates"],
        seed=options["seed"],
        data_rows=parse_size(options["data_size"]),
    )
    with Terminal() as terminal:
        outcome = compare_live(settings, read_registry(settings), chosen, terminal)
    return finish(outcome, as_json=as_json)


def _refuse_given(ctx: click.Context, *, instead: str, keep: Collection[str] = (), refuse: Collection[str] = ()) -> None:
    """Raises UsageError naming the options on the command line that would do nothing: all but `keep`, or those to `refuse`."""
    given = [
        param.opts[0]
        for param in ctx.command.params
        if (param.name not in keep if keep else param.name in refuse)
        and ctx.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE
    ]
    if given:
        raise UsageError(f"{', '.join(given)} would do nothing here, for {instead}")


def _compare_stored(settings: "Settings", runs: tuple[str, str], options: dict[str, Any], *, as_json: bool) -> ExitCode:
    from jivsbench.analysis.stored import Allowance
    from jivsbench.app.comparison import parse_criterion
    from jivsbench.app.stored_comparison import compare_runs
    from jivsbench.cli.stored import finish_stored
    from jivsbench.config.percent import parse_percent

    figures = tuple(parse_criterion(text, of_blocks=False) for text in options["criteria"])
    allow = tuple(Allowance(text) for text in options["allow"])
    found = compare_runs(settings.reports_dir, runs, figures, parse_percent(options["margin"]), allow)
    return finish_stored(found, as_json=as_json)
