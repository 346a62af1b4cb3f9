"""SEC-005: functions that carry SQL, files, programs or other servers into a SELECT. The guard and the role refuse them."""

from collections.abc import Mapping, Sequence
from typing import Final

from jivsbench.api import TargetVariant
from jivsbench.model.finding import Severity
from jivsbench_security.hostile_check import CountedSession
from jivsbench_security.sql.planted_attack import PlantedAttack, PlantedCheck, iterate_rows
from jivsbench_security.sql.smuggling_texts import SMUGGLING

_TITLE: Final = "a query that smuggles was accepted"


class SmugglingCheck(PlantedCheck):
    """Sends each text as a raw query, and tries those that a role can be refused in the target's own session."""

    id = "SEC-005"
    title = "Smuggling functions: none brings back data or acts, by the guard and by the role"
    # A hole here gives away the whole source, or the server.
    severity = Severity.CRITICAL
    cwe = ("CWE-89", "CWE-250")
    # A guard that looks for a list of forbidden words.
    vulnerable = TargetVariant("vulnerable-deny-list", plugins=("jivsbench.testing.vulnerable.deny_list",))

    def _send(self, attack: PlantedAttack) -> None:
        attack.prove_queries_pass()
        for one in SMUGGLING:
            attack.send_query(one.label, one.text, _TITLE)
        bound = {one.label: one.text for one in SMUGGLING if one.is_role_bound}
        attack.schema.plant_attempts("smuggled", bound)
        outcomes = dict(iterate_rows(attack.read("smuggled")))
        carried_out = attack.count_outcomes(list(bound), outcomes)
        tell_powers(attack, bound, [label for label in bound if label in carried_out])
        if not attack.schema.is_canary_alive():
            attack.add("the canary table changed", "one of the texts wrote", "see the texts that were accepted")


def tell_powers(session: CountedSession, bound: Mapping[str, str], allowed: Sequence[str]) -> None:
    """What the role may do of these texts by their labels, as one finding that is another whenever it may do something else."""
    if not allowed:
        return
    labels = ", ".join(allowed)
    session.add(
        f"the target's role may do what no extraction needs: {labels[:80]}",
        f"carried out by a function of a view that a job read: {labels}",
        f"as the role: {bound[allowed[0]]}; likewise {labels}",
        Severity.HIGH,
    )
