"""A plugin of coverage: greenlets are told apart in the load worker, which alone has any.

Where they are told apart, a thread that ends leaves a pending call to the main thread, and CPython 3.11 spins for ever when two
of them meet in traced code. The worker has one thread.
"""

import sys

from coverage import CoveragePlugin
from coverage.plugin_support import Plugins
from coverage.types import TConfigurable

_WORKER = "jivsbench.load.worker"


class GreenletsOfTheWorker(CoveragePlugin):
    """Asked in every process that is traced, before it traces."""

    def configure(self, config: TConfigurable) -> None:
        """By the command line of this process."""
        if _WORKER in sys.orig_argv:
            config.set_option("run:concurrency", ["thread", "greenlet"])


def coverage_init(registry: Plugins, options: object) -> None:  # noqa: ARG001 - coverage's signature
    """Called by coverage, which knows this module by its name in pyproject.toml."""
    registry.add_configurer(GreenletsOfTheWorker())
