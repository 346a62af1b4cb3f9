"""SEC-035: lifecycle. Old credentials are used no more, and a service that ends leaves nothing behind."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil

from jivsbench.api import CheckContext, TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import Severity
from jivsbench_security.extractions import Extractions
from jivsbench_security.hostile_check import Reported
from jivsbench_security.limits.failing_closed import BREAKABLE
from jivsbench_security.limits.flights import GONE_WITHIN_S, LOOK_EVERY_S, Flight, Watch
from jivsbench_security.limits.owner_session import Login, OwnerSession
from jivsbench_security.limits.source_check import SourceCheck, SourceSession
from jivsbench_security.processes import has_ended
from jivsbench_security.second_sources import describe_source, second_source

_END_WITHIN_S: Final = 5.0
_NO_ORPHAN_AFTER_S: Final = 2.0
_SLEEP_S: Final = 25
_JOBS: Final = 12
"""More than there are workers: some run, and the others wait."""
_START_WITHIN_S: Final = 3.0
_DEADLINE: Final = "deadline"
_OK: Final = range(200, 300)
_SLOW: Final = f"SELECT 1 AS id, pg_catalog.pg_sleep({_SLEEP_S})::text AS slept"
_ROWS: Final = "SELECT n AS id FROM pg_catalog.generate_series(1, 7) AS n"


class _Session(SourceSession):
    """Benign requests go to the target under test, since the attacked one is ended."""

    def __init__(self, check: Reported, context: CheckContext, target: CheckContext, owner: OwnerSession) -> None:
        super().__init__(check, context, context, owner)
        self._doomed = target

    def attack(self) -> None:
        old, new = self.owner.make_login("old"), self.owner.make_login("new")
        slow, rows = self.owner.make_view("slow", _SLOW), self.owner.make_view("rows", _ROWS)
        with second_source(self.target, f"{self.owner.token}_source", url=old.url) as name:
            self._rotate(name, old, new, slow, rows)
            self._remove(name, new, slow, rows)
        self._end(self._doomed, signal.SIGTERM, old, slow)
        if self.target.is_full:
            with self.target.launch(BREAKABLE) as another:
                self._end(another, signal.SIGINT, old, slow)

    def _rotate(self, name: str, old: Login, new: Login, slow: str, rows: str) -> None:
        """A query runs and a connection is idle when the source gets another user."""
        change = f"PUT /api/v1/data-sources/{name} with another user, while a job runs"
        flight = self._occupy(name, slow, rows)
        if flight is None:
            return
        self._ask("PUT", f"/data-sources/{name}", describe_source(self.target, new.url))
        self._judge_gone("a changed data source keeps its old user's sessions", old, change)
        again = self.extractions.run({"source": name, "table": rows})
        if again.was_kept_out or again.slug == _DEADLINE:
            self.tally.count(is_met=False)
        elif not again.is_completed:
            self.add("a changed data source cannot be read", f"a job with the new user ended with {again.slug}", change)
        elif self.owner.count_sessions(old):
            self.add("a changed data source uses its old user again", "a session of the old user is back", change)
        self._judge_ended(flight, change)

    def _remove(self, name: str, login: Login, slow: str, rows: str) -> None:
        """The same when it is removed."""
        change = f"DELETE /api/v1/data-sources/{name}, while a job runs"
        flight = self._occupy(name, slow, rows)
        if flight is None:
            return
        self._ask("DELETE", f"/data-sources/{name}", None)
        self._judge_gone("a removed data source keeps its sessions", login, change)
        if self.extractions.run({"source": name, "table": rows}).is_completed:
            self.add("a removed data source can still be read", "a job that was created after it completed", change)
        self._judge_ended(flight, change)

    def _occupy(self, name: str, slow: str, rows: str) -> Flight | None:
        """One session of the source's user at work, and one idle; None when it did not come to that in time."""
        flight = self.watch.begin("slow", {"source": name, "table": slow}, slow, GONE_WITHIN_S)
        is_busy = self._wait(lambda: self.watch.look([flight]), _START_WITHIN_S)
        is_occupied = is_busy and self.extractions.run({"source": name, "table": rows}).is_completed
        self.tally.count(is_met=is_occupied)
        if is_occupied:
            return flight
        self.watch.stop([flight])
        return None

    def _judge_gone(self, title: str, login: Login, change: str) -> None:
        left = self._await_none(login, GONE_WITHIN_S)
        if left:
            self.add(title, f"{left} sessions are left after {GONE_WITHIN_S:g} s", change)

    def _judge_ended(self, flight: Flight, change: str) -> None:
        self._wait(lambda: not self.watch.look([flight]) and flight.is_over, GONE_WITHIN_S + self.lenience.allowed_s)
        self.watch.stop([flight])
        if flight.ending is None or flight.ending.is_completed or not flight.ending.is_typed:
            told = f"the job that ran ended with {flight.ending.slug if flight.ending else 'nothing'}"
            self.add("a job goes on although its source is changed", told, change)

    def _end(self, doomed: CheckContext, number: signal.Signals, login: Login, slow: str) -> None:
        """More jobs than workers when the signal comes."""
        with second_source(doomed, f"{self.owner.token}_{number.name.lower()}", url=login.url) as name:
            watch = Watch(Extractions(doomed.target), self.owner, self.lenience)
            flights = [watch.begin("slow", {"source": name, "table": slow}, slow, _END_WITHIN_S) for _ in range(_JOBS)]
            is_busy = self._wait(lambda: watch.look(flights), _START_WITHIN_S)
            self.tally.count(is_met=is_busy)
            if not is_busy:
                watch.stop(flights)
                return
            self._signal(doomed, number, login, flights)

    def _signal(self, doomed: CheckContext, number: signal.Signals, login: Login, flights: list[Flight]) -> None:
        """The end of the process, of its sessions and of its files."""
        process = psutil.Process(doomed.pid)
        os.kill(doomed.pid, number)
        signalled = f"{number.name} to a service with {_JOBS} jobs that sleep {_SLEEP_S} s"
        if not self._wait(lambda: has_ended(process), _END_WITHIN_S + self.lenience.allowed_s):
            self.add("a service does not end in time", f"it still ran {_END_WITHIN_S:g} s after the signal", signalled)
            os.kill(doomed.pid, signal.SIGKILL)
        left = self._await_none(login, _NO_ORPHAN_AFTER_S)
        if left:
            self.add("a service leaves sessions behind", f"{left} are left {_NO_ORPHAN_AFTER_S:g} s after its end", signalled)
        left_files = find_files(doomed.output_dir, [flight.job_id for flight in flights])
        if left_files:
            self.add(
                "a service leaves files of unfinished jobs behind", f"{len(left_files)}, e.g. {left_files[0].name}", signalled
            )
        self.owner.end_sessions()

    def _await_none(self, login: Login, within_s: float) -> int:
        """Sessions that a user still has after a while; 0 as soon as there are none."""
        left = 0

        def are_gone() -> bool:
            nonlocal left
            left = self.owner.count_sessions(login)
            return not left

        self._wait(are_gone, within_s + self.lenience.allowed_s)
        return left

    def _wait(self, is_so: Callable[[], bool], timeout_s: float) -> bool:
        deadline_s = time.monotonic() + timeout_s
        while not is_so():
            if time.monotonic() > deadline_s:
                return False
            self.lenience.sleep(LOOK_EVERY_S)
        return True

    def _ask(self, method: str, path: str, body: object) -> None:
        if self.target.target.call(method, path, body).status not in _OK:
            raise InvalidRunError("a data source of the check's own could not be added, changed or removed")


class LifecycleCheck(SourceCheck):
    """Changes and removes a data source in use, and ends a service that is busy."""

    id = "SEC-035"
    title = "Lifecycle: old credentials are let go of at once, and a service that ends leaves nothing behind"
    severity = Severity.MEDIUM
    cwe = ("CWE-404", "CWE-772", "CWE-613")
    # The one that it ends: nobody else needs it after SEC-029.
    changes = BREAKABLE
    # Pools that are keyed by name alone, and an end that ends nothing.
    vulnerable = TargetVariant("vulnerable-stale", plugins=("jivsbench.testing.vulnerable.stale_pool",))
    session = _Session


def find_files(output_dir: Path, job_ids: list[str]) -> list[Path]:
    """Files and folders of these jobs, none of which has completed."""
    return [path for job_id in job_ids for path in sorted(output_dir.rglob(f"*{job_id}*"))]
