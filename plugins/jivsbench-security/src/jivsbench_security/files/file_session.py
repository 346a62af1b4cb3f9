"""What the checks that attack through files have in common: how they count what befell a job, and on what targets they work."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Final

from jivsbench.api import CheckContext
from jivsbench.errors import InvalidRunError, OutputError, UnknownNameError
from jivsbench.model.finding import CheckOutcome, CheckResult
from jivsbench_security.extractions import Ending
from jivsbench_security.hostile_check import CountedSession, HostileCheck, Reported

_BUSY: Final = frozenset({"deadline", "pool-timeout", "cancelled", "queue-full", "shutting-down", "service-restarted"})
_NOT_ABOUT_THE_FILE: Final = _BUSY | {"cache-unreachable", OutputError.slug}
"""A full disk, say, refuses whatever is asked for."""


class FileSession(CountedSession):
    """One run against one target; `fair` says whether a harmless request brings back what it should."""

    def __init__(self, check: Reported, fair: Callable[[], bool]) -> None:
        super().__init__(check)
        self._fair = fair

    def meet(self, ending: Ending, reproducer: str, refusal: str | None = None) -> None:
        """Count an extraction by how it ended; one that fails as if by the target's own fault is a finding.

        `refusal`: the slug that is an answer to this attack, though to others it would say nothing.
        """
        is_about_the_file = ending.slug not in _NOT_ABOUT_THE_FILE or ending.slug == refusal
        self.tally.count(is_met=ending.is_refused or ending.is_crash or (ending.job is not None and is_about_the_file))
        if ending.is_crash:
            self.add("a file made the target fail as if by its own fault", f"status {ending.status}, {ending.slug}", reproducer)

    def describe(self) -> str:
        """One line for the result."""
        return "; ".join((*self.remarks, f"{len(self.findings)} findings"))

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
