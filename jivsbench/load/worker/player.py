"""Plays the blocks of a load one after the other, and says once a second how it goes."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import gevent

from jivsbench.load.blocks import OpenBlock
from jivsbench.load.messages import Rest
from jivsbench.load.progress import LoadProgress
from jivsbench.load.recorder import Recorder
from jivsbench.load.shape import curve_duration_s
from jivsbench.load.spec import LoadArm, LoadOutcome, LoadSpec
from jivsbench.load.worker.alarm import PACING, Alarm
from jivsbench.load.worker.cpu_clock import read_cpu_s
from jivsbench.load.worker.heartbeat import Heartbeat
from jivsbench.load.worker.loop import Loop
from jivsbench.load.worker.open_loop import OpenLoop
from jivsbench.load.worker.own_cpu import CpuWatch
from jivsbench.load.worker.own_machine import MachineWatch
from jivsbench.load.worker.precedence import describe_precedence
from jivsbench.model.record import BlockRow, GeneratorFacts
from jivsbench.model.scenario import Block

# A sleep of 0 would only let other greenlets run, not the sockets.
_PAUSE_S: Final = 0.0005
_NS_PER_S: Final = 1_000_000_000

_log = logging.getLogger(__name__)


class Player:
    """One load from its first block to its last."""

    def __init__(
        self,
        spec: LoadSpec,
        loop: Loop[Any],
        recorder: Recorder,
        on_crash: Callable[[BaseException], object],
        rest: Rest,
    ) -> None:
        self._spec = spec
        self._loop = loop
        self._recorder = recorder
        self._origin_ns = 0
        self._duration_ns = round(curve_duration_s(spec.stages) * _NS_PER_S)
        self._heartbeat = Heartbeat()
        self._machine = MachineWatch()
        self._cpu = CpuWatch()
        self._block: OpenBlock | None = None
        self._on_crash = on_crash
        self._offering: gevent.Greenlet | None = None
        self._is_cut = False
        self._rest = rest
        self._rests_since_ns: int | None = None
        self._rested_ns = 0
        self._pids = _map_pids(spec.arms)

    def play(self, tell: Callable[[LoadProgress], object], start_ns: int | None = None) -> LoadOutcome:
        """Play every block, the first one from `start_ns` on. Returns once the last operation has ended."""
        with Alarm() as alarm:
            if start_ns is not None:
                alarm.wait_until(start_ns)
            self._heartbeat.start()
            self._machine.start()
            self._cpu.look(0.0, time.process_time())
            self._origin_ns = time.monotonic_ns() if start_ns is None else start_ns
            self._recorder.begin(self._origin_ns)
            ticker = gevent.spawn(self._tick, tell)
            ticker.link_exception(lambda dead: self._on_crash(dead.exception))
            try:
                rows = self._play_blocks(alarm)
            finally:
                ticker.kill()
                self._heartbeat.stop()
                _log.warning("heartbeat lag: %s", self._heartbeat.describe())
        self._cpu.look(self._elapsed_s(), time.process_time())
        wall_s = (time.monotonic_ns() - self._origin_ns) / _NS_PER_S
        return LoadOutcome(
            blocks=rows,
            totals=tuple((arm.arm, self._recorder.totals(arm.arm)) for arm in self._spec.arms),
            generator=self._describe_generator(wall_s),
            started_ns=self._origin_ns,
        )

    def cut(self) -> None:
        """From now on no iteration begins, in this block or another; `play` returns once what is in flight has ended."""
        self._is_cut = True
        if self._offering is not None:
            self._offering.kill(block=False)

    def _play_blocks(self, alarm: Alarm) -> tuple[BlockRow, ...]:
        rows: list[BlockRow] = []
        for plan in self._spec.blocks:
            if self._is_cut:
                break
            rows.append(self._play_block(plan, alarm))
            if len(rows) in self._spec.rests and not self._rest_after(rows):
                break
        return tuple(rows)

    def _rest_after(self, rows: Sequence[BlockRow]) -> bool:
        """Rest until the parent has answered. False when the load ends here."""
        rests_since_ns = self._rests_since_ns = time.monotonic_ns()
        arms = self._rest(rows)
        if arms:
            self._pids = _map_pids(arms)
            self._loop.renew(arms)
        self._rests_since_ns = None
        self._rested_ns += time.monotonic_ns() - rests_since_ns
        return arms is not None

    def _elapsed_s(self) -> float:
        """Since the load began, without its rests."""
        now_ns = time.monotonic_ns() if self._rests_since_ns is None else self._rests_since_ns
        return (now_ns - self._origin_ns - self._rested_ns) / _NS_PER_S

    def _play_block(self, plan: Block, alarm: Alarm) -> BlockRow:
        # The first block begins where the load does, which several machines have agreed on.
        start_ns = time.monotonic_ns() if self._block is not None else self._origin_ns
        cpu_s = self._target_cpu_s(plan.arm)
        block = self._block = OpenBlock(plan, start_ns)
        self._recorder.open_block(block)
        # A greenlet of its own: to end it is to cut the block, wherever in its curve it is.
        self._offering = gevent.spawn(self._loop.play, block, alarm, self._note_users)
        try:
            self._offering.get()
        finally:
            self._offering.kill()
        now_ns = time.monotonic_ns()
        # An open loop closes its block in advance: one that was cut ends now.
        if block.end_ns is None or block.end_ns > now_ns:
            block.close(now_ns)
        self._loop.drain(self._spec.drain_limit_s)
        drained_cpu_s = self._target_cpu_s(plan.arm)
        if cpu_s is not None and drained_cpu_s is not None:
            block.cpu_s = drained_cpu_s - cpu_s
        return block.build_row(self._origin_ns)

    def _target_cpu_s(self, arm: str) -> float | None:
        """None on one of several load machines: the target is a process of their master's machine, which reads it."""
        return None if self._spec.meeting.machines else read_cpu_s(self._pids[arm])

    def _tick(self, tell: Callable[[LoadProgress], object]) -> None:
        with Alarm() as alarm:
            due_ns = self._origin_ns
            while True:
                due_ns += _NS_PER_S
                alarm.wait_until(due_ns)
                self._recorder.flush(time.monotonic_ns(), lambda: gevent.sleep(_PAUSE_S))
                self._note_users()
                self._machine.look()
                self._cpu.look(self._elapsed_s(), time.process_time())
                tell(self._describe())

    def _note_users(self) -> None:
        if self._block is not None:
            self._recorder.note_users(self._block, time.monotonic_ns(), self._loop.users)

    def _describe(self) -> LoadProgress:
        assert self._block is not None, "a block is set before the ticker runs"
        plan = self._block.plan
        return self._recorder.recent(plan.arm).describe(
            elapsed_s=self._elapsed_s(),
            total_s=self._duration_ns * len(self._spec.blocks) / _NS_PER_S,
            arm=plan.arm,
            block=plan.index,
            blocks=len(self._spec.blocks),
            users=self._loop.users,
            lag_p99_ns=self._lag_p99_ns(),
            steal_ratio=self._machine.steal_ratio(),
            settled_s=self._recorder.settled_s(),
        )

    def _lag_p99_ns(self) -> float | None:
        """How late calls were sent; the length of the longest freeze of the generator, when there was one."""
        known = [lag for lag in (self._recorder.lag_p99_ns(), self._heartbeat.freeze_ns()) if lag is not None]
        return max(known, default=None)

    def _describe_generator(self, wall_s: float) -> GeneratorFacts:
        loop, machine = self._loop, self._machine
        facts = GeneratorFacts(
            cpu_ratio=self._cpu.mean_ratio(),
            lag_p99_ns=self._lag_p99_ns(),
            users_planned_max=loop.users_planned_max,
            users_reached_max=loop.users_reached_max,
            operations=self._recorder.operations,
            wall_s=wall_s,
            pacing=", ".join((PACING, *describe_precedence())),
            steal_ratio=machine.steal_ratio(),
            clock_jump_ns=machine.clock_jump_ns,
            rss_growth_bytes=machine.rss_growth_bytes(),
            cpu_highest_ratio=self._cpu.highest_ratio(),
            times_jobs=loop.times_jobs,
        )
        return loop.describe(facts) if isinstance(loop, OpenLoop) else facts


def _map_pids(arms: Sequence[LoadArm]) -> dict[str, int]:
    return {arm.arm: arm.pid for arm in arms}
