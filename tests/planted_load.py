"""Seconds of load as a target with a known answer would give them: the truth that a verdict must find. Nothing was measured."""

import math
import random
from collections.abc import Callable, Sequence

from jivsbench.analysis.schedule import Step, list_steps
from jivsbench.model.histogram import Histogram, HistogramBuilder
from jivsbench.model.record import SeriesRow, StepRow
from jivsbench.model.scenario import Stage

MS = 1_000_000


def autoregression(count: int, phi: float, source: random.Random) -> list[float]:
    """A stationary first-order autoregression of variance 1 around 0."""
    value, found = source.gauss(0, 1), []
    for _ in range(count):
        value = phi * value + math.sqrt(1 - phi * phi) * source.gauss(0, 1)
        found.append(value)
    return found


def usl(rate: float, contention: float, coherency: float) -> Callable[[float], float]:
    """Throughput over users by the Universal Scalability Law."""
    return lambda users: rate * users / (1 + contention * (users - 1) + coherency * users * (users - 1))


def limited_servers(rate: float, servers: int, thrash: float) -> Callable[[float], float]:
    """Throughput over users of a target with so many servers, which every user beyond them slows down."""
    return lambda users: rate * min(users, servers) / (1 + thrash * max(0.0, users - servers))


def climb(scale: float, *, returns: bool = False) -> tuple[Step, ...]:
    """The climb of the scenario `stress`, with its durations times `scale`; with its last plateau if it `returns`."""
    stages = [(30, 2), (30, 10), (60, 10), (180, 50), (180, 100), (180, 200), (180, 350), (180, 500), (120, 500)]
    back = [Stage(120 * scale, 10, is_step=True)] if returns else []
    return list_steps([*(Stage(duration * scale, users) for duration, users in stages), *back])


def series_of(
    steps: Sequence[Step],
    throughput: Callable[[float], float],
    source: random.Random,
    *,
    noise: float = 0.05,
    wander: float = 0.0,
) -> tuple[SeriesRow, ...]:
    """What a target with that throughput (rows/s) would show: counting noise, and a machine whose speed scatters by `noise`.

    That speed walks at random as well, to somewhere `wander` (standard deviation of the logarithm) off at the end.
    """
    last = math.floor(steps[-1].end_s)
    scatter = autoregression(last, 0.5, source)
    walked, rows = 0.0, []
    for second in range(last):
        step = next(step for step in steps if step.holds(second))
        users = max(step.load_at(second + 0.5), 0.5)
        walked += source.gauss(0, wander / math.sqrt(last)) if wander else 0.0
        expected = throughput(users) * math.exp(noise * scatter[second] + walked)
        found = max(round(source.gauss(expected, math.sqrt(expected))), 0)
        rows.append(second_row(second, users=round(users), rows=found, p95_ms=1000 * users / expected))
    return tuple(rows)


def second_row(
    second: int, *, users: int = 20, rows: int = 1000, jobs: int = 20, p95_ms: float | None = 100.0, errors: int = 0
) -> SeriesRow:
    """One second of one arm."""
    p95_ns = None if p95_ms is None else p95_ms * MS
    return SeriesRow(second, users, jobs, rows, 3 * jobs, errors, p95_ns, p95_ns, p95_ns)


def histogram(value_ms: float, count: int) -> Histogram:
    """So many durations of the same length."""
    builder = HistogramBuilder()
    for _ in range(count):
        builder.record(round(value_ms * MS))
    return builder.build()


def step_row(step: Step, *, rows: int, p95_ms: float = 100.0, seconds: int = 10, busy_s: float | None = None) -> StepRow:
    """A step in which every one of 400 calls took the same time; `busy_s` defaults to what Little's law says."""
    calls = histogram(p95_ms, 400)
    busy_s = step.load_to * seconds if busy_s is None else busy_s
    edges = (step.index, step.start_s, step.end_s, step.load_from, step.load_to)
    return StepRow(*edges, seconds, 100, rows, round(busy_s * 1e9), 2000, (), calls, calls)
