"""One run of the load child: reads what to do, does it, and ends when it is done, told to, or left alone."""

import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

import gevent
import gevent.event
import gevent.os
from pydantic import TypeAdapter

from jivsbench.api import Workload
from jivsbench.errors import InvalidRunError, JivsbenchError, OutputError
from jivsbench.load.messages import CUT, Done, Message, Progressed, Refused, Started, format_message
from jivsbench.load.recorder import Recorder
from jivsbench.load.shape import users_at
from jivsbench.load.spec import LoadOutcome, LoadSpec
from jivsbench.load.worker.client import TargetClient
from jivsbench.load.worker.crew import Crew
from jivsbench.load.worker.player import Player

_STDIN: Final = 0
_STOPPED_STATUS: Final = 128 + signal.SIGTERM
_REFUSED_STATUS: Final = 1

_log = logging.getLogger(__name__)


def run_session() -> int:
    """Read one LoadSpec from standard input, play it, write messages to standard output. Returns the exit status."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    tell = _open_messages()
    ended = gevent.event.AsyncResult()
    # Set before anything slow happens: a child that is told to end while it still loads plugins ends too.
    gevent.signal_handler(signal.SIGTERM, ended.set, None)
    spec = TypeAdapter(LoadSpec).validate_json(sys.stdin.buffer.readline())
    cut = gevent.event.Event()
    gevent.spawn(_watch_parent, ended, cut)
    try:
        with _open_intervals(Path(spec.intervals_path)) as intervals:
            outcome = _play(spec, intervals, tell, ended, cut)
    except JivsbenchError as exc:
        tell(Refused(exc.slug, str(exc)))
        return _REFUSED_STATUS
    except OSError as exc:
        _log.exception("the load cannot go on")
        tell(
            Refused(OutputError.slug, f"the samples cannot be written to {spec.intervals_path} ({exc.strerror}): make room there")
        )
        return _REFUSED_STATUS
    if outcome is None:
        return _STOPPED_STATUS
    tell(Done(outcome))
    return 0


def _play(
    spec: LoadSpec,
    intervals: IO[bytes],
    tell: Callable[[Message], None],
    ended: gevent.event.AsyncResult,
    cut: gevent.event.Event,
) -> LoadOutcome | None:
    """The outcome; None when the load was ended from outside. Either way the intervals are complete up to now."""
    workload = _load_workload(spec)
    for arm in spec.arms:
        TargetClient(arm).warm_up()
    recorder = Recorder(intervals.write)
    crew = Crew(spec, workload, recorder, lambda exc: ended.set_exception(_explain_crash(workload, exc)))
    crew.prepare(users_at(spec.stages, 0.0))
    tell(Started())
    # What is loaded now stays: the collector need not look at it again, which would stop every user for some 50 ms.
    gc.collect()
    gc.freeze()
    player = Player(spec, crew, recorder, ended.set_exception)
    cutting = gevent.spawn(lambda: player.cut() if cut.wait() else None)
    playing = gevent.spawn(player.play, lambda progress: tell(Progressed(progress)))
    playing.link(ended)
    try:
        outcome: LoadOutcome | None = ended.get()
    finally:
        cutting.kill(block=False)
        playing.kill(block=False)
        recorder.close()
        intervals.flush()
    if outcome is not None:
        crew.close()
    return outcome


def _load_workload(spec: LoadSpec) -> Workload:
    from jivsbench.plugins import load_registry

    registry = load_registry(extra_modules=spec.plugins, disabled=spec.disabled_plugins)
    return registry.workload(spec.workload.name)


def _explain_crash(workload: Workload, exc: Exception) -> InvalidRunError:
    return InvalidRunError(
        f"workload {workload.name!r} raised {type(exc).__name__} outside of a job, so its load is not what was planned: "
        "repair it (the traceback is in load.log)"
    )


def _open_intervals(path: Path) -> IO[bytes]:
    try:
        # Line by line: whoever reads the file of a load that was killed finds whole lines.
        return path.open("wb", buffering=0)
    except OSError as exc:
        raise OutputError(f"the samples are to be written to {path}, which cannot be opened ({exc.strerror})") from exc


def _open_messages() -> Callable[[Message], None]:
    """Messages go to what was standard output; whatever a plugin prints goes to the log instead."""
    messages = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def tell(message: Message) -> None:
        line = memoryview(format_message(message))
        try:
            while line:
                line = line[os.write(messages, line) :]
        except BrokenPipeError:
            # The parent is gone; standard input says so too, and ends the load.
            _log.warning("nobody reads the messages any more")

    return tell


def _watch_parent(ended: gevent.event.AsyncResult, cut: gevent.event.Event) -> None:
    """Cuts the load short when it is told to; ends it when standard input ends: the parent is gone, however it went."""
    gevent.os.make_nonblocking(_STDIN)
    while told := gevent.os.nb_read(_STDIN, 4096):
        if CUT.encode() in told:
            cut.set()
    ended.set(None)
