"""The plugins of this environment."""

from functools import cache

from jivsbench.plugins import Registry, load_registry


@cache
def registry() -> Registry:
    """What is installed; one look is enough for all tests."""
    return load_registry()
