"""Keeps the monitor's rows of a long load bounded: of every few looks one stays, with what the others spread over.

The look that stays is a real one, so counters and evenly spaced readings stay what they are; the least, the mean and the
greatest of each gauge, and the sum and the greatest of what sessions waited for, stand beside it, so that no peak is lost.
Every look is in monitor.jsonl.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from jivsbench.model.monitor_rows import MonitorRow, ServerRow, Spread, WaitSpread

# Half an hour of looks; growth is judged by a rule that was tried on 180 to 1,440 readings.
MOST_ROWS: Final = 1800
_GAUGES: Final = {
    MonitorRow: (
        "rss_bytes",
        "pss_bytes",
        "threads",
        "handles",
        "pool_active",
        "pool_idle",
        "pool_waiting",
        "jobs_waiting",
    ),
    ServerRow: ("sessions", "own_sessions", "cache_memory_bytes", "cache_clients"),
}
# Where one of these is known, the look was answered.
_ANSWERED: Final = {MonitorRow: "rss_bytes", ServerRow: "own_sessions"}
# A process tree loses the CPU seconds of a child that ended, which is no restart; losing more than half of them is.
RESTART_CPU_RATIO: Final = 0.5
# Below this part of what it was, a counter began anew.
_COUNTERS: Final = {"cpu_s": RESTART_CPU_RATIO, "cache_hits": 1.0, "cache_misses": 1.0}

Row = TypeVar("Row", MonitorRow, ServerRow)


def condense(rows: Sequence[Row], most: int = MOST_ROWS) -> tuple[Row, ...]:
    """The rows themselves when there are at most `most`; else about so many, each for equally many looks.

    The looks before and after a counter that fell, which is a restart, both stay.
    """
    if len(rows) <= most:
        return tuple(rows)
    return tuple(_merge(part) for part in _divide(rows, math.ceil(len(rows) / most)))


def highest(row: MonitorRow | ServerRow, gauge: str) -> float | None:
    """The greatest reading of a gauge in the looks that a row stands for; None when it was not read."""
    spread = read_spread(row, gauge)
    return None if spread is None else spread.high


def read_spread(row: MonitorRow | ServerRow, gauge: str) -> Spread | None:
    """The gauge over the looks that a row stands for, of a single look too; None when it was not read."""
    if row.spreads:
        return next((spread for spread in row.spreads if spread.gauge == gauge), None)
    value = getattr(row, gauge)
    return None if value is None else Spread(gauge, 1, value, value, value)


def count_waits(row: ServerRow) -> tuple[int, tuple[WaitSpread, ...]]:
    """How many looks told what sessions waited for, and what they told; a version before kept one look's alone."""
    if row.wait_spreads is None:
        return int(row.own_sessions is not None), tuple(_spread_waits([row]))
    told = read_spread(row, "own_sessions")
    return (0 if told is None else told.known), row.wait_spreads


def _divide(rows: Sequence[Row], size: int) -> Iterator[list[Row]]:
    part: list[Row] = []
    last: dict[str, float] = {}
    for row in rows:
        counters = {name: value for name in _COUNTERS if (value := getattr(row, name, None)) is not None}
        # Compared with the last that was known: while a target starts anew nobody can read it.
        has_fallen = any(value < last.get(name, 0.0) * _COUNTERS[name] for name, value in counters.items())
        last |= counters
        if part and (len(part) == size or has_fallen):
            yield part
            part = []
        part.append(row)
        if has_fallen:
            # It stands alone: later looks may have passed what was there before.
            yield part
            part = []
    if part:
        yield part


def _merge(rows: list[Row]) -> Row:
    kind = type(rows[0])
    kept = next((row for row in reversed(rows) if getattr(row, _ANSWERED[kind]) is not None), rows[-1])
    merged = replace(kept, looks=len(rows), spreads=tuple(_list_spreads(rows, _GAUGES[kind])))
    if isinstance(merged, ServerRow):
        return replace(merged, wait_spreads=tuple(_spread_waits([row for row in rows if isinstance(row, ServerRow)])))
    return merged


def _list_spreads(rows: Sequence[Row], gauges: Sequence[str]) -> Iterator[Spread]:
    for gauge in gauges:
        read = [value for row in rows if (value := getattr(row, gauge)) is not None]
        if read:
            yield Spread(gauge, len(read), min(read), sum(read) / len(read), max(read))


def _spread_waits(rows: Sequence[ServerRow]) -> Iterator[WaitSpread]:
    counts: dict[tuple[str, str | None], list[int]] = {}
    for row in rows:
        if row.own_sessions is None:
            continue
        own: Counter[tuple[str, str | None]] = Counter()
        for wait in row.waits:
            own[wait.kind, wait.event] += wait.sessions
            own[wait.kind, None] += wait.sessions
        for key, sessions in own.items():
            counts.setdefault(key, []).append(sessions)
    for (kind, event), found in counts.items():
        yield WaitSpread(kind, event, sum(found), max(found))
