"""The gauges of a service: what a cache tells becomes look-ups that hit, missed or failed."""

import pytest

from jivsbench.extract.metadata_cache import MetadataCache
from jivsbench.model.profile import CacheTimes
from jivsbench.model.statistics import CacheStatistics
from jivsbench.service.metrics import Gauges, JobMetrics


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


def test_metrics_can_be_asked_for_by_name() -> None:
    """Whoever looks once a second asks for a few gauges, not for every histogram; an unknown name gives nothing."""
    metrics = JobMetrics()
    metrics.registry.register(
        Gauges(
            pools=tuple,
            cache=lambda: CacheStatistics(hits=5, misses=4, errors=0, writes=9, deletes=0),
            look_ups=MetadataCache(None, CacheTimes()).look_ups,
            metadata_pool=lambda: (0, 0),
            waiting_jobs=lambda: 3,
        )
    )

    some = metrics.format(["jivsbench_cache_lookups_total", "jivsbench_jobs_waiting", "nothing"]).decode()

    assert {line.split("{")[0].split(" ")[0] for line in some.splitlines() if not line.startswith("#")} == {
        "jivsbench_cache_lookups_total",
        "jivsbench_jobs_waiting",
    }
    assert "jivsbench_extraction_phase_seconds_bucket" in metrics.format().decode()
