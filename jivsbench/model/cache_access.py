"""What a service needs of a Redis or Valkey server, in the words of its access control list, and no more.

The embedded server gives its user these rights, and a check asks whether somebody else's server gives more.
"""

from typing import Final

KEY_PATTERN: Final = "jivsbench:*"
"""Every key of every service lies under it."""

COMMANDS: Final = (
    "get",
    "set",
    "unlink",
    "scan",
    "ping",
    "select",
    # For whoever watches the server, and for checks of what lies in the cache. They change nothing.
    "info",
    "pttl",
    "type",
    # To end a connection whose SET may still be on its way.
    "client|info",
    "client|kill",
)


def format_rules() -> str:
    """The rules of ACL SETUSER, without name, state and password. SCAN tells the names of all keys, whatever the pattern."""
    return " ".join((f"resetkeys ~{KEY_PATTERN} resetchannels -@all", *(f"+{command}" for command in COMMANDS)))
