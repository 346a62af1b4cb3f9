"""Real, small implementations of the seams, for tests. None of them is a mock: each keeps what its protocol promises."""

from jivsbench.testing.fakes.caches import FailingCacheClient
from jivsbench.testing.fakes.connector import FakeConnector
from jivsbench.testing.fakes.guards import CountingGuard, RefusingGuard

__all__ = ["CountingGuard", "FailingCacheClient", "FakeConnector", "RefusingGuard"]
