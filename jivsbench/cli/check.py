"""`jivsbench check`."""

from dataclasses import asdict
from pathlib import Path

import click

from jivsbench.cli.options import json_option, read_registry, read_settings, source_options
from jivsbench.exitcodes import ExitCode
from jivsbench.model.finding import CheckOutcome, CheckResult


@click.command()
@click.option("--only", multiple=True, metavar="ID", help="Run this check alone, e.g. SEC-001. May be given again.")
@click.option("--fast/--full", "is_fast", default=True, help="Small corpora, or all of them.")
@click.option("--profile", default="optimized", show_default=True, help="Profile of the service that is attacked.")
@click.option("--seed", type=int, help="Seed of every generated attack.")
@click.option("--corpus", type=click.Path(path_type=Path), help="File, or folder of files, with more payloads, one a line.")
@click.option(
    "--advisories",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="OSV file, folder or zip. May be given again.",
)
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
    advisories: tuple[Path, ...],
    source_url: str | None,
    cache_url: str | None,
    as_json: bool,
) -> ExitCode:
    """Start the extraction service and attack it. Each check first proves itself on a vulnerable and on a hardened target."""
    from jivsbench.app.attack import Assessment, CheckOptions, run_security_checks
    from jivsbench.app.plans import DEFAULT_SEED
    from jivsbench.cli.terminal import Terminal, print_json

    def exit_code(found: Assessment) -> ExitCode:
        if found.has(CheckOutcome.FAIL):
            return ExitCode.GATE_FAILED
        if found.has(CheckOutcome.INVALID) or not found.has(CheckOutcome.PASS):
            return ExitCode.INVALID
        return ExitCode.CONDITIONAL if found.has(CheckOutcome.NOT_TESTED) else ExitCode.PASSED

    settings = read_settings(ctx, source_url=source_url, cache_url=cache_url)
    registry = read_registry(settings)
    options = CheckOptions(
        only,
        profile,
        is_full=not is_fast,
        seed=DEFAULT_SEED if seed is None else seed,
        corpus=corpus,
        advisories=advisories,
    )
    with Terminal() as terminal:
        found = run_security_checks(settings, registry, options, terminal)
    if as_json:
        print_json(
            {"score": asdict(found.score) if found.score else None, "results": [asdict(result) for result in found.results]}
        )
    else:
        _print(found.results)
        if found.score is not None and found.score.score is not None:
            click.echo(f"\nscore {found.score.score:.1f} of 100, grade {found.score.letter}")
    return exit_code(found)


def _print(results: tuple[CheckResult, ...]) -> None:
    from jivsbench.cli.terminal import result_console

    console = result_console()
    colours = {"PASS": "green", "FAIL": "bold red", "INVALID": "magenta"}
    for result in results:
        counts = f"{result.attempted} attacks, {result.reached} reached the target, {result.duration_s:.1f} s"
        colour = colours.get(result.outcome.value, "yellow")
        console.print(f"[{colour}]{result.outcome.value:>14}[/]  {result.check_id} ({result.severity.value})", end="  ")
        console.print(f"{result.title}. {counts}", markup=False, soft_wrap=True)
        if result.reason:
            console.print(f"{'':16}{result.reason}", markup=False, soft_wrap=True, style="dim")
        for finding in result.findings[:5]:
            console.print(f"{'':16}{finding.evidence} | {finding.reproducer}", markup=False, soft_wrap=True)
