"""A run that was cut off: what is written when its load begins, and the record that its samples still give."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jivsbench.analysis.cut_off import rebuild_blocks, rebuild_totals
from jivsbench.analysis.evidence import build_planned_arm
from jivsbench.errors import InvalidRunError
from jivsbench.load.intervals import INTERVALS_FILENAME, read_intervals
from jivsbench.load.launcher import Hear
from jivsbench.load.monitor import MONITOR_FILENAME, read_monitor
from jivsbench.load.progress import LoadMachines, LoadProgress
from jivsbench.model.monitor_rows import MonitorRow
from jivsbench.model.record import FORMAT_VERSION, ArmRecord, Environment, Plan, RunRecord, RunStart
from jivsbench.model.sample import Interval
from jivsbench.report.bundle import RUN_FILENAME, read_record, read_start, write_start


@dataclass(frozen=True, slots=True)
class LoadStart:
    """Writes start.json as soon as the load says that it is under way."""

    folder: Path
    plan: Plan
    environment: Environment
    started: datetime

    def note(self, guards: Mapping[str, tuple[str, ...]], listener: Hear) -> Hear:
        """A listener that writes it at the first progress, and passes everything on. The monitor must have begun just now."""
        monitor_s = time.monotonic()
        is_written = False

        def listen(progress: LoadProgress | LoadMachines) -> None:
            nonlocal is_written
            # Machines that still gather are no load yet.
            if isinstance(progress, LoadProgress) and not is_written:
                is_written = True
                lead_s = time.monotonic() - progress.elapsed_s - monitor_s
                write_start(self.folder, self._build(guards, max(lead_s, 0.0)))
            listener(progress)

        return listen

    def _build(self, guards: Mapping[str, tuple[str, ...]], lead_s: float) -> RunStart:
        return RunStart(
            format_version=FORMAT_VERSION,
            run_id=self.folder.name,
            started_at=self.started.isoformat(timespec="seconds"),
            plan=self.plan,
            environment=self.environment,
            guards=tuple(guards.items()),
            monitor_lead_s=lead_s,
        )


def read_or_rebuild(folder: Path) -> RunRecord:
    """The record of a run: as it was written at its end, or rebuilt from the samples of one that never came to its end.

    Raises ConfigError when the folder holds neither.
    """
    start = None if not folder.is_dir() or (folder / RUN_FILENAME).is_file() else read_start(folder)
    if start is None:
        return read_record(folder)
    arms = salvage_arms(folder)
    lasted_s = max((block.drained_ns / 1e9 for arm in arms for block in arm.blocks), default=0.0)
    planned_s = start.plan.scenario.duration_s * len(start.plan.blocks)
    return RunRecord(
        format_version=start.format_version,
        run_id=start.run_id,
        started_at=start.started_at,
        duration_s=lasted_s,
        plan=start.plan,
        environment=start.environment,
        arms=arms,
        generator=None,
        checks=(),
        score=None,
        invalid=(
            f"PARTIAL: the run was cut off after {lasted_s:.0f} s of {planned_s:.0f} s of load; what was under way is unknown",
        ),
        is_partial=True,
    )


def salvage_arms(folder: Path) -> tuple[ArmRecord, ...]:
    """What the samples in a folder say of every arm; nothing when the load never said that it was under way."""
    start = read_start(folder)
    if start is None:
        return ()
    guards = dict(start.guards)
    blocks = rebuild_blocks(start.plan, _read(folder))
    played = {block.arm for block in blocks}
    return tuple(
        build_planned_arm(
            start.plan,
            profile,
            guards.get(profile.name, ()),
            lambda: _read(folder),
            blocks,
            rebuild_totals(profile.name, _read(folder)),
            _read_monitor(folder, profile.name, start.monitor_lead_s),
        )
        for profile in start.plan.profiles
        if profile.name in played
    )


def _read_monitor(folder: Path, arm: str, lead_s: float) -> tuple[MonitorRow, ...]:
    try:
        return read_monitor(folder / MONITOR_FILENAME, arm, lead_s)
    except InvalidRunError:
        return ()


def _read(folder: Path) -> Iterator[Interval]:
    try:
        yield from read_intervals(folder / INTERVALS_FILENAME, is_cut_off=True)
    except InvalidRunError:
        # Whatever stands before a line that cannot be read was measured.
        return
