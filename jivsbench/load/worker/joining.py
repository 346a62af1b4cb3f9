"""The load child of a load machine: joins a master over Locust's protocol, plays its part, and sends what it counted.

It plays the plugins that its own user allows, whatever its master names.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import gevent
import gevent.event
import gevent.queue
from locust.env import Environment
from locust.event import Events
from locust.runners import WorkerRunner
from pydantic import TypeAdapter

from jivsbench import __version__
from jivsbench.errors import EnvironmentProblem, InvalidRunError, JivsbenchError
from jivsbench.load.messages import Message, Progressed, Started, Waited, go_on
from jivsbench.load.progress import LoadMachines, LoadProgress
from jivsbench.load.spec import JoinSpec, LoadOutcome, LoadSpec
from jivsbench.load.worker.master import MESSAGE
from jivsbench.load.worker.playing import Performance

_TICK_S: Final = 1.0
_MASTER_SILENCE_S: Final = 10.0
_FAREWELL_S: Final = 10.0
_GOODBYE_S: Final = 0.2


class Joined:
    """One load machine, from its first word to its last."""

    def __init__(self, spec: JoinSpec, tell: Callable[[Message], None], ended: gevent.event.AsyncResult) -> None:
        self._spec = spec
        self._tell = tell
        self._ended = ended
        self._inbox: gevent.queue.SimpleQueue[dict[str, Any]] = gevent.queue.SimpleQueue()
        self._stopped = gevent.event.Event()
        self._lines: list[bytes] = []
        self._settled_s = 0
        self._performance: Performance | None = None
        self._environment = Environment(events=Events())  # type: ignore[no-untyped-call]

    def play(self) -> LoadOutcome | None:
        """Join, play, report. None when the master, or anybody else, ended it before the load's end.

        Raises EnvironmentProblem when no master answers, InvalidRunError when it falls silent.
        """
        runner = self._join()
        if runner is None:
            return None
        watch = gevent.spawn(self._watch_master, runner)
        outcome = None
        try:
            outcome = self._play_part(runner)
        except JivsbenchError as exc:
            runner.send_message(MESSAGE, {"kind": "failed", "message": str(exc)})
            gevent.sleep(_TICK_S)
            raise
        finally:
            watch.kill()
            if outcome is None:
                self._say_goodbye()
        return outcome

    def _join(self) -> WorkerRunner | None:
        host, port = self._spec.master_host, self._spec.master_port
        connecting = gevent.spawn(self._environment.create_worker_runner, host, port)
        while not connecting.ready():
            if self._ended.ready():
                connecting.kill(block=False)
                return None
            self._say_waiting(joined=0)
            connecting.join(_TICK_S)
        try:
            runner: WorkerRunner = connecting.get()
        except ConnectionError as exc:
            raise EnvironmentProblem(
                f"no master answered on {host}:{port}: start `jivsbench run SCENARIO --expect-workers N` there, or name its port"
            ) from exc
        runner.register_message(MESSAGE, lambda msg, **_: self._hear(runner, msg.data))
        runner.send_message(MESSAGE, {"kind": "hello", "version": __version__})
        return runner

    def _hear(self, runner: WorkerRunner, data: dict[str, Any]) -> None:
        match data.get("kind"):
            case "clock":
                runner.send_message(MESSAGE, {"kind": "clock", "sent_ns": data["sent_ns"], "own_ns": time.monotonic_ns()})
            case "cut":
                if self._performance is not None:
                    self._performance.cut()
            case "stop":
                self._stopped.set()
                if not self._ended.ready():
                    self._ended.set_exception(InvalidRunError("the master ended the load before its end: see its own output"))
            case _:
                self._inbox.put(data)

    def _play_part(self, runner: WorkerRunner) -> LoadOutcome | None:
        told = self._await("load")
        if told is None:
            return None
        spec = TypeAdapter(LoadSpec).validate_json(told["spec"])
        own = self._spec
        spec = replace(spec, plugins=own.plugins, disabled_plugins=own.disabled_plugins, plugins_lock=own.plugins_lock)
        performance = self._performance = Performance(spec, self._environment, self._lines.append, self._ended, go_on)
        runner.send_message(MESSAGE, {"kind": "prepared"})
        told = self._await("start")
        if told is None:
            return None
        self._tell(Started())
        outcome = performance.play(lambda progress: self._report(runner, progress), told["at_ns"])
        self._send_lines(runner)
        if outcome is not None:
            runner.send_message(MESSAGE, {"kind": "done", "outcome": TypeAdapter(LoadOutcome).dump_json(outcome).decode()})
            # The socket sends in the background: stay until the master says that it has it all.
            self._stopped.wait(_FAREWELL_S)
            performance.close()
        return outcome

    def _await(self, kind: str) -> dict[str, Any] | None:
        """The next message of that kind; None when the load is ended before."""
        while not self._ended.ready():
            self._say_waiting(joined=1)
            try:
                data: dict[str, Any] = self._inbox.get(timeout=_TICK_S)
            except gevent.queue.Empty:
                continue
            if data.get("kind") == kind:
                return data
        self._ended.get()
        return None

    def _report(self, runner: WorkerRunner, progress: LoadProgress) -> None:
        self._settled_s = progress.settled_s
        self._send_lines(runner)
        self._tell(Progressed(progress))

    def _send_lines(self, runner: WorkerRunner) -> None:
        lines, self._lines[:] = list(self._lines), []
        runner.send_message(MESSAGE, {"kind": "intervals", "lines": lines, "settled_s": self._settled_s})

    def _say_goodbye(self) -> None:
        """Locust's own word that a machine leaves: without it the master would count on it for seconds to come."""
        self._environment.events.quitting.fire(environment=self._environment)  # type: ignore[no-untyped-call]
        # The socket sends in the background.
        gevent.sleep(_GOODBYE_S)

    def _watch_master(self, runner: WorkerRunner) -> None:
        """A master that is gone no longer counts what is sent: then nothing more may be sent."""
        while True:
            gevent.sleep(_TICK_S)
            heard_s = runner.last_heartbeat_timestamp
            if heard_s is not None and time.time() - heard_s > _MASTER_SILENCE_S:
                self._ended.set_exception(
                    InvalidRunError(f"the master has been silent for {_MASTER_SILENCE_S:.0f} s: the load was ended here too")
                )
                return

    def _say_waiting(self, joined: int) -> None:
        self._tell(Waited(LoadMachines(joined, 1, f"{self._spec.master_host}:{self._spec.master_port}")))
