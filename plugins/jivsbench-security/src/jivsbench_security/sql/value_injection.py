"""SEC-001: hostile texts as filter values. A value is data: it finds its rows, or is refused, and does nothing else."""

import random
from collections.abc import Sequence
from typing import Final

from jivsbench.api import CheckContext, TargetVariant
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench_security.hostile_check import MOST_FINDINGS, HostileCheck, SourceUnfitError
from jivsbench_security.payloads import Payload, Victims
from jivsbench_security.sql.attack import Attack, group_attacks, plan_attacks, plan_full_attacks
from jivsbench_security.sql.injection_session import InjectionSession, Scene
from jivsbench_security.sql.injection_tables import CanaryWatch, Row, build_rows, choose_names, tables_in_place
from jivsbench_security.sql.value_contexts import ValueContext

_ROWS_OF_PAYLOADS: Final = 60
_GROUP: Final = 10
"""So many jobs at a time, in the fast form one of each technique: no queue fills up, and none waits long for its turn."""


class ValueInjectionCheck(HostileCheck):
    """Sends generated payloads as values of text, LIKE, IN, number and date filters, and compares with plain Python."""

    id = "SEC-001"
    title = "Filter values are data: no value changes what a query does"
    # A hole here gives away the whole source.
    severity = Severity.CRITICAL
    cwe = ("CWE-89",)
    # A connector that pastes values into SQL text.
    vulnerable = TargetVariant(
        "vulnerable-fstring", plugins=("jivsbench.testing.vulnerable.fstring",), connector="vulnerable-fstring"
    )

    def run(self, context: CheckContext) -> CheckResult:
        """Attack. Needs a source into which the check may load its tables."""
        names = choose_names()
        # The names of the tables differ from run to run, the choice of payloads does not.
        choice = random.Random(context.seed)  # noqa: S311 - repeatable, not secret
        own = plan_full_attacks(names, choice) if context.is_full else plan_attacks(names, choice)
        attacks = (*own, *(Attack(Payload("corpus", text), ValueContext.TEXT) for text in context.corpus))
        rows = build_rows([attack.payload.text for attack in attacks[:: max(1, len(attacks) // _ROWS_OF_PAYLOADS)]])
        try:
            with tables_in_place(context, names, rows):
                return self._attack_tables(context, names, rows, attacks)
        except SourceUnfitError as problem:
            return self._leave_out(context, CheckOutcome.NOT_TESTED, str(problem))

    def _attack_tables(
        self, context: CheckContext, names: Victims, rows: Sequence[Row], attacks: Sequence[Attack]
    ) -> CheckResult:
        with context.oracle() as connection:
            session = InjectionSession(self, context, Scene(names, rows, CanaryWatch(connection, names, len(rows))))

            def send() -> None:
                session.learn_templates()
                for group in group_attacks(attacks, _GROUP):
                    session.attack_group(group)
                    if len(session.findings) >= MOST_FINDINGS:
                        break
                session.look_for_damage()

            return self._attack(context, session, send)
