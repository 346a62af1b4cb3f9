"""The key that seals cache entries: 32 random bytes in a hidden file of the service's output folder, for its owner alone.

It never enters the cache. Whoever can read this file can read the outputs themselves; see docs/decisions/0008.
"""

import errno
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from jivsbench.errors import OutputError
from jivsbench.extract.caching.sealing import KEY_BYTES
from jivsbench.private_folders import make_missing_folders

_NAME: Final = ".cache.key"
_KNOWN: Final = "others may know it: remove it, a new one is made"
# A pipe that somebody put there would be waited for.
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0)


def read_cache_key(folder: Path) -> bytes:
    """The key in that folder, made when there is none. Raises OutputError for one that cannot be read or made."""
    path = folder / _NAME
    try:
        make_missing_folders(folder)
        if not os.path.lexists(path):
            _make_key(path)
        key = _read_own(path)
    except OSError as exc:
        raise OutputError(f"the cache's key was to be kept in {path}, which cannot be used ({exc.strerror})") from exc
    if len(key) != KEY_BYTES:
        raise OutputError(f"the cache's key in {path} has {len(key)} bytes instead of {KEY_BYTES}: remove it, a new one is made")
    return key


def _read_own(path: Path) -> bytes:
    """What is in the file, unless somebody else may know it: whoever knows the key can write entries that are believed."""
    try:
        descriptor = os.open(path, _READ)
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise PermissionError(errno.EPERM, _KNOWN) from exc
        raise
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(file.fileno())
        if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o077:
            raise PermissionError(errno.EPERM, _KNOWN)
        return file.read()


def _make_key(path: Path) -> None:
    """Complete or not there at all, and never replacing the one that another process has just made."""
    attempt = path.with_name(f"{_NAME}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(attempt, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(attempt, path)
        except FileExistsError:
            return
    finally:
        attempt.unlink(missing_ok=True)
