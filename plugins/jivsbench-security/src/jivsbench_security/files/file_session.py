"""The counters and findings of a check that attacks through files, and what all such checks have in common."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Final

from jivsbench.api import CheckContext
from jivsbench.errors import InvalidRunError, OutputError, UnknownNameError
from jivsbench.model.finding import CheckOutcome, CheckResult, Finding
from jivsbench_security.extractions import Ending
from jivsbench_security.hostile_check import HostileCheck

MAX_FINDINGS: Final = 6
"""After so many the verdict stands."""
_BUSY: Final = frozenset({"deadline", "pool-timeout", "cancelled", "queue-full", "shutting-down", "service-restarted"})
_NOT_ABOUT_THE_FILE: Final = _BUSY | {"cache-unreachable", OutputError.slug}
"""A full disk, say, refuses whatever is asked for."""


class FileSession:
    """What one run against one target has tried and found."""

    def __init__(self, check: HostileCheck, fair: Callable[[], bool]) -> None:
        self._check = check
        self._fair = fair
        self.attempted = 0
        self.reached = 0
        self.unanswered = 0
        self.findings: list[Finding] = []
        self.notes: list[str] = []
        """Parts of the result's line, in order."""

    @property
    def is_settled(self) -> bool:
        """True when more findings would say nothing new."""
        return len(self.findings) >= MAX_FINDINGS

    def count(self, *, is_reached: bool = True, times: int = 1) -> None:
        """Attacks that were carried out; some did not get as far as the target's own code."""
        self.attempted += times
        self.reached += times if is_reached else 0
        self.unanswered += 0 if is_reached else times

    def meet(self, ending: Ending, reproducer: str, refusal: str | None = None) -> None:
        """Count an extraction by how it ended; one that fails as if by the target's own fault is a finding.

        `refusal`: the slug that is an answer to this attack, though to others it would say nothing.
        """
        is_about_the_file = ending.slug not in _NOT_ABOUT_THE_FILE or ending.slug == refusal
        self.count(is_reached=ending.is_refused or ending.is_crash or (ending.job is not None and is_about_the_file))
        if ending.is_crash:
            self.add("a file made the target fail as if by its own fault", f"status {ending.status}, {ending.slug}", reproducer)

    def add(self, title: str, evidence: str, reproducer: str) -> None:
        """One more finding."""
        if not self.is_settled:
            self.findings.append(Finding(self._check.id, self._check.severity, title, evidence, reproducer))

    def describe(self) -> str:
        """One line for the result."""
        return "; ".join((*self.notes, f"{len(self.findings)} findings"))

    def run_benign(self) -> int:
        """1 when the harmless request brought back what it should."""
        return int(self._fair())


class FileCheck(HostileCheck):
    """A check that brings files of its own to a target."""

    def run(self, context: CheckContext) -> CheckResult:
        """Attack. Needs a target that takes folders as data sources."""
        try:
            return self._attack_files(context)
        except UnknownNameError as problem:
            return self._leave_out(context, CheckOutcome.NOT_APPLICABLE, str(problem))

    @abstractmethod
    def _attack_files(self, context: CheckContext) -> CheckResult: ...


def read_texts(context: CheckContext, ending: Ending) -> str:
    """All that a finished extraction wrote, as one text to search in. Raises InvalidRunError when rows cannot be read."""
    if not ending.is_completed:
        return ""
    try:
        return str(context.read_output(ending.job).to_pylist())
    except InvalidRunError:
        if (ending.job or {}).get("rows_written") == 0:
            return ""
        raise
