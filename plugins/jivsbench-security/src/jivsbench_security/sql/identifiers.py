"""SEC-002: names that are more than names. Each is refused, or is exactly the catalogue's object of that name."""

import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from jivsbench.api import TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import Severity
from jivsbench_security.extractions import IN_FLIGHT, Ending
from jivsbench_security.own_sessions import ask_user, open_session
from jivsbench_security.sql.identifier_cast import BYSTANDER, NamePlan, expect_rows, plan_names, plant_tables
from jivsbench_security.sql.planted_attack import PlantedAttack, PlantedCheck
from jivsbench_security.sql.planted_schema import PlantedSchema

_LOOK_EVERY_S: Final = 0.05
_END_WITHIN_S: Final = 20.0
"""Longer than a statement of a check's own session may take."""


class IdentifierCheck(PlantedCheck):
    """Asks for tables and columns under hostile names, beside tables whose real names are as hostile."""

    id = "SEC-002"
    title = "Identifiers: a name is refused, or is exactly the object of that name"
    # A hole here gives away the whole source.
    severity = Severity.CRITICAL
    cwe = ("CWE-89", "CWE-20")
    # A connector that puts quotes around names and doubles none inside.
    vulnerable = TargetVariant("vulnerable-quotes", plugins=("jivsbench.testing.vulnerable.undoubled_quotes",))

    def _send(self, attack: PlantedAttack) -> None:
        schema = attack.schema
        plant_tables(schema)
        tables = [
            str(name)
            for (name,) in schema.run_statement(
                "SELECT relname::text FROM pg_class WHERE relnamespace = '{schema}'::regnamespace"
            )
        ]
        choice = random.Random(attack.context.seed)  # noqa: S311 - repeatable, not secret
        plans = list(plan_names(schema.name, choice, is_full=attack.context.is_full))
        resolved = 0
        with watch_bystander(schema, ask_user(attack.context.reader().url)) as watch:
            for start in range(0, len(plans), IN_FLIGHT):
                group = plans[start : start + IN_FLIGHT]
                watch.begin(group)
                for plan, ending in zip(group, attack.extract_all([build_body(plan) for plan in group]), strict=True):
                    resolved += ending.is_completed
                    _judge(attack, plan, ending, expect_rows(plan, tables, schema.name))
        attack.remarks.append(f"{resolved} names were objects and came back, {len(plans) - resolved} were refused")
        for touch in watch.touches:
            attack.add(
                "a name touched a relation that nobody asked for", touch, "see the evidence: one of the names sent at that time"
            )
        if not resolved:
            raise InvalidRunError("not one of the names that are objects brought back its row: nothing could be told apart")


def _judge(attack: PlantedAttack, plan: NamePlan, ending: Ending, expected: Mapping[str, str] | None) -> None:
    shown = f"POST /api/v1/extractions {build_body(plan)!r}"[:600]
    if ending.is_crash:
        answer = f"status {ending.status}, error {ending.slug}"
        attack.add("a name made the target fail as if by its own fault", answer, shown, Severity.HIGH)
    if not ending.is_completed:
        return
    found = attack.context.read_output(ending.job).to_pylist()
    if expected is None:
        attack.add("a name that is no object's brought back rows", f"{len(found)} rows, the first {_show(found)}", shown)
    elif found != [dict(expected)]:
        attack.add("a name brought back another object's rows", f"{_show(found)} instead of {_show([dict(expected)])}", shown)


def _show(rows: Sequence[Mapping[str, Any]]) -> str:
    return repr(rows[0])[:200] if rows else "no row"


def build_body(plan: NamePlan) -> dict[str, object]:
    """The request, but for its source. The filter lets every row through, so that it needs no right value."""
    body: dict[str, object] = {"table": plan.table}
    if plan.columns:
        body["columns"] = list(plan.columns)
    if plan.filter_column is not None:
        body["filters"] = [{"column": plan.filter_column, "operator": "is not null"}]
    return body


class BystanderWatch:
    """Holds a lock on a table that no request may touch: whoever touches it waits, and is seen waiting by the server."""

    def __init__(self, holder: psycopg.Connection, schema: PlantedSchema, user: str) -> None:
        self._holder = holder
        self._relation = f"{schema.name}.{BYSTANDER}"
        self._user = user
        self._group: Sequence[NamePlan] = ()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="bystander-watch", daemon=True)
        self._problem: str | None = None
        self.touches: list[str] = []

    def begin(self, group: Sequence[NamePlan]) -> None:
        """From now on a touch is one of these."""
        self._group = group

    def start(self) -> None:
        """Lock, and look."""
        self._holder.execute(f"BEGIN; LOCK TABLE {self._relation} IN ACCESS EXCLUSIVE MODE".encode())
        self._thread.start()

    def stop(self) -> None:
        """Look once more, and let go. Raises InvalidRunError when nobody has looked for some of the time."""
        self._is_over.set()
        self._thread.join(timeout=_END_WITHIN_S)
        if self._thread.is_alive():
            self._problem = "it does not end"
        if self._problem is not None:
            raise InvalidRunError(f"the watch over a table that no name may touch broke off: {self._problem}")

    def _watch(self) -> None:
        try:
            while not self._look(is_last=self._is_over.wait(_LOOK_EVERY_S)):
                pass
        except psycopg.Error as error:
            self._problem = f"{type(error).__name__}, SQLSTATE {error.sqlstate}"

    def _look(self, *, is_last: bool) -> bool:
        """Who waits for the lock. True when it is let go of: one is enough, nobody is to wait for the end of this check."""
        # By the target's user: backups and other tools read every table there is.
        waiting = self._holder.execute(
            "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted "
            "AND l.relation = %s::regclass AND a.usename = %s",
            (self._relation, self._user),
        ).fetchone()
        if waiting is not None and waiting[0]:
            names = "; ".join(repr(build_body(plan))[:150] for plan in self._group)
            self.touches.append(f"{waiting[0]} sessions waited for its lock, while these were sent: {names}")
        if is_last or self.touches:
            self._holder.execute("ROLLBACK")
            return True
        return False


@contextmanager
def watch_bystander(schema: PlantedSchema, user: str) -> Iterator[BystanderWatch]:
    """A watch over the planted bystander, with a session of its own; sessions of `user` may not touch it."""
    with open_session(schema.owner_url) as holder:
        watch = BystanderWatch(holder, schema, user)
        watch.start()
        try:
            yield watch
        finally:
            watch.stop()
