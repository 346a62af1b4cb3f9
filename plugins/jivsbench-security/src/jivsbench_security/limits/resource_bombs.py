"""SEC-009: resource bombs. What makes much out of little ends in time, with a typed error, and fills no memory."""

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psutil
import psycopg
from psycopg import sql

from jivsbench.api import CheckContext, TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import Severity
from jivsbench.model.secret import Secret
from jivsbench_security.extractions import Extractions, is_refusal, read_slug
from jivsbench_security.limits.flights import LOOK_EVERY_S, MOST_LENIENCE_S, Flight, Watch, find_overrun
from jivsbench_security.limits.source_check import JOB_TIMEOUT_S, SourceCheck, SourceSession
from jivsbench_security.own_sessions import open_session
from jivsbench_security.processes import has_ended

_GRACE_S: Final = 1.0
"""So long after its deadline a job may go on to read what is on its way, and to clear up: these jobs never stand still."""
_MOST_GROWTH_BYTES: Final = 64 << 20
_COLUMNS: Final = 1_600
_WIDE_ROWS: Final = 100
_VALUE_BYTES: Final = 40_000_000
_FULL_VALUE_BYTES: Final = 300_000_000
_ITEMS: Final = 200_000
_WARM_UPS: Final = 4
_LARGE_LIMIT_S: Final = 30.0
_REQUESTS: Final = 100
_MOST_SLOWDOWN: Final = 1.5
_TIMES: Final = 2
_MOST_TURNS: Final = 200
_BURST: Final = frozenset({0, 201, 500})
"""No answer to what is large, a job made of it, and a fault of the target's own: it was met, and not refused."""
_NEVER_RAN: Final = frozenset(
    {
        *("pool-timeout", "queue-full", "source-unreachable", "access-denied", "missing-object", "deadline", "cancelled"),
    }
)
"""Ends that a job may come to before its first statement."""


@dataclass(frozen=True, slots=True)
class Bomb:
    """Something small that becomes large: the text of a view, and what it is."""

    name: str
    meaning: str
    query: str


def build_large(value_bytes: int) -> tuple[Bomb, ...]:
    """What is large at once. It comes from views: the guard refuses such functions in a raw query."""
    columns = ", ".join(f"n AS c{number}" for number in range(_COLUMNS))
    # Not of a constant: the server would compute it anew each time it plans the query.
    value = f"SELECT 1 AS id, pg_catalog.repeat('x', {value_bytes} + pg_catalog.random()::int) AS value"
    wide = f"SELECT {columns} FROM pg_catalog.generate_series(1, {_WIDE_ROWS}) AS n"  # noqa: S608 - numbers of our own
    return Bomb("value", f"one value of {value_bytes // 1_000_000} MB", value), Bomb("wide", f"{_COLUMNS} columns", wide)


def build_endless() -> tuple[Bomb, ...]:
    """What does not end by itself."""
    tables = ", ".join(f"pg_catalog.generate_series(1, 1000) AS t{number}" for number in range(4))
    cross = f"SELECT 1 AS id FROM {tables}"  # noqa: S608 - numbers of our own
    recursion = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n FROM r) SELECT n AS id FROM r"
    return (
        # In the list of columns: behind FROM the server would compute all of them first.
        Bomb("rows", "a thousand million rows", "SELECT pg_catalog.generate_series(1, 1000000000) AS id"),
        Bomb("cross", "the product of four tables", cross),
        Bomb("recursion", "a recursion without end", recursion),
    )


class _Session(SourceSession):
    _most_growth_bytes = 0

    def describe(self) -> str:
        """One line for the result."""
        return f"{super().describe()}; memory grew by {_format_mib(self._most_growth_bytes)} at most"

    def attack(self) -> None:
        # The limits of the target under test, so that there is time to fill its memory; one at a time, to tell which does.
        for bomb in build_large(_FULL_VALUE_BYTES if self.context.is_full else _VALUE_BYTES):
            self._explode(self.context, (bomb,), _LARGE_LIMIT_S)
        self._explode(self.target, build_endless(), JOB_TIMEOUT_S, is_endless=True)
        self._send_long_list()
        if self.context.is_full:
            self._compare_latency(build_endless())

    def _explode(self, target: CheckContext, bombs: tuple[Bomb, ...], limit_s: float, *, is_endless: bool = False) -> None:
        extractions = Extractions(target.target)
        self._warm_up(extractions)
        watch = Watch(extractions, self.owner, self.lenience)
        views = [self.owner.make_view(bomb.name, bomb.query) for bomb in bombs]
        memory = MemoryWatch(target.pid, len(bombs) * _MOST_GROWTH_BYTES)
        flights = [watch.begin(bomb.name, self.build_body(view), view, limit_s) for bomb, view in zip(bombs, views, strict=True)]
        watch.follow(flights, limit_s + _GRACE_S + MOST_LENIENCE_S, until=lambda: memory.is_over, on_look=memory.look)
        self._most_growth_bytes = max(self._most_growth_bytes, memory.growth_bytes)
        if memory.is_over:
            told = f"{bombs[0].meaning}: {memory.describe()}"
            self.add("a resource bomb fills the target's memory", told, self._show(bombs[0]))
        for bomb, flight in zip(bombs, flights, strict=True):
            self._judge(bomb, flight, is_endless=is_endless, was_given_up=memory.is_over)

    def _warm_up(self, extractions: Extractions) -> None:
        """What the first jobs of a process load must not count as growth: as many at a time as the attack has."""
        body = self.build_body(self.target.table)
        ids = [extractions.prepare(body) for _ in range(_WARM_UPS)]
        for job_id in ids:
            extractions.start(job_id)
        give_up_s = time.monotonic() + JOB_TIMEOUT_S + MOST_LENIENCE_S
        while any(extractions.look(job_id) is None for job_id in ids) and time.monotonic() < give_up_s:
            self.lenience.sleep()

    def _judge(self, bomb: Bomb, flight: Flight, *, is_endless: bool, was_given_up: bool) -> None:
        was_met = flight.was_seen or (flight.ending is not None and flight.ending.slug not in _NEVER_RAN)
        self.tally.count(is_met=was_met)
        told = find_overrun(flight, self.lenience, _GRACE_S) if was_met and not was_given_up else None
        if told is None and is_endless and flight.ending is not None and flight.ending.is_completed:
            told = "the job was completed, though what it reads has no end"
        if told is not None:
            self.add("a resource bomb was not stopped as it should", f"{bomb.meaning}: {told}", self._show(bomb))

    def _show(self, bomb: Bomb) -> str:
        return f"CREATE VIEW bomb AS {bomb.query[:300]}; POST /api/v1/extractions {{'table': 'bomb'}}"

    def _send_long_list(self) -> None:
        """The request itself is the bomb: a filter with 200,000 values."""
        column = {"column": "id", "operator": "in", "values": list(range(_ITEMS))}
        body = {"source": self.target.source, "table": self.target.table, "filters": [column]}
        started_s = time.monotonic()
        answer = self.extractions.create(body)
        took_s = time.monotonic() - started_s
        is_refused = is_refusal(answer.status, read_slug(answer))
        self.tally.count(is_met=answer.status in _BURST, is_refused=is_refused)
        if answer.status in _BURST or (is_refused and took_s > JOB_TIMEOUT_S + self.lenience.allowed_s):
            told = f"{_ITEMS} values in one filter: the answer was {answer.status} after {took_s:.1f} s"
            self.add("a resource bomb was not refused", told, f"POST /api/v1/extractions with {_ITEMS} values in a filter")

    def _compare_latency(self, bombs: tuple[Bomb, ...]) -> None:
        """Other jobs beside bombs that the target reads, against the same jobs beside the same bombs past the target.

        What the server and the machine have to do for a bomb is no fault of the target's. A slowdown counts when it comes twice.
        """
        views = [f"{self.owner.token}_{bomb.name}" for bomb in bombs]
        told = ""
        for _ in range(_TIMES):
            past_s, through_s = (_find_p95(times) for times in self._time_beside(views))
            if past_s is None or through_s is None or through_s <= _MOST_SLOWDOWN * past_s:
                self.tally.count(is_met=past_s is not None and through_s is not None)
                return
            told = (
                f"p95 of other jobs is {through_s * 1000:.0f} ms beside a bomb, {past_s * 1000:.0f} ms beside one past the target"
            )
        self.tally.count(is_met=True)
        self.add("resource bombs slow other jobs down", f"{told}, twice", self._show(bombs[0]), Severity.MEDIUM)

    def _time_beside(self, views: list[str]) -> tuple[list[float], list[float]]:
        """How long other jobs took beside bombs past the target, and through it, by turns: whatever else happens meets both."""
        body = {"source": self.target.source, "table": self.target.table, "row_limit": 1}
        past: list[float] = []
        through: list[float] = []
        for turn in range(_MOST_TURNS):
            if min(len(past), len(through)) >= _REQUESTS:
                break
            view = views[turn % len(views)]
            with run_past(self.context.data_source().url, view):
                past += self._time(body, lambda started_s: time.monotonic() - started_s < JOB_TIMEOUT_S)
            flight = self.watch.begin(view, self.build_body(view), view, JOB_TIMEOUT_S)
            through += self._time(body, lambda _started_s, job_id=flight.job_id: self.extractions.look(job_id) is None)  # type: ignore[misc]
            self.watch.follow([flight], JOB_TIMEOUT_S + MOST_LENIENCE_S)
        return past, through

    def _time(self, body: dict[str, object], is_wanted: Callable[[float], bool]) -> list[float]:
        """How long jobs took, one after another, while they are wanted; the time of one that was not carried out says nothing."""
        started_s, times_s = time.monotonic(), list[float]()
        while is_wanted(started_s):
            ending = self.extractions.run(body)
            times_s += [ending.duration_s] if ending.is_completed else []
        return times_s


class ResourceBombCheck(SourceCheck):
    """Reads from views that are large or never end, and watches the target's memory."""

    id = "SEC-009"
    title = "Resource bombs: each ends in time with a typed error, and the target's memory stays as it is"
    severity = Severity.HIGH
    cwe = ("CWE-400", "CWE-770")
    # Every row is held until the last one has come, however many and however long they are.
    vulnerable = TargetVariant("vulnerable-fetchall", plugins=("jivsbench.testing.vulnerable.fetchall",))
    session = _Session


class MemoryWatch:
    """How much the resident memory of a process grows, by the system's word; one that is gone has had too much."""

    def __init__(self, pid: int, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        """It may grow by so much."""
        self.growth_bytes = 0
        self.is_gone = False
        """True when the process has ended."""
        self._process = psutil.Process(pid)
        self._before_bytes = self._read()

    @property
    def is_over(self) -> bool:
        """True when it grew by more than it may, or ended."""
        return self.is_gone or self.growth_bytes > self.most_bytes

    def describe(self) -> str:
        """What happened, as a clause."""
        if self.is_gone:
            return f"the target's process ended, after it had grown by {_format_mib(self.growth_bytes)}"
        return f"the target grew by {_format_mib(self.growth_bytes)} at least, {_format_mib(self.most_bytes)} are allowed"

    def look(self) -> None:
        """Note how much it has grown."""
        try:
            self.growth_bytes = max(self.growth_bytes, self._read() - self._before_bytes)
        except psutil.NoSuchProcess:
            self.is_gone = True

    def _read(self) -> int:
        try:
            if has_ended(self._process):
                raise psutil.NoSuchProcess(self._process.pid)
            return int(self._process.memory_info().rss)
        except psutil.AccessDenied:
            raise InvalidRunError("the memory of the target's process cannot be read") from None


@contextmanager
def run_past(url: Secret, view: str) -> Iterator[None]:
    """The server is busy with a view, and the target has no part in it, as long as the block lasts."""
    with open_session(url) as session, ThreadPoolExecutor(1) as beside:
        statement = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(view))
        running = beside.submit(session.execute, statement)
        try:
            yield
        finally:
            # Asked until it is heard: a statement that has not begun cannot be cancelled.
            while not running.done():
                session.cancel_safe()
                wait([running], timeout=LOOK_EVERY_S)
    problem = running.exception()
    if problem is not None and not isinstance(problem, psycopg.errors.QueryCanceled):
        raise problem


def _format_mib(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 20):.0f} MiB"


def _find_p95(durations_s: list[float]) -> float | None:
    if len(durations_s) < _REQUESTS:
        return None
    return statistics.quantiles(durations_s, n=20)[-1]
