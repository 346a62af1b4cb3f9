"""The steps of a load, from the schedule that drove it: every border in analysis and charts is one of these."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jivsbench.model.record import SeriesRow
from jivsbench.model.scenario import Arrival, Stage

_MIDDLE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Step:
    """One stage as it was played, in seconds since the load started: a plateau, or a ramp from one load to another.

    The load is users in a closed loop, iterations per second in an open one.
    """

    index: int
    start_s: float
    end_s: float
    load_from: float
    load_to: float

    @property
    def is_plateau(self) -> bool:
        """True when the load stays the same."""
        return self.load_from == self.load_to

    @property
    def load_max(self) -> float:
        """The highest load of the step."""
        return max(self.load_from, self.load_to)

    def holds(self, second: int) -> bool:
        """True for a second of the load whose middle lies in this step, so that each second belongs to one step."""
        return self.start_s <= second + _MIDDLE < self.end_s

    def load_at(self, at_s: float) -> float:
        """The load on the schedule's straight line."""
        part = (at_s - self.start_s) / (self.end_s - self.start_s)
        return self.load_from + (self.load_to - self.load_from) * part


def list_steps(stages: Sequence[Stage], arrival: Arrival = Arrival.USERS, origin_s: float = 0.0) -> tuple[Step, ...]:
    """One step per stage that lasts; `origin_s` is when the block began. A stage of no time only sets where the next begins."""
    steps: list[Step] = []
    before, start_s = 0.0, origin_s
    for stage in stages:
        load = stage.rate_per_s if arrival is Arrival.RATE else float(stage.users)
        end_s = start_s + stage.duration_s
        if stage.duration_s > 0:
            steps.append(Step(len(steps), start_s, end_s, load if stage.is_step else before, load))
        before, start_s = load, end_s
    return tuple(steps)


def rows_within(series: Sequence[SeriesRow], step: Step) -> tuple[SeriesRow, ...]:
    """The seconds of that step."""
    return tuple(row for row in series if step.holds(row.second))
