"""`jivsbench guards`."""

import math
from collections.abc import Callable
from dataclasses import asdict

import click

from jivsbench.cli.options import json_option, read_registry, read_settings
from jivsbench.exitcodes import ExitCode


@click.command()
@click.option("--dialect", default="postgres", show_default=True, help="SQL dialect of the statements.")
@json_option
@click.pass_context
def guards(ctx: click.Context, dialect: str, as_json: bool) -> ExitCode:
    """Judge the loaded guards as classifiers of labelled statements: precision, recall, time. Exit code 1 when one is wrong."""
    from jivsbench.app.guarding import judge_guards
    from jivsbench.cli.terminal import echo_line, print_json

    judged = judge_guards(read_registry(read_settings(ctx)), dialect)
    if as_json:
        print_json(
            [
                {
                    **asdict(one),
                    "precision": one.classification.precision,
                    "recall": one.classification.recall,
                    "recall_least": one.classification.recall_least,
                }
                for one in judged
            ]
        )
    else:
        for one in judged:
            found = one.classification
            echo_line(
                f"{one.guard} ({one.dialect}): hostile {found.hostile_refused} refused, {found.hostile_accepted} accepted; "
                f"legitimate {found.legitimate_accepted} accepted, {found.legitimate_refused} refused"
            )
            click.echo(
                f"  precision {_format(found.precision)}, recall {_format(found.recall)} "
                f"(at least {_format(found.recall_least)} at 95 %), false alarms {_format(found.false_alarm_ratio, math.ceil)}; "
                f"one review p50 {one.p50_ms:.2f} ms, p95 {one.p95_ms:.2f} ms"
            )
            for name in one.wrong:
                echo_line(f"  judged wrongly: {name}")
    return ExitCode.GATE_FAILED if any(one.wrong for one in judged) else ExitCode.PASSED


def _format(ratio: float | None, towards_worse: Callable[[float], int] = math.floor) -> str:
    # So that 1.0000 is shown only when it is 1, and no false alarm at all only when there was none.
    return "not known" if ratio is None else f"{towards_worse(ratio * 10_000) / 10_000:.4f}"
