"""`jivsbench trail`."""

from dataclasses import asdict
from pathlib import Path

import click

from jivsbench.cli.options import json_option, read_settings
from jivsbench.exitcodes import ExitCode


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--head", help="A digest that was noted elsewhere, as the service logs it; it must be in the trail.")
@click.option("--after", help="The digest of the last line that was moved away with full files.")
@json_option
@click.pass_context
def trail(ctx: click.Context, file: Path, head: str | None, after: str | None, as_json: bool) -> ExitCode:
    """Is the audit trail FILE of a service what was written? Exit code 1 when lines were changed or removed, 4 when empty.

    The full files before FILE, in the same folder, are looked at with it.
    """
    from jivsbench.app.trail import review_file

    review = review_file(read_settings(ctx), file, head, after)
    if as_json:
        from jivsbench.cli.terminal import print_json

        print_json({**asdict(review), "is_intact": review.is_intact})
    elif review.problem:
        click.echo(f"{file}: {review.problem}; the {review.lines} lines before hold")
    elif review.has_noted_head is False:
        click.echo(
            f"{file}: its {review.lines} lines hold, and the noted digest is not among them: lines at its end were removed"
        )
    else:
        click.echo(f"{file}: all {review.lines} lines hold; the last has digest {review.head}")
    if not review.is_intact:
        return ExitCode.GATE_FAILED
    return ExitCode.PASSED if review.lines else ExitCode.INVALID
