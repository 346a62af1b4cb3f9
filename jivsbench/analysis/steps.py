"""What ended in each step of the schedule, added up second by second: intervals come once, only their seconds are kept."""

from collections.abc import Sequence

from jivsbench.analysis.schedule import Step
from jivsbench.analysis.sums import ErrorSum
from jivsbench.model.histogram import HistogramBuilder
from jivsbench.model.record import StepRow
from jivsbench.model.sample import Interval, OperationInterval, OperationKind, count_errors


class StepSums:
    """One sum per step. A second that lies in no step (the drain after the last one) is passed over."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._sums = [_StepSum(step) for step in steps]

    def add(self, interval: Interval) -> None:
        """Count one interval where the middle of its second lies."""
        for total in self._sums:
            if total.step.holds(interval.second):
                total.add(interval)
                return

    def build(self) -> tuple[StepRow, ...]:
        """Every step, in order."""
        return tuple(total.build() for total in self._sums)


class _StepSum:
    def __init__(self, step: Step) -> None:
        self.step = step
        self._seconds: set[int] = set()
        self._jobs = 0
        self._rows = 0
        self._busy_ns = 0
        self._operations = 0
        self._errors = ErrorSum()
        self._calls = HistogramBuilder()
        self._job_response = HistogramBuilder()

    def add(self, interval: Interval) -> None:
        # A second has one line a phase, and further ones for what became known late, after lines of later seconds.
        self._seconds.add(interval.second)
        for part in interval.operations:
            self._add_operation(part)

    def _add_operation(self, part: OperationInterval) -> None:
        self._errors.add(part.errors)
        if part.kind is OperationKind.JOB:
            self._jobs += part.count - count_errors(part.errors)
            self._rows += part.rows
            self._job_response.add(part.response)
            return
        self._operations += part.count
        self._busy_ns += part.response.sum_ns
        if part.kind is OperationKind.CALL:
            self._calls.add(part.response)

    def build(self) -> StepRow:
        step = self.step
        return StepRow(
            index=step.index,
            start_s=step.start_s,
            end_s=step.end_s,
            load_from=step.load_from,
            load_to=step.load_to,
            seconds=len(self._seconds),
            jobs=self._jobs,
            rows=self._rows,
            busy_ns=self._busy_ns,
            operations=self._operations,
            errors=self._errors.build(),
            calls=self._calls.build(),
            job_response=self._job_response.build(),
        )
