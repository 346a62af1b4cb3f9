"""What the system says of a target's process."""

from pathlib import Path

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


def read_status(pid: int, name: str) -> str | None:
    """The first word that Linux tells of a process under this name; None where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((line.split()[1] for line in lines if line.startswith(f"{name}:")), None)
