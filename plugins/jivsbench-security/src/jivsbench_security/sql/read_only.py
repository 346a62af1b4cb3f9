"""SEC-006: nothing writes. A write must be stopped by the guard, by the transaction, and by the role, each by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import psycopg

from jivsbench.api import TargetVariant
from jivsbench.model.finding import Severity
from jivsbench_security.sql.planted_attack import PlantedAttack, PlantedCheck, iterate_rows
from jivsbench_security.sql.planted_schema import DONE, connect
from jivsbench_security.sql.write_routes import EFFECTS, EXCESS, LARGE_OBJECT, REMEDIES, ROUTES, STACKED_ROUTES, WriteRoute

_ROUNDS: Final = 3
"""An autovacuum may take a transaction id while we look; it does not each time."""
_FIRST_STRICT_SERVER: Final = 160_000
_LARGE_OBJECT_AT_LEAST: Final = 3_000_000_000
_TITLE: Final = "a write was accepted as a query"
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
        with connect(attack.context.data_source().url) as bystander:
            bystander.execute(f"LISTEN {attack.schema.name}".encode())
            scene = _Scene(attack, bystander)
            attack.schema.run_statement("CREATE SEQUENCE {schema}.numbers")
            attack.schema.run_statement("GRANT SELECT ON {schema}.numbers TO PUBLIC")
            routes = [scene.fill(route) for route in (*ROUTES, *STACKED_ROUTES)]
            for route in routes:
                attack.send_query(route.label, route.text, _TITLE)
            in_functions = routes[: len(ROUTES)]
            if bystander.info.server_version < _FIRST_STRICT_SERVER:
                in_functions = [route for route in in_functions if not route.label.startswith(LARGE_OBJECT)]
                attack.remarks.append("large objects were tried as queries alone: before 16 no transaction is read-only to them")
            scene.try_in_target(in_functions)
            scene.try_as_role([route for route in in_functions if route.is_role_bound])
            scene.look_for_effects()


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
        attack.schema.plant_view("mode", _MODE)
        taken = [self._extract_routes(routes, is_first=True)]
        while taken[-1] and len(taken) < _ROUNDS:
            taken.append(self._extract_routes(routes, is_first=False))
        if all(taken):
            attack.add(
                "a job writes: it took a transaction id",
                f"each of {len(taken)} jobs took one or more, though all that it read was a view",
                f"extract a view whose function runs {routes[0].text}",
            )
        for row in attack.read("mode") or ():
            if row["read_only"] != "on":
                attack.add(
                    "the target's transactions may write",
                    f"transaction_read_only is {row['read_only']!r} in the session of a job",
                    "extract a view over current_setting('transaction_read_only')",
                )

    def _extract_routes(self, routes: Sequence[WriteRoute], *, is_first: bool) -> int:
        """Transaction ids that were taken meanwhile."""
        before = self._next_xid()
        outcomes = dict(iterate_rows(self.attack.read("routes")))
        taken = self._next_xid() - before
        if is_first:
            for route in routes:
                self.attack.count(is_met=route.label in outcomes)
            done = [route for route in routes if route.is_session_bound and outcomes.get(route.label) == DONE]
            self._tell("the target's session carries out writes", "by a function of a view that a job read", done)
        return taken

    def try_as_role(self, routes: Sequence[WriteRoute]) -> None:
        """All routes with the target's role alone: no guard, and a transaction that may write. All is rolled back."""
        with connect(self.attack.context.reader().url) as session:
            excess = [str(held) for (held,) in session.execute(EXCESS.encode()).fetchall()]
            outcomes = {route.label: try_statement(session, route.text) for route in routes}
        for _route in routes:
            self.attack.count(is_met=True)
        if excess:
            self.attack.add("the target's role may do more than read", "; ".join(excess)[:500], "see `jivsbench doctor`")
        done = [route for route in routes if outcomes[route.label] == DONE]
        self._tell("the target's role may write", "in a transaction of the role, rolled back afterwards", done)

    def _tell(self, title: str, where: str, done: Sequence[WriteRoute]) -> None:
        if done:
            labels = ", ".join(route.label for route in done)
            self.attack.add(title, f"carried out {where}: {labels}", f"{done[0].text}")

    def look_for_effects(self) -> None:
        """Everything that a route would have left behind, as the owner sees it; then take it away."""
        schema = self.attack.schema
        effects = [] if schema.is_canary_alive() else ["the canary table changed"]
        effects += [f"a notice was received: {notice.payload}" for notice in self._notices()]
        effects += [str(evidence) for (evidence,) in schema.run_statement(self._fill(EFFECTS))]
        for effect in dict.fromkeys(effects):
            self.attack.add("something was written", effect, "extract a view whose function runs a write")
        if effects:
            for statement in REMEDIES:
                schema.run_statement(self._fill(statement))

    def _fill(self, text: str) -> str:
        return text.replace("{large_object}", str(self.large_object))

    def _notices(self) -> list[psycopg.Notify]:
        try:
            return list(self.bystander.notifies(timeout=0.02))
        except psycopg.OperationalError:
            self.attack.add("the target ended another session", "the owner's session is gone", "SELECT pg_terminate_backend(...)")
            return []

    def _next_xid(self) -> int:
        rows = self.attack.schema.run_statement("SELECT txid_snapshot_xmax(txid_current_snapshot())::text")
        return int(str(rows[0][0]))


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
