"""Private folders and free ports for embedded servers."""

import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jivsbench.errors import EmbeddedServerError

ROOT_STAND_IN = "nobody"
"""PostgreSQL refuses to run as root; this system user, present everywhere, runs it then."""


def server_user() -> str | None:
    """The system user that servers run as: None for the current one, a stand-in when that is root."""
    return ROOT_STAND_IN if hasattr(os, "geteuid") and os.geteuid() == 0 else None


@contextmanager
def private_folder(name: str, user: str | None) -> Iterator[Path]:
    """A new folder that only `user` (None: the current one) can open, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix=f"jivsbench-{name}-", dir=_reachable_temp(user)))
    try:
        if user:
            shutil.chown(folder, user)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A loopback port that was free a moment ago. Another process may take it first, so starts are tried again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def is_reachable(path: Path) -> bool:
    """True when every folder above `path`, and `path` itself, lets other users pass or read."""
    return all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.resolve().parents))


def _reachable_temp(user: str | None) -> Path:
    candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108 - mkdtemp makes it private
    for candidate in candidates:
        if candidate.is_dir() and (user is None or is_reachable(candidate)):
            return candidate
    raise EmbeddedServerError(
        f"the servers run as {user!r}, which can enter none of {', '.join(map(str, candidates))}: "
        "set TMPDIR to a folder that every user can enter"
    )


def last_line(log: Path) -> str:
    """The last line of a server's log, for a message; it holds no password, because none is ever logged."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return "no log was written"
    return lines[-1] if lines else "its log is empty"
