"""SEC-010: pool exhaustion. Ten times as many callers as connections, and nobody waits for longer than was promised."""

import time
from typing import Final

from jivsbench.api import CheckContext, TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import Severity
from jivsbench_security.extractions import Ending
from jivsbench_security.limits.flights import GONE_WITHIN_S, LOOK_EVERY_S, MOST_LENIENCE_S
from jivsbench_security.limits.owner_session import OwnerSession
from jivsbench_security.limits.source_check import (
    BORROW_TIMEOUT_S,
    JOB_TIMEOUT_S,
    JOB_WORKERS,
    POOL_SIZE,
    QUERY_TIMEOUT_S,
    QUEUE_LIMIT,
    SourceCheck,
    SourceSession,
)

_CALLERS: Final = 10 * POOL_SIZE
_CALLERS_A_LOOK: Final = 10
_MORE: Final = JOB_WORKERS + QUEUE_LIMIT + 8 - _CALLERS
"""Callers besides, so that there are eight more than workers and queue can take."""
_FULL_ROUNDS: Final = 10
_MORE_ROUNDS: Final = 2
_LATE: Final = 1.1
_GRACE_S: Final = 0.25
_ACCEPTED: Final = 202
_SENT_AWAY: Final = "pool-timeout"
_HOLD: Final = f"SELECT 1 AS id, pg_catalog.pg_sleep({5 * QUERY_TIMEOUT_S})::text AS slept"
_BRIEF: Final = f"SELECT 1 AS id, pg_catalog.pg_sleep({QUERY_TIMEOUT_S / 2})::text AS slept"


class PoolExhaustionCheck(SourceCheck):
    """Holds every connection of a pool, and asks for ten times as many."""

    id = "SEC-010"
    title = "Pool exhaustion: nobody waits for too long, other sources go on, and the pool is whole again"
    severity = Severity.HIGH
    cwe = ("CWE-770", "CWE-772")
    # Who waits for a connection waits for as long as it takes.
    vulnerable = TargetVariant("vulnerable-patient", plugins=("jivsbench.testing.vulnerable.patient_pool",))

    def build_session(self, context: CheckContext, target: CheckContext, owner: OwnerSession) -> SourceSession:
        """The run against one target."""
        return _Session(self, context, target, owner)


class _Session(SourceSession):
    def __init__(self, check: PoolExhaustionCheck, context: CheckContext, target: CheckContext, owner: OwnerSession) -> None:
        super().__init__(check, target, owner)
        self._context = context
        self._queue_was_full = False

    def attack(self) -> None:
        hold, brief = self.owner.make_view("hold", _HOLD), self.owner.make_view("brief", _BRIEF)
        beside = f"{self.owner.token}_beside"
        reader = self._context.reader()
        body = {"name": beside, "connector": reader.connector, "url": reader.url.reveal()}
        if self.target.target.call("POST", "/data-sources", body).status != 201:  # noqa: PLR2004
            raise InvalidRunError("a second data source of the same server could not be added")
        try:
            rounds = _FULL_ROUNDS if self._context.is_full else 1
            for turn in range(rounds + _MORE_ROUNDS):
                # A slow machine may need another round to fill the queue.
                if turn >= rounds and self._queue_was_full:
                    break
                self._exhaust(hold, beside)
                self._look_at_the_size(brief)
        finally:
            self.target.target.call("DELETE", f"/data-sources/{beside}")

    def _exhaust(self, hold: str, beside: str) -> None:
        """Forty callers, four connections: the others must be sent away in time, and another source must not notice."""
        ids = [self.extractions.prepare(self.build_body(hold)) for _ in range(_CALLERS + _MORE)]
        started_s = time.monotonic()
        began_s: dict[str, float] = {}
        held = 0
        # More than one look: on a slow machine the first callers are gone before the last has come.
        for place in range(0, _CALLERS, _CALLERS_A_LOOK):
            began_s |= self._start(ids[place : place + _CALLERS_A_LOOK])
            held = max(held, sum(state.is_active for state in self.owner.look()))
        beside_id = self.extractions.prepare({"source": beside, "table": self.target.table, "row_limit": 1})
        self.extractions.start(beside_id)
        # Not for as long as a job may take: where nobody is sent away, this one waits behind all the others.
        other = self._await_ends([beside_id], JOB_TIMEOUT_S + BORROW_TIMEOUT_S + _GRACE_S + MOST_LENIENCE_S).get(beside_id)
        began_s |= self._start(ids[_CALLERS:])
        took_s = time.monotonic() - started_s
        ended = self._await_ends(list(began_s), JOB_TIMEOUT_S + BORROW_TIMEOUT_S + _GRACE_S + MOST_LENIENCE_S)
        # A job that ended for another reason than the pool says nothing of it: the machine was too slow for its deadline.
        is_kept_out = other is None or other[0].slug == _SENT_AWAY
        self.attempted += _CALLERS + 1
        self.reached += _CALLERS if held and set(ids[:_CALLERS]) <= began_s.keys() else 0
        self.reached += 1 if is_kept_out or (other and other[0].is_completed) else 0
        if held > POOL_SIZE:
            told = f"{held} sessions worked at the same time, the pool has room for {POOL_SIZE}"
            self.add("a pool is larger than it may be", told, self.build_body(hold))
        if is_kept_out:
            ending = other[0].slug if other else "nothing"
            told = f"a job of another data source ended with {ending} while {_CALLERS} jobs asked for {POOL_SIZE} connections"
            self.add("an exhausted pool stops another data source", told, self.build_body(hold))
        callers = [job_id for job_id in ids[:_CALLERS] if job_id in ended]
        if all(job_id in began_s for job_id in ids[:_CALLERS]):
            self._judge_ends(hold, [(ended[i][0], ended[i][1] - began_s[i]) for i in callers])
        self._judge_queue(len(began_s), took_s)
        self._clear([job_id for job_id in (*began_s, *([] if other else [beside_id])) if job_id not in ended])

    def _start(self, ids: list[str]) -> dict[str, float]:
        """Start jobs; when each that was accepted began."""
        return {job_id: time.monotonic() for job_id in ids if self.extractions.start(job_id).status == _ACCEPTED}

    def _judge_queue(self, accepted: int, took_s: float) -> None:
        """Of more jobs than workers and queue can take, the rest must be refused, while none of them has ended."""
        self.attempted += 1
        # Otherwise some had ended before the last was started: the queue was never full, and nothing was shown.
        if accepted < _CALLERS + _MORE or took_s < BORROW_TIMEOUT_S:
            self.reached += 1
            self._queue_was_full = True
        if took_s < BORROW_TIMEOUT_S and accepted > JOB_WORKERS + QUEUE_LIMIT:
            told = f"{accepted} jobs were accepted at once: {JOB_WORKERS} can run, and {QUEUE_LIMIT} may wait"
            self.add("the queue of jobs has no bound", told, f"{_CALLERS + _MORE} times POST /api/v1/extractions, each started")

    def _await_ends(self, ids: list[str], give_up_s: float) -> dict[str, tuple[Ending, float]]:
        """How each job ended, and when that was seen."""
        ended: dict[str, tuple[Ending, float]] = {}
        deadline_s = time.monotonic() + give_up_s
        while len(ended) < len(ids) and time.monotonic() < deadline_s:
            asked_s = time.monotonic()
            found = self.extractions.look_at_all()
            self.lenience.note(time.monotonic() - asked_s)
            for job_id in ids:
                ending = found.get(job_id)
                if ending is not None and job_id not in ended:
                    ended[job_id] = ending, time.monotonic()
            self.lenience.sleep()
        return ended

    def _judge_ends(self, hold: str, ended: list[tuple[Ending, float]]) -> None:
        allowed_s = self.lenience.allowed_s
        waited = [took_s for end, took_s in ended if end.slug == _SENT_AWAY]
        longest_s = max(waited, default=0.0)
        untyped = sorted({str(end.slug) for end, _took in ended if not end.is_typed})
        reproducer = f"{_CALLERS} times POST /api/v1/extractions {{'table': '{hold}'}}, each started at once"
        told = ""
        if len(ended) < _CALLERS:
            told = f"{_CALLERS - len(ended)} jobs had not ended"
        elif not waited:
            told = "not one was sent away for want of a connection"
        elif longest_s > BORROW_TIMEOUT_S * _LATE + allowed_s:
            told = f"a job was sent away after {longest_s:.2f} s, the limit is {BORROW_TIMEOUT_S:g} s"
        if told:
            self.add("callers of an exhausted pool wait for too long", told, reproducer)
        if untyped:
            self.add("an exhausted pool is told without a typed error", f"jobs ended with {', '.join(untyped)}", reproducer)

    def _clear(self, left: list[str]) -> None:
        for job_id in left:
            self.extractions.stop(job_id)
        if left:
            self.owner.end_sessions()

    def _look_at_the_size(self, brief: str) -> None:
        """All connections of the pool work at the same time again, within a second."""
        self.attempted += 1
        flights = [self.watch.begin("brief", self.build_body(brief), brief, JOB_TIMEOUT_S) for _ in range(POOL_SIZE)]
        most, deadline_s = 0, time.monotonic() + GONE_WITHIN_S + self.lenience.allowed_s
        while most < POOL_SIZE and time.monotonic() < deadline_s:
            most = max(most, sum(state.is_active for state in self.owner.look()))
            time.sleep(LOOK_EVERY_S / 2)
        self.reached += 1
        if most < POOL_SIZE:
            told = f"{most} of {POOL_SIZE} connections worked within {GONE_WITHIN_S:g} s after it was exhausted"
            self.add("a pool is not whole again", told, f"{POOL_SIZE} times POST /api/v1/extractions {{'table': '{brief}'}}")
        self.watch.stop(flights)
        self._await_ends([flight.job_id for flight in flights], JOB_TIMEOUT_S + MOST_LENIENCE_S)
