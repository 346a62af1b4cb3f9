"""The users of a load: Locust's, each on a seat of its own, of which as many are active as the curve says.

Users join through Locust's runner, in time for their turn: what a step costs the generator is no lag of its sends. A user whose
seat the curve gives up leaves by itself when its iteration has ended; it is never killed inside a request. Between blocks users
stay and wait: only the arm changes.
"""

import random
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import gevent.event
from locust.env import Environment
from locust.exception import StopUser

from jivsbench.api import Workload
from jivsbench.load.blocks import OpenBlock
from jivsbench.load.feeding import FeedReader
from jivsbench.load.recorder import Recorder
from jivsbench.load.shape import curve_duration_s, users_at, users_planned_max
from jivsbench.load.sharing import share_changes, share_count
from jivsbench.load.spec import LoadSpec
from jivsbench.load.thinking import Thinker
from jivsbench.load.worker.alarm import Alarm
from jivsbench.load.worker.client import TargetClient
from jivsbench.load.worker.context import Context
from jivsbench.load.worker.loop import Loop

PAUSE_S: Final = 0.1
STEP_GAP_NS: Final = 2_000_000
"""Between two users of one step: no process sends 200 requests in one instant, and what is planned must be possible."""
_PREPARATION_NS: Final = 500_000_000
"""So long before a change its users are made."""
_NS_PER_S: Final = 1_000_000_000


class Seat:
    """What belongs to one user number: its clients, its random sources, and when it wants to begin its next iteration."""

    def __init__(self, number: int, user: Any) -> None:
        self.number = number
        self.user = user
        self.due_ns = 0
        self.is_waiting = True
        self._turn = gevent.event.Event()
        self.clients: dict[str, TargetClient] = {}
        self.alarm: Alarm | None = None

    def wait(self) -> None:
        """Until it is called."""
        self.is_waiting = True
        self._turn.clear()
        self._turn.wait()

    def call(self) -> None:
        """It is this user's turn, from `due_ns` on."""
        self.is_waiting = False
        self._turn.set()

    def close(self) -> None:
        """Close what it opened."""
        for client in self.clients.values():
            client.close()
        if self.alarm is not None:
            self.alarm.close()


class Crew(Loop[Seat]):
    """A closed loop. Brings as many users to work as it is told, and knows which of them are busy."""

    def __init__(
        self,
        spec: LoadSpec,
        workload: Workload,
        recorder: Recorder,
        environment: Environment,
        on_crash: Callable[[Exception], object],
    ) -> None:
        super().__init__(spec, workload, recorder, environment, on_crash)
        self._seats: dict[int, Seat] = {}
        self._begun: set[int] = set()
        self._randoms: dict[tuple[str, int], random.Random] = {}
        self._feeds: dict[tuple[str, int], FeedReader] = {}
        self._thinkers: dict[tuple[str, int], Thinker] = {}
        self._block: OpenBlock | None = None
        self._active = 0
        self._changes = share_changes(spec.stages, spec.share)
        self._reached_max = 0

    @property
    def users(self) -> int:
        """Users at work: active ones while the block is open, busy ones while it is drained."""
        if self._block is None or self._block.is_closed:
            return len(self._busy)
        return min(len(self._seats), self._active)

    @property
    def users_planned_max(self) -> int:
        """The most users that the curve asks for."""
        return share_count(users_planned_max(self._spec.stages), self._spec.share)

    @property
    def users_reached_max(self) -> int:
        """The most users that had begun to work while as many were active."""
        return self._reached_max

    def prepare(self) -> None:
        """Bring the first users to their seats, where they wait."""
        self._fill_seats(share_count(users_at(self._spec.stages, 0.0), self._spec.share))

    def play(self, block: OpenBlock, alarm: Alarm, on_change: Callable[[], object]) -> None:
        """Follow the curve from the block's start to its end."""
        self._block = block
        self._active = 0
        end_ns = block.start_ns + round(curve_duration_s(self._spec.stages) * _NS_PER_S)
        moments = [block.start_ns + round(change.at_s * _NS_PER_S) for change in self._changes]
        for change, (due_ns, until_ns) in zip(self._changes, pairwise([*moments, end_ns]), strict=True):
            if due_ns > block.start_ns:
                alarm.wait_until(due_ns - _PREPARATION_NS)
                self._fill_seats(change.users)
                alarm.wait_until(due_ns)
            self._set_users(change.users, due_ns, until_ns, alarm)
            on_change()
        alarm.wait_until(end_ns)
        block.close(time.monotonic_ns())

    def _set_users(self, users: int, due_ns: int, until_ns: int, alarm: Alarm) -> None:
        """From now on this many seats are active. Those that become so begin one after the other, the first one at `due_ns`."""
        self._active = users
        # Again: of those that the curve had given up, some have left since the preparation.
        self._fill_seats(users)
        called = [seat for number in range(users) if (seat := self._seats[number]).is_waiting]
        # By their numbers in the whole load: several machines call the users of one step in turn.
        places = [self._plan_number(seat) - self._spec.share.machines * called[0].number for seat in called]
        gap_ns = min(STEP_GAP_NS, (until_ns - due_ns) // (2 * (places[-1] + 1))) if places else 0
        for seat, place in zip(called, places, strict=True):
            seat.due_ns = due_ns + place * gap_ns
            if place:
                alarm.wait_until(seat.due_ns)
            seat.call()
        self._runner.target_user_count = users
        self._environment.events.spawning_complete.fire(user_count=users)  # type: ignore[no-untyped-call]

    def join(self, user: Any) -> Seat:
        """A new user takes the first free seat."""
        number = next(number for number in range(len(self._seats) + 1) if number not in self._seats)
        self._seats[number] = Seat(number, user)
        return self._seats[number]

    def leave(self, seat: Seat) -> None:
        """A user has ended; its seat is free."""
        seat.close()
        if self._seats.get(seat.number) is seat:
            del self._seats[seat.number]
            self._begun.discard(seat.number)

    def play_turn(self, seat: Seat) -> None:
        """One iteration, once it is this user's turn, and its think time. Raises StopUser when its seat was given up."""
        block = self._await_turn(seat)
        self._begun.add(seat.number)
        self._reached_max = max(self._reached_max, min(len(self._begun), self._active))
        context = self._build_context(seat, block)
        self._iterate(seat, context)
        self._think(seat, context)

    def _fill_seats(self, users: int) -> None:
        missing = sum(number not in self._seats for number in range(users))
        if missing:
            self._runner.spawn_users({"VirtualUser": missing})

    def _await_turn(self, seat: Seat) -> OpenBlock:
        while True:
            block = self._block
            if seat.is_waiting or block is None or block.is_closed:
                seat.wait()
            elif seat.number < self._active:
                return block
            else:
                raise StopUser

    def _build_context(self, seat: Seat, block: OpenBlock) -> Context:
        arm = block.plan.arm
        return Context(
            spec=self._spec,
            source=self._random(arm, self._plan_number(seat)),
            feed=self._place_in_feed(arm, self._plan_number(seat)),
            recorder=self._recorder,
            on_request=self._on_request,
            client=self._client(seat, arm),
            block=block,
            due_ns=seat.due_ns,
        )

    def _plan_number(self, seat: Seat) -> int:
        """The user's number in the whole load, of which this machine may play a part."""
        return seat.number * self._spec.share.machines + self._spec.share.index

    def _random(self, arm: str, number: int) -> random.Random:
        """Every arm is asked for the same windows in the same order, however fast it is."""
        key = (arm, number)
        if key not in self._randoms:
            self._randoms[key] = random.Random(f"user:{self._spec.seed}:{number}")  # noqa: S311 - reproducible load, not a secret
        return self._randoms[key]

    def _place_in_feed(self, arm: str, number: int) -> FeedReader:
        key = (arm, number)
        if key not in self._feeds:
            self._feeds[key] = FeedReader(self._spec.feed, self._spec.seed, number)
        return self._feeds[key]

    def _thinker(self, arm: str, number: int) -> Thinker:
        key = (arm, number)
        if key not in self._thinkers:
            self._thinkers[key] = Thinker(self._spec.workload, self._spec.seed, number)
        return self._thinkers[key]

    def _think(self, seat: Seat, context: Context) -> None:
        pause_s = self._thinker(context.block.plan.arm, self._plan_number(seat)).pause_s()
        if context.had_no_answer or not context.has_called:
            # What fails, or does nothing, takes microseconds: without a pause one user would fill the generator's core.
            pause_s = max(pause_s, PAUSE_S)
        seat.due_ns = context.due_ns + round(pause_s * _NS_PER_S)
        if pause_s:
            seat.alarm = seat.alarm or Alarm()
            seat.alarm.wait_until(seat.due_ns)
