"""What the checks that send hostile texts have in common: who they are, their two harmless requests, and their result."""

from abc import ABC
from collections.abc import Callable
from typing import ClassVar, Protocol

from jivsbench.api import CheckContext, TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import CheckOutcome, CheckResult, Finding, Severity


class AttackSession(Protocol):
    """The counters and findings of one run against one target."""

    findings: list[Finding]

    @property
    def attempted(self) -> int:
        """Hostile and other texts sent."""
        ...

    @property
    def reached(self) -> int:
        """Those that the target met."""
        ...

    @property
    def unanswered(self) -> int:
        """Those whose answer said nothing about the request."""
        ...

    def describe(self) -> str:
        """One line for the result."""
        ...

    def run_benign(self) -> int:
        """How many harmless requests brought back what they should."""
        ...


class HostileCheck(ABC):
    """A check that sends hostile texts between two harmless requests."""

    id: ClassVar[str]
    title: ClassVar[str]
    severity: ClassVar[Severity]
    cwe: ClassVar[tuple[str, ...]]
    vulnerable: ClassVar[TargetVariant]

    def _attack(self, context: CheckContext, session: AttackSession, send: Callable[[], None]) -> CheckResult:
        """`send` when a harmless request works, then see whether one still does. Raises InvalidRunError without answers."""
        before, after = session.run_benign(), 0
        try:
            if before:
                send()
                after = session.run_benign()
        except InvalidRunError:
            # A hole that was found is one, whatever could not be looked at afterwards.
            if not session.findings:
                raise
        if session.unanswered and not session.findings and after:
            raise InvalidRunError(f"{session.unanswered} of {session.attempted} texts got no answer about the request itself")
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
            cwe=self.cwe,
        )

    def _leave_out(self, context: CheckContext, outcome: CheckOutcome, reason: str) -> CheckResult:
        """The result of a check that sent nothing: NOT_TESTED or NOT_APPLICABLE."""
        return CheckResult(self.id, self.title, self.severity, outcome, reason, seed=context.seed, cwe=self.cwe)
