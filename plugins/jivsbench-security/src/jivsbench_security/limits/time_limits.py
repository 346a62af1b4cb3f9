"""SEC-007: time limits. Statements and jobs that would go on for long are ended on the server, in time."""

from dataclasses import replace
from typing import Final

from jivsbench.api import TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import Severity
from jivsbench_security.extractions import Extractions
from jivsbench_security.limits.flights import MOST_LENIENCE_S, Flight, find_overrun
from jivsbench_security.limits.source_check import JOB_TIMEOUT_S, QUERY_TIMEOUT_S, TIGHT, SourceCheck, SourceSession

_SLEEP_S: Final = 5 * QUERY_TIMEOUT_S
_GRACE_S: Final = 0.25
_LONGEST_LIMIT_MS: Final = 30_000
_SLEEP: Final = f"SELECT 1 AS id, pg_catalog.pg_sleep({_SLEEP_S})::text AS slept"
_TRICKLE: Final = (
    f"SELECT pg_catalog.generate_series(1, {round(_SLEEP_S / 0.05)}) AS id, pg_catalog.pg_sleep(0.05)::text AS slept"
)
# In a condition, so that each statement of the job sleeps, and none as long as a statement may.
_MANY_STATEMENTS: Final = f"SELECT 1 AS id WHERE pg_catalog.pg_sleep({0.85 * QUERY_TIMEOUT_S})::text = ''"
_LIFT: Final = "SELECT 1 AS id, pg_catalog.set_config('statement_timeout', '0', false) AS was"
_LIMIT: Final = "SELECT setting::bigint AS limit_ms FROM pg_catalog.pg_settings WHERE name = 'statement_timeout'"
_REASONS: Final = {
    "sleep": "one long statement",
    "trickle": "a row every 50 ms, so that the client is never without news",
    "statements": "several statements, each within its limit, in a job that goes beyond its own",
    "lifted": "a long statement after set_config('statement_timeout', '0')",
}


class _Session(SourceSession):
    def attack(self) -> None:
        self._look_at_the_limit()
        views = {"sleep": _SLEEP, "trickle": _TRICKLE, "statements": _MANY_STATEMENTS, "lift": _LIFT, "lifted": _SLEEP}
        names = {name: self.owner.make_view(name, query) for name, query in views.items()}
        self._send(names)
        if self.context.is_full:
            # The other way to read rows, whichever it is: a named cursor's limit counts anew at each fetch.
            for batching in (True, False):
                with self.context.launch(replace(TIGHT, batching=batching)) as target:
                    other = _Session(self.check, self.context, target, self.owner)
                    if not other.run_benign():
                        raise InvalidRunError("another target of the same kind carries out no harmless request")
                    other._send(names)
                self.tally.add(other.tally)
                self.findings += other.findings
                self.lenience.note(other.lenience.worst_s)

    def _look_at_the_limit(self) -> None:
        """Of the target under test itself: what its sessions have, by the word of the server."""
        view = self.owner.make_view("limit", _LIMIT)
        ending = Extractions(self.context.target).run(self.build_body(view))
        self.tally.count(is_met=ending.is_completed)
        if not ending.is_completed:
            return
        limit_ms = self.context.read_output(ending.job).column("limit_ms")[0].as_py()
        if not 0 < limit_ms <= _LONGEST_LIMIT_MS:
            told = f"statement_timeout is {limit_ms} ms in its sessions: 1 to {_LONGEST_LIMIT_MS} were expected (0 is none)"
            self.tell("statements of the target have no limit, or a long one", told, self.build_body(view))

    def _send(self, names: dict[str, str]) -> None:
        lifted = self.extractions.run(self.build_body(names["lift"])).is_completed
        # The session that has just come back is the next one to be lent.
        order = ("lifted", "sleep", "trickle", "statements")
        limits = {"statements": JOB_TIMEOUT_S}
        flights = [
            self.watch.begin(name, self.build_body(names[name]), names[name], limits.get(name, QUERY_TIMEOUT_S)) for name in order
        ]
        self.watch.follow(flights, JOB_TIMEOUT_S + _GRACE_S + MOST_LENIENCE_S)
        for flight in flights:
            self.tally.count(is_met=flight.was_seen and (lifted or flight.name != "lifted"))
            self._judge(flight, names[flight.name])

    def _judge(self, flight: Flight, view: str) -> None:
        overrun = find_overrun(flight, self.lenience, _GRACE_S) if flight.was_seen else None
        if overrun is not None:
            self.tell("a time limit did not hold", f"{_REASONS[flight.name]}: {overrun}", self.build_body(view))
        elif flight.ending is not None and flight.ending.is_completed:
            told = f"{_REASONS[flight.name]}: the job was completed, though it asks for more time than it has"
            self.tell("a time limit did not hold", told, self.build_body(view))


class TimeLimitCheck(SourceCheck):
    """Reads from views that sleep."""

    id = "SEC-007"
    title = "Time limits: long statements and long jobs are ended on the server"
    severity = Severity.HIGH
    cwe = ("CWE-770", "CWE-400")
    # No limit for a statement, and none for a job.
    vulnerable = TargetVariant("vulnerable-timeless", plugins=("jivsbench.testing.vulnerable.timeless",))
    session = _Session
