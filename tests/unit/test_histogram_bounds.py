import random

from jivsbench.model.histogram import Histogram, HistogramBuilder, bucket_of

MICROSECOND_NS = 1_000
HOUR_NS = 3_600_000_000_000


def test_from_a_microsecond_to_an_hour_there_are_at_most_eleven_thousand_buckets():
    """However long a run is, its histogram stays bounded."""
    assert bucket_of(HOUR_NS) - bucket_of(MICROSECOND_NS) + 1 <= 11_100


def test_two_hundred_thousand_samples_fill_few_buckets():
    """Latencies of one operation spread over a few hundred buckets, not over one per sample."""
    source = random.Random(7)
    builder = HistogramBuilder()
    for _ in range(200_000):
        builder.record(int(source.lognormvariate(16, 0.5)))

    histogram = builder.build()
    assert histogram.count == 200_000
    assert len(histogram.buckets) < 3_000


def test_no_samples_have_no_percentile_and_no_mean():
    """Unknown is None, never 0."""
    assert Histogram().percentile_ns(50) is None
    assert Histogram().mean_ns() is None


def test_a_negative_duration_counts_as_zero():
    """A clock that went backwards cannot make a target faster than instant."""
    builder = HistogramBuilder()
    builder.record(-5)

    assert builder.build() == Histogram(((0, 1),), 1, 0, 0, 0)


def test_the_greatest_sample_is_exact():
    """The maximum and the 100th percentile are the sample itself, not its bucket."""
    builder = HistogramBuilder()
    for value in (10, 123_456_789, 40):
        builder.record(value)

    histogram = builder.build()
    assert histogram.max_ns == 123_456_789
    assert histogram.percentile_ns(100) == 123_456_789.0
