"""What the checks of TLS have in common: the servers that this machine can be, and that each of them is told once."""

from jivsbench.api import CheckContext
from jivsbench_security.hostile_check import CountedSession, Reported
from jivsbench_security.servers.certificates import Certificates
from jivsbench_security.servers.fronts import Line, list_testable


class TlsSession(CountedSession):
    """One run against one target. `lines` are the hostile servers that this machine can be."""

    def __init__(self, check: Reported, context: CheckContext) -> None:
        super().__init__(check)
        self.context = context
        self.certificates = Certificates.make(context.make_folder())
        self.lines = list_testable(self.certificates)
        self._told: set[Line] = set()

    def tell(self, line: Line, title: str, evidence: str, reproducer: str) -> None:
        """Note that a server got the password, once a server."""
        if line not in self._told:
            self._told.add(line)
            self.add(title, evidence, reproducer)
