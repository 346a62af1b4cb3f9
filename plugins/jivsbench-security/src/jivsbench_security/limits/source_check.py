"""What the checks that need the source's owner have in common: they make what they attack with, and watch the server."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Final

from jivsbench.api import CheckContext, TargetChanges
from jivsbench.errors import InvalidRunError, JivsbenchError
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench_security.extractions import Extractions
from jivsbench_security.hostile_check import CountedSession, HostileCheck, Reported, SourceUnfitError
from jivsbench_security.limits.flights import Lenience, Watch
from jivsbench_security.limits.owner_session import OwnerSession, open_owner_session
from jivsbench_security.own_sessions import depending_on_own_sessions

QUERY_TIMEOUT_S: Final = 0.6
JOB_TIMEOUT_S: Final = 0.9
POOL_SIZE: Final = 4
BORROW_TIMEOUT_S: Final = 0.4
QUEUE_LIMIT: Final = 8
JOB_WORKERS: Final = 44
TIGHT: Final = TargetChanges(
    query_timeout_s=QUERY_TIMEOUT_S,
    job_timeout_s=JOB_TIMEOUT_S,
    pool_size=POOL_SIZE,
    borrow_timeout_s=BORROW_TIMEOUT_S,
    queue_limit=QUEUE_LIMIT,
    job_workers=JOB_WORKERS,
)
"""The target whose limits are attacked. The same for all checks, so that they share one."""
_BENIGN_ROWS: Final = 5
_BENIGN_TRIES: Final = 3


class SourceSession(CountedSession, ABC):
    """One run. `target` is the target that is attacked, `context` the one under test, of the same variant."""

    def __init__(self, check: Reported, context: CheckContext, target: CheckContext, owner: OwnerSession) -> None:
        super().__init__(check)
        self.context = context
        self.target = target
        self.owner = owner
        self.extractions = Extractions(target.target)
        self.lenience = Lenience(0.0)
        self.watch = Watch(self.extractions, owner, self.lenience)

    def describe(self) -> str:
        """One line for the result."""
        return f"{super().describe()}; {self.lenience.allowed_s * 1000:.0f} ms allowed for this machine"

    def run_benign(self) -> int:
        """1 when a few rows of the seeded table come back, else 0. Says how fast this machine is, too."""
        with depending_on_own_sessions():
            wanted = self.owner.count_rows(self.target.table, _BENIGN_ROWS)
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

    def tell(self, title: str, evidence: str, body: Mapping[str, object], severity: Severity | None = None) -> None:
        """One finding, whose reproducer is the body of a request to create an extraction."""
        self.add(title, evidence, f"POST /api/v1/extractions {json.dumps(body)[:600]}", severity)

    @abstractmethod
    def attack(self) -> None:
        """Carry out every attack."""


class SourceCheck(HostileCheck):
    """A check that works through a session of the source's owner."""

    changes: ClassVar[TargetChanges] = TIGHT
    """In what the attacked target differs from the one under test."""

    session: ClassVar[type[SourceSession]]
    """The run against one target."""

    def run(self, context: CheckContext) -> CheckResult:
        """Attack. NOT_TESTED on a source where the owner cannot make what is needed."""
        try:
            with open_owner_session(context) as owner:
                session = self.session(self, context, self._share(context), owner)

                def send() -> None:
                    with depending_on_own_sessions():
                        session.attack()

                return self._attack(context, session, send)
        except SourceUnfitError as problem:
            return self._leave_out(context, CheckOutcome.NOT_TESTED, str(problem))

    def _share(self, context: CheckContext) -> CheckContext:
        try:
            return context.share(self.changes)
        except JivsbenchError as problem:
            raise InvalidRunError(f"another target of the same kind, to be attacked, did not start ({problem.slug})") from problem
