"""SEC-006: nothing writes. A write must be stopped by the guard, by the transaction, and by the role, each by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import psycopg

from jivsbench.api import TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import Severity
from jivsbench_security.own_sessions import ask_user, open_session
from jivsbench_security.sql.planted_attack import PlantedAttack, PlantedCheck, iterate_rows
from jivsbench_security.sql.planted_schema import DONE
from jivsbench_security.sql.transaction_ids import takes_ids
from jivsbench_security.sql.write_routes import EFFECTS, EXCESS, LARGE_OBJECT, REMEDIES, ROUTES, STACKED_ROUTES, WriteRoute

_FIRST_STRICT_SERVER: Final = 160_000
_NOTICE_WITHIN_S: Final = 0.2
_LARGE_OBJECT_AT_LEAST: Final = 3_000_000_000
_TITLE: Final = "a write was accepted as a query"
_TRANSACTION_ID: Final = "transaction id"
_NONE: Final = "none"
_WITH_ID: Final = (
    "SELECT label, outcome, pid FROM {schema}.routes UNION ALL "  # noqa: S608 - ours
    f"SELECT '{_TRANSACTION_ID}', coalesce(txid_current_if_assigned()::text, '{_NONE}'), pg_backend_pid()::text"
)
"""After all routes: what a transaction has written shows in that it got an id, whatever else the server is busy with."""
_MODE: Final = "SELECT current_setting('transaction_read_only') AS read_only, session_user::text AS role"


class ReadOnlyCheck(PlantedCheck):
    """Sends every way to write as a raw query, tries them in the target's session and as its role, and scans the role."""

    id = "SEC-006"
    title = "Read-only: no route writes, whether past the guard, the transaction or the role"
    severity = Severity.HIGH
    cwe = ("CWE-269", "CWE-250")
    # Transactions that may write, and are committed.
    vulnerable = TargetVariant("vulnerable-writable", plugins=("jivsbench.testing.vulnerable.writable_session",))

    def _send(self, attack: PlantedAttack) -> None:
        with open_session(attack.context.data_source().url) as bystander:
            bystander.execute(f"LISTEN {attack.schema.name}".encode())
            scene = _Scene(attack, bystander)
            try:
                self._try_all(attack, scene)
                scene.look_for_effects()
            finally:
                scene.take_away()

    def _try_all(self, attack: PlantedAttack, scene: "_Scene") -> None:
        attack.schema.run_statement("CREATE SEQUENCE {schema}.numbers")
        attack.schema.run_statement("GRANT SELECT ON {schema}.numbers TO PUBLIC")
        routes = [scene.fill(route) for route in (*ROUTES, *STACKED_ROUTES)]
        attack.prove_queries_pass()
        for route in routes:
            attack.send_query(route.label, route.text, _TITLE)
        in_functions = routes[: len(ROUTES)]
        if scene.bystander.info.server_version < _FIRST_STRICT_SERVER:
            in_functions = [route for route in in_functions if not route.label.startswith(LARGE_OBJECT)]
            attack.remarks.append("large objects were tried as queries alone: before 16 no transaction is read-only to them")
        scene.try_in_target(in_functions)
        scene.try_as_role([route for route in in_functions if route.is_role_bound])


@dataclass(frozen=True, slots=True)
class _Scene:
    """One run: the attack, and a session of the owner that listens and could be ended."""

    attack: PlantedAttack
    bystander: psycopg.Connection

    @property
    def large_object(self) -> int:
        """The number of the large object that nobody must be able to make."""
        return _LARGE_OBJECT_AT_LEAST + int(self.attack.schema.name[-7:], 16)

    def fill(self, route: WriteRoute) -> WriteRoute:
        """The route with this run's numbers and names in it."""
        pid = int(self.bystander.info.backend_pid)
        text = self._fill(route.text).replace("{bystander}", str(pid)).replace("{schema}", self.attack.schema.name)
        return WriteRoute(route.label, text, route.is_role_bound, route.is_session_bound)

    def try_in_target(self, routes: Sequence[WriteRoute]) -> None:
        """All routes inside a function of a view that the target reads: no guard sees them."""
        attack = self.attack
        attack.schema.plant_attempts("routes", {route.label: route.text for route in routes})
        attack.schema.plant_view("writes", _WITH_ID)
        attack.schema.plant_view("mode", _MODE)
        outcomes = dict(iterate_rows(attack.read("writes")))
        carried_out = attack.count_outcomes([route.label for route in routes], outcomes)
        done = [route for route in routes if route.is_session_bound and route.label in carried_out]
        self._tell("the target's session carries out writes", "by a function of a view that a job read", done)
        takes = outcomes.get(_TRANSACTION_ID, _NONE) != _NONE or takes_ids(attack.schema.owner, lambda: attack.read("writes"))
        if takes:
            attack.add(
                "a job writes: it took a transaction id",
                "the job's transaction got an id of the server's, though all that it read was a view",
                f"extract a view whose function runs {routes[0].text}",
            )
        if takes is None:
            attack.remarks.append("others write to this server: only the job's own transaction was looked at")
        self._look_at_the_mode()

    def _look_at_the_mode(self) -> None:
        """Whether the transaction itself says that it may write, and whose it is."""
        attack = self.attack
        rows = attack.read("mode")
        attack.tally.count(is_met=bool(rows))
        user = ask_user(attack.context.reader().url)
        for row in rows or ():
            if row["role"] != user:
                raise InvalidRunError(f"the target's sessions are those of {row['role']!r}, the role to be tried is {user!r}")
            if row["read_only"] != "on":
                attack.add(
                    "the target's transactions may write",
                    f"transaction_read_only is {row['read_only']!r} in the session of a job",
                    "extract a view over current_setting('transaction_read_only')",
                )

    def try_as_role(self, routes: Sequence[WriteRoute]) -> None:
        """All routes with the target's role alone: no guard, and a transaction that may write. All is rolled back."""
        with open_session(self.attack.context.reader().url) as session:
            excess = [str(held) for (held,) in session.execute(EXCESS.encode()).fetchall()]
            outcomes = {route.label: try_statement(session, route.text) for route in routes}
        carried_out = self.attack.count_outcomes(list(outcomes), outcomes)
        if excess:
            told = "; ".join(excess)[:500]
            self.attack.add("the target's role may do more than read", told, f"see `jivsbench doctor`: {told}")
        done = [route for route in routes if route.label in carried_out]
        self._tell("the target's role may write", "in a transaction of the role, rolled back afterwards", done)

    def _tell(self, title: str, where: str, done: Sequence[WriteRoute]) -> None:
        if done:
            labels = ", ".join(route.label for route in done)
            # All of them: who answers for one way to write answers for no other.
            self.attack.add(title, f"carried out {where}: {labels}", f"{done[0].text}; likewise {labels}")

    def look_for_effects(self) -> None:
        """Everything that a route would have left behind, as the owner sees it."""
        effects = [] if self.attack.schema.is_canary_alive() else ["the canary table changed"]
        effects += [f"a notice was received: {notice.payload}" for notice in self._notices()]
        effects += self._list_effects()
        for effect in dict.fromkeys(effects):
            self.attack.add("something was written", effect, f"extract a view whose function runs a write, until {effect}")

    def take_away(self) -> None:
        """What the routes have left behind beside the schema."""
        if self._list_effects():
            for statement in REMEDIES:
                self.attack.schema.run_statement(self._fill(statement))

    def _list_effects(self) -> list[str]:
        return [str(evidence) for (evidence,) in self.attack.schema.run_statement(self._fill(EFFECTS))]

    def _fill(self, text: str) -> str:
        return text.replace("{large_object}", str(self.large_object))

    def _notices(self) -> list[psycopg.Notify]:
        try:
            return list(self.bystander.notifies(timeout=_NOTICE_WITHIN_S))
        except psycopg.OperationalError:
            self.attack.add("the target ended another session", "the owner's session is gone", "SELECT pg_terminate_backend(...)")
            return []


def try_statement(session: psycopg.Connection, text: str) -> str:
    """Run a statement in a transaction that may write, then roll it back. Returns "done", or the SQLSTATE."""
    session.execute("BEGIN READ WRITE")
    try:
        session.execute(text.encode())
    except psycopg.Error as error:
        return error.sqlstate or "connection"
    finally:
        if not session.closed:
            session.execute("ROLLBACK")
    return DONE
