"""Prints the end of a run: a small table, the gates, the verdict, the path of the report."""

from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jivsbench.analysis.effects import CONFIDENCE
from jivsbench.analysis.standards import list_not_run
from jivsbench.analysis.validity import has_valid_figures
from jivsbench.app.conclusion import Outcome
from jivsbench.cli.failure import exit_code_of_verdict
from jivsbench.cli.terminal import print_json, result_console, show
from jivsbench.config.controls import load_catalogue
from jivsbench.exitcodes import ExitCode
from jivsbench.model.comparison import ComparisonOutcome
from jivsbench.model.formatting import (
    NOT_MEASURED,
    format_confidence,
    format_pairs,
    format_quantity,
    format_ratio,
    format_ratio_interval,
)
from jivsbench.model.gate import GateOutcome
from jivsbench.model.metrics import Direction, find_metric
from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Effect, Figure, VerdictOutcome
from jivsbench.report.views.answers import list_answers

_ROWS = (
    ("throughput", "throughput.records", "rate"),
    ("job p50", "job.response", "p50"),
    ("job p95", "job.response", "p95"),
    ("job p99", "job.response", "p99"),
    ("job errors", "job.errors", "ratio"),
    ("HTTP errors", "http.errors", "ratio"),
    ("cache hits", "cache.hits", "ratio"),
    ("peak memory", "target.memory", "max"),
)
_COLOURS = {
    VerdictOutcome.PASSED: "bold green",
    VerdictOutcome.CONDITIONAL: "bold yellow",
    VerdictOutcome.FAILED: "bold red",
    VerdictOutcome.INVALID: "bold magenta",
}
_GATE_COLOURS = {
    GateOutcome.EXCEEDED: "green",
    GateOutcome.MET: "green",
    GateOutcome.FAILED: "red",
    GateOutcome.INCONCLUSIVE: "magenta",
    GateOutcome.NO_DATA: "red",
}

_CRITERION_COLOURS = {
    ComparisonOutcome.WORSE: "red",
    ComparisonOutcome.BETTER: "green",
    ComparisonOutcome.EQUIVALENT: "green",
    ComparisonOutcome.INCONCLUSIVE: "magenta",
}


def finish(outcome: Outcome, *, as_json: bool) -> ExitCode:
    """Print a run's end on stdout and give its exit code."""
    if as_json:
        print_json(
            {
                "run_id": outcome.record.run_id,
                "outcome": outcome.verdict.outcome,
                "reasons": outcome.verdict.reasons,
                "conditions": outcome.verdict.conditions,
                "approvals": [asdict(approval) for approval in outcome.verdict.approvals],
                "criteria": [asdict(criterion) for criterion in outcome.verdict.criteria],
                "gates": [asdict(gate) for gate in outcome.verdict.gates],
                "figures": [asdict(figure) for figure in outcome.summary.figures],
                "effects": [asdict(effect) for effect in outcome.summary.effects],
                "unwritten": outcome.unwritten,
                "problems": outcome.problems,
                "report": str(outcome.report),
            }
        )
    else:
        _print(outcome, result_console())
    return exit_code_of_end(outcome)


def exit_code_of_end(outcome: Outcome) -> ExitCode:
    """The verdict's exit code; ENVIRONMENT for a green one of which a report is missing, for whoever reads that hears nothing."""
    status = exit_code_of_verdict(outcome.verdict)
    return ExitCode.ENVIRONMENT if outcome.unwritten and status in {ExitCode.PASSED, ExitCode.CONDITIONAL} else status


def _print(outcome: Outcome, console: Console) -> None:
    if outcome.record.arms:
        console.print()
        console.print(_figures(outcome))
    console.print()
    for gate in outcome.verdict.gates:
        colour = _GATE_COLOURS[gate.outcome]
        console.print(f"[{colour}]{gate.outcome.value:>12}[/]  {show(gate.text)}  [dim]{show(gate.reason)}[/]", soft_wrap=True)
    for result in outcome.verdict.criteria:
        colour = _CRITERION_COLOURS[result.outcome]
        subject = f"{result.metric} {result.statistic}"
        pairs = format_pairs(result.pairs, result.processes)
        backing = f"{pairs}, {format_confidence(result.confidence)} interval" if result.confidence else "no interval"
        console.print(
            f"[{colour}]{result.outcome.value:>12}[/]  {show(subject)}  [dim]{show(f'{result.reason} ({backing})')}[/]",
            soft_wrap=True,
        )
    _print_checks(outcome.record, console)
    answers = list_answers(outcome.record, outcome.summary) if has_valid_figures(outcome.record, outcome.verdict) else ()
    for answer in answers:
        console.print(f"{'':>12}  {show(answer)}", soft_wrap=True)
    console.print()
    console.print(f"verdict: [{_COLOURS[outcome.verdict.outcome]}]{outcome.verdict.outcome.value}[/]")
    for approval in outcome.verdict.approvals:
        console.print(f"  {approval.environment}: {'yes' if approval.is_approved else 'no'}")
    for reason in outcome.verdict.reasons:
        console.print(f"  - {show(reason)}", soft_wrap=True)
    for condition in outcome.verdict.conditions:
        console.print(f"  condition: {show(condition)}", soft_wrap=True)
    for problem in outcome.unwritten:
        console.print(f"  report: {show(problem)}", soft_wrap=True)
    console.print(f"report:  {escape(str(outcome.report))}", soft_wrap=True)


def _print_checks(record: RunRecord, console: Console) -> None:
    for check in record.checks:
        told = f"{check.attempted} attacks, {check.reached} reached the target" if check.attempted else check.reason
        console.print(
            f"{check.outcome.value:>12}  {show(check.check_id)} {show(check.title)}  [dim]{show(told)}[/]", soft_wrap=True
        )
    not_run = list_not_run(load_catalogue(), record.checks) if record.checks else ()
    if not_run:
        told = f"{len(not_run)} security checks, of which nothing is known: the report lists them"
        console.print(f"{'not run':>12}  {told}", soft_wrap=True)


def _figures(outcome: Outcome) -> Table:
    arms = [arm.profile.name for arm in outcome.record.arms]
    table = Table("", box=None, pad_edge=False, header_style="bold")
    for arm in arms:
        table.add_column(show(arm), justify="right")
    if len(arms) > 1:
        confidence = next((effect.confidence for effect in outcome.summary.effects), CONFIDENCE)
        table.add_column(f"ratio ({format_confidence(confidence)} interval)", justify="right")
    for label, metric, statistic in _ROWS:
        cells = [_format(outcome.summary.figure(arm, metric, statistic)) for arm in arms]
        if len(arms) > 1:
            cells.append(_format_effect(outcome.summary.effect(metric, statistic)))
        table.add_row(label, *cells)
    return table


def _format(figure: Figure | None) -> str:
    return NOT_MEASURED if figure is None else format_quantity(figure.value, figure.unit, _better(figure.metric))


def _format_effect(effect: Effect | None) -> str:
    if effect is None or effect.ratio is None:
        return "-"
    ratio = format_ratio(effect.ratio, _better(effect.metric))
    if effect.ratio_low is None or effect.ratio_high is None:
        return ratio
    return f"{ratio} ({format_ratio_interval(effect.ratio_low, effect.ratio_high)})"


def _better(name: str) -> Direction | None:
    metric = find_metric(name)
    return metric.better if metric else None
