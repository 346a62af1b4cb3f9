"""What the system says of a target's process."""

import psutil


def has_ended(process: psutil.Process) -> bool:
    """True when a process runs no more; its parent may not have asked for its status yet."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def is_gone(pid: int) -> bool:
    """True when no process of this number runs."""
    try:
        return has_ended(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return True
