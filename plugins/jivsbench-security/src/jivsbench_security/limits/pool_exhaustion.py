"""SEC-010: pool exhaustion. Ten times as many callers as connections, and nobody waits for longer than was promised."""

import time
from collections.abc import Sequence
from typing import Final

from jivsbench.api import TargetVariant
from jivsbench.model.finding import Severity
from jivsbench_security.extractions import Ending, Extractions
from jivsbench_security.hostile_check import Tally
from jivsbench_security.limits.flights import GONE_WITHIN_S, LOOK_EVERY_S, MOST_LENIENCE_S, Lenience
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
from jivsbench_security.second_sources import second_source

_CALLERS: Final = 10 * POOL_SIZE
_CALLERS_A_LOOK: Final = 10
_MORE: Final = JOB_WORKERS + QUEUE_LIMIT + 8 - _CALLERS
"""Callers besides, so that there are eight more than workers and queue can take."""
_FULL_ROUNDS: Final = 10
_MORE_TRIES: Final = 2
"""So many more for each round in which a slow machine was late with its callers."""
_CROWD_WITHIN_S: Final = _CALLERS / POOL_SIZE / 2 * QUERY_TIMEOUT_S
"""Callers who all come within this cannot all be served: half of them would take as long."""
_GIVE_UP_S: Final = JOB_TIMEOUT_S + BORROW_TIMEOUT_S + 0.25 + MOST_LENIENCE_S
_LATE: Final = 1.1
_ACCEPTED: Final = 202
_SENT_AWAY: Final = "pool-timeout"
_HOLD: Final = f"SELECT 1 AS id, pg_catalog.pg_sleep({5 * QUERY_TIMEOUT_S})::text AS slept"
_BRIEF_S: Final = QUERY_TIMEOUT_S / 2
_BRIEF: Final = f"SELECT 1 AS id, pg_catalog.pg_sleep({QUERY_TIMEOUT_S / 2})::text AS slept"


class EndWatch:
    """How jobs ended, and when each was last seen to run. Whoever looks seldom sees an end late, but never a job too long."""

    def __init__(self, extractions: Extractions, lenience: Lenience) -> None:
        self._extractions = extractions
        self._lenience = lenience
        self.ended: dict[str, Ending] = {}
        self.ran_s: dict[str, float] = {}
        """When a job was last asked for and had not ended."""

    def look(self) -> None:
        """At all jobs that there are."""
        asked_s = time.monotonic()
        found = self._extractions.look_at_all()
        self._lenience.note(time.monotonic() - asked_s)
        for job_id, ending in found.items():
            if ending is None:
                self.ran_s[job_id] = asked_s
            else:
                self.ended.setdefault(job_id, ending)

    def wait(self, ids: Sequence[str], give_up_s: float) -> None:
        """Look until these have ended, or the time is over."""
        deadline_s = time.monotonic() + give_up_s
        while True:
            is_late = time.monotonic() > deadline_s
            self.look()
            if is_late or all(job_id in self.ended for job_id in ids):
                break
            self._lenience.sleep()


class _Session(SourceSession):
    def attack(self) -> None:
        hold, brief = self.owner.make_view("hold", _HOLD), self.owner.make_view("brief", _BRIEF)
        with second_source(self.target, f"{self.owner.token}_beside") as beside:
            for _ in range(_FULL_ROUNDS if self.context.is_full else 1):
                seen, tries_left = self._exhaust(hold, beside), _MORE_TRIES
                while seen.unanswered and tries_left and not self.findings:
                    seen, tries_left = self._exhaust(hold, beside), tries_left - 1
                self.tally.add(seen)
                self._look_at_the_size(brief)

    def _exhaust(self, hold: str, beside: str) -> Tally:
        """Forty callers, four connections: the others must be sent away in time, and another source must not notice."""
        seen, ends = Tally(), EndWatch(self.extractions, self.lenience)
        ids = [self.extractions.prepare(self.build_body(hold)) for _ in range(_CALLERS + _MORE)]
        callers, started_s = ids[:_CALLERS], time.monotonic()
        began_s: dict[str, float] = {}
        held = 0
        # More than one look: on a slow machine the first callers are gone before the last has come.
        for place in range(0, _CALLERS, _CALLERS_A_LOOK):
            began_s |= self._start(callers[place : place + _CALLERS_A_LOOK])
            held = max(held, self._count_active())
        is_crowd = set(callers) <= began_s.keys() and time.monotonic() - started_s < _CROWD_WITHIN_S
        self._judge_other(ends, hold, beside, seen)
        began_s |= self._start(ids[_CALLERS:])
        took_s = time.monotonic() - started_s
        ends.wait(list(began_s), _GIVE_UP_S)
        seen.count(_CALLERS, is_met=is_crowd and held > 0)
        if held > POOL_SIZE:
            told = f"{held} sessions worked at the same time, the pool has room for {POOL_SIZE}"
            self.tell("a pool is larger than it may be", told, self.build_body(hold))
        if is_crowd:
            self._judge_ends(hold, ends, {job_id: began_s[job_id] for job_id in callers})
        self._judge_queue(len(began_s), took_s, seen)
        self._clear([job_id for job_id in began_s if job_id not in ends.ended])
        return seen

    def _start(self, ids: list[str]) -> dict[str, float]:
        """Start jobs; when each that was accepted began."""
        return {job_id: time.monotonic() for job_id in ids if self.extractions.start(job_id).status == _ACCEPTED}

    def _count_active(self) -> int:
        """Sessions at work in two looks on end: one that is being ended may still be there beside the one in its place."""
        first, again = ({state.pid for state in self.owner.look() if state.is_active} for _ in range(2))
        return len(first & again)

    def _judge_other(self, ends: EndWatch, hold: str, beside: str, seen: Tally) -> None:
        """A job of another source, while all connections of the first are taken."""
        job_id = self.extractions.prepare({"source": beside, "table": self.target.table, "row_limit": 1})
        self.extractions.start(job_id)
        # Not for as long as a job may take: where nobody is sent away, this one waits behind all the others.
        ends.wait([job_id], _GIVE_UP_S)
        ending = ends.ended.get(job_id)
        is_kept_out = ending is None or ending.slug == _SENT_AWAY
        # A job that ended for another reason than the pool says nothing of it: the machine was too slow for its deadline.
        seen.count(is_met=is_kept_out or (ending is not None and ending.is_completed))
        if is_kept_out:
            told = f"a job of another data source ended with {ending.slug if ending else 'nothing'}"
            told += f" while {_CALLERS} jobs asked for {POOL_SIZE} connections"
            self.tell("an exhausted pool stops another data source", told, self.build_body(hold))
        if ending is None:
            self.extractions.stop(job_id)

    def _judge_queue(self, accepted: int, took_s: float, seen: Tally) -> None:
        """Of more jobs than workers and queue can take, the rest must be refused, while none of them has ended."""
        # Otherwise some had ended before the last was started: the queue was never full, and nothing was shown.
        seen.count(is_met=accepted < _CALLERS + _MORE or took_s < BORROW_TIMEOUT_S)
        if took_s < BORROW_TIMEOUT_S and accepted > JOB_WORKERS + QUEUE_LIMIT:
            told = f"{accepted} jobs were accepted at once: {JOB_WORKERS} can run, and {QUEUE_LIMIT} may wait"
            self.add("the queue of jobs has no bound", told, f"{_CALLERS + _MORE} times POST /api/v1/extractions, each started")

    def _judge_ends(self, hold: str, ends: EndWatch, began_s: dict[str, float]) -> None:
        """None of the callers waits for longer than was promised, and whoever is sent away is told so."""
        found = {job_id: ends.ended[job_id] for job_id in began_s if job_id in ends.ended}
        # At least: how long a job ran after it was last seen nobody knows.
        waits_s = [ends.ran_s.get(i, began_s[i]) - began_s[i] for i, end in found.items() if end.slug == _SENT_AWAY]
        untyped = sorted({str(end.slug) for end in found.values() if not end.is_typed})
        reproducer = f"{_CALLERS} times POST /api/v1/extractions {{'table': '{hold}'}}, each started at once"
        told = ""
        if len(found) < len(began_s):
            told = f"{len(began_s) - len(found)} jobs had not ended"
        elif not waits_s:
            told = "not one was sent away for want of a connection"
        elif max(waits_s) > BORROW_TIMEOUT_S * _LATE + self.lenience.allowed_s:
            told = f"a job still waited after {max(waits_s):.2f} s, the limit is {BORROW_TIMEOUT_S:g} s"
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
        most, was_shown = 0, False
        deadline_s = time.monotonic() + GONE_WITHIN_S + self.lenience.allowed_s
        while True:
            # Who comes too early is sent away before the pool has its connections again: others come after them.
            found, was_quick = self._send_wave(brief)
            most, was_shown = max(most, found), was_shown or was_quick
            if most >= POOL_SIZE or time.monotonic() > deadline_s:
                break
        # On a machine that starts four jobs in more time than one of them takes, nobody sees them side by side.
        self.tally.count(is_met=most >= POOL_SIZE or was_shown)
        if most < POOL_SIZE and was_shown:
            told = f"{most} of {POOL_SIZE} connections worked within {GONE_WITHIN_S:g} s after it was exhausted"
            self.add("a pool is not whole again", told, f"{POOL_SIZE} times POST /api/v1/extractions {{'table': '{brief}'}}")

    def _send_wave(self, brief: str) -> tuple[int, bool]:
        """As many brief jobs as the pool has connections: how many were at work at once, and whether they came at once."""
        ids = [self.extractions.prepare(self.build_body(brief)) for _ in range(POOL_SIZE)]
        started_s, most = time.monotonic(), 0
        self._start(ids)
        was_quick = time.monotonic() - started_s < _BRIEF_S / 2
        while most < POOL_SIZE and time.monotonic() - started_s < _BRIEF_S + BORROW_TIMEOUT_S:
            most = max(most, sum(state.is_active for state in self.owner.look()))
            time.sleep(LOOK_EVERY_S / 2)
        ends = EndWatch(self.extractions, self.lenience)
        ends.wait(ids, JOB_TIMEOUT_S + MOST_LENIENCE_S)
        self._clear([job_id for job_id in ids if job_id not in ends.ended])
        return most, was_quick


class PoolExhaustionCheck(SourceCheck):
    """Holds every connection of a pool, and asks for ten times as many."""

    id = "SEC-010"
    title = "Pool exhaustion: nobody waits for too long, other sources go on, and the pool is whole again"
    severity = Severity.HIGH
    cwe = ("CWE-770", "CWE-772")
    # Who waits for a connection waits for as long as it takes.
    vulnerable = TargetVariant("vulnerable-patient", plugins=("jivsbench.testing.vulnerable.patient_pool",))
    session = _Session
