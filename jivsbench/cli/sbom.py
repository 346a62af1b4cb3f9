"""`jivsbench sbom`."""

from pathlib import Path

import click

from jivsbench.exitcodes import ExitCode


@click.command()
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write. Default: print it.")
@click.option(
    "--packages",
    multiple=True,
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with installed distributions, of another environment. May be given again.",
)
def sbom(output: Path | None, packages: tuple[Path, ...]) -> ExitCode:
    """List what is installed, as CycloneDX 1.6 JSON: each distribution, its version, licence, needs and digest."""
    from jivsbench.app.installation import list_package_folders
    from jivsbench.app.sbom import build_sbom, write_sbom

    text = build_sbom(packages or list_package_folders())
    if output is None:
        click.echo(text)
        return ExitCode.PASSED
    write_sbom(text, output)
    click.echo(f"wrote {output}")
    return ExitCode.PASSED
