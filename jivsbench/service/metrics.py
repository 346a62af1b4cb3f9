"""The service's metrics: a registry of its own, counters that workers feed, and gauges that are read when asked for."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from jivsbench.extract.phases import PHASES
from jivsbench.model.job import ExtractionResult, JobState, Phase
from jivsbench.model.phase_times import BOUNDS_S
from jivsbench.model.statistics import CacheStatistics, LookupStatistics, PoolStatistics

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


_BOUNDS: Final = (*map(str, BOUNDS_S), "+Inf")


class Gauges(Collector):
    """What pools, cache and queue say of themselves at the moment of asking."""

    def __init__(
        self,
        *,
        pools: Callable[[], tuple[PoolStatistics, ...]],
        cache: Callable[[], CacheStatistics | None],
        look_ups: Callable[[], LookupStatistics],
        metadata_pool: Callable[[], tuple[int, int]],
        waiting_jobs: Callable[[], int],
    ) -> None:
        self._pools = pools
        self._cache = cache
        self._look_ups = look_ups
        self._metadata_pool = metadata_pool
        self._waiting_jobs = waiting_jobs

    def describe(self) -> Iterator[Metric]:
        """Every metric that there is, so that one can be asked for by its name."""
        return self.collect()

    def collect(self) -> Iterator[Metric]:
        """Every metric with its values now."""
        yield from self._collect_pools()
        yield self._collect_cache()
        yield from self._collect_look_ups()
        metadata = GaugeMetricFamily("jivsbench_metadata_pool_connections", "Connections to the job store", labels=["state"])
        for state, count in zip(("active", "idle"), self._metadata_pool(), strict=True):
            metadata.add_metric([state], count)
        yield metadata
        yield GaugeMetricFamily("jivsbench_jobs_waiting", "Started jobs that wait for a worker", value=self._waiting_jobs())

    def _collect_pools(self) -> Iterator[Metric]:
        connections = GaugeMetricFamily("jivsbench_pool_connections", "Connections to a source", labels=["source", "state"])
        waiting = GaugeMetricFamily("jivsbench_pool_waiting", "Jobs that wait for a connection", labels=["source"])
        timeouts = CounterMetricFamily("jivsbench_pool_timeouts", "Waits that ended without a connection", labels=["source"])
        for pool in self._pools():
            connections.add_metric([pool.source, "active"], pool.active)
            connections.add_metric([pool.source, "idle"], pool.idle)
            waiting.add_metric([pool.source], pool.waiting)
            timeouts.add_metric([pool.source], pool.timeouts_total)
        yield from (connections, waiting, timeouts)

    def _collect_cache(self) -> Metric:
        lookups = CounterMetricFamily(
            "jivsbench_cache_lookups", "Look-ups of metadata; an error is no miss here", labels=["result"]
        )
        found = self._cache()
        if found is not None:
            lookups.add_metric(["hit"], found.hits)
            lookups.add_metric(["miss"], found.misses - found.failed_lookups)
            lookups.add_metric(["error"], found.failed_lookups)
        return lookups

    def _collect_look_ups(self) -> Iterator[Metric]:
        found = self._look_ups()
        misses = CounterMetricFamily("jivsbench_cache_misses", "Look-ups that found nothing to read, by reason", labels=["kind"])
        for kind, count in found.misses:
            misses.add_metric([kind.value], count)
        yield misses
        loads = CounterMetricFamily(
            "jivsbench_cache_loads",
            "Loads of sources and schemas: due, or repeated while the entry should be there",
            labels=["kind"],
        )
        loads.add_metric(["due"], found.loads - found.repeated_loads)
        loads.add_metric(["repeated"], found.repeated_loads)
        yield loads


class JobMetrics:
    """Counts what jobs do. One for each service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        jobs = Counter("jivsbench_jobs", "Jobs that came into a state", ["state"], registry=self.registry)
        rows = Counter("jivsbench_rows", "Rows of completed extractions", ["direction"], registry=self.registry)
        phases = Histogram(
            "jivsbench_extraction_phase_seconds",
            "Time of each completed extraction in a phase, its streams added up",
            ["phase"],
            buckets=BOUNDS_S,
            registry=self.registry,
        )
        self._seconds = Histogram(
            "jivsbench_extraction_seconds", "Duration of completed extractions", buckets=BOUNDS_S, registry=self.registry
        )
        self._by_duration = Counter(
            "jivsbench_extraction_phase_by_duration_seconds",
            "Time in a phase of the extractions that took as long as a bucket says",
            ["le", "phase"],
            registry=self.registry,
        )
        self._children: dict[tuple[str, Phase], Counter] = {}
        self._jobs = {state: jobs.labels(state.value) for state in JobState}
        self._phases = {phase: phases.labels(phase.value) for phase in PHASES}
        self._rows_read, self._rows_written = rows.labels("read"), rows.labels("written")

    def entered(self, state: JobState) -> None:
        """A job has come into that state."""
        self._jobs[state].inc()

    def extracted(self, result: ExtractionResult) -> None:
        """A job has completed with that result."""
        self._rows_read.inc(result.rows_read)
        self._rows_written.inc(result.rows_written)
        duration_s = result.duration_ns / 1e9
        self._seconds.observe(duration_s)
        bound = _BOUNDS[bisect_left(BOUNDS_S, duration_s)]
        for time in result.phases:
            if time.phase in self._phases:
                self._phases[time.phase].observe(time.duration_ns / 1e9)
                if time.duration_ns:
                    self._child(bound, time.phase).inc(time.duration_ns / 1e9)

    def _child(self, bound: str, phase: Phase) -> Counter:
        """To find it by its labels each time would cost more than to count."""
        key = (bound, phase)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._by_duration.labels(bound, phase.value)
        return child

    def format(self, names: Sequence[str] = ()) -> bytes:
        """Metrics in the text format of Prometheus: every one, or those whose samples have one of these names."""
        return generate_latest(self.registry.restricted_registry(names) if names else self.registry)
