"""SIGTERM, which `timeout`, `docker stop` and a cancelled CI job send, and SIGHUP, which a terminal sends that goes away.

By either a command ends as by Ctrl-C, and cleans up. Commands with an end of their own for them (`serve` once it accepts
requests) replace the handlers; children never inherit them.
"""

import os
import signal
from types import FrameType, TracebackType
from typing import Final, Self

from jivsbench.cli.closed_output import OUTPUTS, leave_outputs
from jivsbench.exitcodes import ExitCode

_CODES: Final = {signal.SIGTERM: ExitCode.TERMINATED, signal.SIGHUP: ExitCode.HUNG_UP}


class Terminated(KeyboardInterrupt):
    """Raised wherever the main thread is when SIGTERM or SIGHUP arrives; its text is the signal's name."""


class Termination:
    """While it is entered, either signal raises Terminated. Whoever had one ignored, as `nohup` has SIGHUP, keeps that."""

    def __init__(self) -> None:
        self._asked_by: signal.Signals | None = None
        self._ours = [number for number in _CODES if signal.getsignal(number) is signal.SIG_DFL]
        self._terminals = [output for output in OUTPUTS if os.isatty(output)]

    def __enter__(self) -> Self:
        for number in self._ours:
            signal.signal(number, self._end)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number in self._ours:
            signal.signal(number, signal.SIG_DFL)

    def exit_code_after(self, status: int) -> int:
        """What the process tells the shell: the signal that ended it, if one did, else how the command ended."""
        return status if self._asked_by is None else _CODES[self._asked_by]

    def _end(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number == signal.SIGHUP:
            self._leave_terminals()
        # Once: `timeout` sends it to the process and then to its group, and the second one would cut the cleaning up short.
        if self._asked_by is None:
            self._asked_by = signal.Signals(number)
            raise Terminated(self._asked_by.name)

    def _leave_terminals(self) -> None:
        """To write to a terminal that is gone is an error, which would end the cleaning up at its first word."""
        leave_outputs(self._terminals)
