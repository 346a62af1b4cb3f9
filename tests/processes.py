"""Looks at processes that a test has started."""

import time

import psutil


def is_gone(pid: int, within_s: float) -> bool:
    """Has it ended? An orphan stays a zombie until the system's first process looks at it, which is not ours to judge."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False
