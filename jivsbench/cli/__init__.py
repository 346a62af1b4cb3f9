"""The command line: the only place that prints or exits.

Commands live in modules of their own and are imported when they are called, so that `--help` stays fast.
"""

import sys
from typing import NoReturn

from jivsbench.cli.root import root
from jivsbench.errors import JivsbenchError
from jivsbench.exitcodes import ExitCode


def main() -> NoReturn:
    """Run one command and leave with its exit code. An error that a user can meet is one line, never a traceback."""
    import click

    try:
        status = root.main(standalone_mode=False)
    except JivsbenchError as exc:
        from jivsbench.cli.failure import exit_code_of
        from jivsbench.report.literal import disarm, show_on_one_line

        click.echo(disarm(f"error: {show_on_one_line(str(exc))}"), err=True)
        sys.exit(exit_code_of(exc))
    except click.ClickException as exc:
        exc.show()
        sys.exit(ExitCode.USAGE)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone, as in `jivsbench plugins | head`.
        sys.stderr.close()
        sys.exit(ExitCode.PASSED)
    sys.exit(status or ExitCode.PASSED)
