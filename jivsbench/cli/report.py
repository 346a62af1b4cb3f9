"""`jivsbench report`."""

import click

from jivsbench.cli.options import json_option, read_registry, read_settings, reports_option
from jivsbench.exitcodes import ExitCode


@click.command()
@click.argument("run", default="latest")
@reports_option
@json_option
@click.pass_context
def report(ctx: click.Context, run: str, reports_dir: str | None, as_json: bool) -> ExitCode:
    """Render the reports of RUN (a folder, a run id, or `latest`) again, from its bundle alone."""
    from jivsbench.app.conclusion import find_run, render_as_written
    from jivsbench.cli.terminal import print_json
    from jivsbench.report.literal import show_in_log

    settings = read_settings(ctx, reports_dir=reports_dir)
    outcome = render_as_written(find_run(settings.reports_dir, run), read_registry(settings))
    if as_json:
        print_json(
            {
                "run_id": outcome.record.run_id,
                "outcome": outcome.verdict.outcome,
                "unwritten": outcome.unwritten,
                "report": str(outcome.report),
            }
        )
    else:
        click.echo(outcome.report)
        for problem in outcome.unwritten:
            click.echo(f"error: {show_in_log(problem)}", err=True)
    return ExitCode.ENVIRONMENT if outcome.unwritten else ExitCode.PASSED
