"""What a check's crash on a target says: where it happened, and whether it was the target at all."""

import socket
import traceback
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit

from jivsbench.api import CheckContext, SecurityCheck
from jivsbench.model.finding import Finding
from jivsbench.model.secret import Secret

_CACHE_PORT: Final = 6379
_TIMEOUT_S: Final = 2.0


def describe_crash(check: SecurityCheck, target: CheckContext, problem: Exception) -> Finding:
    """A finding of the check's own severity: class and place of the error. Its message may hold a secret and stays out."""
    told = f"{type(problem).__name__} at {_locate(check, problem.__traceback__)}"
    return Finding(
        check.id,
        check.severity,
        "the check crashed on the target, and on none of its controls",
        told,
        # With what it crashed: who answers for one crash has seen nothing of what the next one hides.
        f"jivsbench check --only {check.id} --seed {target.seed}, until {told}",
    )


def find_dead_server(target: CheckContext) -> str | None:
    """Which server behind the target does not answer, as a clause; None when all do."""
    try:
        with target.oracle():
            pass
    except Exception as problem:  # noqa: BLE001 - whatever a driver raises, there is no session
        return f"the source gives no session: {type(problem).__name__}"
    if target.cache_url is not None and not _accepts(target.cache_url):
        return "the cache server accepts no connection"
    return None


def _accepts(url: Secret) -> bool:
    """False also for a URL that cannot be read: nobody connects by it."""
    try:
        parts = urlsplit(url.reveal())
        if parts.hostname:
            socket.create_connection((parts.hostname, parts.port or _CACHE_PORT), _TIMEOUT_S).close()
    except (OSError, ValueError):
        return False
    return True


def _locate(check: SecurityCheck, trace: TracebackType | None) -> str:
    """The innermost line of the check's own package, else the innermost of all; no folder of this machine."""
    package = type(check).__module__.partition(".")[0]
    frames = [(frame.f_globals.get("__name__", ""), frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(trace)]
    own = [frame for frame in frames if frame[0].partition(".")[0] == package] or frames
    if not own:
        return "an unknown place"
    _, file, line = own[-1]
    return f"{'/'.join(Path(file).parts[-2:])}:{line}"
