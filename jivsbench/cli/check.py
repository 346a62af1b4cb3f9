"""`jivsbench check`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jivsbench.cli.options import (
    advisories_option,
    json_option,
    read_registry,
    read_settings,
    source_options,
    suppressions_option,
)
from jivsbench.errors import OutputError, UsageError
from jivsbench.exitcodes import ExitCode

if TYPE_CHECKING:
    from jivsbench.app.assessment import Assessment

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--only", multiple=True, metavar="ID", help="Run this check alone, e.g. SEC-001. May be given again.")
@click.option("--fast/--full", "is_fast", default=True, help="Small corpora, or all of them.")
@click.option("--profile", default="optimized", show_default=True, help="Profile of the service that is attacked.")
@click.option("--seed", type=int, help="Seed of every generated attack.")
@click.option("--corpus", type=click.Path(path_type=Path), help="File, or folder of files, with more payloads, one a line.")
@suppressions_option
@click.option("--sarif", type=_FILE, help="Write the results to this file as SARIF 2.1.0.")
@click.option("--baseline", type=_FILE, help="SARIF of an earlier check: says what is new, unchanged and gone.")
@advisories_option
@click.option("--vulnerable", is_flag=True, help="Attack the target with holes made on purpose instead: the score of those.")
@source_options
@json_option
@click.pass_context
def check(
    ctx: click.Context,
    only: tuple[str, ...],
    is_fast: bool,
    profile: str,
    seed: int | None,
    corpus: Path | None,
    suppressions: Path | None,
    sarif: Path | None,
    baseline: Path | None,
    advisories: tuple[Path, ...],
    vulnerable: bool,
    source_url: str | None,
    cache_url: str | None,
    as_json: bool,
) -> ExitCode:
    """Start the extraction service and attack it. Each check first proves itself on a vulnerable and on a hardened target."""
    from jivsbench.app.attack import CheckOptions, run_security_checks
    from jivsbench.app.plans import DEFAULT_SEED
    from jivsbench.cli.assessment import build_json, find_exit_code, print_assessment
    from jivsbench.cli.terminal import Terminal, print_json, result_console

    if baseline and not sarif:
        raise UsageError("--baseline says in the SARIF file what is new: name one with --sarif")
    if vulnerable and (sarif or suppressions):
        raise UsageError("--vulnerable says nothing about a service of yours: leave --sarif and --suppressions out")
    settings = read_settings(ctx, source_url=source_url, cache_url=cache_url)
    registry = read_registry(settings)
    options = CheckOptions(
        only,
        profile,
        is_full=not is_fast,
        seed=DEFAULT_SEED if seed is None else seed,
        corpus=corpus,
        suppressions=suppressions,
        baseline=baseline,
        advisories=advisories,
        is_vulnerable=vulnerable,
    )
    with Terminal() as terminal:
        found = run_security_checks(settings, registry, options, terminal)
    if as_json:
        print_json(build_json(found))
    else:
        print_assessment(result_console(), found)
    status = find_exit_code(found)
    return _write(sarif, found, status) if sarif else status


def _write(sarif: Path, found: "Assessment", status: ExitCode) -> ExitCode:
    from jivsbench.app.assessment import write_sarif
    from jivsbench.cli.failure import tell_error

    try:
        write_sarif(sarif, found)
    except OutputError as exc:
        unwritten = tell_error(exc)
        # An open finding weighs more than a file that is missing.
        return status if status is ExitCode.GATE_FAILED else unwritten
    return status
