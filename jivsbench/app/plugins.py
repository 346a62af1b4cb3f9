"""`plugins lock`: writes down which plugins may be loaded. Nothing of them is imported for it."""

import os
import secrets
from pathlib import Path

from jivsbench.config import Settings
from jivsbench.errors import OutputError
from jivsbench.plugins import find_wanted, format_lock, lock
from jivsbench.plugins.locking import LockedPlugin


def write_lock(settings: Settings) -> tuple[Path, tuple[LockedPlugin, ...]]:
    """The lock of all plugins that the settings would load, in the folder of the configuration. Raises OutputError."""
    locked = lock(find_wanted(extra_modules=settings.plugins, disabled=settings.disabled_plugins))
    path = settings.plugins_lock_path
    attempt = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(attempt, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(format_lock(locked))
        attempt.replace(path)
    except OSError as exc:
        attempt.unlink(missing_ok=True)
        raise OutputError(f"the lock was to be written to {path}, which cannot be written ({exc.strerror})") from exc
    return path, locked
