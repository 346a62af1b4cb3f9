"""A bounded, mergeable histogram of durations.

Buckets grow by 0.2 %, so a reported percentile lies within 0.1 % of the true one; a run of any length needs at most
about 11,000 of them (1 us to 1 h). Percentiles are never averaged: histograms are merged. The idea of logarithmic
buckets with a bounded relative error is that of DDSketch (Masson, Rim, Lee, VLDB 2019).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, log
from typing import Self

_GROWTH = 1.002
_LOG_GROWTH = log(_GROWTH)
_BEYOND_NS = 1 << 63
MIN_SAMPLES_P99 = 100


def bucket_of(value_ns: int) -> int:
    """Index of the bucket that holds a duration; everything below 1 ns falls into bucket 0."""
    return ceil(log(value_ns) / _LOG_GROWTH) if value_ns > 1 else 0


_LAST_BUCKET = bucket_of(_BEYOND_NS)


def value_of(bucket: int) -> float:
    """The duration (ns) that stands for a bucket: its middle in relative terms. A file may name one that no clock can reach."""
    return 2.0 * _GROWTH ** min(bucket, _LAST_BUCKET) / (1.0 + _GROWTH) if bucket else 1.0


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts per bucket (ascending), with the exact count, sum, least and greatest value."""

    buckets: tuple[tuple[int, int], ...] = ()
    count: int = 0
    sum_ns: int = 0
    min_ns: int = 0
    max_ns: int = 0

    def merge(self, other: Self) -> "Histogram":
        """The histogram of both sets of samples. Associative and commutative."""
        return merge_histograms((self, other))

    def percentile_ns(self, percent: float) -> float | None:
        """The value below or at which `percent` of the samples lie; None without samples.

        Nearest rank, clamped to the exact least and greatest sample.
        """
        if not self.count:
            return None
        rank = max(1, ceil(self.count * percent / 100.0))
        if rank >= self.count:
            return float(self.max_ns)
        seen = 0
        for bucket, count in self.buckets:
            seen += count
            if seen >= rank:
                return min(max(value_of(bucket), float(self.min_ns)), float(self.max_ns))
        return float(self.max_ns)

    def mean_ns(self) -> float | None:
        """The exact mean; None without samples."""
        return self.sum_ns / self.count if self.count else None


class HistogramBuilder:
    """Collects samples for one histogram. The only mutable value of the model: a recorder needs somewhere to count."""

    __slots__ = ("_counts", "_max_ns", "_min_ns", "_sum_ns")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._sum_ns = 0
        self._min_ns = _BEYOND_NS
        self._max_ns = 0

    def record(self, value_ns: int) -> None:
        """Count one duration; a negative one, which no monotonic clock gives, counts as zero.

        Called three times for every request of a load: `max`, `min` and a call of `bucket_of` would cost as much again.
        """
        if value_ns < 0:  # noqa: PLR1730 - see above
            value_ns = 0
        if value_ns < self._min_ns:  # noqa: PLR1730
            self._min_ns = value_ns
        if value_ns > self._max_ns:  # noqa: PLR1730
            self._max_ns = value_ns
        self._sum_ns += value_ns
        bucket = ceil(log(value_ns) / _LOG_GROWTH) if value_ns > 1 else 0
        counts = self._counts
        counts[bucket] = counts.get(bucket, 0) + 1

    def add(self, histogram: Histogram) -> None:
        """Count every sample of a histogram. In place: to merge values once a second would copy every bucket each time."""
        if not histogram.count:
            return
        for bucket, count in histogram.buckets:
            self._counts[bucket] = self._counts.get(bucket, 0) + count
        self._sum_ns += histogram.sum_ns
        self._min_ns = min(self._min_ns, histogram.min_ns)
        self._max_ns = max(self._max_ns, histogram.max_ns)

    def build(self) -> Histogram:
        """Everything recorded so far, as a value."""
        if not self._counts:
            return Histogram()
        buckets = tuple(sorted(self._counts.items()))
        return Histogram(buckets, sum(self._counts.values()), self._sum_ns, self._min_ns, self._max_ns)


def merge_histograms(histograms: Iterable[Histogram]) -> Histogram:
    """One histogram of all samples of all histograms."""
    builder = HistogramBuilder()
    for histogram in histograms:
        builder.add(histogram)
    return builder.build()
