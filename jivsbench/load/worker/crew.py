"""The users of a load: Locust's, each on a seat of its own, of which as many are active as the curve says.

Users join through Locust's runner, all at once at a step. A user whose seat the curve gives up leaves by itself when its
iteration has ended; it is never killed inside a request. Between blocks users stay and wait: only the arm changes.
"""

import logging
import random
from collections.abc import Callable
from typing import Any, Final

import gevent.event
from locust import User, constant, task
from locust.env import Environment
from locust.event import Events
from locust.exception import StopUser

from jivsbench.api import Workload
from jivsbench.load.blocks import OpenBlock
from jivsbench.load.feeding import FeedReader
from jivsbench.load.recorder import Recorder
from jivsbench.load.spec import LoadArm, LoadSpec
from jivsbench.load.thinking import Thinker
from jivsbench.load.worker.alarm import Alarm
from jivsbench.load.worker.client import TargetClient
from jivsbench.load.worker.context import AbandonedError, Context

PAUSE_S: Final = 0.1
_NS_PER_S: Final = 1_000_000_000
_ABANDON_GRACE_S: Final = 5.0

_log = logging.getLogger(__name__)


class Seat:
    """What belongs to one user number: its clients, its random sources, and when it wants to begin its next iteration."""

    def __init__(self, number: int, user: Any) -> None:
        self.number = number
        self.user = user
        self.due_ns = 0
        self.turn = gevent.event.Event()
        self.is_waiting = True
        self.clients: dict[str, TargetClient] = {}
        self.alarm: Alarm | None = None

    def close(self) -> None:
        """Close what it opened."""
        for client in self.clients.values():
            client.close()
        if self.alarm is not None:
            self.alarm.close()


class Crew:
    """Brings as many users to work as it is told, and knows which of them are busy."""

    def __init__(self, spec: LoadSpec, workload: Workload, recorder: Recorder, on_crash: Callable[[Exception], object]) -> None:
        self._spec = spec
        self._workload = workload
        self._recorder = recorder
        self._on_crash = on_crash
        self._arms: dict[str, LoadArm] = {arm.arm: arm for arm in spec.arms}
        self._seats: dict[int, Seat] = {}
        self._busy: set[Seat] = set()
        self._begun: set[int] = set()
        self._idle = gevent.event.Event()
        self._randoms: dict[tuple[str, int], random.Random] = {}
        self._feeds: dict[tuple[str, int], FeedReader] = {}
        self._thinkers: dict[tuple[str, int], Thinker] = {}
        self._block: OpenBlock | None = None
        self._active = 0
        self.reached_max = 0
        self._environment = Environment(user_classes=[build_user_class(self)], events=Events())  # type: ignore[no-untyped-call]
        self._runner = self._environment.create_local_runner()
        # Locust would write such an error into its own statistics and go on; a user that breaks is a load that was not sent.
        self._environment.events.user_error.add_listener(lambda exception, **_: on_crash(exception))  # type: ignore[no-untyped-call]

    @property
    def users(self) -> int:
        """Users at work: active ones while the block is open, busy ones while it is drained."""
        if self._block is None or self._block.is_closed:
            return len(self._busy)
        return min(len(self._seats), self._active)

    def prepare(self, users: int) -> None:
        """Bring this many users to their seats, where they wait: the first block shall not begin with making them."""
        self._fill_seats(users)

    def open(self, block: OpenBlock) -> None:
        """The next block begins; nobody is active yet."""
        self._block = block
        self._active = 0

    def set_users(self, users: int, due_ns: int) -> None:
        """From now on this many seats are active. Those that become so are meant to begin at `due_ns`."""
        self._active = users
        self._fill_seats(users)
        for number in range(users):
            seat = self._seats[number]
            if seat.is_waiting:
                seat.due_ns = due_ns
                seat.turn.set()
        self._runner.target_user_count = users
        self._environment.events.spawning_complete.fire(user_count=users)  # type: ignore[no-untyped-call]

    def drain(self, limit_s: float) -> int:
        """Wait until nobody is busy; whoever still is when the time is up is given up. Returns how many those were."""
        if self._wait_idle(limit_s):
            return 0
        late = tuple(self._busy)
        for seat in late:
            seat.user.greenlet.kill(AbandonedError, block=False)
        if not self._wait_idle(_ABANDON_GRACE_S):
            _log.error("%d users could not be ended", len(self._busy))
        return len(late)

    def close(self) -> None:
        """End all users."""
        self._runner.quit()

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
        self.reached_max = max(self.reached_max, min(len(self._begun), self._active))
        self._busy.add(seat)
        context = self._build_context(seat, block)
        try:
            self._workload.iterate(context)
        except AbandonedError:
            raise StopUser from None
        except Exception as exc:
            _log.exception("the workload raised outside of a job")
            self._on_crash(exc)
            raise StopUser from exc
        finally:
            self._busy.discard(seat)
            if not self._busy:
                self._idle.set()
        self._think(seat, context)

    def _fill_seats(self, users: int) -> None:
        missing = sum(number not in self._seats for number in range(users))
        if missing:
            self._runner.spawn_users({"VirtualUser": missing})

    def _await_turn(self, seat: Seat) -> OpenBlock:
        while True:
            block = self._block
            if block is not None and not block.is_closed:
                if seat.number >= self._active:
                    raise StopUser
                seat.is_waiting = False
                return block
            seat.is_waiting = True
            seat.turn.clear()
            seat.turn.wait()

    def _build_context(self, seat: Seat, block: OpenBlock) -> Context:
        arm = block.plan.arm
        client = seat.clients.get(arm)
        if client is None:
            client = seat.clients[arm] = TargetClient(self._arms[arm])
        return Context(
            spec=self._spec,
            source=self._random(arm, seat.number),
            feed=self._place_in_feed(arm, seat.number),
            recorder=self._recorder,
            on_request=self._environment.events.request,
            client=client,
            block=block,
            due_ns=seat.due_ns,
        )

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
        pause_s = self._thinker(context.block.plan.arm, seat.number).pause_s()
        if context.had_no_answer or not context.has_called:
            # What fails, or does nothing, takes microseconds: without a pause one user would fill the generator's core.
            pause_s = max(pause_s, PAUSE_S)
        seat.due_ns = context.due_ns + round(pause_s * _NS_PER_S)
        if pause_s:
            seat.alarm = seat.alarm or Alarm()
            seat.alarm.wait_until(seat.due_ns)

    def _wait_idle(self, limit_s: float) -> bool:
        if not self._busy:
            return True
        self._idle.clear()
        return bool(self._idle.wait(limit_s))


def build_user_class(crew: Crew) -> type[User]:
    """Locust wants a class, and makes the users itself."""

    class VirtualUser(User):
        """A user whose task is one iteration of the workload."""

        wait_time = constant(0)

        def __init__(self, environment: Environment) -> None:
            super().__init__(environment)
            self.seat = crew.join(self)

        @task
        def work(self) -> None:
            """Iteration after iteration until the curve gives this seat up, which ends the user.

            To return to Locust in between would let every other user go first: lag that is nobody's fault but ours.
            """
            while True:
                crew.play_turn(self.seat)

        def on_stop(self) -> None:
            """Locust ended this user."""
            crew.leave(self.seat)

    return VirtualUser
