"""Watches a running load for gates that end it: the verdict's windows, over intervals while they are written."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from jivsbench.analysis.windows import Second, SlidingWindow
from jivsbench.errors import InvalidRunError
from jivsbench.load.intervals import parse_interval
from jivsbench.model.formatting import format_beside
from jivsbench.model.gate import Gate
from jivsbench.model.gate_text import direction_of, format_gate
from jivsbench.model.sample import Interval, OperationInterval


class AbortWatch:
    """Reads intervals.jsonl as it grows. Memory is bounded by the windows and by what the load child has not closed yet.

    Like the verdict it judges the whole seconds before `end_s`: in the drain nothing begins, and throughput must fall.
    """

    def __init__(self, gates: Sequence[Gate], arm: str, intervals: Path, end_s: int) -> None:
        self._windows = {gate: SlidingWindow(gate) for gate in gates if gate.aborts}
        self._arm = arm
        self._path = intervals
        self._end_s = end_s
        self._read_bytes = 0
        self._open: dict[int, list[OperationInterval]] = {}
        self._next = 0

    def look(self, settled_s: int) -> str | None:
        """Why the load must end now: the first gate whose window misses its limit; None while none does.

        Raises InvalidRunError for a line that cannot be read.
        Only so many seconds are looked at: a job counts where its end was seen, and becomes known once its user has checked it.
        """
        if not self._windows:
            return None
        for interval in self._read_new():
            if interval.arm == self._arm and interval.second >= self._next:
                self._open.setdefault(interval.second, []).extend(interval.operations)
        while self._next < min(settled_s, self._end_s):
            operations = self._open.pop(self._next, [])
            reason = self._slide(self._next, operations)
            self._next += 1
            if reason is not None:
                return reason
        return None

    def _slide(self, number: int, operations: Sequence[OperationInterval]) -> str | None:
        for gate, window in self._windows.items():
            second = Second()
            second.add(gate.metric, operations)
            reading = window.slide(number, second)
            if reading is not None and reading.value is not None and not gate.comparator.holds(reading.value, gate.limit):
                span = f"from {reading.at_s} s to {number + 1} s of the load"
                found = format_beside(reading.value, gate.limit, gate.unit, direction_of(gate))
                return f"gate {format_gate(gate)!r} ended the run: {found} {span}"
        return None

    def _read_new(self) -> Iterator[Interval]:
        """The whole lines that have come since the last look."""
        if not self._path.exists():
            return
        with self._path.open("rb") as stream:
            stream.seek(self._read_bytes)
            for line in stream:
                if not line.endswith(b"\n"):
                    return
                self._read_bytes += len(line)
                try:
                    yield parse_interval(line)
                except ValueError as exc:
                    raise InvalidRunError(
                        f"a line of {self._path} is not an interval: something else writes to it; measure again"
                    ) from exc
