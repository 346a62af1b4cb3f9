"""`plugins lock`: writes down which plugins may be loaded. Nothing of them is imported for it."""

from pathlib import Path

from jivsbench.config import Settings
from jivsbench.model.summary import Report
from jivsbench.plugins import find_wanted, format_lock, lock
from jivsbench.plugins.locking import LockedPlugin
from jivsbench.report.bundle import write_reports


def write_lock(settings: Settings) -> tuple[Path, tuple[LockedPlugin, ...]]:
    """The lock of all plugins that the settings would load, in the folder of the configuration. Raises OutputError."""
    locked = lock(find_wanted(extra_modules=settings.plugins, disabled=settings.disabled_plugins))
    path = settings.plugins_lock_path
    write_reports(path.parent, [Report("lock", path.name, "application/toml", format_lock(locked).encode())])
    return path, locked
