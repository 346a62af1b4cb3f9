"""Figures over windows of the load: the steady part, and every stretch of so many seconds, of which the worst counts.

One pass over intervals.jsonl; seconds are kept as long as the longest window, so memory does not grow with the load. What
watches a running load for gates that end it (`jivsbench.load.aborting`) feeds the same windows with the same seconds.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final

from jivsbench.analysis.figures import PERCENTILES
from jivsbench.analysis.steady import find_steady_window
from jivsbench.model.gate import Comparator, Gate, WindowKind
from jivsbench.model.histogram import MIN_SAMPLES_P99, Histogram, merge_histograms
from jivsbench.model.record import ArmRecord, SteadyWindow, WindowFigure
from jivsbench.model.sample import LATE_S, Interval, OperationInterval, OperationKind, count_errors
from jivsbench.model.scenario import Scenario

_NS_PER_MS: Final = 1e6
_NS_PER_S: Final = 1e9
_CLOCKS: Final = {"http.service": "service", "http.lag": "lag"}


@dataclass(slots=True)
class Second:
    """What ended within one second, as far as one metric asks: a histogram, or a part of a whole."""

    response: list[Histogram] = field(default_factory=list)
    part: int = 0
    whole: int = 0

    def add(self, metric: str, operations: Iterable[OperationInterval]) -> None:
        """Add what an interval holds of this metric."""
        for one in operations:
            if metric in ("http.errors", "job.errors"):
                if (one.kind is OperationKind.JOB) == (metric == "job.errors"):
                    self.part += count_errors(one.errors)
                    self.whole += one.count
            elif metric in ("throughput.records", "throughput.jobs"):
                if one.kind is OperationKind.JOB:
                    done = one.count - count_errors(one.errors)
                    self.part += one.rows if metric == "throughput.records" else done
                    self.whole += done
            elif _is_of(metric, one):
                self.response.append(getattr(one, _CLOCKS.get(metric, "response")))


@dataclass(frozen=True, slots=True)
class Reading:
    """A figure over one window, in the metric's unit; None when there was too little to tell."""

    value: float | None
    samples: int
    at_s: int


def read_window(metric: str, statistic: str, seconds: Sequence[Second], at_s: int) -> Reading:
    """The figure over adjacent whole seconds."""
    if metric.startswith("throughput."):
        rate = sum(second.part for second in seconds) / len(seconds)
        samples = sum(second.whole for second in seconds)
        return Reading(rate * 60 if metric == "throughput.records" else rate, samples, at_s)
    if metric.endswith(".errors"):
        whole = sum(second.whole for second in seconds)
        return Reading(100.0 * sum(second.part for second in seconds) / whole if whole else None, whole, at_s)
    merged = merge_histograms(one for second in seconds for one in second.response)
    return Reading(_read_latency(merged, statistic), merged.count, at_s)


def is_worse(comparator: Comparator, value: float, than: float) -> bool:
    """True when a figure is further from meeting such a gate than another one."""
    return value > than if comparator in (Comparator.LESS, Comparator.LESS_OR_EQUAL) else value < than


class SlidingWindow:
    """One gate's window, slid over the seconds of one arm as they come."""

    __slots__ = ("_gate", "_kept", "_seconds", "looked_at", "worst")

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._kept = gate.window.duration_s
        self._seconds: deque[Second] = deque(maxlen=self._kept)
        self.looked_at = 0
        self.worst: Reading | None = None

    def slide(self, number: int, second: Second) -> Reading | None:
        """One second further; the reading of the window that ends with it, once the window is full."""
        self._seconds.append(second)
        if len(self._seconds) < self._kept:
            return None
        reading = read_window(self._gate.metric, self._gate.statistic, tuple(self._seconds), number + 1 - self._kept)
        if reading.value is not None:
            self.looked_at += 1
            if self.worst is None or self.worst.value is None or is_worse(self._gate.comparator, reading.value, self.worst.value):
                self.worst = reading
        return reading

    def slide_empty(self, start_s: int, end_s: int) -> None:
        """Over seconds in which nothing ended. Once the window holds no other, it reads the same however far it slides."""
        walked_to_s = min(start_s + self._kept, end_s)
        reading = None
        for number in range(start_s, walked_to_s):
            reading = self.slide(number, Second())
        if reading is not None and reading.value is not None:
            self.looked_at += end_s - walked_to_s

    def build_figure(self) -> WindowFigure:
        """The worst window so far."""
        gate, worst = self._gate, self.worst
        if worst is None:
            why = f"not measured: no {gate.window.duration_s} s of the load had enough samples"
            return WindowFigure(gate.metric, gate.statistic, gate.window, None, 0, None, 0, why)
        method = f"worst of {self.looked_at} windows of {gate.window.duration_s} s, from {worst.at_s} s on"
        return WindowFigure(
            gate.metric, gate.statistic, gate.window, worst.value, worst.samples, worst.at_s, self.looked_at, method
        )


def add_windows(arm: ArmRecord, scenario: Scenario, intervals: Iterable[Interval]) -> ArmRecord:
    """The record of a run's only arm with its steady window and the figures that the scenario's windowed gates ask for."""
    steady = find_steady_window(scenario, arm.blocks, arm.series)
    end_s = int(max((block.end_ns for block in arm.blocks), default=0) / _NS_PER_S)
    return replace(arm, steady=steady, windows=measure_windows(arm.profile.name, scenario.gates, intervals, steady, end_s))


def measure_windows(
    arm: str, gates: Sequence[Gate], intervals: Iterable[Interval], steady: SteadyWindow | None, end_s: int
) -> tuple[WindowFigure, ...]:
    """The figures that the windowed gates ask for, over the whole seconds before `end_s`; one for each gate's figure."""
    wanted = [gate for gate in dict.fromkeys(gates) if gate.window.kind is not WindowKind.WHOLE]
    sliding = {gate: SlidingWindow(gate) for gate in wanted if gate.window.kind is WindowKind.SLIDING}
    within: dict[Gate, list[Second]] = {gate: [] for gate in wanted if gate.window.kind is WindowKind.STEADY}
    if not wanted:
        return ()
    following = 0
    for number, operations in chain(close_seconds(arm, intervals, end_s), [(end_s, ())]):
        for window in sliding.values():
            window.slide_empty(following, number)
        for seconds in within.values():
            seconds.extend([Second()] * _count_within(steady, following, number))
        if number == end_s:
            break
        following = number + 1
        for gate, window in sliding.items():
            window.slide(number, _build_second(gate.metric, operations))
        if _count_within(steady, number, following):
            for gate, seconds in within.items():
                seconds.append(_build_second(gate.metric, operations))
    figures = [window.build_figure() for window in sliding.values()]
    return (*figures, *(_build_steady(gate, seconds, steady) for gate, seconds in within.items()))


def close_seconds(arm: str, intervals: Iterable[Interval], end_s: int) -> Iterator[tuple[int, tuple[OperationInterval, ...]]]:
    """The whole seconds of one arm from 0 to `end_s` that have a line, in order, with all that ended in them.

    Those between them are empty, and are not walked through: how many there are is a number in a file.
    """
    open_seconds: dict[int, list[OperationInterval]] = {}
    closed_s = 0
    for interval in intervals:
        if interval.arm != arm:
            continue
        due_s = min(interval.second - LATE_S, end_s)
        if due_s > closed_s:
            closed_s = due_s
            for number in sorted(second for second in open_seconds if second < due_s):
                yield number, tuple(open_seconds.pop(number))
        if closed_s <= interval.second < end_s:
            open_seconds.setdefault(interval.second, []).extend(interval.operations)
    for number in sorted(open_seconds):
        yield number, tuple(open_seconds[number])


def _count_within(steady: SteadyWindow | None, start_s: int, end_s: int) -> int:
    """How many of these seconds lie in the steady window."""
    if steady is None or steady.start_s is None:
        return 0
    return max(min(steady.end_s, end_s) - max(steady.start_s, start_s), 0)


def _build_second(metric: str, operations: Iterable[OperationInterval]) -> Second:
    second = Second()
    second.add(metric, operations)
    return second


def _build_steady(gate: Gate, seconds: Sequence[Second], steady: SteadyWindow | None) -> WindowFigure:
    if steady is None or steady.start_s is None or not seconds:
        why = "a comparison has no steady window" if steady is None else steady.method
        return WindowFigure(gate.metric, gate.statistic, gate.window, None, 0, None, 0, f"not measured: {why}")
    reading = read_window(gate.metric, gate.statistic, seconds, steady.start_s)
    method = f"steady window from {steady.start_s} s to {steady.end_s} s; {steady.method}"
    if reading.value is None:
        return WindowFigure(
            gate.metric, gate.statistic, gate.window, None, reading.samples, None, 0, f"not measured: too few samples; {method}"
        )
    return WindowFigure(gate.metric, gate.statistic, gate.window, reading.value, reading.samples, steady.start_s, 1, method)


def _is_of(metric: str, one: OperationInterval) -> bool:
    name = metric.rpartition(".")[0]
    if name == "http":
        return one.kind is OperationKind.CALL
    return one.operation == name and (one.kind is OperationKind.JOB) == (name == "job")


def _read_latency(histogram: Histogram, statistic: str) -> float | None:
    if not histogram.count or (statistic == "p99" and histogram.count < MIN_SAMPLES_P99):
        return None
    match statistic:
        case "max":
            return histogram.max_ns / _NS_PER_MS
        case "mean":
            return histogram.sum_ns / histogram.count / _NS_PER_MS
        case _:
            return (histogram.percentile_ns(PERCENTILES[statistic]) or 0.0) / _NS_PER_MS
