"""One run of the load child: reads what to do, does it, and ends when it is done, told to, or left alone."""

import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

import gevent
import gevent.event
import gevent.os
import gevent.queue
from pydantic import TypeAdapter

from jivsbench.api import Workload
from jivsbench.errors import InvalidRunError, JivsbenchError, OutputError
from jivsbench.load.messages import GO_ON, Done, Looked, Message, Progressed, Refused, Started, format_message
from jivsbench.load.recorder import Recorder
from jivsbench.load.spec import LoadOutcome, LoadSpec
from jivsbench.load.worker.client import TargetClient
from jivsbench.load.worker.crew import Crew
from jivsbench.load.worker.open_loop import OpenLoop
from jivsbench.load.worker.player import Player
from jivsbench.model.record import BlockRow
from jivsbench.model.scenario import Arrival

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
    orders: gevent.queue.Queue = gevent.queue.Queue()
    gevent.spawn(_watch_parent, ended, orders)

    def goes_on(blocks: tuple[BlockRow, ...]) -> bool:
        tell(Looked(blocks))
        return bool(orders.get() == GO_ON)

    try:
        with _open_intervals(Path(spec.intervals_path)) as intervals:
            outcome = _play(spec, intervals, tell, ended, goes_on)
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
    goes_on: Callable[[tuple[BlockRow, ...]], bool],
) -> LoadOutcome | None:
    """The outcome; None when the load was ended from outside. Either way the intervals are complete up to now."""
    workload = _load_workload(spec)
    for arm in spec.arms:
        TargetClient(arm).warm_up()
    _raise_file_limit()
    is_open = spec.arrival is Arrival.RATE
    recorder = Recorder(intervals.write, counts_arrivals=is_open)
    kind: type[Crew | OpenLoop] = OpenLoop if is_open else Crew
    loop = kind(spec, workload, recorder, lambda exc: ended.set_exception(_explain_crash(workload, exc)))
    loop.prepare()
    tell(Started())
    # What is loaded now stays: the collector need not look at it again, which would stop every user for some 50 ms.
    gc.collect()
    gc.freeze()
    player = Player(spec, loop, recorder, ended.set_exception, goes_on)
    playing = gevent.spawn(player.play, lambda progress: tell(Progressed(progress)))
    playing.link(ended)
    try:
        outcome: LoadOutcome | None = ended.get()
    finally:
        playing.kill(block=False)
        recorder.close()
        intervals.flush()
    if outcome is not None:
        loop.close()
    return outcome


def _raise_file_limit() -> None:
    """Every user in flight is a connection; the usual limit of 1,024 files is for people, the hard one for programs."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


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


def _watch_parent(ended: gevent.event.AsyncResult, orders: gevent.queue.Queue) -> None:
    """Hands on what the parent answers. Ends the load when standard input ends: the parent is gone, however it went."""
    gevent.os.make_nonblocking(_STDIN)
    while order := gevent.os.nb_read(_STDIN, 4096):
        # The parent speaks once for each look, and waits for the next one: what comes together is one answer.
        orders.put(order.decode())
    ended.set(None)
