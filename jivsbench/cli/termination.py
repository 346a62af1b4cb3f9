"""SIGTERM, which `timeout`, `docker stop` and a cancelled CI job send: by it a command ends as by Ctrl-C, and cleans up.

Commands with an end of their own for it (`serve` once it accepts requests) replace the handler; children never inherit it.
"""

import signal
from types import FrameType, TracebackType
from typing import Self

from jivsbench.exitcodes import ExitCode


class Terminated(KeyboardInterrupt):
    """Raised wherever the main thread is when SIGTERM arrives."""


class Termination:
    """While it is entered, SIGTERM raises Terminated. Whoever had it ignored, as `nohup` has its signal, keeps that."""

    def __init__(self) -> None:
        self._is_asked = False
        self._is_ours = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

    def __enter__(self) -> Self:
        if self._is_ours:
            signal.signal(signal.SIGTERM, self._end)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._is_ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def exit_code_after(self, status: int) -> int:
        """What the process tells the shell: that it was terminated, if it was, else how the command ended."""
        return ExitCode.TERMINATED if self._is_asked else status

    def _end(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        # Once: `timeout` sends it to the process and then to its group, and the second one would cut the cleaning up short.
        if not self._is_asked:
            self._is_asked = True
            raise Terminated("SIGTERM")
