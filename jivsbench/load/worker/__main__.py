"""The load child's first lines: locust before everything else, because it patches sockets, threads and time."""

import sys

import locust  # noqa: F401 - imported for its patches

from jivsbench.load.worker.session import run_session

sys.exit(run_session())
