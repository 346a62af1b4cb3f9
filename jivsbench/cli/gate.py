"""`jivsbench gate`."""

import click

from jivsbench.cli.options import json_option, read_settings, reports_option
from jivsbench.exitcodes import ExitCode


@click.command()
@click.argument("run", default="latest")
@click.option("--gates", "scenario", help="Judge by the gates of this scenario instead of the run's own.")
@reports_option
@json_option
@click.pass_context
def gate(ctx: click.Context, run: str, scenario: str | None, reports_dir: str | None, as_json: bool) -> ExitCode:
    """Judge RUN (a folder, a run id, or `latest`) again, from its bundle alone. Writes nothing."""
    from jivsbench.app.conclusion import find_run, judge_again
    from jivsbench.cli.outcome import finish
    from jivsbench.config import load_scenario, scenario_folders

    settings = read_settings(ctx, reports_dir=reports_dir)
    gates = load_scenario(scenario, scenario_folders()).gates if scenario else None
    return finish(judge_again(find_run(settings.reports_dir, run), gates), as_json=as_json)
