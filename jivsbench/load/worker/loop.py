"""What a closed and an open loop have in common: Locust's users, who of them is busy, and how what is busy comes to its end."""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

import gevent.event
from locust import User, constant, task
from locust.env import Environment
from locust.event import EventHook
from locust.exception import StopUser
from locust.runners import Runner

from jivsbench.api import Workload
from jivsbench.load.blocks import OpenBlock
from jivsbench.load.recorder import Recorder
from jivsbench.load.spec import LoadArm, LoadSpec
from jivsbench.load.worker.alarm import Alarm
from jivsbench.load.worker.client import TargetClient
from jivsbench.load.worker.context import AbandonedError, Context
from jivsbench.model.metrics import JOB_OPERATION

_ABANDON_GRACE_S: Final = 5.0

_log = logging.getLogger(__name__)


class Seated(Protocol):
    """What belongs to one user number: its Locust user, and a connection to each arm that it has spoken to."""

    user: Any
    clients: dict[str, TargetClient]


S = TypeVar("S", bound=Seated)


class Loop(ABC, Generic[S]):
    """Offers the load of one block after the other, with users that Locust makes and ends."""

    def __init__(
        self,
        spec: LoadSpec,
        workload: Workload,
        recorder: Recorder,
        environment: Environment,
        on_crash: Callable[[Exception], object],
    ) -> None:
        self._spec = spec
        self._workload = workload
        self._recorder = recorder
        self._on_crash = on_crash
        self._arms: dict[str, LoadArm] = {arm.arm: arm for arm in spec.arms}
        self._busy: set[S] = set()
        self._idle = gevent.event.Event()
        self._environment = environment
        self._environment.user_classes.append(_build_user_class(self))
        assert environment.runner is not None, "a loop is given an environment that has its runner"
        self._runner: Runner = environment.runner
        # Locust would write such an error into its own statistics and go on; a user that breaks is a load that was not sent.
        self._environment.events.user_error.add_listener(lambda exception, **_: on_crash(exception))  # type: ignore[no-untyped-call]

    @property
    def times_jobs(self) -> bool:
        """True when the workload names whole jobs among its operations."""
        return JOB_OPERATION in self._workload.operations

    @property
    @abstractmethod
    def users(self) -> int:
        """Users at work now."""

    @property
    @abstractmethod
    def users_planned_max(self) -> int:
        """The most users that were planned; 0 when not users but arrivals are planned."""

    @property
    @abstractmethod
    def users_reached_max(self) -> int:
        """The most users that worked at once; 0 when not users but arrivals are planned."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the users that the first block begins with: the block shall not begin with making them."""

    @abstractmethod
    def play(self, block: OpenBlock, alarm: Alarm, on_change: Callable[[], object]) -> None:
        """Offer one block's load. Returns at its planned end, with the block closed and operations still in flight."""

    @abstractmethod
    def join(self, user: Any) -> S:
        """A new user takes a seat."""

    @abstractmethod
    def leave(self, seat: S) -> None:
        """A user has ended; its seat is free."""

    @abstractmethod
    def play_turn(self, seat: S) -> None:
        """One iteration, once it is this user's turn. Raises StopUser when it shall end."""

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

    def renew(self, arms: Sequence[LoadArm]) -> None:
        """From now on the arms have these targets. Nothing may be in flight; users connect anew when it is their turn."""
        self._arms = {arm.arm: arm for arm in arms}
        for arm in arms:
            TargetClient(arm).warm_up()

    def close(self) -> None:
        """End all users."""
        self._runner.quit()

    @property
    def _on_request(self) -> EventHook | None:
        """Locust's own statistics, which cost as much as the rest of a request and are for its page alone."""
        return self._environment.events.request if self._spec.page_port is not None else None

    def _client(self, seat: S, arm: str) -> TargetClient:
        client, target = seat.clients.get(arm), self._arms[arm]
        if client is None or client.arm is not target:
            if client is not None:
                client.close()
            client = seat.clients[arm] = TargetClient(target)
        return client

    def _iterate(self, seat: S, context: Context) -> None:
        """One iteration of the workload. Raises StopUser when it was given up or broke."""
        self._busy.add(seat)
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
        if not context.has_failed:
            self._recorder.note_achieved(context.block, time.monotonic_ns())

    def _wait_idle(self, limit_s: float) -> bool:
        if not self._busy:
            return True
        self._idle.clear()
        return bool(self._idle.wait(limit_s))


def _build_user_class(loop: Loop[Any]) -> type[User]:
    """Locust wants a class, and makes the users itself."""

    class VirtualUser(User):
        """A user whose task is one iteration of the workload."""

        wait_time = constant(0)

        def __init__(self, environment: Environment) -> None:
            super().__init__(environment)
            self.seat = loop.join(self)

        @task
        def work(self) -> None:
            """Iteration after iteration until the loop gives this seat up, which ends the user.

            To return to Locust in between would let every other user go first: lag that is nobody's fault but ours.
            """
            while True:
                loop.play_turn(self.seat)

        def on_stop(self) -> None:
            """Locust ended this user."""
            loop.leave(self.seat)

    return VirtualUser
