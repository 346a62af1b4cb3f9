"""Plays the blocks of a load one after the other, and says once a second how it goes."""

import logging
import time
from collections.abc import Callable
from typing import Final

import gevent

from jivsbench.load.blocks import OpenBlock
from jivsbench.load.progress import LoadProgress
from jivsbench.load.recorder import Recorder
from jivsbench.load.shape import curve_duration_s, user_changes, users_planned_max
from jivsbench.load.spec import LoadOutcome, LoadSpec
from jivsbench.load.worker.alarm import Alarm
from jivsbench.load.worker.crew import Crew
from jivsbench.load.worker.heartbeat import Heartbeat
from jivsbench.model.record import BlockRow, GeneratorFacts
from jivsbench.model.scenario import Block

# A sleep of 0 would only let other greenlets run, not the sockets.
_PAUSE_S: Final = 0.0005
_NS_PER_S: Final = 1_000_000_000

_log = logging.getLogger(__name__)


class Player:
    """One load from its first block to its last."""

    def __init__(self, spec: LoadSpec, crew: Crew, recorder: Recorder, on_crash: Callable[[BaseException], object]) -> None:
        self._spec = spec
        self._crew = crew
        self._recorder = recorder
        self._origin_ns = 0
        self._changes = user_changes(spec.stages)
        self._duration_ns = round(curve_duration_s(spec.stages) * _NS_PER_S)
        self._heartbeat = Heartbeat()
        self._block: OpenBlock | None = None
        self._on_crash = on_crash
        self._offering: gevent.Greenlet | None = None
        self._is_cut = False

    def play(self, tell: Callable[[LoadProgress], object]) -> LoadOutcome:
        """Play every block. Returns once the last operation has ended."""
        self._origin_ns = time.monotonic_ns()
        self._recorder.begin(self._origin_ns)
        cpu_s = time.process_time()
        self._heartbeat.start()
        ticker = gevent.spawn(self._tick, tell)
        ticker.link_exception(lambda dead: self._on_crash(dead.exception))
        try:
            with Alarm() as alarm:
                # Asked anew before each block.
                rows = tuple(self._play_block(plan, alarm) for plan in self._spec.blocks if not self._is_cut)
        finally:
            ticker.kill()
            self._heartbeat.stop()
            _log.warning("heartbeat lag: %s", self._heartbeat.describe())
        wall_s = (time.monotonic_ns() - self._origin_ns) / _NS_PER_S
        return LoadOutcome(
            blocks=rows,
            totals=tuple((arm.arm, self._recorder.totals(arm.arm)) for arm in self._spec.arms),
            generator=self._describe_generator(wall_s, time.process_time() - cpu_s),
            started_ns=self._origin_ns,
        )

    def cut(self) -> None:
        """From now on no iteration begins, in this block or another; `play` returns once what is in flight has ended."""
        self._is_cut = True
        if self._offering is not None:
            self._offering.kill(block=False)

    def _play_block(self, plan: Block, alarm: Alarm) -> BlockRow:
        start_ns = time.monotonic_ns()
        block = self._block = OpenBlock(plan, start_ns)
        self._recorder.open_block(block)
        self._crew.open(block)
        # A greenlet of its own: to end it is to cut the block, wherever in its curve it is.
        self._offering = gevent.spawn(self._offer, start_ns, alarm)
        try:
            self._offering.get()
        finally:
            self._offering.kill()
        block.close(time.monotonic_ns())
        self._crew.drain(self._spec.drain_limit_s)
        return block.build_row(self._origin_ns)

    def _offer(self, start_ns: int, alarm: Alarm) -> None:
        """The block's curve, from its beginning to its end."""
        for change in self._changes:
            due_ns = start_ns + round(change.at_s * _NS_PER_S)
            if due_ns > start_ns:
                alarm.wait_until(due_ns)
            self._crew.set_users(change.users, due_ns)
            self._note_users()
        alarm.wait_until(start_ns + self._duration_ns)

    def _tick(self, tell: Callable[[LoadProgress], object]) -> None:
        with Alarm() as alarm:
            due_ns = self._origin_ns
            while True:
                due_ns += _NS_PER_S
                alarm.wait_until(due_ns)
                self._recorder.flush(time.monotonic_ns(), lambda: gevent.sleep(_PAUSE_S))
                self._note_users()
                tell(self._describe())

    def _note_users(self) -> None:
        if self._block is not None:
            self._recorder.note_users(self._block, time.monotonic_ns(), self._crew.users)

    def _describe(self) -> LoadProgress:
        assert self._block is not None, "a block is set before the ticker runs"
        plan = self._block.plan
        recent = self._recorder.recent(plan.arm)
        p50_ns, p95_ns, p99_ns = recent.job_percentiles_ns()
        return LoadProgress(
            elapsed_s=(time.monotonic_ns() - self._origin_ns) / _NS_PER_S,
            total_s=self._duration_ns * len(self._spec.blocks) / _NS_PER_S,
            arm=plan.arm,
            block=plan.index,
            blocks=len(self._spec.blocks),
            users=self._crew.users,
            jobs=recent.jobs,
            rows=recent.rows,
            rows_per_min=recent.rows_per_min(),
            job_p50_ns=p50_ns,
            job_p95_ns=p95_ns,
            job_p99_ns=p99_ns,
            jobs_per_s=recent.jobs_per_s(),
            errors=recent.errors,
            lag_p99_ns=self._lag_p99_ns(),
        )

    def _lag_p99_ns(self) -> float | None:
        """How late calls were sent; the length of the longest freeze of the generator, when there was one."""
        known = [lag for lag in (self._recorder.lag_p99_ns(), self._heartbeat.freeze_ns()) if lag is not None]
        return max(known, default=None)

    def _describe_generator(self, wall_s: float, cpu_s: float) -> GeneratorFacts:
        return GeneratorFacts(
            cpu_ratio=cpu_s / wall_s if wall_s > 0 else None,
            lag_p99_ns=self._lag_p99_ns(),
            users_planned_max=users_planned_max(self._spec.stages),
            users_reached_max=self._crew.reached_max,
            operations=self._recorder.operations,
            wall_s=wall_s,
        )
