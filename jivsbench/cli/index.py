"""`jivsbench index`."""

import click

from jivsbench.cli.history import database_option, open_store, tell_unreadable
from jivsbench.cli.options import json_option, read_settings, reports_option
from jivsbench.exitcodes import ExitCode


@click.command()
@database_option
@reports_option
@json_option
@click.pass_context
def index(ctx: click.Context, database: str | None, reports_dir: str | None, as_json: bool) -> ExitCode:
    """Write index.html: every run of the reports folder, and its figures over time. Stores new runs in the history first."""
    from jivsbench.app.history import write_index
    from jivsbench.cli.terminal import print_json

    folder = read_settings(ctx, reports_dir=reports_dir).reports_dir
    with open_store(ctx, database, reports_dir) as store:
        path, stored = write_index(store, folder)
    if as_json:
        print_json({"index": str(path), "added": stored.added, "unreadable": stored.unreadable})
        return ExitCode.PASSED
    tell_unreadable(stored.unreadable)
    click.echo(path)
    return ExitCode.PASSED
