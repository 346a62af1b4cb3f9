"""Gates as text: one line each, parsed and checked before any load is sent.

    <metric> <statistic> [improvement|reduction|growth] <op> <number> <unit> [goal <number> <unit>] [steady|for <n>s] [warn|abort]

`http.response p95 < 500 ms` · `throughput.records rate improvement >= 50 % goal 100 %` · `findings.critical count <= 0`

A limit is converted into its metric's own unit. A ratio's limit carries `%`, always: 0.01 and 1 % are never guessed apart.
A gate that a worse figure would meet (`http.response p95 > 500 ms`) is refused: it would turn green as things get worse.
"""

import difflib
import math
import re
from collections.abc import Collection, Iterable
from typing import Final

from jivsbench.errors import GateError
from jivsbench.model.gate import WHOLE, Change, Comparator, Gate, GateSeverity, Unit, Window, WindowKind
from jivsbench.model.metrics import CATALOGUE, OPERATION_METRIC, Direction, Metric, convert_unit, find_metric, list_metrics
from jivsbench.model.scenario import Question

_WORD: Final = re.compile(r"[<>=!]+|[^\s<>=!]+")
_QUANTITY: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(.*)")
_GOAL: Final = "goal"
_ABORT: Final = "abort"
_TAIL_WORDS: Final = (_GOAL, WindowKind.STEADY.value, WindowKind.SLIDING.value, GateSeverity.WARN.value, _ABORT)
_FORM: Final = (
    "<metric> <statistic> [improvement|reduction|growth] <op> <number> <unit> "
    "[goal <number> <unit>] [steady|for <n>s] [warn|abort]"
)
_SECONDS: Final = re.compile(r"([1-9]\d{0,4})(s|m)")
_LONGEST_WINDOW_S: Final = 3600
_RISING: Final = (Comparator.GREATER, Comparator.GREATER_OR_EQUAL)


def parse_gate(text: str) -> Gate:
    """Read a gate. Raises GateError naming the text, the word that is wrong and the nearest right one.

    >>> parse_gate("http.response p95 < 0.5 s").limit
    500.0
    """
    words = _Words(text)
    metric = _parse_metric(words)
    statistic = words.take_one_of(metric.statistics, f"statistic of {metric.name}")
    change = words.take_if(tuple(Change))
    comparator = Comparator(words.take_one_of(tuple(Comparator), "comparator"))
    unit = Unit.PERCENT if change else metric.unit
    limit = _parse_quantity(words, metric, unit)
    goal = _parse_quantity(words, metric, unit) if words.take_if((_GOAL,)) else None
    window = _parse_window(words)
    severity = GateSeverity.WARN if words.take_if((GateSeverity.WARN.value,)) else GateSeverity.FAIL
    aborts = words.take_if((_ABORT,)) is not None
    words.expect_end(*_TAIL_WORDS)
    kind = Change(change) if change else None
    gate = Gate(metric.name, statistic, comparator, limit, unit, kind, goal, severity, window=window, aborts=aborts)
    _check_sense(gate, metric, words.text)
    return gate


def format_gate(gate: Gate) -> str:
    """Write a gate; `parse_gate` reads the same gate back.

    >>> format_gate(Gate("findings.critical", "count", Comparator.LESS_OR_EQUAL, 0, Unit.COUNT))
    'findings.critical count <= 0'
    """
    words = [gate.metric, gate.statistic]
    if gate.change is not None:
        words.append(gate.change)
    words += [gate.comparator, _write_quantity(gate.limit, gate.unit)]
    if gate.goal is not None:
        words += [_GOAL, _write_quantity(gate.goal, gate.unit)]
    if gate.window.kind is not WindowKind.WHOLE:
        words.append(str(gate.window))
    if gate.severity is GateSeverity.WARN:
        words.append(gate.severity)
    if gate.aborts:
        words.append(_ABORT)
    return " ".join(words)


def direction_of(gate: Gate) -> Direction:
    """Which way the number that a gate judges improves; LOWER for a metric that nobody knows."""
    metric = find_metric(gate.metric)
    return Direction.HIGHER if metric is not None and _is_rise_better(gate, metric) else Direction.LOWER


def check_gate(gate: Gate, operations: Collection[str], is_comparison: bool) -> None:  # noqa: FBT001 - the second half of one question
    """Can a run of a workload with these operations answer this gate? Raises GateError naming what is available."""
    text = format_gate(gate)
    available = {metric.name: metric for metric in list_metrics(operations)}
    metric = available.get(gate.metric)
    if metric is None:
        raise _unknown(text, "metric of this workload", gate.metric, available)
    if gate.statistic not in metric.statistics:
        raise _unknown(text, f"statistic of {metric.name}", gate.statistic, metric.statistics)
    if gate.change is not None and not is_comparison:
        raise GateError(
            f"gate {text!r}: {gate.change.value!r} needs a comparison, and this run has one arm: set a limit in {metric.unit}"
        )
    _check_sense(gate, metric, text)


def check_question(gate: Gate, questions: Collection[Question]) -> None:
    """Refuse a gate on an answer that the scenario does not ask for. Raises GateError."""
    metric = find_metric(gate.metric)
    if metric is not None and metric.question is not None and metric.question not in questions:
        raise GateError(
            f"gate {format_gate(gate)!r}: {gate.metric} answers a question that this scenario does not ask: "
            f'add questions = ["{metric.question}"]'
        )


class _Words:
    """The words of one gate's text, taken from left to right."""

    __slots__ = ("_left", "text")

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())
        self._left = _WORD.findall(text)

    def peek(self) -> str | None:
        return self._left[0] if self._left else None

    def take(self, kind: str) -> str:
        if not self._left:
            raise GateError(f"gate {self.text!r}: it ends where a {kind} is expected: write {_FORM}")
        return str(self._left.pop(0))

    def take_one_of(self, known: Collection[str], kind: str) -> str:
        word = self.take(kind)
        if word not in known:
            raise _unknown(self.text, kind, word, known)
        return word

    def take_if(self, known: Collection[str]) -> str | None:
        return self.take("word") if self.peek() in known else None

    def expect_end(self, *could_follow: str) -> None:
        if self._left:
            raise _unknown(self.text, "word after the limit", self._left[0], could_follow)


def _unknown(text: str, kind: str, word: str, known: Iterable[str]) -> GateError:
    names = [str(name) for name in known]
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.3)
    hint = f"did you mean {near[0]!r}?" if near else "choose one that exists"
    return GateError(f"gate {text!r}: no {kind} is called {word!r}: {hint} (known: {', '.join(names) or 'none'})")


def _parse_metric(words: _Words) -> Metric:
    name = words.take("metric")
    metric = find_metric(name)
    if metric is None or metric is OPERATION_METRIC:
        raise _unknown(words.text, "metric", name, [known.name for known in CATALOGUE])
    return metric


def _parse_quantity(words: _Words, metric: Metric, wanted: Unit) -> float:
    word = words.take("number")
    match = _QUANTITY.fullmatch(word)
    if match is None or not math.isfinite(float(match[1])):
        raise GateError(f"gate {words.text!r}: {word!r} is not a number: write a limit such as {_example(wanted)!r}")
    value = float(match[1])
    unit = match[2] or _take_unit(words, value, metric, wanted)
    if unit not in tuple(Unit):
        raise _unknown(words.text, "unit", unit, tuple(Unit))
    converted = convert_unit(value, Unit(unit), wanted)
    if converted is None or not math.isfinite(converted):
        subject = "a change" if wanted is not metric.unit else metric.name
        raise GateError(
            f"gate {words.text!r}: {subject} is measured in {wanted}, not in {unit}: write a limit such as {_example(wanted)!r}"
        )
    return converted


def _parse_window(words: _Words) -> Window:
    kind = words.take_if((WindowKind.STEADY.value, WindowKind.SLIDING.value))
    if kind is None:
        return WHOLE
    if kind == WindowKind.STEADY:
        return Window(WindowKind.STEADY)
    word = words.take("duration")
    match = _SECONDS.fullmatch(word)
    duration_s = int(match[1]) * (60 if match[2] == "m" else 1) if match else 0
    if not 0 < duration_s <= _LONGEST_WINDOW_S:
        raise GateError(f"gate {words.text!r}: {word!r} is no window: write whole seconds or minutes up to an hour, such as 10s")
    return Window(WindowKind.SLIDING, duration_s)


def _take_unit(words: _Words, value: float, metric: Metric, wanted: Unit) -> str:
    if words.peek() not in (None, *_TAIL_WORDS):
        return words.take("unit")
    if wanted is Unit.COUNT:
        return Unit.COUNT
    number = _write_quantity(value, Unit.COUNT)
    if wanted is not Unit.PERCENT:
        raise GateError(f"gate {words.text!r}: {number!r} lacks its unit: {metric.name} is measured in {wanted}")
    as_fraction = _write_quantity(value * 100, wanted)
    raise GateError(
        f"gate {words.text!r}: {number!r} lacks its unit, and percent and fraction are never guessed apart: "
        f"write {as_fraction!r} if a fraction was meant, else {_write_quantity(value, wanted)!r}"
    )


def _example(unit: Unit) -> str:
    return _write_quantity(0 if unit is Unit.COUNT else 50, unit)


def _check_sense(gate: Gate, metric: Metric, text: str) -> None:
    """A gate that parses must also mean something: right unit, right direction, a range that can be met, a harder goal."""
    expected = Unit.PERCENT if gate.change else metric.unit
    if gate.unit is not expected:
        raise GateError(f"gate {text!r}: its limit is in {gate.unit}, {gate.metric} needs {expected}: convert it")
    if gate.change is not None:
        _check_change(gate, metric, text)
    elif not all(_is_possible(metric.unit, value) for value in (gate.limit, gate.goal) if value is not None):
        bounds = "0 and 100 %" if metric.unit is Unit.PERCENT else "0 and above"
        raise GateError(f"gate {text!r}: {metric.name} always lies within {bounds}: change the limit")
    if _wants_rise(gate) != _is_rise_better(gate, metric):
        raise GateError(
            f"gate {text!r}: a worse figure would meet it, {metric.name} is better when {metric.better}: {_advise(gate, metric)}"
        )
    _check_window(gate, metric, text)
    if gate.goal is not None and not _is_at_least_as_hard(gate, gate.goal):
        raise GateError(f"gate {text!r}: the goal is easier than the limit: swap {gate.goal:g} and {gate.limit:g}")


def _check_window(gate: Gate, metric: Metric, text: str) -> None:
    if gate.window.kind is not WindowKind.WHOLE:
        if gate.change is not None:
            raise GateError(f"gate {text!r}: a change is judged over whole blocks: leave out {str(gate.window)!r}")
        if not metric.is_windowed:
            choices = ", ".join(known.name for known in CATALOGUE if known.is_windowed)
            raise GateError(
                f"gate {text!r}: {metric.name} has no windows: leave out {str(gate.window)!r} (with windows: {choices})"
            )
    if gate.aborts and gate.window.kind is not WindowKind.SLIDING:
        raise GateError(f"gate {text!r}: what ends a run is a window that misses the limit: write 'for 10s abort'")
    if gate.aborts and gate.severity is GateSeverity.WARN:
        raise GateError(f"gate {text!r}: a run that is ended has failed, which is no warning: leave out 'warn' or 'abort'")


def _check_change(gate: Gate, metric: Metric, text: str) -> None:
    judged = metric.paired + metric.plain
    if gate.statistic not in judged:
        choices = [f"{m.name} {s}" for m in CATALOGUE for s in m.paired + m.plain]
        raise GateError(
            f"gate {text!r}: the change of {metric.name} {gate.statistic} cannot be judged: choose one of {', '.join(choices)}"
        )


def _advise(gate: Gate, metric: Metric) -> str:
    if gate.change is Change.IMPROVEMENT and metric.better is Direction.LOWER:
        return "write 'reduction' for 'improvement'"
    return "use < or <=" if _wants_rise(gate) else "use > or >="


def _is_possible(unit: Unit, value: float) -> bool:
    return 0 <= value <= (100 if unit is Unit.PERCENT else math.inf)


def _wants_rise(gate: Gate) -> bool:
    return gate.comparator in _RISING


def _is_rise_better(gate: Gate, metric: Metric) -> bool:
    """True when a greater judged number is better: a reduction turns the metric's own direction round."""
    return (metric.better is Direction.HIGHER) != (gate.change is Change.REDUCTION)


def _is_at_least_as_hard(gate: Gate, goal: float) -> bool:
    return goal >= gate.limit if _wants_rise(gate) else goal <= gate.limit


def _write_quantity(value: float, unit: Unit) -> str:
    """A number with its unit, exactly: never rounded. A count stands alone."""
    number = repr(float(value)).removesuffix(".0")
    return number if unit is Unit.COUNT else f"{number} {unit}"
