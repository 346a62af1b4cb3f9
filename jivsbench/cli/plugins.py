"""`jivsbench plugins`, `jivsbench plugins lock`."""

import click

from jivsbench.cli.options import json_option, read_registry, read_settings
from jivsbench.exitcodes import ExitCode


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def plugins(ctx: click.Context, as_json: bool) -> ExitCode:
    """List plugins: name, version, origin, hooks, and what each offers."""
    if ctx.invoked_subcommand:
        return ExitCode.PASSED
    registry = read_registry(read_settings(ctx))
    if as_json:
        from dataclasses import asdict

        from jivsbench.cli.terminal import print_json

        print_json([asdict(plugin) for plugin in registry.plugins])
        return ExitCode.PASSED
    from rich.table import Table

    from jivsbench.cli.terminal import result_console, show

    table = Table("name", "version", "origin", "hooks", "offers", box=None, pad_edge=False, header_style="bold")
    for plugin in registry.plugins:
        hooks = [hook.removeprefix("jivsbench_") for hook in plugin.hooks]
        lines = ([plugin.name], [plugin.version], [plugin.origin], hooks, plugin.offers)
        table.add_row(*("\n".join(map(show, cell)) for cell in lines))
    result_console().print(table)
    return ExitCode.PASSED


@plugins.command("lock")
@click.pass_context
def lock_plugins(ctx: click.Context) -> ExitCode:
    """Write plugins.lock: from then on only today's plugins are loaded, each with its version and its files as they are."""
    from jivsbench.app.plugins import write_lock
    from jivsbench.cli.terminal import echo_line

    path, locked = write_lock(read_settings(ctx))
    echo_line(f"locked {len(locked)} plugins in {path}: {', '.join(plugin.name for plugin in locked)}")
    return ExitCode.PASSED
