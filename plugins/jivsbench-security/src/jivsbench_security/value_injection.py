"""SEC-001: hostile texts as filter values. A value is data: it finds its rows, or is refused, and does nothing else."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jivsbench.api import CheckContext, TargetVariant
from jivsbench.errors import AccessDeniedError, InvalidRunError, OutputError
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench_security.attack import Attack, plan_attacks, plan_full_attacks
from jivsbench_security.injection_session import InjectionSession, Scene
from jivsbench_security.injection_tables import CanaryWatch, Row, build_rows, choose_names, tables_in_place
from jivsbench_security.payloads import Victims

_MAX_FINDINGS: Final = 6
"""After so many holes the verdict stands; a target that sleeps on request would otherwise take minutes."""
_ROWS_OF_PAYLOADS: Final = 60


@dataclass(frozen=True, slots=True)
class ValueInjectionCheck:
    """Sends generated payloads as values of text, LIKE, IN, number and date filters, and compares with plain Python."""

    @property
    def id(self) -> str:
        """SEC-001."""
        return "SEC-001"

    @property
    def title(self) -> str:
        """What a pass means."""
        return "Filter values are data: no value changes what a query does"

    @property
    def severity(self) -> Severity:
        """A hole here gives away the whole source."""
        return Severity.CRITICAL

    @property
    def vulnerable(self) -> TargetVariant:
        """A connector that pastes values into SQL text."""
        return TargetVariant(
            "vulnerable-fstring", plugins=("jivsbench.testing.vulnerable.fstring",), connector="vulnerable-fstring"
        )

    def run(self, context: CheckContext) -> CheckResult:
        """Attack. Needs a source into which the check may load its tables."""
        loader = context.loader()
        if loader is None:
            return self._not_tested(context, "the connector cannot write the tables that the check needs")
        names = choose_names()
        # The names of the tables differ from run to run, the choice of payloads does not.
        choice = random.Random(context.seed)  # noqa: S311 - repeatable, not secret
        attacks = plan_full_attacks(names, choice) if context.is_full else plan_attacks(names, choice)
        rows = build_rows([attack.payload.text for attack in attacks[:: max(1, len(attacks) // _ROWS_OF_PAYLOADS)]])
        try:
            with tables_in_place(context, loader, names, rows):
                return self._attack(context, names, rows, attacks)
        except (AccessDeniedError, OutputError):
            return self._not_tested(context, "the source's user may not write the tables that the check needs")

    def _attack(self, context: CheckContext, names: Victims, rows: Sequence[Row], attacks: Sequence[Attack]) -> CheckResult:
        with context.oracle() as connection:
            session = InjectionSession(self, context, Scene(names, rows, CanaryWatch(connection, names, len(rows))))
            before = session.run_benign()
            if before:
                for attack in attacks:
                    session.attack(attack)
                    if len(session.findings) >= _MAX_FINDINGS:
                        break
                session.look_for_damage()
            after = session.run_benign() if before else 0
        if session.unanswered and not session.findings and after:
            raise InvalidRunError(f"{session.unanswered} of {session.attempted} attacks got no answer about the request itself")
        return CheckResult(
            check_id=self.id,
            title=self.title,
            severity=self.severity,
            outcome=CheckOutcome.FAIL if session.findings else CheckOutcome.PASS,
            reason=session.describe(),
            attempted=session.attempted,
            reached=session.reached,
            benign_before=before,
            benign_after=after,
            findings=tuple(session.findings),
            seed=context.seed,
            cwe=("CWE-89",),
        )

    def _not_tested(self, context: CheckContext, reason: str) -> CheckResult:
        return CheckResult(
            self.id, self.title, self.severity, CheckOutcome.NOT_TESTED, reason, seed=context.seed, cwe=("CWE-89",)
        )
