"""One run of the load child: reads what to do, does it, and ends when it is done, told to, or left alone."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Final

import gevent
import gevent.event
import gevent.os
import gevent.queue
from locust.env import Environment
from locust.event import Events
from pydantic import TypeAdapter

from jivsbench.errors import JivsbenchError, OutputError
from jivsbench.extract.folders import write_whole
from jivsbench.load.intervals import open_for_owner
from jivsbench.load.messages import (
    CUT,
    Done,
    Message,
    Progressed,
    Refused,
    Rest,
    Rested,
    Started,
    format_message,
    parse_answer,
)
from jivsbench.load.spec import JoinSpec, LoadArm, LoadOutcome, LoadSpec
from jivsbench.load.worker.joining import Joined
from jivsbench.load.worker.master import Master
from jivsbench.load.worker.page import open_page
from jivsbench.load.worker.playing import Performance
from jivsbench.load.worker.precedence import take_precedence
from jivsbench.model.record import BlockRow

_STDIN: Final = 0
_STOPPED_STATUS: Final = 128 + signal.SIGTERM
_REFUSED_STATUS: Final = 1

_log = logging.getLogger(__name__)


def run_session() -> int:
    """Read one LoadSpec or JoinSpec from standard input, carry it out, write messages to standard output.

    Returns the exit status.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    take_precedence()
    tell = _open_messages()
    ended = gevent.event.AsyncResult()
    # Set before anything slow happens: a child that is told to end while it still loads plugins ends too.
    gevent.signal_handler(signal.SIGTERM, ended.set, None)
    spec = TypeAdapter[LoadSpec | JoinSpec](LoadSpec | JoinSpec).validate_json(sys.stdin.buffer.readline())
    orders: gevent.queue.Queue = gevent.queue.Queue()
    cut = gevent.event.Event()
    gevent.spawn(_watch_parent, ended, orders, cut)

    def rest(blocks: Sequence[BlockRow]) -> Sequence[LoadArm] | None:
        tell(Rested(tuple(blocks)))
        return parse_answer(orders.get())

    try:
        outcome = Joined(spec, tell, ended).play() if isinstance(spec, JoinSpec) else _play_to_file(spec, tell, ended, rest, cut)
    except JivsbenchError as exc:
        tell(Refused(exc.slug, str(exc)))
        return _REFUSED_STATUS
    except OSError as exc:
        _log.exception("the load cannot go on")
        place = "" if isinstance(spec, JoinSpec) else f" to {spec.intervals_path}"
        tell(Refused(OutputError.slug, f"the samples cannot be written{place} ({exc.strerror}): make room there"))
        return _REFUSED_STATUS
    if outcome is None:
        return _STOPPED_STATUS
    tell(Done(outcome))
    return 0


def _play_to_file(
    spec: LoadSpec,
    tell: Callable[[Message], None],
    ended: gevent.event.AsyncResult,
    rest: Rest,
    cut: gevent.event.Event,
) -> LoadOutcome | None:
    """The outcome; None when the load was ended from outside. Either way the intervals are complete up to now."""
    with _open_intervals(Path(spec.intervals_path)) as intervals:
        write = partial(write_whole, intervals.fileno())
        if spec.meeting.machines:
            return Master(spec, write, tell, ended, cut).play()
        environment = Environment(events=Events())  # type: ignore[no-untyped-call]
        environment.create_local_runner()
        if spec.page_port is not None:
            open_page(environment, spec.page_port, ended.set_exception)
        performance = Performance(spec, environment, write, ended, rest)
        tell(Started())
        cutting = gevent.spawn(lambda: performance.cut() if cut.wait() else None)
        try:
            outcome = performance.play(lambda progress: tell(Progressed(progress)))
        finally:
            cutting.kill(block=False)
        if outcome is not None:
            performance.close()
        return outcome


def _open_intervals(path: Path) -> IO[bytes]:
    try:
        # Line by line: whoever reads the file of a load that was killed finds whole lines.
        return open_for_owner(path)
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


def _watch_parent(ended: gevent.event.AsyncResult, orders: gevent.queue.Queue, cut: gevent.event.Event) -> None:
    """Hands on what the parent says. Ends the load when standard input ends: the parent is gone, however it went."""
    gevent.os.make_nonblocking(_STDIN)
    pending = ""
    while told := gevent.os.nb_read(_STDIN, 4096):
        *lines, pending = (pending + told.decode()).split("\n")
        for line in lines:
            if (order := line + "\n") == CUT:
                cut.set()
            else:
                orders.put(order)
    ended.set(None)
