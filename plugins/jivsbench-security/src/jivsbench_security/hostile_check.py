"""What the checks that send hostile texts have in common: who they are, what they count, harmless requests, their result."""

from abc import ABC
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, Final, Protocol

from jivsbench.api import CheckContext, TargetChanges, TargetVariant
from jivsbench.errors import InvalidRunError, JivsbenchError
from jivsbench.model.finding import CheckOutcome, CheckResult, Finding, Severity
from jivsbench_security.processes import is_gone

MOST_FINDINGS: Final = 6
"""After so many holes the verdict stands."""


class SourceUnfitError(InvalidRunError):
    """The source is one on which a check cannot work; the text says why, and what would have to be otherwise."""


@dataclass(slots=True)
class Tally:
    """What became of the attacks of one run. An attack that could not be made is none: it is no part of `tried`."""

    tried: int = 0
    """Attacks that were sent."""
    reached: int = 0
    """Those that the target, or the server behind it, met: it carried them out, or said no to them."""
    refused: int = 0
    """Those to which it said no."""
    missed: int = 0
    """Those that were answered, and showed nothing: a request, say, that was to fail and was carried out."""
    unmade: int = 0
    """Attacks for which this source, or this machine, has not what they need."""

    @property
    def unanswered(self) -> int:
        """Attacks of which nobody knows whether they were met."""
        return self.tried - self.reached - self.missed

    def count(self, times: int = 1, *, is_met: bool, is_refused: bool = False, is_answered: bool = False) -> None:
        """So many attacks were sent, all with the same end. What was met or refused was answered, whether it is said or not."""
        is_met = is_met or is_refused
        self.tried += times
        self.reached += times * is_met
        self.refused += times * is_refused
        self.missed += times * (is_answered and not is_met)

    def add(self, other: "Tally") -> None:
        """Take over what another run counted."""
        self.tried += other.tried
        self.reached += other.reached
        self.refused += other.refused
        self.missed += other.missed
        self.unmade += other.unmade


class Reported(Protocol):
    """Under what a finding is reported."""

    @property
    def id(self) -> str:
        """Id of the check."""
        ...

    @property
    def severity(self) -> Severity:
        """How bad its findings are."""
        ...


class CountedSession:
    """The tally, findings and remarks of one run against one target."""

    most_findings: ClassVar[int] = MOST_FINDINGS

    def __init__(self, check: Reported) -> None:
        self.check = check
        self.tally = Tally()
        self.findings: list[Finding] = []
        self.remarks: list[str] = []
        """What was seen besides, for the result's line."""

    @property
    def attempted(self) -> int:
        """Attacks that were sent."""
        return self.tally.tried

    @property
    def reached(self) -> int:
        """Those that were met."""
        return self.tally.reached

    @property
    def unanswered(self) -> int:
        """Those of which nobody knows."""
        return self.tally.unanswered

    @property
    def is_settled(self) -> bool:
        """True when more holes would say nothing new."""
        return len(self.findings) >= self.most_findings

    def describe(self) -> str:
        """One line for the result."""
        counts = f"{self.attempted} attacks sent, {self.reached} met by the target, {len(self.findings)} found a hole"
        unmade = [f"{self.tally.unmade} could not be made here"] if self.tally.unmade else []
        return "; ".join([counts, *unmade, *self.remarks])

    def add(self, title: str, evidence: str, reproducer: str, severity: Severity | None = None) -> None:
        """Note a hole, of the check's severity unless another is given; no more than a few, and of those the worst."""
        found = Finding(self.check.id, severity or self.check.severity, title, evidence, reproducer)
        if not self.is_settled:
            self.findings.append(found)
            return
        mildest = min(reversed(self.findings), key=lambda one: one.severity.weight)
        if mildest.severity.weight < found.severity.weight:
            # What a release waits for is the worst hole, whenever it was found.
            self.findings[self.findings.index(mildest)] = found


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
        before = session.run_benign()
        after, problem = 0, None
        try:
            if before:
                send()
                after = session.run_benign()
        except InvalidRunError as told:
            problem = told
        has_died = bool(before) and not after and not session.findings and is_gone(context.pid)
        if has_died:
            # Its silence is no lack of answers then, but the answer.
            told_at = f"jivsbench check --only {self.id} --seed {context.seed}"
            title = "the target's process ended while it was attacked"
            session.findings.append(Finding(self.id, self.severity, title, session.describe(), told_at))
        if problem is not None and not session.findings:
            raise problem
        if session.unanswered and not session.findings and after:
            counted = f"{session.unanswered} of {session.attempted} texts got no answer about the request itself"
            raise InvalidRunError(
                f"{counted} ({session.describe()}): run it again while the machine and its servers have less to do"
            )
        return CheckResult(
            check_id=self.id,
            title=self.title,
            severity=self.severity,
            outcome=CheckOutcome.FAIL if session.findings else CheckOutcome.PASS,
            # A hole that was found is one, whatever cannot be shown afterwards.
            reason=session.describe() + (f"; it ended early: {problem}" if problem else ""),
            attempted=session.attempted,
            reached=max(session.reached, int(has_died)),
            benign_before=before,
            benign_after=after,
            findings=tuple(session.findings),
            seed=context.seed,
            cwe=self.cwe,
        )

    def _leave_out(self, context: CheckContext, outcome: CheckOutcome, reason: str) -> CheckResult:
        """The result of a check that sent nothing: NOT_TESTED or NOT_APPLICABLE."""
        return CheckResult(self.id, self.title, self.severity, outcome, reason, seed=context.seed, cwe=self.cwe)


@contextmanager
def started(context: CheckContext, changes: TargetChanges) -> Iterator[CheckContext]:
    """Another target that has to start, for as long as the block. Raises InvalidRunError when it does not: nothing was tried."""
    with ExitStack() as exits:
        try:
            other = exits.enter_context(context.launch(changes))
        except JivsbenchError as refusal:
            raise InvalidRunError(f"another target of the same kind did not start ({refusal.slug})") from refusal
        yield other


def is_answering(context: CheckContext) -> bool:
    """True when the target tells its profile to whoever may see it."""
    return context.target.call("GET", "/profile").status == HTTPStatus.OK


def ask_profile(context: CheckContext) -> Mapping[str, Any]:
    """The target's profile in its own words: name, guards, switches. Raises InvalidRunError when it does not tell."""
    answer = context.target.call("GET", "/profile")
    if answer.status != HTTPStatus.OK or not isinstance(answer.body, Mapping):
        raise InvalidRunError(f"the target was asked for its profile and answered {answer.status}: see its log")
    return answer.body
