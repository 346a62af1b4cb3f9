"""Watches jobs that are under way: what the target says of them, what the server's sessions do, and how late this machine is.

A limit holds when the server stopped working in time. So the age of a statement is the server's own, and the end of a session is
that it is gone from the server's list. What the watcher itself was late by is allowed besides, up to a second.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from jivsbench_security.extractions import Ending, Extractions
from jivsbench_security.limits.owner_session import OwnerSession

LOOK_EVERY_S: Final = 0.02
MOST_LENIENCE_S: Final = 1.0
GONE_WITHIN_S: Final = 1.0


class Lenience:
    """What a starved machine is allowed besides a limit: twice what a harmless request, or one look, took too long."""

    def __init__(self, benign_s: float) -> None:
        self.worst_s = benign_s

    @property
    def allowed_s(self) -> float:
        """Never more than a second, so that a target cannot earn time by being slow."""
        return min(2 * self.worst_s, MOST_LENIENCE_S)

    def sleep(self, duration_s: float = LOOK_EVERY_S) -> None:
        """Sleep, and note by how much it took longer."""
        started_s = time.monotonic()
        time.sleep(duration_s)
        self.note(time.monotonic() - started_s - duration_s)

    def note(self, late_s: float) -> None:
        """Something took so much longer than it should."""
        self.worst_s = max(self.worst_s, late_s)


@dataclass(slots=True)
class Flight:
    """One job, and what was seen of it. `mark` stands in its statements; times are seconds since `began_s`."""

    name: str
    job_id: str
    mark: str
    limit_s: float
    began_s: float = field(default_factory=time.monotonic)
    ending: Ending | None = None
    ended_s: float | None = None
    """When the target was first seen to say that it had ended."""
    unended_s: float = 0.0
    """When it was last asked and did not say so: the end itself came between the two, and whoever asks seldom sees it late."""
    longest_s: float = 0.0
    """The greatest age of one of its statements, by the server's clock."""
    pids: set[int] = field(default_factory=set)
    """Sessions that worked for it."""
    active_s: float | None = None
    """When a session was last seen to work for it."""

    @property
    def was_seen(self) -> bool:
        """True when the server worked for it."""
        return bool(self.pids)

    @property
    def is_over(self) -> bool:
        """True when the target says so."""
        return self.ending is not None


class Watch:
    """Looks at flights, time and again."""

    def __init__(self, extractions: Extractions, owner: OwnerSession, lenience: Lenience) -> None:
        self._extractions = extractions
        self._owner = owner
        self.lenience = lenience

    def begin(self, name: str, body: dict[str, object], mark: str, limit_s: float) -> Flight:
        """Create a job and start it."""
        job_id = self._extractions.prepare(body)
        flight = Flight(name, job_id, mark, limit_s)
        self._extractions.start(job_id)
        return flight

    def follow(
        self,
        flights: Sequence[Flight],
        give_up_s: float,
        until: Callable[[], bool] | None = None,
        on_look: Callable[[], None] = lambda: None,
    ) -> None:
        """Look until all have ended and no session works for them, or `until` is true; then end the rest.

        Jobs may take `give_up_s`, and their sessions as long again as a session may take to be gone.
        """
        deadline_s = time.monotonic() + give_up_s
        while True:
            began_s = time.monotonic()
            busy = self.look(flights)
            on_look()
            is_over = all(flight.is_over for flight in flights)
            # By when the look began, so that the last one is at the deadline, however long it takes.
            left_s = deadline_s - began_s + is_over * (GONE_WITHIN_S + self.lenience.allowed_s)
            if (is_over and not busy) or left_s < 0 or (until is not None and until()):
                break
            self.lenience.sleep()
        self.stop(flights)

    def look(self, flights: Sequence[Flight]) -> bool:
        """Note what is seen now. True while a session works for one of them."""
        started_s = time.monotonic()
        states = self._owner.look()
        self.lenience.note(time.monotonic() - started_s)
        is_busy = False
        for flight in flights:
            for state in states:
                if state.is_active and flight.mark in state.query:
                    is_busy = True
                    flight.pids.add(state.pid)
                    flight.longest_s = max(flight.longest_s, state.age_s)
                    flight.active_s = started_s - flight.began_s
            if not flight.is_over:
                asked_s = time.monotonic() - flight.began_s
                flight.ending = self._extractions.look(flight.job_id)
                if flight.ending is None:
                    flight.unended_s = asked_s
                else:
                    flight.ended_s = time.monotonic() - flight.began_s
        return is_busy

    def stop(self, flights: Sequence[Flight]) -> None:
        """End what has not ended, and only then sessions: those of a pool that is whole are still wanted."""
        left = [flight for flight in flights if not flight.is_over]
        for flight in left:
            self._extractions.stop(flight.job_id)
        if left:
            self._owner.end_sessions()


def find_overrun(flight: Flight, lenience: Lenience, grace_s: float) -> str | None:
    """Why a flight broke its limit; None when it kept it."""
    latest_s = flight.limit_s + grace_s + lenience.allowed_s
    if flight.longest_s > latest_s:
        return f"a statement was still running on the server after {flight.longest_s:.2f} s, the limit is {flight.limit_s:g} s"
    if flight.ending is None or flight.ended_s is None:
        return f"the job had not ended when it was given up, the limit is {flight.limit_s:g} s"
    if flight.unended_s > latest_s:
        return f"the job had not ended after {flight.unended_s:.2f} s, the limit is {flight.limit_s:g} s"
    if flight.active_s is not None and flight.active_s - flight.ended_s > GONE_WITHIN_S + lenience.allowed_s:
        return f"a session went on for {flight.active_s - flight.ended_s:.2f} s after the job had ended"
    if flight.ending.is_completed:
        return None
    if not flight.ending.is_typed:
        return f"the job ended without a typed error ({flight.ending.slug})"
    return None
