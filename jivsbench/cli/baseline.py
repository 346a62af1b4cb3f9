"""`jivsbench baseline`."""

import getpass
from dataclasses import asdict

import click

from jivsbench.cli.options import json_option, read_registry, read_settings, reports_option
from jivsbench.errors import UsageError
from jivsbench.exitcodes import ExitCode


@click.group()
def baseline() -> None:
    """The run of each scenario that later ones are held against, in reports/baselines."""


@baseline.command()
@click.argument("run", default="latest")
@click.option("--owner", help="Who answers for it. Default: the user who calls.")
@click.option("--accept-conditions", is_flag=True, help="Promote a CONDITIONAL run; its conditions are kept beside it.")
@reports_option
@json_option
@click.pass_context
def promote(
    ctx: click.Context, run: str, owner: str | None, accept_conditions: bool, reports_dir: str | None, as_json: bool
) -> ExitCode:
    """Keep RUN as its scenario's baseline. It must have passed, and it is audited first."""
    from jivsbench.app.baselines import promote as promote_run
    from jivsbench.cli.terminal import echo_line, print_json

    settings = read_settings(ctx, reports_dir=reports_dir)
    promotion = promote_run(
        settings.reports_dir, run, read_registry(settings), owner or _find_user(), accepts_conditions=accept_conditions
    )
    if as_json:
        print_json(asdict(promotion))
    else:
        instead = f", in place of {promotion.replaces}" if promotion.replaces else ""
        echo_line(f"{promotion.run_id} is the baseline of {promotion.scenario}{instead}")
    return ExitCode.PASSED


@baseline.command("list")
@reports_option
@json_option
@click.pass_context
def list_baselines(ctx: click.Context, reports_dir: str | None, as_json: bool) -> ExitCode:
    """List the baseline of every scenario that has one."""
    from jivsbench.app.baselines import list_promotions
    from jivsbench.cli.terminal import echo_line, print_json

    promotions = list_promotions(read_settings(ctx, reports_dir=reports_dir).reports_dir)
    if as_json:
        print_json([asdict(promotion) for promotion in promotions])
    for promotion in () if as_json else promotions:
        echo_line(
            f"{promotion.scenario}: {promotion.run_id} ({promotion.outcome}), by {promotion.owner} on {promotion.promoted_at}"
        )
    if not promotions and not as_json:
        click.echo("no scenario has a baseline: promote a run with 'jivsbench baseline promote RUN'")
    return ExitCode.PASSED


def _find_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise UsageError("who answers for the baseline is not known, as this user has no name: say it with --owner") from None
