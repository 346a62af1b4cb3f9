"""Each of the twelve contradictions, as it was published, and the same figures put right."""

import pytest

from jivsbench.analysis.contradictions import audit_claims, compare_workloads
from jivsbench.model.claims import Claims, Criterion, Part, Quantity, Rule, Stated, Workload
from jivsbench.model.gate import Comparator

Q = Quantity


def part(name="run", **figures) -> Part:
    """A part from quantities and figures; a plain number is exact."""
    return Part(name, tuple((Q(key), f if isinstance(f, Stated) else Stated(key, f)) for key, f in figures.items()))


def broken(*parts, **settings) -> list[Rule]:
    """The rules that a file of these parts breaks."""
    return [relation.rule for relation in audit_claims(Claims("table", parts[0], parts[1:], **settings)).contradictions]


def percent(value, slack=0.0) -> Stated:
    """A ratio that was written in percent."""
    return Stated("ratio", value / 100, slack / 100, is_percent=True)


@pytest.mark.parametrize(
    ("rule", "wrong", "right"),
    [
        (
            Rule.RATE,
            {"records": 380_000, "duration_s": 420, "records_per_s": Stated("rate", 10_000 / 60, 0.01)},
            {"records": 380_000, "duration_s": 420, "records_per_s": Stated("rate", 54_286 / 60, 1 / 60)},
        ),
        (
            Rule.ERROR_RATIO,
            {"failed": 2, "tried": 83, "error_ratio": percent(0.24, 0.01)},
            {"failed": 2, "tried": 83, "error_ratio": percent(2.4, 0.1)},
        ),
        (
            Rule.BATCHES,
            {"batches": 38, "batch_size": 1000, "records": 380_000},
            {"batches": 380, "batch_size": 1000, "records": 379_100},
        ),
        (
            Rule.POLLS,
            {"polls": 83, "poll_interval_s": 1, "duration_s": 420},
            {"polls": 420, "poll_interval_s": 1, "duration_s": 420.4},
        ),
        (Rule.CONNECTIONS, {"active_connections": 12, "pool_size": 10}, {"active_connections": 10, "pool_size": 10}),
        (Rule.CONNECTIONS, {"active_connections": 12, "users": 10}, {"active_connections": 8, "users": 10}),
        (Rule.LOOKUPS, {"hits": 730, "misses": 280, "lookups": 1000}, {"hits": 730, "misses": 270, "lookups": 1000}),
        (
            Rule.LOOKUPS,
            {"hits": 730, "misses": 270, "hit_ratio": percent(75, 1)},
            {"hits": 730, "misses": 270, "hit_ratio": percent(73, 1)},
        ),
        (
            Rule.LITTLE,
            {"tried": 100, "mean_ms": 200, "duration_s": 10, "concurrency": 10},
            {"tried": 100, "mean_ms": 200, "duration_s": 10, "concurrency": 2.1},
        ),
        (
            Rule.LITTLE,
            {"tried": 1000, "mean_ms": 200, "duration_s": 10, "users": 10},
            {"tried": 480, "mean_ms": 200, "duration_s": 10, "users": 10},
        ),
        (
            Rule.PERCENT,
            {"failed": 2, "tried": 100, "error_ratio": percent(0.02, 0.0001)},
            {"failed": 2, "tried": 100, "error_ratio": percent(2)},
        ),
        (Rule.PERCENT, {"hit_ratio": Stated("ratio", 73.0)}, {"hit_ratio": Stated("ratio", 0.73)}),
        (Rule.PARTS, {"p50_ms": 300, "p95_ms": 200}, {"p50_ms": 100, "p95_ms": 200}),
        (Rule.PARTS, {"min_ms": 10, "mean_ms": 500, "max_ms": 400}, {"min_ms": 10, "mean_ms": 100, "max_ms": 400}),
        (Rule.SUMS, {"failed": 84, "tried": 83}, {"failed": 83, "tried": 83}),
        (Rule.SUMS, {"succeeded": 80, "failed": 2, "tried": 83}, {"succeeded": 81, "failed": 2, "tried": 83}),
    ],
)
def test_a_contradiction_is_found_and_the_right_figures_raise_nothing(rule, wrong, right):
    """The rule that is broken is named, alone; the same relation put right is silent and counted."""
    assert broken(part(**wrong)) == [rule]
    assert broken(part(**right)) == []
    assert audit_claims(Claims("table", part(**right))).count(rule) >= 1


def test_the_whole_lies_between_its_parts():
    """An overall p95 of 200 with parts of at most 125 cannot be; nor can an average outside its parts'."""
    parts = (part("create", p95_ms=125, mean_ms=50, tried=10), part("list", p95_ms=80, mean_ms=30, tried=10))

    assert broken(part("all", p95_ms=200), *parts, is_partition=True) == [Rule.PARTS]
    assert broken(part("all", mean_ms=20), *parts, is_partition=True) == [Rule.PARTS, Rule.PARTS]
    assert broken(part("all", mean_ms=45), *parts, is_partition=True) == [Rule.PARTS]
    assert broken(part("all", p95_ms=110, mean_ms=40, tried=20), *parts, is_partition=True) == []
    assert broken(part("all", tried=21), *parts, is_partition=True) == [Rule.SUMS]


def test_parts_that_are_no_partition_prove_nothing():
    """Two endpoints of many say nothing of the whole."""
    assert broken(part("all", p95_ms=200, tried=100), part("create", p95_ms=125, tried=10)) == []


@pytest.mark.parametrize(
    ("value", "slack", "is_met", "expected"),
    [
        (55.56, 0.01, True, [Rule.MET]),
        (55.56, 0.01, False, []),
        (56.0, 0.01, True, []),
        (55.99, 0.01, True, []),
        (57.0, 0.01, False, [Rule.MET]),
    ],
)
def test_met_means_met(value, slack, is_met, expected):
    """55.56 % does not meet 56 %, however it is called; what rounding leaves open is no contradiction."""
    criterion = Criterion(
        "p95 reduction", Stated("found", value, slack), Comparator.GREATER_OR_EQUAL, Stated("limit", 56), is_met
    )

    assert broken(part(), criteria=(criterion,)) == expected


@pytest.mark.parametrize(
    ("value", "comparator", "limit", "is_met", "expected"),
    [
        (-5.0, ">=", 0.0, True, [Rule.MET]),
        (-5.0, ">=", 0.0, False, []),
        (-10.0, "<", 0.0, True, []),
        (-10.0, "<", -20.0, True, [Rule.MET]),
        (-5.0, ">=", -5.0, True, []),
    ],
)
def test_met_means_met_below_zero_too(value, comparator, limit, is_met, expected):
    """A gain may be negative, and so may what was asked of it."""
    criterion = Criterion("gain", Stated("found", value), Comparator(comparator), Stated("limit", limit), is_met)

    assert broken(part(), criteria=(criterion,)) == expected


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({"mean_ms": 500, "max_ms": 300}, [Rule.PARTS]),
        ({"min_ms": 50, "mean_ms": 20}, [Rule.PARTS]),
        ({"min_ms": 50, "mean_ms": 60}, []),
    ],
)
def test_an_average_lies_on_the_right_side_of_either_end_alone(figures, expected):
    """A file need not state both."""
    assert broken(part(**figures)) == expected


def test_workloads_that_differ_are_found():
    """A run of 10 users is not compared with one of 100; settings that one side does not state prove nothing."""
    ten = Claims("table", None, workloads=(Workload("before", (("users", "10"), ("rows", "1000"))),))
    hundred = Claims("table", None, workloads=(Workload("after", (("users", "100"), ("seed", "1"))),))

    assert [relation.holds for relation in compare_workloads(ten, hundred)] == [False]
    assert "users is 10 in before and 100 in after" in next(iter(compare_workloads(ten, hundred))).arithmetic
    within = Claims("table", None, workloads=(*ten.workloads, *hundred.workloads), is_comparison=True)
    assert [relation.rule for relation in audit_claims(within).contradictions] == [Rule.WORKLOAD]


@pytest.mark.parametrize("provenance", [None, "", "simulated by the demo script", "estimated from the plan"])
def test_a_figure_needs_a_provenance(provenance):
    """Where no tool vouches for the file, a figure from nowhere is a contradiction, and so is a simulated one."""
    figure = Stated("p95", 200, provenance=provenance)

    assert broken(part(p95_ms=figure), needs_provenance=True) == [Rule.PROVENANCE]
    assert broken(part(p95_ms=Stated("p95", 200, provenance="measured by k6")), needs_provenance=True) == []


def test_a_mark_in_the_file_is_found():
    """A file that says of itself that it is simulated is believed."""
    assert broken(part(), marks=("simulated = True",)) == [Rule.PROVENANCE]


def test_what_is_not_stated_is_not_consistent():
    """A rule without figures has no relation, so nobody can take it for one that holds."""
    assert audit_claims(Claims("table", part(tried=3))).relations == ()


def test_the_arithmetic_is_shown():
    """Every contradiction names the figures and what they amount to."""
    (found,) = audit_claims(
        Claims("t", part(records=380_000, duration_s=420, records_per_s=Stated("rate", 10_000 / 60)))
    ).contradictions

    assert found.arithmetic == (
        "records 380000 / duration_s 420 s = 904.762 per s (54285.7 per min), stated is rate 166.666666667 per s (10000 per min)"
    )
