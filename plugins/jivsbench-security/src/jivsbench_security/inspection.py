"""What the checks have in common that look at the files of a running target instead of sending it something hostile."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from jivsbench.api import CheckContext
from jivsbench.model.finding import CheckOutcome, CheckResult, Finding
from jivsbench_security.hostile_check import MOST_FINDINGS, HostileCheck, is_answering

_LONGEST_REST: Final = 2_000


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was looked at. `untested` says why no PASS can follow from it, when there is such a reason."""

    attempted: int
    """Things that had to be looked at."""
    reached: int
    """Those of which something could be said."""
    reason: str
    findings: tuple[Finding, ...] = ()
    untested: str | None = None


def keep_worst(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The worst few, and one more for all others: who answers for those that are shown has not answered for the rest."""
    ranked = sorted(findings, key=lambda one: -one.severity.weight)
    left = ranked[MOST_FINDINGS:]
    if not left:
        return tuple(ranked)
    told = "; ".join(one.reproducer for one in left)[:_LONGEST_REST]
    title = f"{len(left)} more were found than are listed one by one"
    rest = Finding(left[0].check_id, left[0].severity, title, f"the worst of them: {left[0].title}", told)
    return (*ranked[:MOST_FINDINGS], rest)


class InspectingCheck(HostileCheck):
    """Looks at the installation of a target that works before and after."""

    sound_installations: ClassVar[tuple[str, ...]]

    def run(self, context: CheckContext) -> CheckResult:
        """Look."""
        before = int(is_answering(context))
        seen = self._inspect(context) if before else Inspection(0, 0, "the target did not answer")
        if seen.untested is not None and not seen.findings:
            return self._leave_out(context, CheckOutcome.NOT_TESTED, seen.untested)
        return CheckResult(
            check_id=self.id,
            title=self.title,
            severity=self.severity,
            outcome=CheckOutcome.FAIL if seen.findings else CheckOutcome.PASS,
            reason=seen.reason,
            attempted=seen.attempted,
            reached=seen.reached,
            benign_before=before,
            benign_after=int(is_answering(context)),
            findings=keep_worst(seen.findings),
            seed=context.seed,
            cwe=self.cwe,
        )

    @abstractmethod
    def _inspect(self, context: CheckContext) -> Inspection:
        """What is found."""
