"""Starts the load child, listens to it, and ends it. Runs in the parent: imports neither locust nor gevent."""

import os
import selectors
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil
from pydantic import TypeAdapter

from jivsbench import errors
from jivsbench.children import Child, start_python_child
from jivsbench.errors import InvalidRunError, JivsbenchError
from jivsbench.load.messages import (
    CUT,
    STOP,
    Done,
    Message,
    Progressed,
    Refused,
    Rest,
    Rested,
    Started,
    Waited,
    format_go_on,
    go_on,
    parse_message,
)
from jivsbench.load.progress import LoadMachines, LoadProgress
from jivsbench.load.spec import JoinSpec, LoadArm, LoadOutcome, LoadSpec

LOG_NAME: Final = "load.log"
_WORKER: Final = "jivsbench.load.worker"
_LOOK_S: Final = 1.0
_SILENCE_S: Final = 30.0
_START_LIMIT_S: Final = 60.0
_END_LIMIT_S: Final = 10.0
_TAIL_BYTES: Final = 4096
_TAIL_CHARACTERS: Final = 200
_READ_BYTES: Final = 65536


Hear = Callable[[LoadProgress | LoadMachines], None]


def never(progress: LoadProgress) -> bool:
    """For a load that nothing ends before its schedule does."""
    del progress
    return False


def run_load(
    spec: LoadSpec,
    folder: Path,
    on_progress: Hear,
    rest: Rest = go_on,
    must_end: Callable[[LoadProgress], bool] = never,
) -> LoadOutcome:
    """Play the load that `spec` describes. Samples go to `spec.intervals_path`, the child's log to `folder`.

    `on_progress` hears once a second which load machines have joined, if there are any, and how the load goes.
    At each of `spec.rests` nothing is in flight until `rest` has answered. Once
    `must_end` says so, no iteration begins any more; what is in flight ends as at any block's end.

    Raises InvalidRunError when the child or a target ends before the load does, and whatever the child refused with.
    Whatever is raised, KeyboardInterrupt too, the child is gone by then.
    """
    return _follow(spec, _TargetWatch(spec.arms), folder / LOG_NAME, on_progress, rest, must_end)


def join_load(spec: JoinSpec, log: Path, on_progress: Hear) -> LoadOutcome:
    """Be one load machine of the master that `spec` names, until its load has ended. Returns this machine's part.

    Raises EnvironmentProblem when no master answers, InvalidRunError when the load ended early.
    """
    return _follow(spec, _TargetWatch(()), log, on_progress, go_on, never)


def _follow(  # noqa: PLR0917 - six different types
    spec: LoadSpec | JoinSpec,
    watch: "_TargetWatch",
    log: Path,
    on_progress: Hear,
    rest: Rest,
    must_end: Callable[[LoadProgress], bool],
) -> LoadOutcome:
    with _start_worker(spec, log) as child:
        is_cut = False
        for message in _listen(child, watch, log):
            match message:
                case Waited(machines=machines):
                    on_progress(machines)
                case Started():
                    watch.start_clock()
                case Progressed(progress=progress):
                    on_progress(progress)
                    if not is_cut and must_end(progress):
                        is_cut = True
                        _answer(child, CUT)
                case Rested(blocks=blocks):
                    arms = rest(blocks)
                    if arms:
                        watch.follow(arms)
                    _answer(child, STOP if arms is None else format_go_on(arms))
                case Refused():
                    raise _build_error(message)
                case Done(outcome=outcome):
                    # One last look: a target that died under the last requests left errors, not a measurement.
                    watch.check()
                    _wait_for_end(child)
                    return outcome
    raise InvalidRunError(_explain_death(child, log, watch))


def _answer(child: Child, order: str) -> None:
    # A child that died meanwhile is noticed by whoever listens to it, with its last words.
    with suppress(BrokenPipeError):
        child.send(order)


@contextmanager
def _start_worker(spec: LoadSpec | JoinSpec, log: Path) -> Iterator[Child]:
    message = TypeAdapter(type(spec)).dump_json(spec).decode()
    child = start_python_child("load", _WORKER, log=log, message=message)
    try:
        yield child
    finally:
        child.stop()


def _listen(child: Child, watch: "_TargetWatch", log: Path) -> Iterator[Message]:
    """The child's messages until it ends; the targets are looked at once a second meanwhile."""
    pending = b""
    heard_s = time.monotonic()
    limit_s = _START_LIMIT_S
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            is_ready = bool(selector.select(watch.seconds_to_next_look()))
            watch.look_when_due()
            if not is_ready:
                # What was said while this process stood still waits to be read: a wait that a signal ends does not see it.
                if time.monotonic() - heard_s > limit_s and not selector.select(0):
                    raise InvalidRunError(f"the load generator has said nothing for {limit_s:.0f} s and was stopped: see {log}")
                continue
            chunk = os.read(child.stdout.fileno(), _READ_BYTES)
            if not chunk:
                return
            limit_s = _SILENCE_S
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                yield parse_message(line)
            # Whoever hears a message may take its time: meanwhile nobody listened.
            heard_s = time.monotonic()


def _wait_for_end(child: Child) -> None:
    """A child that has said everything ends by itself; its statistics of coverage and the like need that moment."""
    deadline_s = time.monotonic() + _END_LIMIT_S
    while child.is_alive and time.monotonic() < deadline_s:
        time.sleep(0.01)


def _build_error(refused: Refused) -> JivsbenchError:
    """The error that the child met, as the class it was there."""
    kinds = (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, JivsbenchError))
    kind = next((kind for kind in kinds if kind.slug == refused.slug), InvalidRunError)
    return kind(refused.message)


def _explain_death(child: Child, log: Path, watch: "_TargetWatch") -> str:
    status = child.process.poll()
    return f"the load generator ended with status {status} {watch.format_moment()}: {_last_words(log)} (see {log})"


def _last_words(log: Path) -> str:
    """The last line of the child's log, which after a traceback names the exception."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = [line.strip() for line in stream.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:_TAIL_CHARACTERS] if lines else "its log is empty"


class _TargetWatch:
    """Looks once a second whether every target still is the process that it was at the start."""

    def __init__(self, arms: Sequence[LoadArm]) -> None:
        self.follow(arms)
        self._started_s: float | None = None
        self._next_s = time.monotonic()

    def follow(self, arms: Sequence[LoadArm]) -> None:
        """From now on these are the targets."""
        self._targets = [(arm, _find_process(arm.pid)) for arm in arms]

    def start_clock(self) -> None:
        """The load begins now."""
        self._started_s = time.monotonic()

    def seconds_to_next_look(self) -> float:
        """How long to wait at most."""
        return max(self._next_s - time.monotonic(), 0.0)

    def look_when_due(self) -> None:
        """Check when a second has passed since the last time."""
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + _LOOK_S
            self.check()

    def check(self) -> None:
        """Raise InvalidRunError naming the arm whose target is gone."""
        for arm, process in self._targets:
            if process is None or not _is_running(process):
                raise InvalidRunError(
                    f"the target {arm.arm!r} died {self.format_moment()}: nothing after that was measured; see its log"
                )

    def format_moment(self) -> str:
        """When now is, in words."""
        if self._started_s is None:
            return "before the load began"
        return f"{time.monotonic() - self._started_s:.0f} s into the load"


def _find_process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _is_running(process: psutil.Process) -> bool:
    """False for a zombie too: it answers nobody any more. The process is told apart from a later one of its number."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
