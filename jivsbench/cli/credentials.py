"""`jivsbench credentials new-key|rotate`."""

from pathlib import Path

import click

from jivsbench.cli.options import json_option, read_settings
from jivsbench.exitcodes import ExitCode


@click.group()
def credentials() -> None:
    """Make the key that encrypts the URLs of added data sources, and change it."""


@credentials.command("new-key")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def new_key(file: Path) -> ExitCode:
    """Write a new random key to FILE, which must not exist yet and which only you can read."""
    from jivsbench.app.credentials import write_new_key

    click.echo(f"key {write_new_key(file)} is in {file}: name it with key_file under [credentials], and keep a copy elsewhere")
    return ExitCode.PASSED


@credentials.command()
@click.option(
    "--output", default="extractions", show_default=True, type=click.Path(path_type=Path), help="Folder of the service."
)
@click.option("--old-key-file", type=click.Path(path_type=Path), help="File with the key that was used until now.")
@json_option
@click.pass_context
def rotate(ctx: click.Context, output: Path, old_key_file: Path | None, as_json: bool) -> ExitCode:
    """Encrypt every stored URL with the configured key. URLs that an older version kept unencrypted are encrypted too."""
    from jivsbench.app.credentials import rotate_credentials
    from jivsbench.config import read_secret_path
    from jivsbench.model.secret import Secret

    old_key = Secret(read_secret_path(old_key_file, "--old-key-file")) if old_key_file else None
    rotation = rotate_credentials(read_settings(ctx), output, old_key)
    if as_json:
        from dataclasses import asdict

        from jivsbench.cli.terminal import print_json

        print_json(asdict(rotation))
    else:
        click.echo(
            f"encrypted {rotation.sealed} stored URLs with key {rotation.key_id}"
            + (f"; {rotation.were_plain} of them were not encrypted before" if rotation.were_plain else "")
        )
    return ExitCode.PASSED
