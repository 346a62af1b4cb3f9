"""`jivsbench gate`."""

from pathlib import Path

import click

from jivsbench.cli.options import json_option, read_registry, read_settings, reports_option, suppressions_option
from jivsbench.exitcodes import ExitCode

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("run", default="latest")
@click.option("--gates", help="Judge by the gates of this scenario or gate file (.toml) instead of the run's own.")
@click.option("--section", "sections", multiple=True, help="Add the gates of this section of the gate file, such as staging.")
@click.option("--junit", type=_FILE, multiple=True, help="JUnit XML of the tests. May be given again.")
@click.option("--coverage", type=_FILE, help="Cobertura or JaCoCo XML, coverage.py's JSON, or LCOV.")
@click.option("--findings", type=_FILE, multiple=True, help="SARIF 2.1.0 of another scanner. May be given again.")
@click.option("--waivers", type=_FILE, help="TOML file of known misses that somebody answers for until a day.")
@suppressions_option
@click.option("--against", metavar="BASELINE", help="Answer relative gates by a baseline (a scenario's name) or another run.")
@click.option("--write", "writes", is_flag=True, help="Write the run's reports again with this verdict.")
@reports_option
@json_option
@click.pass_context
def gate(
    ctx: click.Context,
    run: str,
    gates: str | None,
    sections: tuple[str, ...],
    junit: tuple[Path, ...],
    coverage: Path | None,
    findings: tuple[Path, ...],
    waivers: Path | None,
    suppressions: Path | None,
    against: str | None,
    writes: bool,
    reports_dir: str | None,
    as_json: bool,
) -> ExitCode:
    """Judge RUN (a folder, a run id, or `latest`) again, from its bundle and the files that are named."""
    from jivsbench.app.gating import GateOptions, judge_run
    from jivsbench.cli.outcome import finish

    settings = read_settings(ctx, reports_dir=reports_dir)
    options = GateOptions(gates, sections, junit, coverage, findings, waivers, suppressions, writes, against)
    return finish(judge_run(settings, run, options, read_registry(settings)), as_json=as_json)
