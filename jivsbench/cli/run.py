"""`jivsbench run`."""

import click

from jivsbench.cli.options import json_option, read_registry, read_settings, reports_option, source_options
from jivsbench.exitcodes import ExitCode


@click.command()
@click.argument("scenario")
@click.option("--profile", default="optimized", show_default=True, help="Profile of the extraction service.")
@click.option("--time-scale", default=1.0, show_default=True, type=float, help="Shrinks every duration alike, never the users.")
@click.option("--seed", type=int, help="Seed of every random choice.")
@click.option("--check/--no-check", "with_checks", default=False, help="Attack the target with the security checks afterwards.")
@click.option("--dry-run", is_flag=True, help="Print the schedule and what it will cost; send no load.")
@click.option("--data", "data_size", default="100k", show_default=True, help="Rows of test data when the source is embedded.")
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
    dry_run: bool,
    data_size: str,
    source_url: str | None,
    cache_url: str | None,
    reports_dir: str | None,
    as_json: bool,
) -> ExitCode:
    """Run SCENARIO against one profile, judge it by the scenario's gates, and report."""
    from jivsbench.app.plans import DEFAULT_SEED
    from jivsbench.app.scenarios import RunOptions, run_scenario
    from jivsbench.cli.outcome import finish
    from jivsbench.cli.terminal import Terminal
    from jivsbench.dataset import parse_size

    settings = read_settings(ctx, source_url=source_url, cache_url=cache_url, reports_dir=reports_dir)
    options = RunOptions(
        scenario=scenario,
        profile=profile,
        time_scale=time_scale,
        seed=DEFAULT_SEED if seed is None else seed,
        with_checks=with_checks,
        data_rows=parse_size(data_size),
    )
    if dry_run:
        from jivsbench.app.dry_run import plan_dry_run
        from jivsbench.cli.schedule import show_dry_run

        show_dry_run(plan_dry_run(settings, read_registry(settings), options), as_json=as_json)
        return ExitCode.PASSED
    with Terminal() as terminal:
        outcome = run_scenario(settings, read_registry(settings), options, terminal)
    return finish(outcome, as_json=as_json)
