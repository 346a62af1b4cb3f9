import re
from pathlib import Path

from jivsbench.model.gate import GateOutcome, Unit
from jivsbench.model.gate_text import check_gate, format_gate, parse_gate
from jivsbench.model.metrics import CATALOGUE, Metric
from jivsbench.model.summary import VerdictOutcome

PAGE = (Path(__file__).parents[2] / "docs" / "gates.md").read_text(encoding="utf-8")
OPERATIONS = ("create", "start", "wait", "statistics", "job")


def quote(names) -> str:
    """Names as the page quotes them."""
    return ", ".join(f"`{name}`" for name in names)


def expected_row(metric: Metric) -> str:
    """The line of the page's table that this metric must have."""
    judged = (
        f"{quote(metric.paired)} by interval"
        if metric.paired
        else f"{quote(metric.plain)} by plain ratio"
        if metric.plain
        else "no"
    )
    return f"| `{metric.name}` | {quote(metric.statistics)} | {metric.unit} | {metric.better} | {judged} | {metric.meaning} |"


def section(title: str) -> str:
    """The text under one heading."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_page_lists_exactly_the_catalogue():
    """No metric is undocumented, none is documented that does not exist, none with another unit or statistic."""
    rows = [line for line in section("Metrics").splitlines() if line.startswith("| `")]

    assert rows == [expected_row(metric) for metric in CATALOGUE]


def test_no_metric_is_judged_both_ways():
    """A relative gate is judged by an interval or by a plain ratio, and the page says by which."""
    assert all(not (metric.paired and metric.plain) for metric in CATALOGUE)
    assert all(set(metric.paired + metric.plain) <= set(metric.statistics) for metric in CATALOGUE)


def test_every_example_of_the_page_is_a_gate_in_its_canonical_form():
    """What the page shows can be pasted into a scenario."""
    examples = re.search(r"```gates\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()

    assert len(examples) == 10
    for line in examples:
        gate = parse_gate(line)
        check_gate(gate, OPERATIONS, is_comparison=True)
        assert format_gate(gate) == line


def test_the_page_names_every_unit_outcome_and_verdict():
    """Nothing a user can meet is left unexplained."""
    assert all(f"`{unit}`" in section("How a gate is written") for unit in Unit)
    assert all(f"| {outcome} |" in section("How a gate ends") for outcome in GateOutcome)
    assert all(f"| {outcome} |" in section("How a run ends") for outcome in VerdictOutcome)
