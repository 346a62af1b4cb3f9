"""`jivsbench worker`."""

import click

from jivsbench.cli.options import read_settings
from jivsbench.errors import UsageError
from jivsbench.exitcodes import ExitCode
from jivsbench.model.host import is_host


@click.command()
@click.option("--master", required=True, metavar="HOST", help="Where `jivsbench run --expect-workers N` waits.")
@click.option("--master-port", default=5557, show_default=True, type=click.IntRange(1, 65535), help="Its port.")
@click.pass_context
def worker(ctx: click.Context, master: str, master_port: int) -> ExitCode:
    """Be one load machine: join a master, play its part of the load, send what was counted, and end.

    Between a master and its machines nothing is encrypted or authenticated: use a network that only you can reach.
    """
    from jivsbench.app.machines import be_load_machine
    from jivsbench.cli.terminal import Terminal

    if not is_host(master):
        raise UsageError(
            f"--master {master!r} is no host: give its name or its address alone, such as 10.0.0.5, and a port with --master-port"
        )
    settings = read_settings(ctx)
    with Terminal() as terminal:
        be_load_machine(settings, master, master_port, terminal)
    return ExitCode.PASSED
