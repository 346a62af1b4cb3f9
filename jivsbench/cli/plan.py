"""`jivsbench plan`."""

from dataclasses import asdict

import click

from jivsbench.cli.comparing import processes_option
from jivsbench.cli.options import json_option, read_settings, reports_option
from jivsbench.exitcodes import ExitCode


@click.command()
@click.option("--effect", required=True, help="The change that is to be found, such as 10%.")
@click.option("--criterion", default="job.response mean", show_default=True, help="Of which figure.")
@click.option("--profile", default="optimized", show_default=True, help="Profile whose calibration is used.")
@processes_option
@reports_option
@json_option
@click.pass_context
def plan(
    ctx: click.Context,
    /,
    effect: str,
    criterion: str,
    profile: str,
    processes: int,
    reports_dir: str | None,
    as_json: bool,
) -> ExitCode:
    """Say how long this machine must measure to find an effect of that size in 80 % of comparisons."""
    from jivsbench.app.calibration import find_need
    from jivsbench.app.comparison import parse_criterion
    from jivsbench.cli.durations import format_seconds
    from jivsbench.cli.terminal import print_json, result_console, show
    from jivsbench.config.percent import parse_percent
    from jivsbench.load.shape import users_planned_max

    settings = read_settings(ctx, reports_dir=reports_dir)
    need = find_need(settings, profile, parse_criterion(criterion), parse_percent(effect), processes)
    if as_json:
        print_json(
            {"pairs": need.pairs, "processes": need.processes, "load_s": need.load_s, "calibration": asdict(need.calibration)}
        )
    else:
        console = result_console()
        calibration = need.calibration
        load = f"users {users_planned_max(calibration.stages)}, rows {calibration.workload.rows:,}"
        source = f"source {show(calibration.source_label)}"
        by = f"by the newest calibration, {show(calibration.measured_at)}: {calibration.trials} trials, {load}, {source}"
        if need.pairs is None or need.load_s is None:
            console.print(
                f"no time is enough to find {effect} of {criterion} with {processes} processes of each: processes of the same "
                f"code differ by too much here, so take more (--processes) ({by})",
                soft_wrap=True,
            )
        else:
            console.print(
                f"{need.pairs} pairs of {calibration.block_s:g} s, {format_seconds(need.load_s)} of load, with {processes} "
                f"processes of each, to find {effect} of {criterion} in 80 % of comparisons ({by})",
                soft_wrap=True,
            )
    return ExitCode.PASSED if need.pairs is not None else ExitCode.INVALID
