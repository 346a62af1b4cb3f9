"""`jivsbench doctor`."""

from dataclasses import asdict

import click

from jivsbench.cli.options import json_option, read_registry, read_settings, reports_option, source_options
from jivsbench.exitcodes import ExitCode


@click.command()
@source_options
@reports_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, source_url: str | None, cache_url: str | None, reports_dir: str | None, as_json: bool) -> ExitCode:
    """Are servers, grants, plugins and folders as a run needs them? Exit code 5 when a run could not succeed."""
    from jivsbench.app.doctor import diagnose
    from jivsbench.cli.terminal import print_json, result_console, show

    settings = read_settings(ctx, source_url=source_url, cache_url=cache_url, reports_dir=reports_dir)
    found = tuple(diagnose(settings, read_registry(settings)))
    if as_json:
        print_json([asdict(diagnosis) for diagnosis in found])
    else:
        console = result_console()
        for diagnosis in found:
            word, colour = (
                ("ok", "green") if diagnosis.is_good else ("fails", "red") if diagnosis.is_fatal else ("look", "yellow")
            )
            console.print(f"[{colour}]{word:>5}[/]  [bold]{diagnosis.subject}[/]", end="  ")
            console.print(show(diagnosis.found), soft_wrap=True)
            for remedy in diagnosis.remedies:
                console.print(f"{'':7}{show(remedy)};", soft_wrap=True)
    return ExitCode.ENVIRONMENT if any(diagnosis.is_fatal for diagnosis in found) else ExitCode.PASSED
