"""An open loop: iterations begin by the clock, whether or not others have ended, and late ones begin at once.

An arrival goes to a user who is free. When none is, one more joins, up to `in_flight_limit`; beyond that it waits for the
first user who becomes free, in a queue of `queue_limit`; beyond that it is not sent and counts as failed.
"""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, NamedTuple

import gevent
import gevent.queue
from locust.env import Environment

from jivsbench.api import Workload
from jivsbench.load.blocks import OpenBlock
from jivsbench.load.feeding import FeedReader
from jivsbench.load.recorder import Dropped, Recorder
from jivsbench.load.shape import curve_duration_s
from jivsbench.load.sharing import share_arrivals
from jivsbench.load.spec import LoadSpec
from jivsbench.load.totals import JobEnd
from jivsbench.load.worker.alarm import Alarm
from jivsbench.load.worker.client import TargetClient
from jivsbench.load.worker.context import Context
from jivsbench.load.worker.loop import Loop
from jivsbench.model.record import GeneratorFacts
from jivsbench.model.sample import OperationKind

OFF_PLAN_NS: Final = 100_000_000
_NS_PER_S: Final = 1_000_000_000
_FIRST_USERS: Final = 64
_JOINING_USERS: Final = 8
_LATE_IN_A_ROW: Final = 8
_JOB: Final = "job"


class Arrival(NamedTuple):
    """One iteration that is due."""

    number: int
    due_ns: int
    block: OpenBlock


class Place:
    """One user of the pool, and when its last iteration ended."""

    def __init__(self, user: Any) -> None:
        self.user = user
        self.clients: dict[str, TargetClient] = {}
        self.ended_ns = 0


class OpenLoop(Loop[Place]):
    """Releases arrivals at their time and counts what becomes of each."""

    def __init__(
        self,
        spec: LoadSpec,
        workload: Workload,
        recorder: Recorder,
        environment: Environment,
        on_crash: Callable[[Exception], object],
    ) -> None:
        super().__init__(spec, workload, recorder, environment, on_crash)
        self._queue: gevent.queue.SimpleQueue[Arrival] = gevent.queue.SimpleQueue()
        self._places: set[Place] = set()
        self._outstanding = 0
        self._first_operations = _first_operations(workload)
        self._planned = 0
        self._offered = 0
        self._not_sent = 0
        self._off_plan = 0
        self._in_flight_max = 0
        self._queued_max = 0

    @property
    def users(self) -> int:
        """Iterations under way."""
        return len(self._busy)

    @property
    def users_planned_max(self) -> int:
        """Arrivals are planned, no users."""
        return 0

    @property
    def users_reached_max(self) -> int:
        """Arrivals are planned, no users."""
        return 0

    def prepare(self) -> None:
        """Make the first users; further ones join when they are needed."""
        self._grow(_FIRST_USERS)

    def play(self, block: OpenBlock, alarm: Alarm, on_change: Callable[[], object]) -> None:
        """Release every arrival of the block; one that is late goes out at once, after the planned end if need be."""
        end_ns = block.start_ns + round(curve_duration_s(self._spec.stages) * _NS_PER_S)
        # Known from the start, so that what is not sent can be counted at once, as slow as if it had ended there.
        block.close(end_ns)
        on_change()
        late = 0
        for planned in share_arrivals(self._spec, block.plan.pair):
            due_ns = block.start_ns + planned.after_ns
            now_ns = time.monotonic_ns()
            late = late + 1 if due_ns <= now_ns else 0
            if not late or late % _LATE_IN_A_ROW == 0:
                alarm.wait_until(due_ns)
                now_ns = time.monotonic_ns()
            self._release(Arrival(planned.number, due_ns, block), now_ns)
        alarm.wait_until(end_ns)

    def drain(self, limit_s: float) -> int:
        """Wait until every arrival has ended; what still waits for a user when the time is up was not sent."""
        deadline_s = time.monotonic() + limit_s
        while self._outstanding and time.monotonic() < deadline_s:
            if self._wait_idle(deadline_s - time.monotonic()):
                gevent.sleep(0)
        now_ns = time.monotonic_ns()
        while not self._queue.empty():
            self._outstanding -= 1
            self._drop(self._queue.get(), now_ns, now_ns, "drain")
        return super().drain(0.0)

    def join(self, user: Any) -> Place:
        """A new user of the pool."""
        place = Place(user)
        self._places.add(place)
        return place

    def leave(self, seat: Place) -> None:
        """A user has ended, as one does that was given up at a block's end."""
        for client in seat.clients.values():
            client.close()
        self._places.discard(seat)

    def play_turn(self, seat: Place) -> None:
        """The next arrival that is due."""
        arrival = self._queue.get()
        context = Context(
            spec=self._spec,
            feed=FeedReader(self._spec.feed, self._spec.seed, arrival.number),
            source=random.Random(f"arrival:{self._spec.seed}:{arrival.number}"),  # noqa: S311 - reproducible load, not a secret
            recorder=self._recorder,
            on_request=self._on_request,
            client=self._client(seat, arrival.block.plan.arm),
            block=arrival.block,
            due_ns=arrival.due_ns,
            ready_ns=seat.ended_ns,
        )
        try:
            self._in_flight_max = max(self._in_flight_max, len(self._busy) + 1)
            self._iterate(seat, context)
        finally:
            self._outstanding -= 1
            seat.ended_ns = time.monotonic_ns()

    def describe(self, facts: GeneratorFacts) -> GeneratorFacts:
        """The generator's facts with what became of the arrivals."""
        return replace(
            facts,
            arrivals_planned=self._planned,
            arrivals_offered=self._offered,
            arrivals_not_sent=self._not_sent,
            off_plan_ratio=self._off_plan / self._planned if self._planned else 0.0,
            in_flight_max=self._in_flight_max,
            queued_max=self._queued_max,
        )

    def _release(self, arrival: Arrival, now_ns: int) -> None:
        self._recorder.note_arrival(arrival.block, arrival.due_ns, now_ns)
        self._planned += 1
        self._offered += 1
        self._off_plan += now_ns - arrival.due_ns > OFF_PLAN_NS
        limit = self._spec.in_flight_limit
        if self._outstanding >= limit + self._spec.queue_limit:
            self._drop(arrival, now_ns, arrival.block.end_ns or now_ns, "overflow")
            return
        if self._outstanding >= len(self._places):
            self._grow(min(_JOINING_USERS, limit - len(self._places)))
        self._outstanding += 1
        self._queued_max = max(self._queued_max, self._outstanding - limit)
        self._queue.put(arrival)

    def _grow(self, users: int) -> None:
        users = min(users, self._spec.in_flight_limit - len(self._places))
        if users > 0:
            self._runner.spawn_users({"VirtualUser": users})
            self._environment.events.spawning_complete.fire(user_count=len(self._places))  # type: ignore[no-untyped-call]

    def _drop(self, arrival: Arrival, now_ns: int, ended_ns: int, code: str) -> None:
        self._not_sent += 1
        dropped = Dropped(arrival.due_ns, now_ns, ended_ns, code)
        self._recorder.record_not_sent(arrival.block, self._first_operations, dropped)
        if any(kind is OperationKind.JOB for _name, kind in self._first_operations):
            counts = self._recorder.jobs(arrival.block.plan.arm)
            counts.begun += 1
            counts.end(JobEnd.REFUSED)


def _first_operations(workload: Workload) -> tuple[tuple[str, OperationKind], ...]:
    """What an iteration begins with, and with it begins to wait for: its first call, and its job if it has one."""
    first = ((workload.operations[0], OperationKind.CALL),) if workload.operations else ()
    return (*first, (_JOB, OperationKind.JOB)) if _JOB in workload.operations else first
