"""Plays a load in this process: the workload, its users, their loop and its player, from the first connection to the end."""

import gc
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import gevent.event
from locust.env import Environment

from jivsbench.api import Workload
from jivsbench.errors import InvalidRunError
from jivsbench.load.messages import Rest
from jivsbench.load.progress import LoadProgress
from jivsbench.load.recorder import Recorder
from jivsbench.load.spec import LoadOutcome, LoadSpec
from jivsbench.load.worker.client import TargetClient
from jivsbench.load.worker.crew import Crew
from jivsbench.load.worker.loop import Loop
from jivsbench.load.worker.open_loop import OpenLoop
from jivsbench.load.worker.player import Player
from jivsbench.model.scenario import Arrival


class Performance:
    """A load that is ready to begin. `ended` is set with its outcome, or with None when it is ended from outside."""

    def __init__(
        self,
        spec: LoadSpec,
        environment: Environment,
        write: Callable[[bytes], object],
        ended: gevent.event.AsyncResult,
        rest: Rest,
    ) -> None:
        workload = load_workload(spec)
        for arm in spec.arms:
            TargetClient(arm).warm_up()
        _raise_file_limit()
        is_open = spec.arrival is Arrival.RATE
        kind: type[Crew | OpenLoop] = OpenLoop if is_open else Crew
        self._recorder = Recorder(write, counts_arrivals=is_open)
        self._loop: Loop[Any] = kind(
            spec, workload, self._recorder, environment, lambda exc: ended.set_exception(_explain_crash(workload, exc))
        )
        self._loop.prepare()
        self._ended = ended
        self._player = Player(spec, self._loop, self._recorder, ended.set_exception, rest)

    def play(self, tell: Callable[[LoadProgress], object], start_ns: int | None = None) -> LoadOutcome | None:
        """Play it, from `start_ns` on (monotonic clock), else at once. Either way out, all that was counted is written.

        Raises whatever `ended` is set with.
        """
        # What is loaded now stays: the collector need not look at it again, which would stop every user for some 50 ms.
        gc.collect()
        gc.freeze()
        playing = gevent.spawn(self._player.play, tell, start_ns)
        playing.link(self._ended)
        try:
            outcome: LoadOutcome | None = self._ended.get()
        finally:
            playing.kill(block=False)
            self._recorder.close()
        return outcome

    def cut(self) -> None:
        """From now on no iteration begins; `play` returns once what is in flight has ended."""
        self._player.cut()

    def close(self) -> None:
        """End the users, and Locust's own greenlets with them."""
        self._loop.close()


def load_workload(spec: LoadSpec) -> Workload:
    """The workload that the spec names, from the plugins that it allows. Raises UnknownNameError."""
    from jivsbench.plugins import load_registry

    registry = load_registry(
        extra_modules=spec.plugins,
        disabled=spec.disabled_plugins,
        plugins_lock=Path(spec.plugins_lock) if spec.plugins_lock else None,
    )
    return registry.workload(spec.workload.name)


def _raise_file_limit() -> None:
    """Every user in flight is a connection; the usual limit of 1,024 files is for people, the hard one for programs."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _explain_crash(workload: Workload, exc: Exception) -> InvalidRunError:
    return InvalidRunError(
        f"workload {workload.name!r} raised {type(exc).__name__} outside of a job, so its load is not what was planned: "
        "repair it (the traceback is in load.log)"
    )
