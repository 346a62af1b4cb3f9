"""Shows progress (on stderr) and results (on stdout): live and coloured on a terminal, plain lines elsewhere."""

import json
import time
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from jivsbench.app.progress import Event, Note, Step
from jivsbench.load.progress import LoadMachines, LoadProgress

_NS_PER_MS = 1e6
_PLAIN_PERIOD_S = 10.0


class Terminal:
    """A listener for use cases. As a context manager it owns the live line of a terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._started_s = time.monotonic()
        self._last_plain_s = -_PLAIN_PERIOD_S
        self._machines: LoadMachines | None = None
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end_bar()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Step(text=text, expected_s=expected_s):
                self._end_bar()
                about = f" (about {format_seconds(expected_s)})" if expected_s and expected_s >= 1 else ""
                self._console.print(f"[dim]{self._elapsed()}[/]  {escape(text)}[dim]{about}[/]")
            case Note(text=text):
                self._console.print(f"      [yellow]note:[/] {escape(text)}")
            case LoadMachines():
                self._show_machines(event)
            case LoadProgress():
                self._show_load(event)

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._started_s), 60)
        return f"{minutes:2d}:{seconds:02d}"

    def _show_machines(self, machines: LoadMachines) -> None:
        """Only when it changes: it is told every second."""
        if machines != self._machines:
            self._machines = machines
            joined = f"{machines.joined} of {machines.expected} load machines have joined"
            self._console.print(f"       {joined} at {escape(machines.address)}")

    def _show_load(self, load: LoadProgress) -> None:
        if self._console.is_terminal:
            self._show_bar(load)
        elif load.elapsed_s - self._last_plain_s >= _PLAIN_PERIOD_S:
            self._last_plain_s = load.elapsed_s
            left = format_seconds(max(load.total_s - load.elapsed_s, 0))
            self._console.print(f"       block {load.block + 1} of {load.blocks}, {_describe(load)}, about {left} left")

    def _show_bar(self, load: LoadProgress) -> None:
        if self._bar is None:
            columns = (TextColumn("     "), BarColumn(24), TimeRemainingColumn(compact=True), TextColumn("{task.description}"))
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._task = self._bar.add_task("", total=load.total_s)
            self._bar.start()
        self._bar.update(self._task, completed=load.elapsed_s, total=load.total_s, description=escape(_describe(load)))

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _describe(load: LoadProgress) -> str:
    p95 = "-" if load.job_p95_ns is None else f"{load.job_p95_ns / _NS_PER_MS:.0f} ms"
    return f"{load.arm}: {load.users} users, {load.rows_per_min:,.0f} records/min, p95 {p95}, {load.errors} errors"


def format_seconds(duration_s: float) -> str:
    """A duration as people say it.

    >>> format_seconds(95)
    '1 min 35 s'
    """
    minutes, seconds = divmod(round(duration_s), 60)
    if not minutes:
        return f"{seconds} s"
    return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def result_console() -> Console:
    """The console for results, on stdout."""
    return Console(highlight=False)
