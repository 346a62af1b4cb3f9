"""Guards that only count, or only refuse."""

from jivsbench.api.protocols import GuardRequest
from jivsbench.errors import GuardRefusedError


class CountingGuard:
    """Lets everything pass and keeps what it saw, in order."""

    def __init__(self, name: str = "counting") -> None:
        self.name = name
        self.seen: list[GuardRequest] = []

    @property
    def count(self) -> int:
        """How many requests it saw."""
        return len(self.seen)

    def review(self, request: GuardRequest) -> None:
        """Remember the request."""
        self.seen.append(request)


class RefusingGuard:
    """Refuses everything."""

    def __init__(self, name: str = "refusing", reason: str = "this guard refuses everything") -> None:
        self.name = name
        self._reason = reason

    def review(self, request: GuardRequest) -> None:  # noqa: ARG002 - the protocol's; this guard does not look
        """Raise GuardRefusedError."""
        raise GuardRefusedError(self._reason)
