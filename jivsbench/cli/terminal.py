"""Shows progress (on stderr) and results (on stdout): live and coloured on a terminal, plain lines elsewhere."""

import json
import sys
import time
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.live import Live
from rich.markup import escape

from jivsbench.app.progress import Event, LiveLoad, Note, Step
from jivsbench.cli.closed_output import ClosedOutputError, leave_outputs
from jivsbench.cli.durations import format_seconds
from jivsbench.cli.live import build_panel, describe_load
from jivsbench.load.progress import LoadMachines, LoadProgress
from jivsbench.report.literal import disarm, show_in_log, show_literally

_PLAIN_PERIOD_S = 10.0


class _ResultConsole(Console):
    """A console whose reader may go away: rich would end the process, with the exit code of a failed gate."""

    def on_broken_pipe(self) -> None:
        """What rich calls then."""
        raise ClosedOutputError


class _ProgressConsole(Console):
    """One that nobody need read: what is being measured goes on to its end."""

    def on_broken_pipe(self) -> None:
        """What rich calls then: from now on it says nothing."""
        self.quiet = True
        leave_outputs([sys.stderr.fileno()])


class Terminal:
    """A listener for use cases. As a context manager it owns the live line of a terminal."""

    def __init__(self) -> None:
        self._console = _ProgressConsole(stderr=True, highlight=False, soft_wrap=True)
        self._started_s = time.monotonic()
        self._last_plain_s = -_PLAIN_PERIOD_S
        self._machines: LoadMachines | None = None
        self._live: Live | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end_live()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Step(text=text, expected_s=expected_s):
                self._end_live()
                # The clock of the next load begins anew.
                self._last_plain_s = -_PLAIN_PERIOD_S
                about = f" (about {format_seconds(expected_s)})" if expected_s and expected_s >= 1 else ""
                self._console.print(f"[dim]{self._elapsed()}[/]  {show(text)}[dim]{about}[/]")
            case Note(text=text):
                self._console.print(f"      [yellow]note:[/] {show(text)}")
            case LoadMachines():
                self._show_machines(event)
            case LoadProgress():
                self._show_load(LiveLoad(event))
            case LiveLoad():
                self._show_load(event)

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._started_s), 60)
        return f"{minutes:2d}:{seconds:02d}"

    def _show_machines(self, machines: LoadMachines) -> None:
        """Only when it changes: it is told every second."""
        if machines != self._machines:
            self._machines = machines
            joined = f"{machines.joined} of {machines.expected} load machines have joined"
            self._console.print(f"       {joined} at {show(machines.address)}")

    def _show_load(self, live: LiveLoad) -> None:
        load = live.progress
        if self._console.is_terminal:
            self._show_panel(live)
        elif load.elapsed_s - self._last_plain_s >= _PLAIN_PERIOD_S:
            self._last_plain_s = load.elapsed_s
            left = format_seconds(max(load.total_s - load.elapsed_s, 0))
            self._console.print(f"       block {load.block + 1} of {load.blocks}, {describe_load(live)}, about {left} left")

    def _show_panel(self, live: LiveLoad) -> None:
        if self._live is None:
            self._live = Live(console=self._console, transient=True, auto_refresh=False)
            self._live.start()
        self._live.update(build_panel(live), refresh=True)

    def _end_live(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    # Only a text within it can hold this, and reads as the same text: GitHub's runner obeys it anywhere in a line.
    click.echo(json.dumps(value, indent=2, ensure_ascii=False).replace("##[", "\\u0023#["))


def show(text: str) -> str:
    """Text of a run or a file, within a line of a console: it may neither colour, move the cursor, begin a line nor order CI."""
    return escape(show_in_log(text))


def echo_line(line: str) -> None:
    """One line on stdout that begins with text of a run or a file: it may not be one that CI obeys."""
    click.echo(disarm(show_literally(line).replace("\n", "[U+000A]")))


def result_console() -> Console:
    """The console for results, on stdout."""
    return _ResultConsole(highlight=False)
