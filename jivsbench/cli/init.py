"""`jivsbench init`."""

from pathlib import Path

import click

from jivsbench.config import CONFIG_FILENAME, starter_config
from jivsbench.errors import OutputError
from jivsbench.exitcodes import ExitCode


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path(CONFIG_FILENAME))
def init(path: Path) -> ExitCode:
    """Write a commented configuration file that works as it stands."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(starter_config())
    except FileExistsError as exc:
        raise OutputError(f"a new configuration was to be written to {path}, which exists already: name another file") from exc
    except OSError as exc:
        raise OutputError(f"{path} cannot be written ({exc.strerror}): name a file in a folder that can") from exc
    click.echo(f"wrote {path}: name your database in [source], then run `jivsbench doctor`")
    return ExitCode.PASSED
