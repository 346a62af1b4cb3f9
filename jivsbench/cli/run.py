"""`jivsbench run`."""

from pathlib import Path

import click

from jivsbench.cli.options import (
    advisories_option,
    json_option,
    read_registry,
    read_settings,
    reports_option,
    require_address,
    source_options,
    suppressions_option,
)
from jivsbench.errors import UsageError
from jivsbench.exitcodes import ExitCode


@click.command()
@click.argument("scenario")
@click.option("--profile", default="optimized", show_default=True, help="Profile of the extraction service.")
@click.option("--time-scale", default=1.0, show_default=True, type=float, help="Shrinks every duration alike, never the users.")
@click.option("--seed", type=int, help="Seed of every random choice.")
@click.option("--check/--no-check", "with_checks", default=False, help="Attack the target with the security checks afterwards.")
@suppressions_option
@advisories_option
@click.option("--dry-run", is_flag=True, help="Print the schedule and what it will cost; send no load.")
@click.option("--data", "data_size", default="100k", show_default=True, help="Rows of test data when the source is embedded.")
@click.option("--ui", is_flag=True, help="Serve Locust's own web page during the load, for this machine alone.")
@click.option("--ui-port", default=8089, show_default=True, type=click.IntRange(1, 65535), help="Port of that page.")
@click.option(
    "--expect-workers", default=0, type=click.IntRange(0, 1000), metavar="N", help="Wait for N load machines to send the load."
)
@click.option(
    "--master-bind",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="This machine's address for load machines, and for the target that they load.",
)
@click.option("--master-port", default=5557, show_default=True, type=click.IntRange(1, 65535), help="Port for load machines.")
@source_options
@reports_option
@json_option
@click.pass_context
def run(
    ctx: click.Context,
    scenario: str,
    profile: str,
    time_scale: float,
    seed: int | None,
    with_checks: bool,
    suppressions: Path | None,
    advisories: tuple[Path, ...],
    dry_run: bool,
    data_size: str,
    ui: bool,
    ui_port: int,
    expect_workers: int,
    master_bind: str,
    master_port: int,
    source_url: str | None,
    cache_url: str | None,
    reports_dir: str | None,
    as_json: bool,
) -> ExitCode:
    """Run SCENARIO against one profile, judge it by the scenario's gates, and report.

    With --expect-workers the load is sent by other machines, on which `jivsbench worker --master ADDRESS` runs. Nothing between
    them and this one is encrypted or authenticated: use a network that only you can reach.
    """
    from jivsbench.app.plans import DEFAULT_SEED
    from jivsbench.app.scenarios import RunOptions, run_scenario
    from jivsbench.cli.outcome import finish
    from jivsbench.cli.terminal import Terminal
    from jivsbench.dataset import parse_size
    from jivsbench.load.spec import LoadSetup, Meeting

    if (suppressions or advisories) and not with_checks:
        raise UsageError("--suppressions and --advisories are for the security checks, which this run leaves out: add --check")
    settings = read_settings(ctx, source_url=source_url, cache_url=cache_url, reports_dir=reports_dir)
    options = RunOptions(
        scenario=scenario,
        profile=profile,
        time_scale=time_scale,
        seed=DEFAULT_SEED if seed is None else seed,
        with_checks=with_checks,
        data_rows=parse_size(data_size),
        suppressions=suppressions,
        advisories=advisories,
        setup=LoadSetup(Meeting(expect_workers, require_address(master_bind), master_port), ui_port if ui else None),
    )
    if dry_run:
        from jivsbench.app.dry_run import plan_dry_run
        from jivsbench.cli.schedule import show_dry_run

        show_dry_run(plan_dry_run(settings, read_registry(settings), options), as_json=as_json)
        return ExitCode.PASSED
    with Terminal() as terminal:
        outcome = run_scenario(settings, read_registry(settings), options, terminal)
    return finish(outcome, as_json=as_json)
