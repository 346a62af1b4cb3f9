"""Finds plugins, loads them and lists what they offer. The only part of the host that knows pluggy."""

from jivsbench.plugins.loading import DISABLE_VARIABLE, ENTRY_POINT_GROUP, build_plugin_manager
from jivsbench.plugins.registry import Registry, load_registry

__all__ = ["DISABLE_VARIABLE", "ENTRY_POINT_GROUP", "Registry", "build_plugin_manager", "load_registry"]
