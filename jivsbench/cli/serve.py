"""`jivsbench serve`."""

from pathlib import Path

import click

from jivsbench.cli.options import read_registry, read_settings, source_options
from jivsbench.exitcodes import ExitCode


@click.command()
@click.option("--profile", default="optimized", show_default=True, help="Profile of the service.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 for a free one.")
@click.option("--output", default="extractions", show_default=True, type=click.Path(path_type=Path), help="Folder to write to.")
@source_options
@click.pass_context
def serve(
    ctx: click.Context, profile: str, host: str, port: int, output: Path, source_url: str | None, cache_url: str | None
) -> ExitCode:
    """Run the extraction service alone, until Ctrl-C.

    The token of role ADMIN is read from JIVSBENCH_ADMIN_TOKEN or from the file that JIVSBENCH_ADMIN_TOKEN_FILE names; without
    either, a new one is written to a file that only you can read.
    """
    from jivsbench.app.serving import ServeOptions, serve_alone
    from jivsbench.cli.terminal import Terminal

    settings = read_settings(ctx, source_url=source_url, cache_url=cache_url)
    options = ServeOptions(profile, host, port, output, settings.admin_token)
    with Terminal() as terminal:
        serve_alone(settings, read_registry(settings), options, terminal)
    return ExitCode.PASSED
