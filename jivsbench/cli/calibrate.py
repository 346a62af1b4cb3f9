"""`jivsbench calibrate`."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jivsbench.cli.comparing import load_options, processes_option, read_load
from jivsbench.cli.options import json_option, read_registry, read_settings, reports_option, source_options
from jivsbench.exitcodes import ExitCode

if TYPE_CHECKING:
    from jivsbench.model.calibration import Calibration


@click.command()
@click.option("--profile", default="optimized", show_default=True, help="Profile that is compared with itself.")
@click.option(
    "--trials", default=3, show_default=True, type=click.IntRange(1, 1000), help="Comparisons, each with new processes."
)
@load_options(budget="60s", block="250ms", users=1, rows=1000)
@processes_option
@source_options
@reports_option
@json_option
@click.pass_context
def calibrate(
    ctx: click.Context,
    /,
    profile: str,
    trials: int,
    source_url: str | None,
    cache_url: str | None,
    reports_dir: str | None,
    as_json: bool,
    **options: Any,
) -> ExitCode:
    """Compare a target with itself: the noise of this machine, and the smallest effect that it can show.

    The result is kept in calibration.json in the reports folder; gates of later comparisons under the same load use it.
    """
    from jivsbench.app.calibration import CalibrationOptions
    from jivsbench.app.calibration import calibrate as measure
    from jivsbench.cli.terminal import Terminal, print_json
    from jivsbench.dataset import parse_size

    settings = read_settings(ctx, source_url=source_url, cache_url=cache_url, reports_dir=reports_dir)
    chosen = CalibrationOptions(profile, read_load(options), trials, options["seed"], parse_size(options["data_size"]))
    with Terminal() as terminal:
        calibration, path = measure(settings, read_registry(settings), chosen, terminal)
    if as_json:
        print_json(asdict(calibration))
    else:
        _print(calibration, path)
    return ExitCode.PASSED


def _print(calibration: "Calibration", path: Path) -> None:
    from rich.markup import escape
    from rich.table import Table

    from jivsbench.analysis.detectability import detectable_ratio, share_at_most
    from jivsbench.cli.durations import format_seconds
    from jivsbench.cli.terminal import result_console

    load_s = 2 * calibration.pairs * calibration.block_s
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("", "a pair", "a process", "false alarms", "smallest"):
        table.add_column(title, no_wrap=True, justify="left" if not title else "right")
    for noise in calibration.noises:
        most = math.ceil(100 * share_at_most(noise.false_alarms, calibration.trials))
        alarms = f"{noise.false_alarms} of {calibration.trials} (<= {most} %)"
        table.add_row(
            f"{noise.metric.removeprefix('target.')} {noise.statistic}",
            f"+-{noise.pair_deviation:.1%}",
            f"+-{noise.process_deviation:.1%}",
            alarms,
            f"{detectable_ratio(noise, calibration.pairs, calibration.alpha_ratio, calibration.processes):.1%}",
        )
    console = result_console()
    console.print()
    console.print(table)
    console.print(
        "\nNoise of a pair of blocks, and what one process of each differs by beyond it. The smallest effect is found in 80 % of "
        f"comparisons with {calibration.pairs} pairs, {format_seconds(load_s)} of load, and {calibration.processes} processes of "
        "each; the share of false alarms lies below the figure in brackets with 95 % confidence.",
        soft_wrap=True,
    )
    if calibration.invalid_trials:
        console.print(f"{calibration.invalid_trials} further trials said nothing: the load generator was starved, or the like.")
    console.print(f"kept in: {escape(str(path))}", soft_wrap=True)
