"""The servers behind the targets, seen from outside: the source's database and the cache, once a second, by optional abilities.

In a thread of its own: a database that does not answer must not keep the monitor from the target's memory. It reads as the same
user as the target does, so it sees what that user may see, says what it may not, and asks for no further right.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from jivsbench.api import ActivityTeller, CacheActivityTeller, CacheClient, Connection
from jivsbench.errors import JivsbenchError
from jivsbench.model.activity import ServerActivity, StatementTotals
from jivsbench.model.monitor_rows import ServerRow

_RETRY_S = 5.0
_NO_TOTALS = "totals of statements: the first or the last look at them failed"


@dataclass(frozen=True, slots=True)
class ServerAccess:
    """How the servers are reached; None where there is none to look at."""

    open_source: Callable[[], Connection] | None = None
    open_cache: Callable[[], CacheClient] | None = None


class ServerProbe:
    """Keeps one session with the source and one with the cache. Used by one thread; never raises."""

    def __init__(self, access: ServerAccess) -> None:
        self._access = access
        self._source: Connection | None = None
        self._cache: CacheClient | None = None
        self._retry_at_s = 0.0
        self._totals: list[tuple[StatementTotals, ...]] = []
        """By the looks that asked for them: the first and the last."""
        self.not_told: dict[str, None] = {}

    def look(self, second: float, *, with_statements: bool) -> ServerRow:
        """One look; with `with_statements` the totals of statements are read too: first and last, they cost more."""
        self._open()
        activity = self._read_source(with_statements=with_statements)
        cache = self._cache.activity() if isinstance(self._cache, CacheActivityTeller) else None
        return ServerRow(
            second=second,
            sessions=activity.sessions,
            own_sessions=activity.own_sessions,
            waits=activity.waits,
            cache_memory_bytes=cache.used_memory_bytes if cache else None,
            cache_hits=cache.hits if cache else None,
            cache_misses=cache.misses if cache else None,
            cache_evictions=cache.evictions if cache else None,
            cache_clients=cache.clients if cache else None,
        )

    def statements(self) -> tuple[StatementTotals, ...]:
        """What was added between the first look at the totals and the last, the longest first."""
        # With one of them alone there is nothing to subtract from, or nothing to subtract.
        return subtract_statements(self._totals[0], self._totals[-1]) if len(self._totals) > 1 else ()

    def close(self) -> None:
        """End both sessions."""
        for opened in (self._source, self._cache):
            try:
                if opened is not None:
                    opened.close()
            except Exception as problem:  # noqa: BLE001 - a plugin's; the other session is to end too
                self.note_error("the end of a session", problem)
        self._source = self._cache = None

    def note_error(self, what: str, problem: Exception) -> None:
        """Of an error that a plugin was not to raise the class is told; its text may quote a URL, and with it a password."""
        self.not_told[f"{what}: the monitor met an error of a plugin ({type(problem).__name__})"] = None

    def _open(self) -> None:
        if time.monotonic() < self._retry_at_s:
            return
        with self._noting_failure("the source"):
            if self._source is None and self._access.open_source is not None:
                self._source = self._access.open_source()
                if not isinstance(self._source, ActivityTeller):
                    self.not_told["sessions of the source: its connector cannot tell what its server does"] = None
        with self._noting_failure("the cache"):
            if self._cache is None and self._access.open_cache is not None:
                self._cache = self._access.open_cache()
                if not isinstance(self._cache, CacheActivityTeller):
                    self.not_told["the cache's server: this cache has none, or its plugin cannot ask it"] = None

    @contextmanager
    def _noting_failure(self, server: str) -> Iterator[None]:
        try:
            yield
        except JivsbenchError as problem:
            self._retry_at_s = time.monotonic() + _RETRY_S
            self.not_told[f"{server} at times: the monitor could not reach it ({problem.slug})"] = None

    def _read_source(self, *, with_statements: bool) -> ServerActivity:
        if not isinstance(self._source, ActivityTeller):
            if with_statements and self._source is None and self._access.open_source is not None:
                self.not_told[_NO_TOTALS] = None
            return ServerActivity()
        try:
            activity = self._source.activity(with_statements=with_statements)
        except JivsbenchError as problem:
            self.not_told[f"sessions of the source at times: it did not answer the monitor ({problem.slug})"] = None
            if with_statements:
                self.not_told[_NO_TOTALS] = None
            self._source.close()
            self._source, self._retry_at_s = None, time.monotonic() + _RETRY_S
            return ServerActivity()
        self.not_told.update(dict.fromkeys(activity.not_granted))
        if with_statements:
            self._totals.append(activity.statements)
        return activity


class ServerWatch:
    """Looks once a second, on the grid of `started_ns`, from `start` until `stop`, and hands every row to `write`."""

    def __init__(self, access: ServerAccess, write: Callable[[ServerRow], object]) -> None:
        self.probe = ServerProbe(access)
        self._write = write
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="server-monitor", daemon=True)
        self._started_ns = 0
        self.cpu_s = 0.0

    def start(self, started_ns: int) -> None:
        """Begin; the first look is taken at once."""
        self._started_ns = started_ns
        self._thread.start()

    def stop(self) -> None:
        """Take a last look and end."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        try:
            self._look_until_stopped()
        except Exception as problem:  # noqa: BLE001 - of a plugin; what it breaks must not end a load that measures
            self.probe.note_error("the servers after a while", problem)
        finally:
            self.cpu_s = time.thread_time()
            self.probe.close()

    def _look_until_stopped(self) -> None:
        is_first = True
        while True:
            is_last = self._stop.is_set()
            elapsed_s = (time.monotonic_ns() - self._started_ns) / 1e9
            self._write(self.probe.look(elapsed_s, with_statements=is_first or is_last))
            if is_last:
                return
            is_first = False
            elapsed_s = (time.monotonic_ns() - self._started_ns) / 1e9
            self._stop.wait(int(elapsed_s) + 1 - elapsed_s)


def subtract_statements(before: Sequence[StatementTotals], after: Sequence[StatementTotals]) -> tuple[StatementTotals, ...]:
    """What was added, by statement; one whose totals fell was reset in between, and counts from nothing."""
    known = {one.statement: one for one in before}
    added = []
    for one in after:
        old = known.get(one.statement)
        is_more = old is not None and old.calls <= one.calls
        calls, duration_ms, rows = (old.calls, old.duration_ms, old.rows) if old is not None and is_more else (0, 0.0, 0)
        if one.calls > calls:
            added.append(StatementTotals(one.statement, one.calls - calls, one.duration_ms - duration_ms, one.rows - rows))
    return tuple(sorted(added, key=lambda one: -one.duration_ms))
