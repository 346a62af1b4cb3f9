"""Finds plugins, loads them and lists what they offer. The only part of the host that knows pluggy."""

from jivsbench.plugins.candidates import ENTRY_POINT_GROUP
from jivsbench.plugins.loading import DISABLE_VARIABLE, build_plugin_manager, find_wanted, format_exception
from jivsbench.plugins.locking import format_lock, lock
from jivsbench.plugins.package_files import find_package
from jivsbench.plugins.registry import Registry, load_registry

__all__ = [
    "DISABLE_VARIABLE",
    "ENTRY_POINT_GROUP",
    "Registry",
    "build_plugin_manager",
    "find_package",
    "find_wanted",
    "format_exception",
    "format_lock",
    "load_registry",
    "lock",
]
