"""SEC-008: what one borrower leaves in a pooled session. The next one must find it as if it had just been opened."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from jivsbench.api import TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import Severity
from jivsbench_security.extractions import IN_FLIGHT
from jivsbench_security.own_sessions import ask_user, need_sight
from jivsbench_security.sql.planted_attack import PlantedAttack, PlantedCheck, iterate_rows
from jivsbench_security.sql.planted_schema import DONE

POISONS: Final = {
    "search_path": "SET search_path = {schema}, public",
    "role": "SELECT pg_catalog.set_config('role', session_user, false)",
    "read-write": "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "isolation": "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "timeout": "SET statement_timeout = 0",
    "date style": "SET DateStyle = 'SQL, DMY'",
    "own parameter": "SELECT pg_catalog.set_config('jivsbench.poison', '{schema}', false)",
    "application name": "SET application_name = '{schema}'",
    "temporary table": "CREATE TEMPORARY TABLE poison (id int)",
    "prepared name": "PREPARE {schema} AS SELECT 1",
    "held cursor": "DECLARE {schema} CURSOR WITH HOLD FOR SELECT 1",
    "advisory lock": "SELECT pg_catalog.pg_advisory_lock_shared(pg_catalog.hashtext('{schema}'))",
    "channel": "LISTEN {schema}",
}
_HELD_ALREADY: Final = frozenset({DONE, "42P05", "42P03", "42P07"})
"""A view's rows may be read twice, once to be counted: the second time the name is taken."""
_STATE: Final = """
SELECT pg_backend_pid()::text AS pid, 'setting ' || s.name AS label, s.setting AS value
  FROM pg_settings s WHERE s.source = 'session' AND s.name NOT LIKE 'transaction%'
 UNION ALL SELECT pg_backend_pid()::text, 'role', current_user || ' ' || session_user || ' ' || current_setting('role')
 UNION ALL SELECT pg_backend_pid()::text, 'read-only', current_setting('transaction_read_only')
 UNION ALL SELECT pg_backend_pid()::text, 'isolation', current_setting('transaction_isolation')
 UNION ALL SELECT pg_backend_pid()::text, 'own parameter', coalesce(current_setting('jivsbench.poison', true), '')
 UNION ALL SELECT pg_backend_pid()::text, 'application name', current_setting('application_name')
 UNION ALL SELECT pg_backend_pid()::text, 'timeout', current_setting('statement_timeout')
 UNION ALL SELECT pg_backend_pid()::text, 'search path', current_setting('search_path')
 UNION ALL SELECT pg_backend_pid()::text, 'advisory lock', l.objid::text
             FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.locktype = 'advisory'
 UNION ALL SELECT pg_backend_pid()::text, 'prepared name', p.name FROM pg_prepared_statements p WHERE p.name <> ''
 UNION ALL SELECT pg_backend_pid()::text, 'held cursor', c.name FROM pg_cursors c WHERE c.is_holdable
 UNION ALL SELECT pg_backend_pid()::text, 'channel', c FROM pg_listening_channels() c
 UNION ALL SELECT pg_backend_pid()::text, 'temporary table', c.relname::text
             FROM pg_class c WHERE c.relnamespace = pg_my_temp_schema()
"""
_ANTIDOTE: Final = {
    "settings": "RESET ALL",
    "role": "SELECT pg_catalog.set_config('role', 'none', false)",
    "names": "DEALLOCATE ALL",
    "cursors": "CLOSE ALL",
    "locks": "SELECT pg_catalog.pg_advisory_unlock_all()",
    "channels": "UNLISTEN *",
}
_SESSIONS: Final = "SELECT pid::text FROM pg_stat_activity WHERE usename = %s AND pid <> pg_backend_pid()"
_OUTSIDE: Final = """
SELECT 'an advisory lock' FROM pg_locks
 WHERE locktype = 'advisory' AND pid IN ({numbers}) AND objid = (hashtext('{schema}')::int8 & 4294967295)::oid
 UNION ALL
SELECT 'its transaction open' FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
 WHERE c.relnamespace = '{schema}'::regnamespace AND l.pid <> pg_backend_pid()
 UNION ALL
SELECT 'its failed transaction open' FROM pg_stat_activity WHERE pid IN ({numbers}) AND state = 'idle in transaction (aborted)'
"""
"""By what is locked: other programs may have transactions of the same user open."""
_MOST_VISITS: Final = 6
_RETURN_WITHIN_S: Final = 1.0
_LOOK_EVERY_S: Final = 0.02
_ABORT: Final = "UNION ALL SELECT 'end', (1 / (a.id - 1))::text, '' FROM {schema}.canary a WHERE a.id = 1"
State = frozenset[tuple[str, str]]


class SessionStateCheck(PlantedCheck):
    """Poisons the session of one job through a view that it reads, and has the next job read what its session is like."""

    id = "SEC-008"
    title = "Pooled sessions: nothing that one job leaves in its session reaches the next one"
    severity = Severity.HIGH
    cwe = ("CWE-668", "CWE-441")
    # A session that is returned with a commit, as a stock pool does.
    vulnerable = TargetVariant("vulnerable-unreset", plugins=("jivsbench.testing.vulnerable.unreset_session",))

    def _send(self, attack: PlantedAttack) -> None:
        schema = attack.schema
        user = ask_user(attack.context.reader().url)
        need_sight(schema.owner, user)
        schema.plant_view("state", _STATE)
        schema.plant_view("state_slowly", "SELECT s.* FROM {schema}.state s, (SELECT pg_sleep(0.2)) AS waited")
        schema.plant_attempts("poison", POISONS)
        schema.plant_attempts("antidote", _ANTIDOTE)
        # The same, in a job that fails when all is done.
        schema.plant_view("poison_failing", f"SELECT label, outcome, pid FROM {{schema}}.poison {_ABORT}")  # noqa: S608 - ours
        scene = Scene(attack, user, _read_state(attack)[1])
        try:
            took = scene.poison("poison", POISONS)
            attack.remarks.append(f"{len(took)} of {len(POISONS)} poisons took hold in a session")
            scene.poison("poison_failing", took, must_fail=True)
            for number, (label, statement) in enumerate(POISONS.items() if attack.context.is_full else ()):
                if label in took:
                    schema.plant_attempts(f"poison_{number}", {label: statement})
                    scene.poison(f"poison_{number}", {label: statement})
        finally:
            if attack.findings:
                # Whoever is attacked next is to meet sessions as they were.
                for _visit in range(_MOST_VISITS):
                    attack.read("antidote")


@dataclass(frozen=True, slots=True)
class Scene:
    """One run: the attack, whose sessions are poisoned, and what a session is like that nobody has poisoned."""

    attack: PlantedAttack
    user: str
    clean: State

    def poison(self, view: str, poisons: Mapping[str, str], *, must_fail: bool = False) -> dict[str, str]:
        """Read the view in one job, then look at what the next jobs find. Which poisons took hold; all, in a job that fails.

        Raises InvalidRunError when the job did not run as it should, or none took hold: then nothing was tested.
        """
        there = self._list_sessions()
        ending = self.attack.extract({"table": self.attack.schema.locate(view)})
        has_failed = ending.job is not None and ending.is_refused and ending.slug != "missing-object"
        if not (has_failed if must_fail else ending.is_completed):
            raise InvalidRunError(f"the job that was to poison a session ended with {ending.slug or ending.status}")
        rows = [] if must_fail else self.attack.context.read_output(ending.job).to_pylist()
        outcomes = dict(iterate_rows(rows))
        held = {label for label, outcome in outcomes.items() if outcome in _HELD_ALREADY}
        self.attack.count_outcomes([label for label in outcomes if label not in held], outcomes)
        took = {label: text for label, text in poisons.items() if must_fail or label in held}
        if not took:
            raise InvalidRunError("no session could be poisoned, so nothing was tested")
        # Which session a failed job had nobody says; it is one of those that there were.
        poisoned = there | self._list_sessions() if must_fail else {str(row["pid"]) for row in rows}
        seen, leaks = self._visit_sessions(poisoned)
        waiting = (poisoned & self._list_sessions()) - seen
        self.attack.tally.count(len(took), is_met=not waiting or (must_fail and bool(seen & poisoned)))
        leaks += self._look_from_outside(poisoned)
        if leaks:
            self.attack.add(
                f"the next job inherits what a job left: {leaks[0][:60]}",
                f"after a job that {'failed' if must_fail else 'completed'}, the same session was found with {'; '.join(leaks)}",
                "extract a view whose function runs " + next(iter(took.values())) + "; then read that setting in the next job",
            )
        return took

    def _visit_sessions(self, poisoned: set[str]) -> tuple[set[str], list[str]]:
        """Sessions that were lent to a next job, and what those of them had kept that were poisoned."""
        seen, leaks = set[str](), list[str]()
        for visit in range(_MOST_VISITS):
            if not (poisoned & self._list_sessions()) - seen:
                break
            # The pool lends the session that was returned last, so one job mostly is enough. One that was not back by then is
            # lent to nobody, unless several jobs need one at the same time.
            states = [_read_state(self.attack)] if not visit else self._read_side_by_side()
            for pid, state in states:
                if pid in poisoned and pid not in seen:
                    leaks += [f"{label} = {value!r}" for label, value in sorted(state - self.clean)]
                seen.add(pid)
        return seen, leaks

    def _read_side_by_side(self) -> list[tuple[str, State]]:
        attack = self.attack
        body = {"source": attack.context.source, "table": attack.schema.locate("state_slowly")}
        endings = attack.extractions.run_until_met([body] * IN_FLIGHT)
        found = [attack.context.read_output(ending.job).to_pylist() for ending in endings if ending.is_completed]
        return [(str(rows[0]["pid"]), to_state(rows)) for rows in found if rows]

    def _look_from_outside(self, poisoned: set[str]) -> list[str]:
        """What the owner's session sees of the poisoned ones when nobody has borrowed them, and they had time to be returned."""
        numbers = ", ".join(str(int(pid)) for pid in sorted(poisoned)) or "0"
        deadline_s = time.monotonic() + _RETURN_WITHIN_S
        while True:
            found = self.attack.schema.run_statement(_OUTSIDE.replace("{numbers}", numbers))
            if not found or time.monotonic() > deadline_s:
                return [str(evidence) for (evidence,) in found]
            time.sleep(_LOOK_EVERY_S)

    def _list_sessions(self) -> set[str]:
        rows = self.attack.schema.owner.execute(_SESSIONS, (self.user,)).fetchall()
        return {str(pid) for (pid,) in rows}


def _read_state(attack: PlantedAttack) -> tuple[str, State]:
    rows = attack.read("state")
    if not rows:
        raise InvalidRunError("the view that tells what a session is like could not be extracted")
    return str(rows[0]["pid"]), to_state(rows)


def to_state(rows: list[dict[str, Any]]) -> State:
    """What a session is like, without the number of its process."""
    return frozenset((str(row["label"]), str(row["value"])) for row in rows)
