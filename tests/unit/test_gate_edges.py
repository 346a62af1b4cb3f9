"""Edge cases of gates, as one table: what is found, what is asked, how it ends."""

import math

import pytest

from jivsbench.analysis.gating import judge_gate
from jivsbench.model.gate import GateOutcome, Unit
from jivsbench.model.gate_text import parse_gate
from jivsbench.model.metrics import find_metric
from jivsbench.model.summary import Effect, Figure, Provenance, Summary

MET, EXCEEDED, FAILED = GateOutcome.MET, GateOutcome.EXCEEDED, GateOutcome.FAILED
UNSURE, NO_DATA = GateOutcome.INCONCLUSIVE, GateOutcome.NO_DATA
P95, RATIO, RATE, LOST = "http.response p95", "job.errors ratio", "throughput.records rate", "rows.lost count"
LESS_THAN_A_HAIR = math.nextafter(500.0, 501.0)


def judge(text, value, *, unit=None, provenance=Provenance.MEASURED, low=None, high=None, is_missing=False):
    """The outcome of one gate on one figure, or on one effect where the gate is relative."""
    gate = parse_gate(text)
    unit = unit or find_metric(gate.metric).unit
    figures = tuple(
        Figure(arm, gate.metric, gate.statistic, value if gate.change is None else 1.0, unit, 9, provenance, "because")
        for arm in ("optimized", "legacy")
    )
    effect = Effect(gate.metric, gate.statistic, "legacy", "optimized", value, low, high, 0.95, 12, "because")
    summary = Summary(() if is_missing else figures, () if gate.change is None or is_missing else (effect,))
    return judge_gate(gate, summary, "optimized").outcome


ABSOLUTE = [
    (f"{P95} < 500 ms", 499.999999, MET),
    (f"{P95} < 500 ms", 500.0, FAILED),
    (f"{P95} <= 500 ms", 500.0, MET),
    (f"{P95} <= 500 ms", LESS_THAN_A_HAIR, FAILED),
    (f"{P95} < 0.5 s", 499.0, MET),
    (f"{P95} < 500 ms goal 200 ms", 200.0, MET),
    (f"{P95} < 500 ms goal 200 ms", 199.999, EXCEEDED),
    (f"{P95} <= 500 ms goal 200 ms", 200.0, EXCEEDED),
    (f"{P95} <= 500 ms goal 500 ms", 500.0, EXCEEDED),
    (f"{P95} < 500 ms", 0.0, MET),
    (f"{P95} < 500 ms", None, NO_DATA),
    (f"{P95} < 500 ms", math.inf, FAILED),
    (f"{P95} < 500 ms warn", 501.0, FAILED),
    (f"{RATIO} < 1 %", 0.999999999, MET),
    (f"{RATIO} < 1 %", 1.0, FAILED),
    (f"{RATIO} <= 0 %", 0.0, MET),
    (f"{RATIO} <= 0 %", 5e-324, FAILED),
    (f"{RATIO} < 1 %", 2 * 100 / 83, FAILED),
    (f"{RATE} >= 20000 records/min", 19_999.9999, FAILED),
    (f"{RATE} >= 20000 records/min", 20_000.0, MET),
    (f"{RATE} > 20000 records/min", 20_000.0, FAILED),
    (f"{RATE} >= 20000 records/min goal 40000 records/min", 40_000.0, EXCEEDED),
    (f"{LOST} <= 0", 0.0, MET),
    (f"{LOST} <= 0", 1.0, FAILED),
    ("cache.hits ratio >= 70 %", 69.99999999999999, FAILED),
    ("cache.hits ratio >= 70 %", 70.0, MET),
    ("cache.hits ratio >= 100 %", 99.9999999, FAILED),
]
# The ratio of candidate to baseline, with its interval: text, ratio, low, high, outcome.
RELATIVE = [
    ("job.response p95 reduction >= 56 %", 0.4444, 0.4444, 0.4444, FAILED),
    ("job.response p95 reduction >= 56.25 %", 0.4375, 0.4375, 0.4375, MET),
    ("job.response p95 reduction >= 30 % goal 56 %", 0.43, 0.42, 0.435, EXCEEDED),
    ("job.response p95 reduction >= 30 % goal 56 %", 0.43, 0.42, 0.45, MET),
    ("job.response p95 reduction >= 30 %", 0.65, 0.6, 0.71, UNSURE),
    ("job.response p95 reduction >= 30 %", 0.75, 0.71, 0.8, FAILED),
    ("job.response p95 reduction >= 30 %", 0.5, None, None, UNSURE),
    (f"{RATE} improvement >= 50 %", 1.5, 1.5, 1.5, MET),
    (f"{RATE} improvement >= 50 %", 1.6, 1.49, 1.7, UNSURE),
    (f"{RATE} improvement >= 50 % goal 100 %", 2.2, 2.0, 2.4, EXCEEDED),
    (f"{RATE} improvement >= 0 %", 1.0, 0.999, 1.001, UNSURE),
    ("target.memory max growth <= 0 %", 1.0, None, None, MET),
    ("target.memory max growth <= 0 %", 1.0000001, None, None, FAILED),
    ("target.memory max growth <= 0 % goal -36 %", 0.64, None, None, EXCEEDED),
    ("target.memory max growth <= 0 %", None, None, None, NO_DATA),
]


@pytest.mark.parametrize(("text", "value", "outcome"), ABSOLUTE)
def test_an_absolute_gate_compares_unrounded_values(text, value, outcome):
    """A hair beyond the limit is beyond it."""
    assert judge(text, value) is outcome


@pytest.mark.parametrize(("text", "ratio", "low", "high", "outcome"), RELATIVE)
def test_a_relative_gate_is_judged_by_the_worse_bound(text, ratio, low, high, outcome):
    """The whole interval must lie on the right side; without one, only what exists once has an answer."""
    assert judge(text, ratio, low=low, high=high) is outcome


@pytest.mark.parametrize(
    ("text", "settings", "outcome"),
    [
        (f"{P95} < 500 ms", {"is_missing": True}, NO_DATA),
        ("job.response p95 reduction >= 30 %", {"is_missing": True}, NO_DATA),
        (f"{P95} < 500 ms", {"provenance": Provenance.IMPORTED}, NO_DATA),
        (f"{P95} < 500 ms", {"provenance": Provenance.DERIVED}, MET),
        (f"{P95} < 500 ms", {"unit": Unit.COUNT}, NO_DATA),
        (f"{P95} < 500 ms", {"unit": Unit.SECONDS}, FAILED),
        ("tests.failed count <= 3", {"provenance": Provenance.IMPORTED}, MET),
        ("tests.failed count <= 0", {"is_missing": True}, NO_DATA),
        ("coverage.lines ratio >= 2 %", {"provenance": Provenance.IMPORTED}, MET),
    ],
)
def test_where_a_figure_comes_from_decides_first(text, settings, outcome):
    """What is missing, imported or of another dimension is NO_DATA; tests and coverage are imported by their nature."""
    assert judge(text, 3.0, **settings) is outcome


def test_the_table_is_long_enough():
    """At least thirty cases, and every outcome among them."""
    outcomes = {row[-1] for row in ABSOLUTE} | {row[-1] for row in RELATIVE}

    assert len(ABSOLUTE) + len(RELATIVE) >= 30
    assert outcomes == set(GateOutcome)
