"""`jivsbench completion`."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    For bash: jivsbench completion bash > ~/.local/share/bash-completion/completions/jivsbench
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion exists for {shell}")
    click.echo(kind(ctx.find_root().command, {}, "jivsbench", "_JIVSBENCH_COMPLETE").source())
