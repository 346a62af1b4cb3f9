"""The exit codes of every command: one name for each way a run can end."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells the shell, and so CI."""

    PASSED = 0
    GATE_FAILED = 1
    USAGE = 2
    CONDITIONAL = 3
    INVALID = 4
    ENVIRONMENT = 5
    HUNG_UP = 129
    INTERRUPTED = 130
    UNREAD = 141
    TERMINATED = 143
