"""Prints the comparison of two stored runs."""

from dataclasses import asdict

from rich.table import Table

from jivsbench.analysis.stored import DRIFT_CAVEAT
from jivsbench.app.stored_comparison import StoredComparison
from jivsbench.cli.terminal import print_json, result_console, show
from jivsbench.exitcodes import ExitCode
from jivsbench.model.comparison import ComparisonOutcome
from jivsbench.model.formatting import format_quantity, format_ratio
from jivsbench.model.metrics import find_metric


def finish_stored(found: StoredComparison, *, as_json: bool) -> ExitCode:
    """Print both runs side by side with what that is worth, and give the exit code."""
    if as_json:
        print_json(asdict(found) | {"caveat": DRIFT_CAVEAT})
    else:
        _print(found)
    outcomes = [result.outcome for result in found.results]
    if ComparisonOutcome.WORSE in outcomes:
        return ExitCode.GATE_FAILED
    return ExitCode.INVALID if ComparisonOutcome.INCONCLUSIVE in outcomes else ExitCode.PASSED


def _print(found: StoredComparison) -> None:
    console = result_console()
    console.print(f"A  {show(found.a)}\nB  {show(found.b)}\n", soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    # Of a narrow terminal the names of the figures give way; a figure that is cut off would be another one.
    table.add_column("", overflow="fold")
    for title in ("A", "B", "B / A", ""):
        table.add_column(title, no_wrap=True)
    for result in found.results:
        metric = find_metric(result.metric)
        better = metric.better if metric else None
        table.add_row(
            show(f"{result.metric.removeprefix('target.')} {result.statistic}"),
            format_quantity(result.a, result.unit, better),
            format_quantity(result.b, result.unit, better),
            "-" if result.ratio is None else format_ratio(result.ratio, better),
            result.outcome.value,
        )
    console.print(table)
    console.print()
    for difference in found.allowed:
        console.print(f"differs, as allowed: {show(difference.text)}", soft_wrap=True)
    console.print(f"no intervals: {DRIFT_CAVEAT}", soft_wrap=True)
    for reason in dict.fromkeys(result.reason for result in found.results if result.reason != DRIFT_CAVEAT):
        console.print(f"  - {show(reason)}", soft_wrap=True)
