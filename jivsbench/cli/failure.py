"""How an error is told, and which exit code it ends with."""

import click

from jivsbench.cli.closed_output import last_words
from jivsbench.errors import (
    EnvironmentProblem,
    ExtractionError,
    InterruptedRunError,
    InvalidRunError,
    JivsbenchError,
    UsageError,
)
from jivsbench.exitcodes import ExitCode
from jivsbench.model.summary import Verdict, VerdictOutcome
from jivsbench.report.literal import show_in_log

_BY_CLASS = (
    (UsageError, ExitCode.USAGE),
    (EnvironmentProblem, ExitCode.ENVIRONMENT),
    (InvalidRunError, ExitCode.INVALID),
    (InterruptedRunError, ExitCode.INTERRUPTED),
    (ExtractionError, ExitCode.GATE_FAILED),
)
_BY_OUTCOME = {
    VerdictOutcome.PASSED: ExitCode.PASSED,
    VerdictOutcome.CONDITIONAL: ExitCode.CONDITIONAL,
    VerdictOutcome.FAILED: ExitCode.GATE_FAILED,
    VerdictOutcome.INVALID: ExitCode.INVALID,
}


def exit_code_of(error: JivsbenchError) -> ExitCode:
    """The exit code of an error, by the nearest class of the tree."""
    return next((code for kind, code in _BY_CLASS if isinstance(error, kind)), ExitCode.GATE_FAILED)


def exit_code_of_verdict(verdict: Verdict) -> ExitCode:
    """The exit code of a judged run."""
    return _BY_OUTCOME[verdict.outcome]


def tell_error(error: JivsbenchError) -> ExitCode:
    """Say it in one line on stderr. Returns its exit code, which stands whether anybody reads the line or not."""
    with last_words():
        click.echo(f"error: {show_in_log(str(error))}", err=True)
    return exit_code_of(error)
