import math

from hypothesis import given
from hypothesis import strategies as st

from jivsbench.model.histogram import Histogram, HistogramBuilder, bucket_of, merge_histograms, value_of

HOUR_NS = 3_600_000_000_000
DURATIONS = st.lists(st.integers(0, HOUR_NS), max_size=60)


def build(values) -> Histogram:
    """A histogram of these durations."""
    builder = HistogramBuilder()
    for value in values:
        builder.record(value)
    return builder.build()


def true_percentile(values, percent):
    """The percentile by nearest rank, from the samples themselves."""
    return sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]


@given(DURATIONS, DURATIONS)
def test_merging_is_commutative(left, right):
    """Which histogram comes first does not matter."""
    assert build(left).merge(build(right)) == build(right).merge(build(left))


@given(DURATIONS, DURATIONS, DURATIONS)
def test_merging_is_associative(first, second, third):
    """How the merges are grouped does not matter, so seconds, phases and arms may be merged in any order."""
    one, two, three = build(first), build(second), build(third)

    assert one.merge(two).merge(three) == one.merge(two.merge(three)) == merge_histograms((one, two, three))


@given(DURATIONS, DURATIONS)
def test_merging_equals_recording_everything_in_one(left, right):
    """Nothing is lost or invented by merging."""
    assert build(left).merge(build(right)) == build(left + right)


@given(DURATIONS)
def test_an_empty_histogram_changes_nothing(values):
    """The empty histogram is the neutral element."""
    assert build(values).merge(Histogram()) == build(values)


@given(DURATIONS.filter(bool), st.floats(0, 100), st.floats(0, 100))
def test_percentiles_are_monotone(values, one, other):
    """A higher percentile is never a smaller duration."""
    histogram = build(values)

    assert histogram.percentile_ns(min(one, other)) <= histogram.percentile_ns(max(one, other))


@given(DURATIONS.filter(bool), st.floats(0, 100))
def test_percentiles_stay_between_least_and_greatest(values, percent):
    """No percentile lies outside what was recorded."""
    assert min(values) <= build(values).percentile_ns(percent) <= max(values)


@given(st.lists(st.integers(2, HOUR_NS), min_size=1, max_size=60), st.floats(0, 100))
def test_a_percentile_is_within_a_tenth_of_a_percent_of_the_true_one(values, percent):
    """The promise that every report repeats: error at most 0.1 %."""
    true_value = true_percentile(values, percent)

    assert abs(build(values).percentile_ns(percent) - true_value) <= 0.001 * true_value


@given(st.integers(2, HOUR_NS))
def test_a_bucket_stands_for_its_durations_within_a_tenth_of_a_percent(value):
    """The middle of a bucket is within 0.1 % of everything that falls into it."""
    assert abs(value_of(bucket_of(value)) - value) <= 0.001 * value


@given(DURATIONS)
def test_buckets_ascend_and_hold_every_sample(values):
    """Buckets are sorted, without doubles, and their counts add up; sum and mean are exact."""
    histogram = build(values)

    indexes = [bucket for bucket, _count in histogram.buckets]
    assert indexes == sorted(set(indexes))
    assert sum(count for _bucket, count in histogram.buckets) == histogram.count == len(values)
    assert histogram.sum_ns == sum(values)
    assert histogram.mean_ns() == (sum(values) / len(values) if values else None)
