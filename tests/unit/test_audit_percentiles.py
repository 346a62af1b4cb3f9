"""Totals of Gatling and JMeter beside their parts: computed from samples as these tools do, and planted faults."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jivsbench.analysis.contradictions import audit_claims
from jivsbench.model.claims import Rule
from jivsbench.results.gatling import read_gatling
from jivsbench.results.jmeter import read_aggregate, read_statistics
from jivsbench.results.written import load_json

SAMPLES = st.lists(st.one_of(st.integers(10, 12), st.just(1000)), min_size=1, max_size=60)
REQUESTS = st.lists(SAMPLES, min_size=1, max_size=5)


def find_contradictions(claims):
    """What does not hold."""
    return [f"{relation.rule}: {relation.arithmetic}" for each in claims for relation in audit_claims(each).contradictions]


def interpolate(samples, rank):
    """Between the two samples that a rank from 1 on lies between."""
    ordered, rank = sorted(samples), min(max(rank, 1), len(samples))
    low = math.floor(rank)
    return ordered[low - 1] + (rank - low) * (ordered[min(low, len(samples) - 1)] - ordered[low - 1])


def entry_of(name, samples):
    """An entry of JMeter's dashboard, whose percentiles lie at q(n + 1)."""
    medians = {key: interpolate(samples, q * (len(samples) + 1)) for key, q in (
        ("medianResTime", 0.5), ("pct1ResTime", 0.9), ("pct2ResTime", 0.95), ("pct3ResTime", 0.99)
    )}  # fmt: skip
    mean = sum(samples) / len(samples)
    return medians | {
        "transaction": name, "sampleCount": len(samples), "errorCount": 0, "errorPct": 0.0, "meanResTime": mean,
        "minResTime": min(samples), "maxResTime": max(samples),
    }  # fmt: skip


def dashboard_of(requests, controllers=()):
    """The dashboard's statistics; its total leaves controllers out."""
    everything = [sample for samples in requests for sample in samples]
    named = [(f"r{place}", samples) for place, samples in enumerate(requests)]
    named += [(f"c{place}", samples) for place, samples in enumerate(controllers)]
    document = {"Total": entry_of("Total", everything)} | {name: entry_of(name, samples) for name, samples in named}
    return read_statistics(load_json(json.dumps(document)))


def line_of(label, samples):
    """A line of JMeter's aggregate report, which rounds the rank."""
    columns = {"Median": 0.5, "90% Line": 0.9, "95% Line": 0.95, "99% Line": 0.99}
    ranks = {column: max(math.floor(q * len(samples) + 0.5), 1) for column, q in columns.items()}
    lines = {column: sorted(samples)[rank - 1] for column, rank in ranks.items()}
    figures = lines | {"# Samples": len(samples), "Average": sum(samples) // len(samples), "Error %": "0.000%"}
    row = {"Label": label} | figures | {"Min": min(samples), "Max": max(samples)}
    return {column: str(value) for column, value in row.items()}


def node_of(name, samples):
    """The figures of Gatling, whose percentiles of few samples lie at q(n - 1)."""
    levels = {f"percentiles{place}": q for place, q in enumerate((0.5, 0.75, 0.95, 0.99), start=1)}
    times = {key: interpolate(samples, 1 + q * (len(samples) - 1)) for key, q in levels.items()}
    times |= {"minResponseTime": min(samples), "maxResponseTime": max(samples)}
    times |= {"meanResponseTime": sum(samples) / len(samples)}
    counts = {"numberOfRequests": {"total": str(len(samples)), "ok": str(len(samples)), "ko": "0"}}
    return {"name": name} | counts | {key: {"total": str(round(value))} for key, value in times.items()}


def report_of(requests):
    """The tree of a report of Gatling."""
    everything = [sample for samples in requests for sample in samples]
    contents = {f"r{place}": {"type": "REQUEST", "stats": node_of(f"r{place}", each)} for place, each in enumerate(requests)}
    return read_gatling({"type": "GROUP", "stats": node_of("all", everything), "contents": contents})


def aggregate_of(requests):
    """An aggregate report."""
    rows = [line_of(f"r{place}", samples) for place, samples in enumerate(requests)]
    return read_aggregate([*rows, line_of("TOTAL", [sample for samples in requests for sample in samples])])


@pytest.mark.parametrize("read", [dashboard_of, aggregate_of, report_of])
@settings(max_examples=60, deadline=None)
@given(requests=REQUESTS)
def test_percentiles_of_a_whole_are_no_contradiction_however_they_are_picked(read, requests):
    """Across a gap between two samples the rank decides."""
    assert find_contradictions(read(requests)) == []


@pytest.mark.parametrize("read", [dashboard_of, aggregate_of, report_of])
def test_a_slow_sample_in_each_of_two_requests_is_no_contradiction(read):
    """Ten fast samples and a slow one: the total's percentile is 100 ms below those of the requests, or far above."""
    assert find_contradictions(read([[10] * 10 + [1000]] * 2)) == []


@pytest.mark.parametrize(
    ("labels", "value", "message"),
    [
        ("ab", 597, "parts: pct2ResTime 597 <= pct3ResTime of a 594.99"),
        ("ab", 540, "parts: pct1ResTime of a 549.9 <= pct2ResTime 540"),
        ("a", 570, "parts: pct2ResTime of a 574.95 <= pct2ResTime 570"),
    ],
)
def test_a_percentile_of_a_total_beyond_those_of_its_labels_is_found(labels, value, message):
    """Of two labels beyond the next that each states, of one label any other than its own."""
    samples = list(range(100, 600))
    document = {label: entry_of(label, samples) for label in labels} | {"Total": entry_of("Total", samples * len(labels))}
    assert find_contradictions(read_statistics(load_json(json.dumps(document)))) == []
    document["Total"] |= {"pct2ResTime": value, "pct3ResTime": 598}

    assert message in find_contradictions(read_statistics(load_json(json.dumps(document))))


def test_transaction_controllers_are_not_in_the_total_of_the_dashboard():
    """Nothing marks them: the total is doubted where no set of entries can be the controllers."""
    requests = [[10, 11, 12], [20, 21, 22, 23, 24]]
    assert find_contradictions(dashboard_of(requests, [[30, 40, 50]])) == []
    assert find_contradictions(dashboard_of(requests, [[30, 40, 50], [90]])) == []

    wrong = {"Total": entry_of("Total", [10] * 7), "a": entry_of("a", [10] * 5), "b": entry_of("b", [10] * 6)}
    (found,) = find_contradictions(read_statistics(load_json(json.dumps(wrong))))
    assert found.startswith(f"{Rule.SUMS}: 5 + 6 = 11, stated is sampleCount 7")
