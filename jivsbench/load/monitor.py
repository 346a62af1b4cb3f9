"""Looks at everything under load once a second from outside: the targets, and the servers behind them.

Runs in the parent, in threads. What cannot be read is None; a look that fails never disturbs the run. Every look goes to
monitor.jsonl at once and is read back from there, so that memory stays the same however long the load is.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from pydantic import TypeAdapter, ValidationError

from jivsbench.analysis.condensing import condense
from jivsbench.errors import InvalidRunError
from jivsbench.extract.folders import write_whole
from jivsbench.load.intervals import open_for_owner
from jivsbench.load.phase_metrics import PhaseCounters, add_phases, subtract_phases
from jivsbench.load.server_probe import ServerAccess, ServerWatch
from jivsbench.load.spec import LoadArm
from jivsbench.load.target_probe import TargetProbe, count_on, read_counts
from jivsbench.model.monitor_rows import MonitorFacts, MonitorRow, ServerRecord, ServerRow
from jivsbench.model.phase_times import PhaseTimes

_PERIOD_S: Final = 1.0
_NS_PER_S: Final = 1e9

MONITOR_FILENAME: Final = "monitor.jsonl"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MonitorLine:
    """One look at a target in monitor.jsonl. `row.second` counts from the monitor's start."""

    arm: str
    row: MonitorRow


@dataclass(frozen=True, slots=True)
class ServerLine:
    """One look at the servers in monitor.jsonl."""

    servers: ServerRow


def read_monitor(path: Path, arm: str, lead_s: float) -> tuple[MonitorRow, ...]:
    """The looks at one arm that a file holds, in seconds since the load started, which was `lead_s` after the monitor.

    Of a long load only so many rows, see `condense`.

    A last line that was cut off, and a file that was never written, hold nothing. Raises InvalidRunError for any other line
    that cannot be read.
    """
    looks = (line.row for line in _read_lines(path) if isinstance(line, MonitorLine) and line.arm == arm)
    rows = (replace(row, second=row.second - lead_s) for row in looks)
    return condense([row for row in rows if row.second >= 0])


def read_looks(path: Path) -> tuple[tuple[str, MonitorRow], ...]:
    """The looks at targets in a monitor.jsonl, each with its arm. Raises InvalidRunError when a line cannot be read."""
    return tuple((line.arm, line.row) for line in _read_lines(path) if isinstance(line, MonitorLine))


def _read_lines(path: Path) -> Iterator[MonitorLine | ServerLine]:
    adapter: TypeAdapter[MonitorLine | ServerLine] = TypeAdapter(MonitorLine | ServerLine)
    try:
        if path.is_file():
            with path.open("rb") as lines:
                yield from (adapter.validate_json(line) for line in lines if line.endswith(b"\n"))
    except ValidationError as exc:
        raise InvalidRunError(f"a line of {path} is no look of the monitor: the file was cut short or changed") from exc


class Monitor:
    """Watches from entry to exit of its block; the first look is taken at once, the last one at the end."""

    def __init__(self, arms: Sequence[LoadArm], path: Path, servers: ServerAccess | None = None) -> None:
        self._probes = [TargetProbe(arm) for arm in arms]
        self._gone: list[TargetProbe] = []
        self._looking = threading.Lock()
        self._latest: dict[str, MonitorRow] = {}
        self._known: dict[str, dict[str, float]] = {}
        """Of each arm the last that was read of all that counts up: of what a look could not read, an earlier count."""
        self._counted: dict[str, dict[str, float]] = {}
        """What the processes of an arm that have ended add to the counts of its present one."""
        self._phases: dict[str, list[tuple[PhaseCounters | None, PhaseCounters | None]]] = {}
        self._path = path
        self._lock = threading.Lock()
        self._lines: IO[bytes] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="monitor", daemon=True)
        self._servers = None if servers is None else ServerWatch(servers, lambda row: self._write(_dump(ServerLine(row))))
        self._started_ns = self._ended_ns = time.monotonic_ns()
        self._broke_ns: int | None = None
        self._looks = self._missed = 0
        self._cpu_s = 0.0

    def __enter__(self) -> Self:
        self._started_ns = time.monotonic_ns()
        try:
            self._lines = open_for_owner(self._path)
        except OSError as exc:
            _log.error("the monitor ended early: its file cannot be written (%s)", type(exc).__name__)
            return self
        self._begin_phases()
        self._thread.start()
        if self._servers is not None:
            self._servers.start(self._started_ns)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        if self._lines is None:
            return
        self._thread.join()
        if self._servers is not None:
            self._servers.stop()
        self._end_phases()
        self._ended_ns = time.monotonic_ns()
        if self._broke_ns is not None:
            self._missed += int((self._ended_ns - self._broke_ns) / _NS_PER_S / _PERIOD_S)
        self._lines.close()

    def look_away(self) -> None:
        """The targets are about to end. What counts up goes on from where they left it once others are followed."""
        with self._looking:
            if self._lines is None:
                return
            try:
                self._look()
            except OSError as exc:
                _log.error("the monitor could not keep its last look at targets that end (%s)", type(exc).__name__)
            self._end_phases()

    def follow(self, arms: Sequence[LoadArm]) -> None:
        """From now on these are the targets, after `look_away`."""
        with self._looking:
            if self._lines is None:
                return
            self._probes = [TargetProbe(arm) for arm in arms]
            for probe in self._probes:
                self._leave_out_start(probe)
            self._begin_phases()

    def latest(self, arm: str) -> MonitorRow | None:
        """The last look at one arm; None before the first."""
        return self._latest.get(arm)

    def rows(self, arm: str, since_ns: int | None = None) -> tuple[MonitorRow, ...]:
        """The looks at one arm so far. With `since_ns` (monotonic clock) only those since then, in seconds since then."""
        return () if self._lines is None else read_monitor(self._path, arm, self._offset_s(since_ns))

    def server_record(self, since_ns: int | None = None) -> ServerRecord | None:
        """What the servers did, by the same clock as `rows`; None when nobody looked. Called after the block."""
        if self._servers is None:
            return None
        offset_s = self._offset_s(since_ns)
        found = (line.servers for line in self._read() if isinstance(line, ServerLine))
        rows = [replace(row, second=row.second - offset_s) for row in found if since_ns is None or row.second >= offset_s]
        return ServerRecord(condense(rows), self._servers.probe.statements(), tuple(self._servers.probe.not_told))

    def phases(self, arm: str) -> PhaseTimes | None:
        """Where the jobs of one arm spent their time while it was watched. Called after the block."""
        spans = self._phases.get(arm, [])
        known = [(before, after) for before, after in spans if before is not None and after is not None]
        if not known or len(known) < len(spans):
            return None
        befores, afters = zip(*known, strict=True)
        return subtract_phases(add_phases(befores), add_phases(afters))

    def facts(self) -> MonitorFacts:
        """What watching cost. Called after the block."""
        wall_s = (self._ended_ns - self._started_ns) / _NS_PER_S
        cpu_s = self._cpu_s + (self._servers.cpu_s if self._servers else 0.0)
        answers = sum(probe.answers for probe in self._gone)
        answer_s = sum(probe.answers_s for probe in self._gone) / answers if answers else None
        return MonitorFacts(self._looks, self._missed, cpu_s / wall_s if wall_s > 0 else None, answer_s)

    def _offset_s(self, since_ns: int | None) -> float:
        return 0.0 if since_ns is None else (since_ns - self._started_ns) / _NS_PER_S

    def _read(self) -> Iterator[MonitorLine | ServerLine]:
        return iter(()) if self._lines is None else _read_lines(self._path)

    def _write(self, line: bytes) -> None:
        assert self._lines is not None
        with self._lock:
            write_whole(self._lines.fileno(), line)

    def _watch(self) -> None:
        try:
            self._look_until_stopped()
        except Exception as exc:  # noqa: BLE001 - a monitor that breaks must not end a load that measures; its rows so far remain
            _log.error("the monitor ended early (%s)", type(exc).__name__)
            self._broke_ns = time.monotonic_ns()
        finally:
            self._cpu_s = time.thread_time()

    def _look_until_stopped(self) -> None:
        ticks = 0
        while True:
            is_last = self._stop.is_set()
            with self._looking:
                self._look()
            if is_last:
                return
            elapsed_s = (time.monotonic_ns() - self._started_ns) / _NS_PER_S
            # On the grid of the start: a slow look skips ticks, it never shifts them.
            following = max(ticks + 1, int(elapsed_s / _PERIOD_S) + 1)
            self._missed += following - ticks - 1
            ticks = following
            self._stop.wait(ticks * _PERIOD_S - elapsed_s)

    def _look(self) -> None:
        """Nothing between two processes of an arm: then there is nobody to look at."""
        for probe in self._probes:
            row = probe.look((time.monotonic_ns() - self._started_ns) / _NS_PER_S)
            row = count_on(row, self._counted.get(probe.arm, {}))
            self._latest[probe.arm] = row
            self._known[probe.arm] = self._known.get(probe.arm, {}) | read_counts(row)
            self._write(_dump(MonitorLine(probe.arm, row)))
        self._looks += bool(self._probes)

    def _leave_out_start(self, probe: TargetProbe) -> None:
        """What a process took to start is none of its load, as with the first one, whose first look comes after its start."""
        counted, spent_s = self._counted.get(probe.arm, {}), probe.read_cpu_s()
        if "cpu_s" in counted and spent_s is not None:
            counted["cpu_s"] -= spent_s

    def _begin_phases(self) -> None:
        for probe in self._probes:
            self._phases.setdefault(probe.arm, []).append((probe.read_phases(), None))

    def _end_phases(self) -> None:
        for probe in self._probes:
            spans = self._phases[probe.arm]
            spans[-1] = (spans[-1][0], probe.read_phases())
            self._counted[probe.arm] = dict(self._known.get(probe.arm, {}))
            probe.close()
        self._gone += self._probes
        self._probes = []


_TARGET_LINES: Final = TypeAdapter(MonitorLine)
_SERVER_LINES: Final = TypeAdapter(ServerLine)


def _dump(line: MonitorLine | ServerLine) -> bytes:
    content = _SERVER_LINES.dump_json(line) if isinstance(line, ServerLine) else _TARGET_LINES.dump_json(line)
    return content + b"\n"
