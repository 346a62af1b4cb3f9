"""The gauges of a service: what a cache tells becomes look-ups that hit, missed or failed."""

import pytest

from jivsbench.extract.metadata_cache import MetadataCache
from jivsbench.model.profile import CacheTimes
from jivsbench.model.statistics import CacheStatistics
from jivsbench.service.metrics import Gauges


@pytest.mark.parametrize(
    ("statistics", "expected"),
    [
        (CacheStatistics(hits=5, misses=4, errors=3, writes=9, deletes=0, failed_lookups=3), {"hit": 5, "miss": 1, "error": 3}),
        # Writes that failed are no look-ups: a miss would even be counted below nothing.
        (CacheStatistics(hits=5, misses=1, errors=7, writes=0, deletes=0), {"hit": 5, "miss": 1, "error": 0}),
    ],
)
def test_only_look_ups_are_counted_as_look_ups(statistics: CacheStatistics, expected: dict[str, float]) -> None:
    """Hits, misses and failures add up to the look-ups."""
    gauges = Gauges(
        pools=tuple,
        cache=lambda: statistics,
        look_ups=MetadataCache(None, CacheTimes()).look_ups,
        metadata_pool=lambda: (0, 0),
        waiting_jobs=lambda: 0,
    )
    (found,) = (metric for metric in gauges.collect() if metric.name == "jivsbench_cache_lookups")

    assert {sample.labels["result"]: sample.value for sample in found.samples} == expected
    assert sum(expected.values()) == statistics.hits + statistics.misses
