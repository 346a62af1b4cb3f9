"""What an extraction account may do and should not."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExcessPrivilege:
    """One thing too many: what it is, and the statement that takes it away, to be run by the server's owner."""

    found: str
    remedy: str
