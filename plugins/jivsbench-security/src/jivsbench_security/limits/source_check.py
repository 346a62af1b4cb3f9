"""What the checks that need the source's owner have in common: they make what they attack with, and watch the server."""

import json
import time
from abc import ABC, abstractmethod
from typing import ClassVar, Final

from jivsbench.api import CheckContext, TargetChanges
from jivsbench.model.finding import CheckOutcome, CheckResult, Finding, Severity
from jivsbench_security.extractions import Extractions
from jivsbench_security.hostile_check import HostileCheck
from jivsbench_security.limits.flights import Lenience, Watch
from jivsbench_security.limits.owner_session import OwnerSession, SourceUnfitError, open_owner_session

TIGHT: Final = TargetChanges(
    query_timeout_s=0.6, job_timeout_s=0.9, pool_size=4, borrow_timeout_s=0.4, queue_limit=8, job_workers=44
)
"""The target whose limits are attacked. The same for all checks, so that they share one."""
QUERY_TIMEOUT_S: Final = 0.6
JOB_TIMEOUT_S: Final = 0.9
POOL_SIZE: Final = 4
BORROW_TIMEOUT_S: Final = 0.4
QUEUE_LIMIT: Final = 8
JOB_WORKERS: Final = 44
_BENIGN_ROWS: Final = 5
_BENIGN_TRIES: Final = 3
_MAX_FINDINGS: Final = 6


class SourceSession(ABC):
    """The counters and findings of one run. `target` is the target that is attacked."""

    def __init__(self, check: "SourceCheck", target: CheckContext, owner: OwnerSession) -> None:
        self.check = check
        self.target = target
        self.owner = owner
        self.extractions = Extractions(target.target)
        self.lenience = Lenience(0.0)
        self.watch = Watch(self.extractions, owner, self.lenience)
        self.attempted = 0
        self.reached = 0
        self.findings: list[Finding] = []

    @property
    def unanswered(self) -> int:
        """Attacks of which the target's server saw nothing."""
        return self.attempted - self.reached

    def describe(self) -> str:
        """One line for the result."""
        return (
            f"{self.attempted} attacks, {self.reached} met by the target, {len(self.findings)} found a hole; "
            f"{self.lenience.allowed_s * 1000:.0f} ms allowed for this machine"
        )

    def run_benign(self) -> int:
        """1 when a few rows of the seeded table come back, else 0. Says how fast this machine is, too."""
        wanted = min(self.owner.count_rows(self.target.table), _BENIGN_ROWS)
        for _ in range(_BENIGN_TRIES):
            started_s = time.monotonic()
            ending = self.extractions.run({"source": self.target.source, "table": self.target.table, "row_limit": _BENIGN_ROWS})
            if ending.is_completed and self.target.read_output(ending.job).num_rows == wanted:
                self.lenience.note(time.monotonic() - started_s)
                return 1
        return 0

    def build_body(self, table: str) -> dict[str, object]:
        """A request for a whole table."""
        return {"source": self.target.source, "table": table}

    def add(self, title: str, evidence: str, reproducer: object, severity: Severity | None = None) -> None:
        """One finding. The reproducer is a text, or the body of a request to create an extraction."""
        if len(self.findings) >= _MAX_FINDINGS:
            return
        shown = reproducer if isinstance(reproducer, str) else f"POST /api/v1/extractions {json.dumps(reproducer)[:600]}"
        self.findings.append(Finding(self.check.id, severity or self.check.severity, title, evidence, shown))

    @abstractmethod
    def attack(self) -> None:
        """Carry out every attack."""


class SourceCheck(HostileCheck):
    """A check that works through a session of the source's owner."""

    changes: ClassVar[TargetChanges] = TIGHT
    """In what the attacked target differs from the one under test."""

    @abstractmethod
    def build_session(self, context: CheckContext, target: CheckContext, owner: OwnerSession) -> SourceSession:
        """The run against one target."""

    def run(self, context: CheckContext) -> CheckResult:
        """Attack. NOT_TESTED on a source where the owner cannot make what is needed."""
        try:
            with open_owner_session(context) as owner:
                session = self.build_session(context, context.share(self.changes), owner)
                return self._attack(context, session, session.attack)
        except SourceUnfitError as problem:
            return self._leave_out(context, CheckOutcome.NOT_TESTED, str(problem))
