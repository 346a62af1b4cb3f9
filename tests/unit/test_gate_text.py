import tomllib
from pathlib import Path

import pytest

from jivsbench.errors import GateError
from jivsbench.model.gate import Change, Comparator, Gate, GateSeverity, Unit, Window, WindowKind
from jivsbench.model.gate_text import check_gate, format_gate, parse_gate

ROOT = Path(__file__).parents[2]
OPERATIONS = ("create", "start", "wait", "statistics", "job")
FASTER = "throughput.records rate improvement >= 50 % goal 100 %"


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("http.response p95 < 500 ms", Gate("http.response", "p95", Comparator.LESS, 500.0, Unit.MILLISECONDS)),
        (
            FASTER,
            Gate("throughput.records", "rate", Comparator.GREATER_OR_EQUAL, 50.0, Unit.PERCENT, Change.IMPROVEMENT, 100.0),
        ),
        (
            "job.response p95 < 1000 ms for 10s abort",
            Gate(
                *("job.response", "p95", Comparator.LESS, 1000.0, Unit.MILLISECONDS),
                window=Window(WindowKind.SLIDING, 10),
                aborts=True,
            ),
        ),
        (
            "throughput.records rate >= 20000 records/min goal 30000 records/min steady warn",
            Gate(
                *("throughput.records", "rate", Comparator.GREATER_OR_EQUAL, 20_000.0, Unit.RECORDS_PER_MINUTE),
                goal=30_000.0,
                severity=GateSeverity.WARN,
                window=Window(WindowKind.STEADY),
            ),
        ),
        (
            "job.errors ratio < 1 % warn",
            Gate("job.errors", "ratio", Comparator.LESS, 1.0, Unit.PERCENT, severity=GateSeverity.WARN),
        ),
        ("findings.critical count <= 0", Gate("findings.critical", "count", Comparator.LESS_OR_EQUAL, 0.0, Unit.COUNT)),
    ],
)
def test_a_gate_is_read_from_its_text_and_written_back(text, gate):
    """The documented form is the form that is written."""
    assert parse_gate(text) == gate
    assert format_gate(gate) == text


@pytest.mark.parametrize(
    "text",
    ["http.response p95 < 0.5 s", "http.response p95<500ms", "http.response p95 < 5e2 ms", "  http.response p95 < 500. ms"],
)
def test_a_limit_is_converted_into_the_unit_of_its_metric(text):
    """Seconds and milliseconds are one dimension, and spaces around signs and units do not matter."""
    assert format_gate(parse_gate(text)) == "http.response p95 < 500 ms"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ("a metric is expected",)),
        ("http.response", ("a statistic of http.response is expected",)),
        ("htp.errors ratio < 1 %", ("'htp.errors'", "did you mean 'http.errors'?")),
        ("http.response p59 < 500 ms", ("'p59'", "p50, p90, p95, p99, mean, max")),
        ("http.response p95 = 500 ms", ("'='", "<, <=, >, >=")),
        ("http.response p95 < fast", ("'fast' is not a number",)),
        ("http.response p95 < inf ms", ("'inf' is not a number",)),
        ("http.response p95 < 1e999 ms", ("'1e999' is not a number",)),
        ("http.response p95 < 500 mss", ("'mss'", "did you mean 'ms'?")),
        ("http.response p95 < 500", ("'500' lacks its unit", "measured in ms")),
        ("http.response p95 < 500 %", ("measured in ms, not in %",)),
        ("job.errors ratio < 0.01", ("'0.01' lacks its unit", "'1 %' if a fraction was meant", "'0.01 %'")),
        ("job.errors ratio < 0.01 goal 0 %", ("'0.01' lacks its unit",)),
        ("job.errors ratio < 101 %", ("within 0 and 100 %",)),
        ("http.response p95 < -1 ms", ("within 0 and above",)),
        ("job.errors ratio < 1 % wran", ("'wran'", "did you mean 'warn'?")),
        ("job.errors ratio < 1 % warn warn", ("'warn'",)),
        ("job.errors ratio < 1 % for ten abort", ("'ten' is no window", "such as 10s")),
        ("job.errors ratio < 1 % for 0s", ("'0s' is no window",)),
        ("job.errors ratio < 1 % for 2h", ("'2h' is no window", "up to an hour")),
        ("job.errors ratio < 1 % for", ("ends where a duration is expected",)),
        ("job.errors ratio < 1 % abort", ("a window that misses the limit", "write 'for 10s abort'")),
        ("job.errors ratio < 1 % steady abort", ("write 'for 10s abort'",)),
        ("job.errors ratio < 1 % for 5s warn abort", ("leave out 'warn' or 'abort'",)),
        ("target.memory max < 5 MiB for 5s", ("target.memory has no windows", "leave out 'for 5s'")),
        ("job.response p95 reduction >= 5 % steady", ("a change is judged over whole blocks", "leave out 'steady'")),
        ("job.response p95 reduction >= 30 ms", ("a change is measured in %, not in ms",)),
        ("<operation>.response p95 < 30 ms", ("no metric",)),
    ],
)
def test_a_wrong_gate_names_the_text_the_word_and_the_right_one(text, parts):
    """The message alone is enough to repair the gate."""
    with pytest.raises(GateError) as caught:
        parse_gate(text)

    assert repr(" ".join(text.split())) in str(caught.value)
    assert all(part in str(caught.value) for part in parts), str(caught.value)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("http.response p95 > 500 ms", "use < or <="),
        ("throughput.records rate < 20000 records/min", "use > or >="),
        ("job.response p95 improvement >= 30 %", "write 'reduction' for 'improvement'"),
        ("target.memory max growth >= 0 %", "use < or <="),
    ],
)
def test_a_gate_that_a_worse_figure_would_meet_is_refused(text, advice):
    """A gate that turns green as things get worse is a mistake, never a wish."""
    with pytest.raises(GateError, match="a worse figure would meet it") as caught:
        parse_gate(text)

    assert advice in str(caught.value)


def test_a_goal_easier_than_its_limit_is_refused():
    """The goal lies beyond the limit; swapped numbers would call a mere pass EXCEEDED."""
    with pytest.raises(GateError, match="the goal is easier than the limit"):
        parse_gate("job.response p95 reduction >= 56 % goal 30 %")


@pytest.mark.parametrize(
    "text", ["http.response p95 reduction >= 30 %", "job.response p99 reduction >= 30 %", "findings.high count growth <= 0 %"]
)
def test_a_change_that_has_neither_pairs_nor_one_value_per_arm_is_refused(text):
    """Such a gate could only ever end inconclusive, so it is refused before any load is sent."""
    with pytest.raises(GateError, match=r"choose one of job\.response mean"):
        parse_gate(text)


def test_a_relative_gate_needs_a_comparison():
    """A run of one arm has nothing to improve on."""
    gate = parse_gate(FASTER)

    check_gate(gate, OPERATIONS, is_comparison=True)
    with pytest.raises(GateError, match="'improvement' needs a comparison"):
        check_gate(gate, OPERATIONS, is_comparison=False)


def test_a_metric_that_the_workload_does_not_produce_is_refused_with_the_nearest():
    """An operation of another workload is named with those that this one has."""
    with pytest.raises(GateError, match=r"'creates.response': did you mean 'create.response'\?.*statistics.response"):
        check_gate(parse_gate("creates.response p95 < 200 ms"), OPERATIONS, is_comparison=False)


def test_job_metrics_need_a_workload_that_times_jobs():
    """Without whole jobs there is no throughput to judge."""
    with pytest.raises(GateError, match=r"'throughput\.records'"):
        check_gate(parse_gate("throughput.records rate >= 20000 records/min"), ("list",), is_comparison=False)


@pytest.mark.parametrize(
    ("gate", "part"),
    [
        (Gate("job.errors", "ratio", Comparator.LESS, 1.0, Unit.COUNT), "its limit is in count"),
        (Gate("http.response", "p95", Comparator.LESS, 0.5, Unit.SECONDS), "its limit is in s"),
        (Gate("http.response", "ratio", Comparator.LESS, 1.0, Unit.MILLISECONDS), "no statistic of http.response"),
    ],
)
def test_a_gate_built_in_code_is_checked_as_strictly_as_its_text(gate, part):
    """Only a gate that its own text would give is answered."""
    with pytest.raises(GateError, match=part):
        check_gate(gate, OPERATIONS, is_comparison=False)


def test_the_default_quality_gate_can_be_answered_by_a_comparison():
    """Every line of scenarios/quality-gate.toml parses, is in its canonical form and names what the workload produces."""
    entries = tomllib.loads((ROOT / "scenarios" / "quality-gate.toml").read_text())["gates"]

    assert len(entries) >= 7
    for line in (entry["gate"] for entry in entries):
        gate = parse_gate(line)
        check_gate(gate, OPERATIONS, is_comparison=True)
        assert format_gate(gate) == line
