"""`jivsbench history`."""

import os
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from jivsbench.cli.options import json_option, read_settings, reports_option
from jivsbench.exitcodes import ExitCode
from jivsbench.model.secret import Secret

if TYPE_CHECKING:
    from jivsbench.history import HistoryStore
    from jivsbench.model.history import Trend

_ENVIRONMENT = "JIVSBENCH_HISTORY_URL"


@click.group()
def history() -> None:
    """Figures of many runs over time, and where their level changed."""


def database_option(command: "click.decorators.FC") -> "click.decorators.FC":
    """The option that names another history."""
    help_text = f"postgresql:// or sqlite:/// URL. Default: {_ENVIRONMENT}, else history.sqlite3 in the reports folder."
    return click.option("--database", help=help_text)(command)


def tell_unreadable(problems: Iterable[str]) -> None:
    """Files of the reports folder that could not be stored, on stderr."""
    from jivsbench.report.literal import show_in_log

    for problem in problems:
        click.echo(f"  unreadable: {show_in_log(problem)}", err=True)


@history.command()
@click.argument("runs", nargs=-1)
@database_option
@reports_option
@json_option
@click.pass_context
def add(ctx: click.Context, runs: tuple[str, ...], database: str | None, reports_dir: str | None, as_json: bool) -> ExitCode:
    """Store RUNS (folders or run ids; without any: every run of the reports folder). A run is stored once."""
    from jivsbench.app.history import store_runs
    from jivsbench.cli.terminal import print_json

    with open_store(ctx, database, reports_dir) as store:
        stored = store_runs(store, read_settings(ctx, reports_dir=reports_dir).reports_dir, runs)
    if as_json:
        print_json(asdict(stored))
    else:
        click.echo(f"{len(stored.added)} stored, {len(stored.known)} known already, {len(stored.unreadable)} unreadable")
        tell_unreadable(stored.unreadable)
    return ExitCode.PASSED


@history.command("list")
@database_option
@reports_option
@json_option
@click.pass_context
def list_runs(ctx: click.Context, database: str | None, reports_dir: str | None, as_json: bool) -> ExitCode:
    """List every stored run, the oldest first."""
    from jivsbench.cli.terminal import echo_line, print_json

    with open_store(ctx, database, reports_dir) as store:
        runs = store.list_runs()
    if as_json:
        print_json([asdict(run) for run in runs])
    for run in () if as_json else runs:
        commit = (run.git_commit or "-")[:12]
        echo_line(f"{run.started_at}  {commit:<12}  {run.outcome:<11}  {run.scenario}  {run.series}  {run.run_id}")
    return ExitCode.PASSED


@history.command()
@click.option("--metric", "metrics", multiple=True, help="Figure such as 'job.response p95'. Default: the six that matter most.")
@click.option(
    "--check",
    "is_check",
    is_flag=True,
    help="Exit code 1 when the last change of a figure of the newest runs was for the worse, 4 when they are too few to tell.",
)
@click.option("--scenario", "scenarios", multiple=True, help="Runs of this scenario alone; may be given again.")
@database_option
@reports_option
@json_option
@click.pass_context
def changes(
    ctx: click.Context,
    metrics: tuple[str, ...],
    is_check: bool,
    scenarios: tuple[str, ...],
    database: str | None,
    reports_dir: str | None,
    as_json: bool,
) -> ExitCode:
    """Show where the level of a figure changed, by commit. Runs of other workloads, profiles or machines are never mixed."""
    from jivsbench.app.comparison import parse_criterion
    from jivsbench.app.history import WATCHED, judge_trends, read_trends
    from jivsbench.cli.terminal import print_json
    from jivsbench.model.history import HistoryState

    figures = [parse_criterion(text, of_blocks=False) for text in metrics]
    wanted = tuple((figure.metric, figure.statistic) for figure in figures) or WATCHED
    with open_store(ctx, database, reports_dir) as store:
        runs = [run for run in store.list_runs() if not scenarios or run.scenario in scenarios]
        trends = [trend for trend in read_trends(store, wanted) if not scenarios or trend.key.scenario in scenarios]
    if as_json:
        print_json([_describe(trend) for trend in trends])
    else:
        _print(trends)
    if not is_check:
        return ExitCode.PASSED
    codes = {
        HistoryState.WORSE: ExitCode.GATE_FAILED,
        HistoryState.UNKNOWN: ExitCode.INVALID,
        HistoryState.STEADY: ExitCode.PASSED,
    }
    return codes[judge_trends(runs, trends)]


def open_store(ctx: click.Context, database: str | None, reports_dir: str | None) -> "HistoryStore":
    """The history that flag or environment name, else that of the reports folder."""
    from jivsbench.config.secret_sources import read_variable
    from jivsbench.history import open_history

    url = database or read_variable(os.environ, _ENVIRONMENT)
    return open_history(Secret(url) if url else None, read_settings(ctx, reports_dir=reports_dir).reports_dir)


def _describe(trend: "Trend") -> dict[str, object]:
    return {
        **asdict(trend.key),
        "runs": len(trend.values),
        "is_long_enough": trend.is_long_enough,
        "has_worsened": trend.has_worsened,
        "changes": [
            {
                **asdict(change),
                "ratio": change.ratio,
                "is_worse": trend.is_worse(change),
                "run_id": trend.values[change.place].run_id,
                "git_commit": trend.values[change.place].git_commit,
            }
            for change in trend.changes
        ],
    }


def _print(trends: "list[Trend]") -> None:
    from jivsbench.analysis.change_points import LEAST_RUNS
    from jivsbench.cli.terminal import echo_line
    from jivsbench.model.formatting import format_change

    for trend in trends:
        key = trend.key
        echo_line(f"{key.scenario}, {key.arm}, {key.metric} {key.statistic}: {len(trend.values)} runs")
        if not trend.is_long_enough:
            click.echo(f"  too few runs to show a change: at least {LEAST_RUNS} of one series are needed")
        elif not trend.changes:
            click.echo("  no change of level")
        for change in trend.changes:
            first = trend.values[change.place]
            ratio = format_change((change.ratio - 1) * 100) if change.ratio is not None else "from 0"
            word = "worse" if trend.is_worse(change) else "better"
            echo_line(
                f"  {word} since {(first.git_commit or first.run_id)[:40]} ({first.started_at}): "
                f"{change.before:.6g} to {change.after:.6g} {key.unit}, {ratio}, by chance p = {change.p_value:.2g}"
            )
    if not trends:
        click.echo("the history holds no valid run: store some with 'jivsbench history add'")
