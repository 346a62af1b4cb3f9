"""A target's phases of its jobs, from its /metrics: read before and after the load, the difference is what the load did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import inf
from typing import Final, TypeVar

from prometheus_client.parser import text_string_to_metric_families

from jivsbench.model.phase_times import BOUNDS_S, DurationBucket, PhaseHistogram, PhaseTimes

PREFIX: Final = "jivsbench_extraction_"
_PHASES: Final = f"{PREFIX}phase_seconds"
_JOBS: Final = f"{PREFIX}seconds"
_BY_DURATION: Final = f"{PREFIX}phase_by_duration_seconds_total"
_Key = TypeVar("_Key")
_EDGES: Final = (*BOUNDS_S, inf)


@dataclass(frozen=True, slots=True)
class PhaseCounters:
    """The counters at one moment, by phase and upper bound of a bucket."""

    buckets: Mapping[tuple[str, float], float]
    sums: Mapping[str, float]
    jobs: Mapping[float, float]
    by_duration: Mapping[tuple[float, str], float]


def parse_phase_counters(text: str) -> PhaseCounters:
    """Raises ValueError for text that is not Prometheus's. A target without these metrics gives empty counters."""
    lines = "\n".join(line for line in text.splitlines() if PREFIX in line)
    buckets: dict[tuple[str, float], float] = {}
    sums: dict[str, float] = {}
    jobs: dict[float, float] = {}
    by_duration: dict[tuple[float, str], float] = {}
    for family in text_string_to_metric_families(lines + "\n"):
        for sample in family.samples:
            phase = sample.labels.get("phase", "")
            if sample.name == f"{_PHASES}_bucket":
                buckets[phase, float(sample.labels["le"])] = sample.value
            elif sample.name == f"{_PHASES}_sum":
                sums[phase] = sample.value
            elif sample.name == f"{_JOBS}_bucket":
                jobs[float(sample.labels["le"])] = sample.value
            elif sample.name == _BY_DURATION:
                by_duration[float(sample.labels["le"]), phase] = sample.value
    return PhaseCounters(buckets, sums, jobs, by_duration)


def add_phases(readings: Sequence[PhaseCounters]) -> PhaseCounters:
    """One reading of several targets together."""
    return PhaseCounters(
        _add([reading.buckets for reading in readings]),
        _add([reading.sums for reading in readings]),
        _add([reading.jobs for reading in readings]),
        _add([reading.by_duration for reading in readings]),
    )


def subtract_phases(before: PhaseCounters, after: PhaseCounters) -> PhaseTimes | None:
    """What happened between two readings; None when the target tells nothing of it, or was restarted in between."""
    if not after.sums or any(after.sums.get(phase, 0.0) < value for phase, value in before.sums.items()):
        return None
    phases = []
    for phase, sum_s in after.sums.items():
        cumulative = {edge: _change(before.buckets, after.buckets, (phase, edge)) for edge in _EDGES}
        phases.append(PhaseHistogram(phase, _decumulate(cumulative), sum_s - before.sums.get(phase, 0.0)))
    jobs = _decumulate({edge: _change(before.jobs, after.jobs, edge) for edge in _EDGES})
    by_duration = tuple(
        DurationBucket(
            None if edge == inf else edge,
            count,
            tuple((phase, _change(before.by_duration, after.by_duration, (edge, phase))) for phase in after.sums),
        )
        for edge, count in zip(_EDGES, jobs, strict=True)
        if count
    )
    return PhaseTimes(tuple(phases), by_duration)


def _add(counts: Sequence[Mapping[_Key, float]]) -> Mapping[_Key, float]:
    return {key: sum(one.get(key, 0.0) for one in counts) for key in dict.fromkeys(chain.from_iterable(counts))}


def _change(before: Mapping[_Key, float], after: Mapping[_Key, float], key: _Key) -> float:
    return after.get(key, 0.0) - before.get(key, 0.0)


def _decumulate(cumulative: Mapping[float, float]) -> tuple[int, ...]:
    counts, last = [], 0.0
    for edge in _EDGES:
        counts.append(round(cumulative[edge] - last))
        last = cumulative[edge]
    return tuple(counts)
