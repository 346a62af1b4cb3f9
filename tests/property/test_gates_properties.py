from hypothesis import given
from hypothesis import strategies as st

from jivsbench.analysis.gating import judge_gate
from jivsbench.errors import GateError
from jivsbench.model.gate import WHOLE, Change, Comparator, Gate, GateSeverity, Unit, Window, WindowKind
from jivsbench.model.gate_text import check_gate, direction_of, format_gate, parse_gate
from jivsbench.model.metrics import CATALOGUE, OPERATION_METRIC, Direction, find_metric
from jivsbench.model.summary import Effect, Summary
from jivsbench.report.views.headline import build_gate_line

OPERATIONS = ("create", "start", "wait", "statistics", "job")
RISING = (Comparator.GREATER, Comparator.GREATER_OR_EQUAL)
FALLING = (Comparator.LESS, Comparator.LESS_OR_EQUAL)
NAMES = [metric.name for metric in CATALOGUE if metric is not OPERATION_METRIC] + [f"{name}.response" for name in OPERATIONS]


@st.composite
def gates(draw) -> Gate:
    """Any gate that makes sense: right unit, right direction, possible limit, goal at least as hard as the limit."""
    metric = find_metric(draw(st.sampled_from(NAMES)))
    changes = (None, *Change) if metric.paired + metric.plain else (None,)
    change = draw(st.sampled_from(changes))
    statistic = draw(st.sampled_from(metric.paired + metric.plain if change else metric.statistics))
    unit = Unit.PERCENT if change else metric.unit
    least, most = (-1e6, 1e6) if change else (0, 100 if unit is Unit.PERCENT else 1e12)
    numbers = st.floats(least, most, allow_nan=False) | st.integers(int(least), int(most)).map(float)
    rises = (metric.better is Direction.HIGHER) != (change is Change.REDUCTION)
    comparator = draw(st.sampled_from(RISING if rises else FALLING))
    limit, goal = draw(numbers), draw(st.none() | numbers)
    if goal is not None and (goal < limit if rises else goal > limit):
        limit, goal = goal, limit
    severity = draw(st.sampled_from(GateSeverity))
    window = draw(windows()) if metric.is_windowed and change is None else WHOLE
    aborts = window.kind is WindowKind.SLIDING and severity is GateSeverity.FAIL and draw(st.booleans())
    return Gate(metric.name, statistic, comparator, limit, unit, change, goal, severity, window=window, aborts=aborts)


def windows() -> st.SearchStrategy[Window]:
    """Any window."""
    sliding = st.integers(1, 3600).map(lambda duration_s: Window(WindowKind.SLIDING, duration_s))
    return st.sampled_from([WHOLE, Window(WindowKind.STEADY)]) | sliding


def read(text: str) -> Gate | str:
    """The gate, or the message that refuses it."""
    try:
        return parse_gate(text)
    except GateError as error:
        return str(error)


@given(gates())
def test_a_formatted_gate_parses_to_the_same_gate(gate):
    """Text and value are two forms of one thing."""
    assert parse_gate(format_gate(gate)) == gate


@given(gates())
def test_every_sensible_gate_can_be_answered_by_a_comparison_of_jobs(gate):
    """What parses for a known operation also passes the check before the load."""
    check_gate(gate, OPERATIONS, is_comparison=True)

    assert find_metric(gate.metric) is not None


@given(gates(), st.sampled_from([" ", "   ", "\t"]))
def test_space_between_words_does_not_matter(gate, space):
    """A gate may be aligned in its file."""
    assert parse_gate(space + format_gate(gate).replace(" ", space) + space) == gate


@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            [*NAMES, "p95", "ratio", "<", ">=", "5", "%", "ms", "goal", "warn", "growth", "steady", "for", "10s", "abort"]
        )
    ).map(" ".join)
)
def test_any_other_text_is_refused_with_a_gate_error_or_makes_sense(text):
    """No text crashes the parser, and what it accepts survives being written down."""
    gate = read(text)

    if isinstance(gate, Gate):
        assert parse_gate(format_gate(gate)) == gate
    else:
        assert gate.startswith("gate ")
        assert "\n" not in gate


@given(gates())
def test_a_worse_figure_never_meets_what_a_better_one_misses(gate):
    """Every accepted gate points in the direction in which its metric is better."""
    metric = find_metric(gate.metric)
    better_is_greater = (metric.better is Direction.HIGHER) != (gate.change is Change.REDUCTION)
    worse, better = (gate.limit - 1, gate.limit + 1) if better_is_greater else (gate.limit + 1, gate.limit - 1)

    assert gate.comparator.holds(better, gate.limit) >= gate.comparator.holds(worse, gate.limit)


@given(st.floats(0.01, 10), st.floats(0.5, 1), st.floats(1, 2), st.sampled_from(["reduction >=", "growth <="]))
def test_a_report_and_a_reason_write_a_figure_alike(ratio, below, above, change):
    """The reason of a gate holds the value and the interval as the table beside it shows them: rounded once, one way."""
    effect = Effect("job.response", "p95", "a", "b", ratio, ratio * below, ratio * above, 0.95, 12, "")
    result = judge_gate(parse_gate(f"job.response p95 {change} 50 %"), Summary((), (effect,)), "b")
    line = build_gate_line(result, is_valid=True)

    assert f" {line.value}" in result.reason
    assert line.interval in result.reason


@given(gates())
def test_the_direction_of_a_gate_is_that_of_its_comparison(gate):
    """What a gate wants to be large is rounded down, what it wants to be small is rounded up; a growth may be either."""
    assert (direction_of(gate) is Direction.HIGHER) == (gate.comparator in RISING)
