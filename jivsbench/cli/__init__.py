"""The command line: the only place that prints or exits.

Commands live in modules of their own and are imported when they are called, so that `--help` stays fast.
"""

import sys
from typing import NoReturn

from jivsbench.cli.closed_output import ClosedOutputError, last_words, leave_outputs
from jivsbench.cli.root import root
from jivsbench.cli.termination import Termination
from jivsbench.errors import JivsbenchError
from jivsbench.exitcodes import ExitCode


def main() -> NoReturn:
    """Run one command and leave with its exit code. An error that a user can meet is one line, never a traceback."""
    import click

    with Termination() as termination:
        try:
            status = _run()
        except (KeyboardInterrupt, click.Abort):
            with last_words():
                click.echo("interrupted", err=True)
            status = ExitCode.INTERRUPTED
    sys.exit(termination.exit_code_after(status))


def _run() -> int:
    import click

    try:
        return root.main(standalone_mode=False) or ExitCode.PASSED
    except JivsbenchError as exc:
        from jivsbench.cli.failure import tell_error

        return tell_error(exc)
    except click.ClickException as exc:
        with last_words():
            exc.show()
        return ExitCode.USAGE
    except ClosedOutputError:
        leave_outputs()
        return ExitCode.UNREAD
    except BrokenPipeError:
        # After Ctrl-C click ends the line of the terminal, outside of any command.
        leave_outputs()
        return ExitCode.INTERRUPTED
